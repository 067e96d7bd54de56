"""An await comes too early: what is asked for after it does not need its value."""

from explain.store import album, artist, song

from asynq import asynq


@asynq()
def line(song_id):
    found = yield song.asynq(song_id)
    by = yield artist.asynq(found["artist"])
    on = yield album.asynq(found["album"])
    return f"{found['title']} by {by['name']} on {on}"


@asynq()
def page(ids):
    return (yield [line.asynq(id) for id in ids])


if __name__ == "__main__":
    print(page(range(10)))
