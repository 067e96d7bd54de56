"""Pages whose loads are recorded, and the lines of their recordings."""

import json

import asynq

artist = asynq.Loader(lambda ids: [f"artist {id}" for id in ids], name="artist")
album = asynq.Loader(lambda ids: [f"album {id}" for id in ids], name="album")


@asynq.asynq()
def page(id):
    name = yield artist.asynq(id)
    return (yield album.asynq(name))


@asynq.asynq()
def pages(ids):
    return (yield [page.asynq(id) for id in ids])


def events(why, tmp_path, kind=None):
    """Returns the lines of a recording: all, or the members of those of a kind."""
    why.save(tmp_path / "why.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "why.jsonl").read_text().splitlines()]
    return lines if kind is None else [line[kind] for line in lines if kind in line]


def line_of(function, text):
    """Returns the line of the code of a function that has this text."""
    import inspect

    lines, first = inspect.getsourcelines(getattr(function, "fn", function))
    return first + next(index for index, line in enumerate(lines) if text in line)
