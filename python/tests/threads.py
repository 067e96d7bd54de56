"""What tests with other threads have in common."""

from concurrent.futures import ThreadPoolExecutor


def in_thread(function, *args):
    """The value of `function(*args)` in a new thread, or its error."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function, *args).result()
