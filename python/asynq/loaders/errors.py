"""Why a load has no value."""


class LoadError(Exception):
    """The batch function has failed, or has returned what is no answer; that error is the
    `__cause__`.

    `loader` is the name of the loader, `key` the key.
    """

    def __init__(self, loader, key, why):
        super().__init__(loader, key, why)
        self.loader = loader
        self.key = key
        self.why = why

    def __str__(self):
        return f"loader {self.loader}, key {_text(self.key, repr)}: {self.why}"


class MissingKeyError(LoadError, KeyError):
    """The batch function has returned nothing for the key, and the loader has no default."""


class LoadTimeoutError(LoadError, TimeoutError):
    """The batch function has not returned in time."""


def failed(loader, key, error):
    """The error of a key whose batch has failed."""
    if not isinstance(error, Exception):
        return error  # KeyboardInterrupt and the like end the call.
    text = _text(error)
    why = f"{type(error).__name__}: {text}" if text else type(error).__name__
    load_error = LoadError(loader, key, why)
    load_error.__cause__ = error
    return load_error


def missing(loader, keys, answer):
    """The errors of keys for which `answer`, a mapping, has nothing."""
    try:
        by_text = {_text(other): other for other in answer}
    except Exception:
        by_text = {}  # It is there for a hint, no more.
    for key in keys:
        why = "nothing came back"
        other = by_text.get(_text(key), key)
        if other is not key:
            # The commonest mistake: the store has numbers where the caller has texts.
            why += f"; there is a {type(other).__name__} {_text(other, repr)}, but the key is a"
            why += f" {type(key).__name__}"
        yield MissingKeyError(loader, key, why)


def late(loader, key, seconds):
    """The error of a key whose batch was not back in time."""
    return LoadTimeoutError(loader, key, f"no answer within {seconds:g} s")


def _text(object, form=str):
    """What it says of itself, if it does."""
    try:
        return form(object)
    except Exception:
        return f"a {type(object).__name__} without a text"
