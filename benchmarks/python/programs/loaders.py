"""The authors of answers and the names of these authors, with loaders, which only ours has."""

from __future__ import annotations

from typing import Any

from workloads.fan_out import AUTHORS, NAMES

from asynq import asynq, loader

#: The workload that counts the flushes.
workload: Any = None


@loader
def author_of_answer(answers):
    workload.flushes += 1
    return {answer: AUTHORS[answer] for answer in answers}


@loader
def name_of_user(users):
    workload.flushes += 1
    return {user: NAMES[user] for user in users}


@asynq()
def all_author_names(answers):
    users = yield [author_of_answer.asynq(answer) for answer in answers]
    return (yield [name_of_user.asynq(user) for user in users])


@asynq()
def one_author(answer):
    return (yield author_of_answer.asynq(answer))


@asynq()
def one_name(user):
    return (yield name_of_user.asynq(user))


@asynq()
def all_author_names_by_functions(answers):
    users = yield [one_author.asynq(answer) for answer in answers]
    return (yield [one_name.asynq(user) for user in users])
