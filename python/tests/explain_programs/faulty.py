"""Programs with one fault each, at the line that is marked by its kind, and as the advice says."""

import asyncio
import contextvars

import asynq
from explain_programs.stores import PEOPLE, TEAMS, InStock, city, person, price, team

# One key a round: loops with awaits.


class Cart:
    """A method whose loop counts by itself."""

    def __init__(self, ids):
        self.ids = ids

    @asynq.asynq()
    def total(self):
        total = index = 0
        while index < len(self.ids):
            total += yield price.asynq(self.ids[index])  # one key a round
            index += 1
        return total

    @asynq.asynq()
    def total_advised(self):
        return sum((yield [price.asynq(id) for id in self.ids]))


def method(ids):
    return Cart(ids).total()


def method_advised(ids):
    return Cart(ids).total_advised()


@asynq.asynq()
async def names_of(ids):
    return [(await person.asynq(id))["name"] for id in ids]  # one key a round


@asynq.asynq()
async def names_of_advised(ids):
    return [found["name"] for found in await asynq.gather(*[person.asynq(id) for id in ids])]


def comprehension(ids):
    return names_of(ids)


def comprehension_advised(ids):
    return names_of_advised(ids)


async def stock_of_each(ids):
    """A loop in a helper, which is a part of the task that awaits it."""
    stocks = {}
    for id in ids:
        stocks[id] = await InStock(id)  # one key a round
    return stocks


async def stock_of_each_advised(ids):
    return dict(zip(ids, await asynq.gather(*[InStock(id) for id in ids])))


@asynq.asynq()
async def helper_page(helper, ids):
    return sorted((await helper(ids)).items())


def helper(ids):
    return helper_page(stock_of_each, ids)


def helper_advised(ids):
    return helper_page(stock_of_each_advised, ids)


# Synchronous calls in tasks.


@asynq.asynq()
def city_of(person_id):
    found = yield person.asynq(person_id)
    its_team = yield team.asynq(found["team"])
    return (yield city.asynq(its_team["city"]))


class Badge:
    def __init__(self, id):
        self.id = id

    @property
    def city(self):
        return city_of(self.id)

    @asynq.asynq()
    def text(self):
        return f"{self.id} in {self.city}"  # synchronous call

    @asynq.asynq()
    def text_advised(self):
        return f"{self.id} in {(yield city_of.asynq(self.id))}"


@asynq.asynq()
def badges(ids, attribute):
    return (yield [getattr(Badge(id), attribute).asynq() for id in ids])


def in_property(ids):
    return badges(ids, "text")


def in_property_advised(ids):
    return badges(ids, "text_advised")


@asynq.asynq()
def cheapest(ids):
    costs = [(price_with_tax(id), id) for id in ids]  # synchronous call
    return (yield person.asynq(min(costs)[1]))["name"]


@asynq.asynq()
def cheapest_advised(ids):
    costs = yield [price_with_tax.asynq(id) for id in ids]
    return (yield person.asynq(min(zip(costs, ids))[1]))["name"]


@asynq.asynq()
def price_with_tax(id):
    return 1.2 * (yield price.asynq(id))


def in_comprehension(ids):
    return cheapest(ids)


def in_comprehension_advised(ids):
    return cheapest_advised(ids)


# Awaits that come too early.


async def handler(ids):
    """A request on an event loop."""
    people = await asyncio.gather(*[person.asyncio(id) for id in ids])  # early await
    costs = await asyncio.gather(*[price.asyncio(id) for id in ids])
    return [(one["name"], cost) for one, cost in zip(people, costs)]


async def handler_advised(ids):
    people, costs = await asyncio.gather(
        asyncio.gather(*[person.asyncio(id) for id in ids]),
        asyncio.gather(*[price.asyncio(id) for id in ids]),
    )
    return [(one["name"], cost) for one, cost in zip(people, costs)]


def on_event_loop(ids):
    return asyncio.run(handler(ids))


def on_event_loop_advised(ids):
    return asyncio.run(handler_advised(ids))


def nested_function(ids):
    currency = "EUR"

    @asynq.asynq()
    def line(id):
        cost = yield price.asynq(id)  # early await
        try:
            stock = yield InStock(id)
        except KeyError:
            stock = 0
        return f"{stock} at {cost} {currency}"

    @asynq.asynq()
    def lines():
        return (yield [line.asynq(id) for id in ids])

    return lines()


def nested_function_advised(ids):
    currency = "EUR"

    @asynq.asynq()
    def line(id):
        cost, stock = yield price.asynq(id), InStock(id)
        return f"{stock} at {cost} {currency}"

    @asynq.asynq()
    def lines():
        return (yield [line.asynq(id) for id in ids])

    return lines()


# Batches that are split by a cache of one's own.


def before(function, key):
    """Calls a function in a context of its own, which is not recorded."""
    contextvars.Context().run(function, key)


class Directory:
    def __init__(self, load_team):
        self.teams = {0: TEAMS[0], 1: TEAMS[1]}
        self.load_team = load_team

    @asynq.asynq()
    def team(self, id):
        try:
            return self.teams[id]
        except KeyError:
            found = self.teams[id] = yield self.load_team.asynq(id)
            return found

    @asynq.asynq()
    def city_of(self, id):
        found = yield person.asynq(id)
        its_team = yield self.team.asynq(found["team"])  # split batch
        return (yield city.asynq(its_team["city"]))

    @asynq.asynq()
    def city_of_advised(self, id):
        found = yield person.asynq(id)
        its_team = yield self.load_team.asynq(found["team"])
        return (yield city.asynq(its_team["city"]))

    @asynq.asynq()
    def cities(self, ids, one):
        return (yield [one.asynq(id) for id in ids])


def in_object(ids):
    directory = Directory(team)
    return directory.cities(ids, directory.city_of)


@asynq.loader(cache=True)
def cached_team(ids):
    return {id: TEAMS[id] for id in ids}


def in_object_advised(ids):
    before(cached_team, 0)
    before(cached_team, 1)
    directory = Directory(cached_team)
    return directory.cities(ids, directory.city_of_advised)


def remembered(function):
    """A decorator that remembers values."""
    values = {id: PEOPLE[id] for id in (1, 2, 3, 4)}

    async def wrapper(key):
        if key not in values:
            values[key] = await function.asynq(key)  # split batch
        return values[key]

    return wrapper


def by_decorator(ids):
    find = remembered(person)

    @asynq.asynq()
    async def bonus(id):
        return await price.asynq(id + (await find(id))["boss"])

    @asynq.asynq()
    async def page():
        return await asynq.gather(*[bonus.asynq(id) for id in ids])

    return page()


@asynq.loader(cache=True)
def remembered_person(ids):
    return {id: PEOPLE[id] for id in ids}


def by_decorator_advised(ids):
    for id in (1, 2, 3, 4):
        before(remembered_person, id)

    @asynq.asynq()
    async def bonus(id):
        return await price.asynq(id + (await remembered_person.asynq(id))["boss"])

    @asynq.asynq()
    async def page():
        return await asynq.gather(*[bonus.asynq(id) for id in ids])

    return page()


# The same key in several rounds.


@asynq.asynq()
def boss(id):
    found = yield person.asynq(id)
    return found["boss"] or id


@asynq.asynq()
def with_boss(id):
    its_boss = yield boss.asynq(id)
    found = yield [person.asynq(id), person.asynq(its_boss)]  # duplicate key
    return [one["name"] for one in found]


def in_one_task(ids):
    return with_boss(ids[-1])


@asynq.asynq()
def with_boss_advised(id):
    found = yield person.asynq(id)
    return [found["name"], (yield person.asynq(found["boss"] or id))["name"]]


def in_one_task_advised(ids):
    return with_boss_advised(ids[-1])


async def check(id):
    return (await person.asyncio(id))["team"] is not None


async def greet(id):
    return f"hello {(await person.asyncio(id))['name']}"  # duplicate key


async def checked_greeting(id):
    return await greet(id) if await check(id) else "hello"


async def greetings(ids):
    return await asyncio.gather(*[checked_greeting(id) for id in ids])


def with_gather(ids):
    return asyncio.run(greetings(ids))


async def greetings_advised(ids):
    people = await asyncio.gather(*[person.asyncio(id) for id in ids])
    return [f"hello {one['name']}" for one in people]


def with_gather_advised(ids):
    return asyncio.run(greetings_advised(ids))


# Requests on an event loop whose loop is in a plain coroutine.


async def prices_in_turn(ids):
    found = []
    for id in ids:
        cost = await price.asyncio(id)  # one key a round
        found.append(cost)
    return found


async def prices_together(ids):
    return list(await asyncio.gather(*[price.asyncio(id) for id in ids]))


def loop_on_event_loop(ids):
    return asyncio.run(prices_in_turn(ids))


def loop_on_event_loop_advised(ids):
    return asyncio.run(prices_together(ids))
