"""Errors of loads."""

import contextvars


class LoadError(Exception):
    """The batch function failed or returned an invalid result. `__cause__` is the original error.

    `loader` is the name of the loader, `key` the key, and `why` the reason as text.
    """

    def __init__(self, loader, key, why):
        super().__init__(loader, key, why)
        self.loader = loader
        self.key = key
        self.why = why

    def __str__(self):
        return f"loader {self.loader}, key {_text(self.key, repr)}: {self.why}"


class MissingKeyError(LoadError, KeyError):
    """The batch function returned no value for the key, and the loader has no default."""


class LoadTimeoutError(LoadError, TimeoutError):
    """The batch function did not return within the timeout of the loader."""


class Late(Exception):
    """Raised by a batch function that has a timeout of its own, of so many seconds."""

    def __init__(self, seconds):
        super().__init__(seconds)
        self.seconds = seconds


def is_interrupt(error):
    """Returns whether an error, such as a `KeyboardInterrupt`, ends a synchronous call at once.

    A `GeneratorExit` does not: a generator or coroutine that is closed is not the caller.
    """
    return not isinstance(error, (Exception, GeneratorExit))


def failed(loader, key, error):
    """Returns the error of a key whose request failed with `error`.

    Returns a `KeyboardInterrupt` or `SystemExit` unchanged.
    """
    if is_interrupt(error):
        return error
    if isinstance(error, Late):
        return late(loader, key, error.seconds, True)
    if isinstance(error, LoadError) and (error.loader, _text(error.key)) == (loader, _text(key)):
        why = error.why  # The function has asked for its own key.
    else:
        text = _text(error)
        why = f"{type(error).__name__}: {text}" if text else type(error).__name__
        if isinstance(error, LookupError) and _is_variable(error.args):
            why += (
                " has no value where the loader was defined, which is what its function sees: if"
                " its values depend on the variable, name it in per="
            )
    load_error = LoadError(loader, key, why)
    load_error.__cause__ = error
    return load_error


def _is_variable(args):
    return len(args) == 1 and isinstance(args[0], contextvars.ContextVar)


def missing(loader, keys, answer):
    """Yields one error per key that is missing from `answer`, a mapping."""
    try:
        by_text = {_text(other): other for other in answer}
    except Exception:
        by_text = {}  # Used only for the hint below.
    for key in keys:
        why = "the batch function returned no value for it"
        other = by_text.get(_text(key), key)
        if other is not key:
            # The most frequent mistake: the store returns ints, and the caller asks for strs.
            why += f"; it returned a value for {_text(other, repr)} of type {type(other).__name__},"
            why += f" but the key has type {type(key).__name__}"
        yield MissingKeyError(loader, key, why)


def self_wait(loader, key):
    """Returns the error of a key that the batch function asks for while it is loading it."""
    return LoadError(
        loader, key, "the batch function asks for this key, which it is loading (deadlock)"
    )


def late(loader, key, seconds, was_sent):
    """Returns the error of a key whose request has timed out after so many seconds."""
    why = f"no answer within {seconds:g} s"
    if not was_sent:
        why += ": it was not sent, because max_in_flight requests were in flight"
    return LoadTimeoutError(loader, key, why)


def _text(object, form=str):
    """Returns `str(object)`, or a placeholder if that raises."""
    try:
        return form(object)
    except Exception:
        return f"a {type(object).__name__} without a text"
