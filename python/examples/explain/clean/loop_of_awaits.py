"""All turns of the loop ask together."""

from explain.store import song

from asynq import asynq


@asynq()
def page(ids):
    titles = []
    for found in (yield [song.asynq(id) for id in ids]):
        titles.append(found["title"])
    return titles


if __name__ == "__main__":
    print(page(range(10)))
