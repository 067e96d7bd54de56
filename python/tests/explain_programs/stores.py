"""The sources of the programs. Each call of a batch function stands for one statement."""

import asynq

PEOPLE = {id: {"name": f"person {id}", "team": id % 3, "boss": id // 2} for id in range(1, 40)}
TEAMS = {id: {"name": f"team {id}", "city": id + 10} for id in range(3)}
CITIES = {id: f"city {id}" for id in range(10, 13)}
PRICES = {id: 10 * id for id in range(40)}


@asynq.loader
def person(ids):
    return {id: PEOPLE[id] for id in ids}


@asynq.loader
def team(ids):
    return {id: TEAMS[id] for id in ids}


@asynq.loader
def city(ids):
    return {id: CITIES[id] for id in ids}


@asynq.loader
def price(ids):
    return {id: PRICES[id] for id in ids}


class Stock(asynq.BatchBase):
    """The items in stock: a batch by hand."""

    open = None

    def _try_switch_active_batch(self):
        if Stock.open is self:
            Stock.open = None

    def _flush(self):
        for item in self.items:
            item.set_value(item.key % 4)

    def _cancel(self):
        pass


class InStock(asynq.BatchItemBase):
    def __init__(self, key):
        if Stock.open is None:
            Stock.open = Stock()
        super().__init__(Stock.open)
        self.key = key
