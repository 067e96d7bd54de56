"""Programs without a fault: each round is needed."""

import asyncio

import asynq
from explain_programs.stores import PEOPLE, InStock, city, person, price, team


@asynq.asynq()
def chain_of_command(id):
    """A list that is followed."""
    chain = []
    while id:
        found = yield person.asynq(id)
        chain.append(found["name"])
        id = found["boss"]
    return chain


def followed_list(ids):
    return chain_of_command(max(ids))


@asynq.loader
def page_of_people(cursors):
    return {cursor: (sorted(PEOPLE)[cursor : cursor + 2], cursor + 2) for cursor in cursors}


@asynq.asynq()
def first_pages(count):
    cursor, people = 0, []
    for _ in range(count):
        page, cursor = yield page_of_people.asynq(cursor)
        people += page
    return people


def cursors(ids):
    return first_pages(len(ids))


@asynq.asynq()
async def with_retries(id):
    for _ in range(3):
        stock = await InStock(id)
        if stock:
            return stock
        id += 2
    return 0


def retries(ids):
    return with_retries(max(ids) * 4)


class Tree:
    """Levels of a tree, each by one request."""

    @asynq.asynq()
    def below(self, ids, depth):
        if not ids or not depth:
            return []
        found = yield [person.asynq(id) for id in ids]
        above = sorted({one["boss"] for one in found if one["boss"]})
        return [above, *(yield self.below.asynq(above, depth - 1))]


def levels(ids):
    return Tree().below([id + 20 for id in ids], 3)


async def place_of(id):
    found = await person.asyncio(id)
    its_team = await team.asyncio(found["team"])
    return await city.asyncio(its_team["city"])


async def places(ids):
    return await asyncio.gather(*[place_of(id) for id in ids])


def requests_on_event_loop(ids):
    return asyncio.run(places(ids))


@asynq.asynq()
def allowed_price(id):
    found = yield person.asynq(id)
    if found["team"] == 0:
        return None
    return (yield price.asynq(id))


@asynq.asynq()
def allowed_prices(ids):
    return (yield [allowed_price.asynq(id) for id in ids])


def checks(ids):
    return allowed_prices(ids)


@asynq.asynq()
def details(id):
    found, cost, stock = yield person.asynq(id), price.asynq(id), InStock(id)
    its_team = yield team.asynq(found["team"])
    return its_team["name"], cost, stock


@asynq.asynq()
def all_details(ids):
    return (yield {id: details.asynq(id) for id in ids})


def calls_from_main(ids):
    """Synchronous calls outside of tasks."""
    return all_details(ids), price(ids[0])


@asynq.loader(cache=True)
def kept_person(ids):
    return {id: PEOPLE[id] for id in ids}


@asynq.asynq()
def cached_line(id):
    first = yield kept_person.asynq(id)
    its_team = yield team.asynq(first["team"])
    again = yield kept_person.asynq(id)
    return again["name"], its_team["name"]


@asynq.asynq()
def cached_lines(ids):
    return (yield [cached_line.asynq(id) for id in ids])


def cached_by_loader(ids):
    return cached_lines(ids)


@asynq.asynq()
def is_any_expensive(ids):
    return any(price(id) > 20 for id in ids), [id for id in ids if id]


def stops_early(ids):
    """Calls of which each decides whether the next one is made."""
    return is_any_expensive(ids)
