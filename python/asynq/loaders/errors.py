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
        return f"loader {self.loader}, key {self.key!r}: {self.why}"


class MissingKeyError(LoadError, KeyError):
    """The batch function has returned nothing for the key, and the loader has no default."""


class LoadTimeoutError(LoadError, TimeoutError):
    """The batch function has not returned in time."""


def failed(loader, key, error):
    """The error of a key whose batch has failed."""
    if not isinstance(error, Exception):
        return error  # KeyboardInterrupt and the like end the call.
    text = str(error)
    why = f"{type(error).__name__}: {text}" if text else type(error).__name__
    load_error = LoadError(loader, key, why)
    load_error.__cause__ = error
    return load_error


def missing(loader, key, answer):
    """The error of a key for which `answer`, a mapping, has nothing."""
    why = "nothing came back"
    for other in answer:
        if str(other) == str(key):
            # The commonest mistake: the store has numbers where the caller has texts.
            why += f"; there is a {type(other).__name__} {other!r}, but the key is a"
            why += f" {type(key).__name__}"
            break
    return MissingKeyError(loader, key, why)


def late(loader, key, seconds):
    """The error of a key whose batch was not back in time."""
    return LoadTimeoutError(loader, key, f"no answer within {seconds:g} s")
