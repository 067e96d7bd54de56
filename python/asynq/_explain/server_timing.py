"""`Server-Timing`: the header that tells a browser what a response has waited for."""

import re

from .explanation import SentRequest, explain

__traceback_hide__ = True

_HEADER = "Server-Timing"

# The maximum number of events that one request may record.
_CAPACITY = 100_000


class ServerTiming(explain):
    """A block that handles one request of a server."""

    def __init__(self):
        super().__init__(keys="count", capacity=_CAPACITY, all_threads=False)

    def value(self):
        """Returns the value of the header for what has happened so far."""
        recording = self._session.recording()  # Without the code, which takes long to read.
        entries = [f'asynq;desc="{_count(recording.rounds, "round")}"']
        sources = {}
        for one in map(SentRequest._make, recording.requests):
            sources.setdefault(one.source, []).append(one)
        for source, sent in sources.items():
            keys = sum(one.keys for one in sent)
            milliseconds = 1000 * sum(one.seconds or 0.0 for one in sent)
            text = f"{source}: {_count(len(sent), 'request')}, {_count(keys, 'key')}"
            text = re.sub(r"[^ !#-\[\]-~]", "?", text)
            name = re.sub(r"[^A-Za-z0-9_-]+", "-", source).strip("-") or "source"
            entries.append(f'{name};dur={milliseconds:.1f};desc="{text}"')
        return ", ".join(entries)

    def asgi(self, send):
        """Returns a `send` of ASGI that adds the header to the response."""

        async def send_with_header(message):
            if message["type"] == "http.response.start":
                header = (_HEADER.lower().encode(), self.value().encode())
                message = {**message, "headers": [*message.get("headers", ()), header]}
            await send(message)

        return send_with_header

    def wsgi(self, start_response):
        """Returns a `start_response` of WSGI that adds the header."""

        def start_with_header(status, headers, *exc_info):
            return start_response(status, [*headers, (_HEADER, self.value())], *exc_info)

        return start_with_header

    def add_to(self, response):
        """Adds the header to a response of Django."""
        before = response.headers.get(_HEADER)
        response.headers[_HEADER] = self.value() if before is None else f"{before}, {self.value()}"


def _count(number, noun):
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
