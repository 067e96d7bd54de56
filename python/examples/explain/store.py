"""A music store in memory. Each call of a batch function stands for one statement."""

import asynq

SONGS = {id: {"title": f"song {id}", "artist": id % 5, "album": id % 7} for id in range(30)}
ARTISTS = {id: {"name": f"artist {id}", "label": id + 100} for id in range(5)}
ALBUMS = {id: f"album {id}" for id in range(7)}
LABELS = {id: f"label {id}" for id in range(100, 105)}


@asynq.loader
def song(ids):
    return {id: SONGS[id] for id in ids}


@asynq.loader
def artist(ids):
    return {id: ARTISTS[id] for id in ids}


@asynq.loader
def album(ids):
    return {id: ALBUMS[id] for id in ids}


@asynq.loader
def label(ids):
    return {id: LABELS[id] for id in ids}
