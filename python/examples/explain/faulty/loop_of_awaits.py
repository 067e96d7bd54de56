"""A loop asks for one key a turn: the N+1 that batching cannot help."""

from explain.store import song

from asynq import asynq


@asynq()
def page(ids):
    titles = []
    for id in ids:
        found = yield song.asynq(id)
        titles.append(found["title"])
    return titles


if __name__ == "__main__":
    print(page(range(10)))
