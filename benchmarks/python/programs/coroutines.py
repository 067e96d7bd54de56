"""The chain and the two-level fan-out as `async def` functions, which only ours runs."""

from __future__ import annotations

from workloads import chain as chain_workload
from workloads.fan_out import AUTHORS, NAMES

from asynq import asynq, gather

from .store import Store, StoreItem

links = Store(chain_workload.TABLE)
authors = Store(AUTHORS)
names = Store(NAMES)


@asynq()
async def link(depth):
    if depth == 1:
        return await StoreItem(links, "key")
    return await link.asynq(depth - 1)


@asynq()
async def author_of_answer(answer):
    return await StoreItem(authors, answer)


@asynq()
async def name_of_user(user):
    return await StoreItem(names, user)


@asynq()
async def all_author_names(answers):
    users = await gather(*[author_of_answer.asynq(answer) for answer in answers])
    return await gather(*[name_of_user.asynq(user) for user in users])
