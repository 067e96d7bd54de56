"""Recordings of programs that were never run. docs/recording.md has the format."""

import json


class Recorded:
    """Lines of a recording. Each event takes `step` nanoseconds, if nothing else is said."""

    def __init__(self, program="page.py", step=1000):
        self.lines = [{"recording": {"version": 1, "program": program, "keys": "repr"}}]
        self.sites = {}
        self.sources = {}
        self.keys = {}
        self.time = 0
        self.step = step
        self.last = 0

    def write(self, path):
        lines = (line if isinstance(line, str) else json.dumps(line) for line in self.lines)
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    def write_many(self, kind, members, numbers, *numbered):
        """Writes an event for each number, which is the value of the members `numbered`."""
        event = {kind: {"t": self.time, **members, **dict.fromkeys(numbered, "NUMBER")}}
        before, *gaps = json.dumps(event).split('"NUMBER"')
        self.lines += [before + "".join(f"{number}{gap}" for gap in gaps) for number in numbers]

    def next_id(self):
        self.last += 1
        return self.last

    def define(self, kind, known, key, **members):
        if key not in known:
            known[key] = self.next_id()
            self.lines.append({kind: {"id": known[key], **members}})
        return known[key]

    def site(self, function, place):
        file, _, line = place.rpartition(":")
        members = {"function": function, "file": file, "line": int(line)}
        return self.define("site", self.sites, (function, place), **members)

    def source(self, name):
        return self.define("source", self.sources, name, name=name)

    def flow(self, place, **members):
        file, _, line = place.rpartition(":")
        self.lines.append({"flow": {"file": file, "line": int(line), "end": int(line), **members}})

    def event(self, kind, **members):
        self.time += self.step
        members = {name: value for name, value in members.items() if value is not None}
        self.lines.append({kind: {"t": self.time, **members}})

    def task(self, function, place, by=None, at=None):
        site = self.site(function, place)
        task = self.next_id()
        self.event("task", id=task, site=site, by=by, at=at, thread=1)
        self.event("run", task=task)
        return task

    def load(self, task, at, source, key):
        source = self.source(source)
        number = self.keys.setdefault((source, key), len(self.keys) + 1)
        load = self.next_id()
        self.event("load", id=load, task=task, at=at, source=source, key=number, text=repr(key))
        return load

    def request(self, source, loads, takes=1_000_000, **answer):
        """Sends a request, and answers it after `takes` nanoseconds."""
        batch = self.next_id()
        source = self.source(source)
        self.event("flush", batch=batch, source=source, loads=loads, keys=len(loads), thread=1)
        self.time += takes
        self.event("answer", batch=batch, **answer)

    def ask(self, task, at, source, key):
        """Loads a key and waits for it: the caller sends the request."""
        load = self.load(task, at, source, key)
        self.event("wait", task=task, at=at, loads=[load])
        return load


def early_await(rows=6):
    """A page that awaits the author before its albums, then loads each album in a loop."""
    made = Recorded()
    author, albums, album = (made.site("page", f"page.py:{line}") for line in (11, 12, 14))
    made.flow("page.py:11")
    made.flow("page.py:12")
    made.flow("page.py:14", needs=[12], loop=13)
    page = made.task("page", "page.py:10")
    for source, at in (("author", author), ("albums", albums)):
        made.request(source, [made.ask(page, at, source, 7)])
        made.event("run", task=page)
    for key in range(rows):
        title = made.task("album_title", "page.py:4", by=page, at=album)
        inside = made.site("album_title", "page.py:5")
        load = made.ask(title, inside, "album", f"album {key}")
        made.event("wait", task=page, at=album, tasks=[title])
        made.request("album", [load])
        made.event("run", task=title)
        made.event("end", task=title)
        made.event("run", task=page)
    made.event("end", task=page)
    return made


def many_tasks(count):
    """A page of so many tasks, each of which asks for a key."""
    made = Recorded("many.py")
    inside = made.site("track_row", "many.py:5")
    page = made.task("page", "many.py:9")
    row = {"site": made.site("track_row", "many.py:4"), "by": page}
    load = {"at": inside, "source": made.source("track")}
    first = made.last + 1
    ids = range(first, first + count)
    made.write_many("task", row, ids, "id")
    made.write_many("load", load, ids, "id", "key", "task")
    made.request("track", list(ids))
    made.write_many("end", {}, ids, "task")
    made.event("end", task=page)
    return made
