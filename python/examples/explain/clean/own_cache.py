"""The loader caches: its cached keys arrive together with those that were sent."""

from explain.store import ARTISTS, label, song

import asynq


@asynq.loader(cache=True)
def artist(ids):
    return {id: ARTISTS[id] for id in ids}


@asynq.asynq()
def line(song_id):
    found = yield song.asynq(song_id)
    by = yield artist.asynq(found["artist"])
    return f"{found['title']} ({(yield label.asynq(by['label']))})"


@asynq.asynq()
def page(ids):
    return (yield [line.asynq(id) for id in ids])


if __name__ == "__main__":
    page(range(3))
    print(page(range(10)))
