"""A task calls an async function synchronously, so what it needs is sent before others can ask."""

from explain.store import artist, song

from asynq import asynq


@asynq()
def artist_name(song_id):
    found = yield song.asynq(song_id)
    return (yield artist.asynq(found["artist"]))["name"]


@asynq()
def line(song_id):
    found = yield song.asynq(song_id)
    return f"{found['title']} by {artist_name(song_id)}"


@asynq()
def page(ids):
    return (yield [line.asynq(id) for id in ids])


if __name__ == "__main__":
    print(page(range(10)))
