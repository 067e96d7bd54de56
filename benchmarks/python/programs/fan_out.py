"""The authors of answers and the names of these authors, with batches."""

from __future__ import annotations

from workloads.fan_out import AUTHORS, NAMES

from asynq import asynq

from .store import Store, StoreItem

authors = Store(AUTHORS)
names = Store(NAMES)


@asynq()
def author_of_answer(answer):
    return (yield StoreItem(authors, answer))


@asynq()
def name_of_user(user):
    return (yield StoreItem(names, user))


@asynq()
def all_author_names(answers):
    users = yield [author_of_answer.asynq(answer) for answer in answers]
    return (yield [name_of_user.asynq(user) for user in users])
