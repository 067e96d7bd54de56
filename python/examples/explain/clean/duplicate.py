"""A request keeps the values that were loaded in it."""

from explain.store import artist, song

import asynq


@asynq.asynq()
def title(song_id):
    return (yield song.asynq(song_id))["title"]


@asynq.asynq()
def artist_name(song_id):
    found = yield song.asynq(song_id)
    return (yield artist.asynq(found["artist"]))["name"]


@asynq.asynq()
def line(song_id):
    name = yield artist_name.asynq(song_id)
    return f"{(yield title.asynq(song_id)) if name else 'nobody'} by {name}"


@asynq.asynq()
def lines(ids):
    return (yield [line.asynq(id) for id in ids])


def page(ids):
    with asynq.request():
        return lines(ids)


if __name__ == "__main__":
    print(page(range(10)))
