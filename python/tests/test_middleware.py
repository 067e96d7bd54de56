"""`asynq.middleware`: each request of a server is an `asynq.request()`."""

import asyncio
import inspect
import sys
import types

import httpx
import pytest
from fastapi import Depends, FastAPI

import asynq
from asynq import middleware


@pytest.fixture
def calls():
    return []


@pytest.fixture
def user(calls):
    @asynq.loader
    def user(ids):
        calls.append(list(ids))
        return {id: f"user {id}" for id in ids}

    return user


def current():
    return asynq.request.current()


def get(app, *paths):
    """Returns the answers of an ASGI application to requests at the same time."""

    async def main():
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://server") as client:
            return await asyncio.gather(*map(client.get, paths))

    return [answer.json() for answer in asyncio.run(main())]


def test_handlers_of_fastapi_run_in_a_request_by_a_dependency(user, calls):
    app = FastAPI(dependencies=[Depends(middleware.fastapi)])

    @app.get("/async")
    async def handle_async():
        return [await user.asyncio(1), await user.asyncio(1)]

    @app.get("/sync")
    def handle():
        return [user(1), user(1)]

    assert get(app, "/async", "/sync") == [["user 1", "user 1"]] * 2
    assert calls == [[1], [1]]


def test_a_handler_of_fastapi_may_ask_for_its_request():
    app = FastAPI()

    @app.get("/")
    async def handle(request=Depends(middleware.fastapi)):  # noqa: B008
        return request is current()

    assert get(app, "/") == [True]


def test_an_asgi_application_runs_in_a_request(user, calls):
    app = FastAPI()
    app.add_middleware(middleware.asgi)

    @app.get("/")
    async def handle():
        return [await user.asyncio(1), await user.asyncio(1)]

    assert get(app, "/", "/") == [["user 1", "user 1"]] * 2
    assert calls == [[1], [1]]


def test_the_lifespan_of_an_asgi_application_is_no_request():
    async def app(scope, receive, send):
        seen[scope["type"]] = current()

    seen = {}
    for kind in ("lifespan", "http", "websocket"):
        asyncio.run(middleware.asgi(app)({"type": kind}, None, None))
    assert [kind for kind, request in seen.items() if request is None] == ["lifespan"]


def test_a_wsgi_application_runs_in_a_request():
    def app(environ, start_response):
        seen.append(current())
        start_response("200 OK", [])
        return [b"body"]

    seen, started = [], []
    isolated = middleware.wsgi(app)
    body = isolated({}, lambda *args: started.append(args))
    assert (body, started, current()) == ([b"body"], [("200 OK", [])], None)
    isolated({}, lambda *args: None)
    assert None not in seen
    assert seen[0] is not seen[1]


def test_the_body_of_a_wsgi_response_is_made_in_its_request():
    def app(environ, start_response):
        request = current()
        try:
            for part in (b"a", b"b"):
                assert current() is request
                yield part
        finally:
            ends.append(current() is request)

    ends = []
    body = middleware.wsgi(app)({}, None)
    assert next(body) == b"a"
    assert current() is None
    body.close()
    assert ends == [True]


def test_views_of_django_run_in_a_request():
    view = middleware.django(lambda http_request: (http_request, current()))
    http_request, request = view("request")
    assert http_request == "request"
    assert isinstance(request, asynq.request)
    assert current() is None


def test_asynchronous_views_of_django_run_in_a_request():
    async def view(http_request):
        return http_request, current()

    isolated = middleware.django(view)
    assert inspect.iscoroutinefunction(isolated)
    http_request, request = asyncio.run(isolated("request"))
    assert http_request == "request"
    assert isinstance(request, asynq.request)


def test_django_may_use_it_for_synchronous_and_asynchronous_views():
    assert middleware.django.sync_capable
    assert middleware.django.async_capable


# The header Server-Timing


@pytest.fixture
def timed_user():
    @asynq.loader(name="user")
    def user(ids):
        return {id: f"user {id}" for id in ids}

    return user


def test_an_asgi_application_sends_its_rounds_as_server_timing(timed_user):
    app = FastAPI()
    app.add_middleware(middleware.asgi, server_timing=True)

    @app.get("/")
    async def handle():
        return [await timed_user.asyncio(1), await timed_user.asyncio(2)]

    async def main():
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://server") as client:
            return await client.get("/")

    header = asyncio.run(main()).headers["server-timing"]
    assert header.startswith('asynq;desc="2 rounds", user;dur=')
    assert header.endswith(';desc="user: 2 requests, 2 keys"')


def test_a_wsgi_application_sends_its_rounds_as_server_timing(timed_user):
    def app(environ, start_response):
        body = timed_user(1).encode()
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [body]

    sent = []
    middleware.wsgi(app, server_timing=True)({}, lambda status, headers: sent.extend(headers))
    assert dict(sent)["Server-Timing"].startswith('asynq;desc="1 round", user;dur=')


def test_django_sends_its_rounds_as_server_timing_if_its_settings_say_so(timed_user, monkeypatch):
    class Response:
        def __init__(self):
            self.headers = {"Server-Timing": "db;dur=1.0"}

    def view(http_request):
        timed_user(1)
        return Response()

    settings = types.SimpleNamespace(configured=True, ASYNQ_SERVER_TIMING=True)
    monkeypatch.setitem(sys.modules, "django.conf", types.SimpleNamespace(settings=settings))
    header = middleware.django(view)("request").headers["Server-Timing"]
    assert header.startswith('db;dur=1.0, asynq;desc="1 round", user;dur=')


def test_without_the_option_there_is_no_header(timed_user):
    def app(environ, start_response):
        timed_user(1)
        start_response("200 OK", [])
        return []

    sent = []
    middleware.wsgi(app)({}, lambda status, headers: sent.extend(headers))
    assert sent == []
