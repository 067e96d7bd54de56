"""The first program of the documentation of asynq."""

from __future__ import annotations

import asyncio
from typing import Any, Callable

from .workload import Workload

ANSWERS = range(10_000)
AUTHORS = {answer: 3 * answer for answer in ANSWERS}
NAMES = {user: f"user {user}" for user in AUTHORS.values()}


class FanOut(Workload):
    """Loads the authors of 10,000 answers concurrently, then the names of these 10,000 authors
    concurrently: 20,000 loads in two batches, each load in a separate call of an async function (a
    generator). The batch and the item are subclasses of `BatchBase` and `BatchItemBase` in Python;
    the store is a dictionary.
    """

    title = "two-level fan-out"
    unit = "load"
    units = 20_000
    goal = 10
    batches = 2

    def expected(self) -> Any:
        return [NAMES[AUTHORS[answer]] for answer in ANSWERS]

    def with_asynq(self) -> Callable[[], Any]:
        from programs import fan_out

        fan_out.authors.workload = fan_out.names.workload = self
        return lambda: fan_out.all_author_names(ANSWERS)

    def with_loaders(self, loader: Callable[[Any], Any]) -> Callable[[], Any]:
        async def load_authors(keys):
            self.flushes += 1
            return [AUTHORS[key] for key in keys]

        async def load_names(keys):
            self.flushes += 1
            return [NAMES[key] for key in keys]

        async def all_author_names(answers):
            authors = loader(load_authors)
            names = loader(load_names)

            async def author_of_answer(answer):
                return await authors.load(answer)

            async def name_of_user(user):
                return await names.load(user)

            users = await asyncio.gather(*[author_of_answer(answer) for answer in answers])
            return await asyncio.gather(*[name_of_user(user) for user in users])

        return lambda: all_author_names(ANSWERS)
