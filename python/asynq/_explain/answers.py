"""Recorded answers: those of sources are written to a file, and a test runs from it.

The file has JSON Lines: a header, and a line for each key of each source. Values that JSON does not
show exactly are pickled, so read files of people you trust.
"""

import os

from .._asynq import use_answers

__traceback_hide__ = True

_VERSION = 1

# The recording or replay that is active, the innermost last.
_active = []


class NotRecordedError(AssertionError):
    """A key was asked for that has no recorded answer.

    `source` is the name of the source, `key` the text of the key, and `path` the file.
    """

    def __init__(self, source, key, path):
        super().__init__(source, key, path)
        self.source = source
        self.key = key
        self.path = path

    def __str__(self):
        return (
            f"{self.path} has no answer of {self.source} for the key {self.key}: record the answers"
            " again, or ask for a key that was recorded"
        )


class _Answers:
    """A block in which the answers of all sources are recorded or replayed."""

    def __init__(self, path):
        self._path = os.fspath(path)

    def __enter__(self):
        _active.append(self)
        use_answers(True)
        return self

    def __exit__(self, exc_type, exc_value, traceback):
        _active.remove(self)
        use_answers(bool(_active))


class record_answers(_Answers):
    """Records the answers of all sources in a block, and writes them to `path` at its end."""

    def __init__(self, path):
        super().__init__(path)
        self._answers = {}

    def __exit__(self, exc_type, exc_value, traceback):
        super().__exit__(exc_type, exc_value, traceback)
        lines = [{"answers": {"version": _VERSION}}]
        for (source, key), answer in self._answers.items():
            lines.append({"answer": {"source": source, "key": key, **answer}})
        import json

        with open(self._path, "w", encoding="utf-8") as file:
            file.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)

    def flush(self, source, batch):
        """Flushes a batch of the user."""
        batch._flush()
        for item in batch.items:
            if item.is_computed():
                self.add(source, _key_of(item), item)

    def add(self, source, key, future):
        """Adds the answer for a key: the outcome of a future."""
        error = future.error()
        if error is not None:
            answer = {"error": _text(error), "pickle": _pickled(error)}
        else:
            answer = _written(future.value())
        self._answers[source, _text(key)] = answer


class replay_answers(_Answers):
    """Answers all sources from a file in a block: no source is asked.

    A key without an answer in the file gets a `NotRecordedError`.
    """

    def __init__(self, path):
        super().__init__(path)
        self._answers = _read(self._path)

    def flush(self, source, batch):
        """Gives the items of a batch of the user their answers."""
        for item in list(batch.items):
            if not item.is_computed():
                is_error, answer = self.answer(source, _key_of(item))
                if is_error:
                    item.set_error(answer)
                else:
                    item.set_value(answer)

    def answers(self, source, keys):
        """Returns a list of the answers for keys; those that are errors as exceptions."""
        return [self.answer(source, key)[1] for key in keys]

    def answer(self, source, key):
        """Returns whether the answer for a key is an error, and the answer."""
        text = _text(key)
        answer = self._answers.get((source, text))
        if answer is None:
            return True, NotRecordedError(source, text, self._path)
        if "pickle" not in answer:
            return False, answer["value"]
        return "error" in answer, _unpickled(answer["pickle"])


def replayed():
    """Returns the replay that is active, or None."""
    return _active[-1] if _active and isinstance(_active[-1], replay_answers) else None


def record(source, loads):
    """Adds the outcomes of loads to the recording that is active, if one is."""
    if _active and isinstance(_active[-1], record_answers):
        for load in loads:
            _active[-1].add(source, load.key, load)


def flush(batch):
    """Flushes a batch of the user, while answers are recorded or replayed."""
    if _active:
        _active[-1].flush(type(batch).__qualname__, batch)
    else:
        batch._flush()


def _key_of(item):
    from .._asynq import key_of_item

    return key_of_item(item)


def _written(value):
    import json

    try:
        if _is_exact(json.loads(json.dumps(value)), value):
            return {"value": value}
    except (TypeError, ValueError, RecursionError):
        pass
    return {"shown": _text(value)[:200], "pickle": _pickled(value)}


def _is_exact(read, value):
    """Returns whether a value that was read from JSON is the same as the one that was written."""
    if type(read) is not type(value):
        return False
    if isinstance(value, dict):
        return list(read) == list(value) and all(_is_exact(read[key], value[key]) for key in value)
    if isinstance(value, list):
        return len(read) == len(value) and all(map(_is_exact, read, value))
    return read == value


def _pickled(value):
    import base64
    import pickle

    return base64.b64encode(pickle.dumps(value)).decode()


def _unpickled(text):
    import base64
    import pickle

    return pickle.loads(base64.b64decode(text))


def _text(value):
    return repr(value)


def _read(path):
    import json

    answers = {}
    with open(path, encoding="utf-8") as file:
        lines = [json.loads(line) for line in file if line.strip()]
    header = lines[0].get("answers") if lines and isinstance(lines[0], dict) else None
    if header is None:
        raise ValueError(f"{path} has no recorded answers: its first line is another one")
    if header["version"] > _VERSION:
        raise ValueError(f"{path} was written by a later version of asynq")
    for line in lines[1:]:
        answer = line.get("answer")
        if answer is not None:
            answers[answer["source"], answer["key"]] = answer
    return answers
