"""The same key is sent in two rounds, because nothing keeps its value."""

from explain.store import artist, song

from asynq import asynq


@asynq()
def title(song_id):
    return (yield song.asynq(song_id))["title"]


@asynq()
def artist_name(song_id):
    found = yield song.asynq(song_id)
    return (yield artist.asynq(found["artist"]))["name"]


@asynq()
def line(song_id):
    name = yield artist_name.asynq(song_id)
    return f"{(yield title.asynq(song_id)) if name else 'nobody'} by {name}"


@asynq()
def page(ids):
    return (yield [line.asynq(id) for id in ids])


if __name__ == "__main__":
    print(page(range(10)))
