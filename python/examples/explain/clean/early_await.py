"""Both are awaited together."""

from explain.store import album, artist, song

from asynq import asynq


@asynq()
def line(song_id):
    found = yield song.asynq(song_id)
    by, on = yield artist.asynq(found["artist"]), album.asynq(found["album"])
    return f"{found['title']} by {by['name']} on {on}"


@asynq()
def page(ids):
    return (yield [line.asynq(id) for id in ids])


if __name__ == "__main__":
    print(page(range(10)))
