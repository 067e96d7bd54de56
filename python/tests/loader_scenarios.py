"""The scenarios of all implementations of loaders, from `crates/asynq-loader`."""

import pathlib
from typing import NamedTuple

import asynq

PATH = pathlib.Path(__file__).parents[2] / "crates/asynq-loader/scenarios/loaders.txt"

# Actions after which everything runs, until nothing can run any more.
LET_RUN = {"flush", "answer", "fail", "ask", "pass", "busy"}


class Action(NamedTuple):
    """A line that is an action, and the events that it causes."""

    verb: str
    rest: str
    events: list


class Scenario:
    def __init__(self, title):
        self.title = title
        self.settings = {}
        self.actions = []

    def add_settings(self, text):
        for setting in text.split(", "):
            name, _, value = setting.partition(" ")
            if name.startswith("cache"):
                self.settings[name] = True
            elif name in ("timeout", "max_delay", "hold"):
                self.settings[name] = int(value) / 1000
            else:
                self.settings[name] = int(value) if value.isdigit() else value


def read():
    scenarios = []
    for line in PATH.read_text(encoding="utf-8").splitlines():
        if line.startswith("== "):
            scenarios.append(Scenario(line[3:]))
        elif not line or not scenarios:
            continue
        elif line.startswith("> "):
            scenarios[-1].actions[-1].events.append(line[2:])
        elif line.startswith("with "):
            scenarios[-1].add_settings(line[5:])
        else:
            verb, _, rest = line.partition(" ")
            scenarios[-1].actions.append(Action(verb, rest, []))
    return scenarios


SCENARIOS = read()


def read_answer(text):
    """Returns the values and errors of an answer by their keys."""
    answer = {}
    for item in text.split():
        separator = "=" if "=" in item else "!"
        key, value = item.split(separator)
        answer[int(key)] = value if separator == "=" else ValueError(value)
    return answer


def read_stats(text):
    counts = {name: int(count) for name, count in (item.split() for item in text.split(", "))}
    return counts["batches"], counts["keys"], counts["largest"], counts["hits"]


def stats_of(loader):
    stats = loader.stats
    return stats.batches, stats.keys, stats.largest, stats.hits


def text_of(error):
    """Returns the kind of an error of a load, as scenarios name it."""
    if isinstance(error, asynq.MissingKeyError):
        return "missing"
    if isinstance(error, asynq.LoadTimeoutError):
        return "late"
    if isinstance(error, asynq.LoadError):
        return "itself" if error.__cause__ is None else str(error.__cause__)
    return str(error)


class Waiter:
    """A load, and its event once it has ended."""

    def __init__(self, key):
        self.key = key
        self.event = None
        self.task = None

    def set_value(self, value):
        self.event = f"{self.key} = {value}"

    def set_error(self, error):
        self.event = f"{self.key} fails: {text_of(error)}"


class Face:
    """A loader, whose batch function does what the scenario says, and the events."""

    def __init__(self, function, settings):
        self.loader = asynq.Loader(function, **settings)
        self.log = []
        self.waiters = []

    def act_at_once(self, verb, rest):
        """Performs an action that needs no host."""
        if verb == "prime":
            key, value = rest.split("=")
            self.loader.prime(int(key), value)
        elif verb == "clear":
            self.loader.clear(int(rest)) if rest else self.loader.clear_all()
        elif verb == "call":
            self.log.append(f"{rest} = {self.loader(int(rest))}")

    def take_waiter(self, key):
        """Removes the last load of a key that waits."""
        waiter = next(one for one in reversed(self.waiters) if one.key == key)
        self.waiters.remove(waiter)
        return waiter

    def take_events(self):
        """Returns the events since the last call: those of loads in the order of the loads."""
        ended = [waiter for waiter in self.waiters if waiter.event is not None]
        self.waiters = [waiter for waiter in self.waiters if waiter.event is None]
        events = self.log + [waiter.event for waiter in ended]
        self.log = []
        return events
