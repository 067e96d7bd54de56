"""Helpers for tests with other threads."""

from concurrent.futures import ThreadPoolExecutor


def in_thread(function, *args):
    """Returns the value of `function(*args)` in a new thread, or raises its error."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function, *args).result()
