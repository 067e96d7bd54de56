"""A cache of one's own: tasks that find their artist there are ahead of those that wait for one."""

from explain.store import artist, label, song

from asynq import asynq

known = {}


@asynq()
def cached_artist(id):
    if id not in known:
        known[id] = yield artist.asynq(id)
    return known[id]


@asynq()
def line(song_id):
    found = yield song.asynq(song_id)
    by = yield cached_artist.asynq(found["artist"])
    return f"{found['title']} ({(yield label.asynq(by['label']))})"


@asynq()
def page(ids):
    return (yield [line.asynq(id) for id in ids])


if __name__ == "__main__":
    page(range(3))
    print(page(range(10)))
