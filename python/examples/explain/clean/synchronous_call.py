"""Tasks yield the async functions that they need, so all of them ask together."""

from explain.store import artist, song

from asynq import asynq


@asynq()
def artist_name(song_id):
    found = yield song.asynq(song_id)
    return (yield artist.asynq(found["artist"]))["name"]


@asynq()
def line(song_id):
    found, name = yield song.asynq(song_id), artist_name.asynq(song_id)
    return f"{found['title']} by {name}"


@asynq()
def page(ids):
    return (yield [line.asynq(id) for id in ids])


if __name__ == "__main__":
    print(page(range(10)))
