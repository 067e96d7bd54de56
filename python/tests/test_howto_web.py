"""The pages about FastAPI, Flask and GraphQL, with these frameworks themselves."""

import asyncio
import contextlib
import sqlite3
import sys
import types

import flask
import httpx
import pytest
from sqlalchemy import event
from test_docs import DOCS, examples

import asynq

IDS = "id=1&id=2&id=3"
PAGES = [
    {"name": "AC/DC", "albums": ["For Those About To Rock We Salute You", "Let There Be Rock"]},
    {"name": "Accept", "albums": ["Balls to the Wall", "Restless and Wild"]},
    {"name": "Aerosmith", "albums": ["Big Ones"]},
]


class Statements(list):
    """The statements that all connections of the module sqlite3 run."""

    def connect(self, *args, **settings):
        connection = _connect(*args, **settings)
        connection.set_trace_callback(self.append)
        return connection

    def selects(self):
        return sum("SELECT" in statement for statement in self)


_connect = sqlite3.connect
_statements = Statements()


@pytest.fixture
def statements():
    _statements.clear()
    return _statements


@contextlib.contextmanager
def run_page(name):
    """Runs the examples of a page, in the folder of the checkout. Returns their module."""
    # Frameworks look for types in the module.
    module = sys.modules[f"{name}_page"] = types.ModuleType(f"{name}_page")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(DOCS.parent)
        patch.setattr(sqlite3, "connect", _statements.connect)
        exec(examples(f"python/howto/{name}.md"), vars(module))
        yield module
    module.music.close()
    module.connection.close()
    del sys.modules[module.__name__]


@pytest.fixture(scope="module")
def fastapi_page():
    with run_page("fastapi") as page:
        yield page


@pytest.fixture(scope="module")
def flask_page():
    with run_page("flask") as page:
        yield page


@pytest.fixture(scope="module")
def graphql_page():
    with run_page("graphql") as page:
        yield page


def get(app, *paths, method="GET"):
    """Returns the responses of an ASGI application to requests at the same time."""

    async def main():
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://server") as client:
            return await asyncio.gather(*(client.request(method, path) for path in paths))

    return asyncio.run(main())


# FastAPI and Starlette


@pytest.mark.parametrize(("path", "count"), [("/slow", 6), ("/artists", 2), ("/sync/artists", 2)])
def test_the_handlers_of_fastapi_make_as_many_statements_as_the_page_says(
    path, count, fastapi_page, statements
):
    (response,) = get(fastapi_page.app, f"{path}?{IDS}")
    assert response.json() == PAGES
    assert statements.selects() == count


def test_a_handler_of_fastapi_loads_again_after_it_has_cleared_its_request(
    fastapi_page, statements
):
    (response,) = get(fastapi_page.app, "/artists/1", method="PUT")
    assert response.json() == ["AC/DC", "AC/DC"]
    assert statements.selects() == 2


def test_starlette_sends_the_header_server_timing(fastapi_page):
    (response,) = get(fastapi_page.starlette, "/artists/1")
    assert response.json() == PAGES[0]
    assert response.headers["server-timing"].startswith('asynq;desc="1 round", Artist-by-ArtistId')


def test_each_request_of_fastapi_has_a_session_with_two_statements(fastapi_page):
    statements = []
    engine = fastapi_page.engine
    event.listen(
        engine.sync_engine, "before_cursor_execute", lambda *args: statements.append(args[2])
    )

    async def close():
        await engine.dispose()

    first, second = get(fastapi_page.app, f"/session/artists?{IDS}", f"/session/artists?{IDS}")
    asyncio.run(close())
    assert [first.json(), second.json()] == [PAGES, PAGES]
    assert len(statements) == 4


def test_tenants_of_fastapi_share_no_batch(fastapi_page):
    before = fastapi_page.document.stats.batches
    paths = ("/1/documents/7", "/2/documents/7", "/1/documents/8")
    assert [response.json() for response in get(fastapi_page.app, *paths)] == [
        "document 7 of tenant 1",
        "document 7 of tenant 2",
        "document 8 of tenant 1",
    ]
    assert fastapi_page.document.stats.batches == before + 2


# Flask


@pytest.mark.parametrize(("path", "count"), [("/slow", 6), ("/artists", 2), ("/async/artists", 2)])
def test_the_views_of_flask_make_as_many_statements_as_the_page_says(
    path, count, flask_page, statements
):
    response = flask_page.app.test_client().get(f"{path}?{IDS}")
    assert response.get_json() == PAGES
    assert statements.selects() == count


def test_flask_sends_the_header_server_timing(flask_page):
    response = flask_page.app.test_client().get(f"/artists?{IDS}")
    assert response.headers["Server-Timing"].startswith('asynq;desc="1 round", Artist-by-Artist')


def test_each_request_of_flask_has_a_session(flask_page):
    statements = []
    event.listen(
        flask_page.engine, "before_cursor_execute", lambda *args: statements.append(args[2])
    )
    response = flask_page.app.test_client().get(f"/genres?{IDS}")
    assert response.get_json() == ["Rock", "Jazz", "Metal"]
    assert len(statements) == 1
    flask_page.engine.dispose()


def test_tenants_of_flask_share_no_batch(flask_page):
    client = flask_page.app.test_client()
    texts = [client.get(f"/{tenant}/documents/7").text for tenant in (1, 2)]
    assert texts == ["document 7 of tenant 1", "document 7 of tenant 2"]


def test_a_loader_sees_no_context_of_flask(flask_page):
    of_nobody = asynq.Loader(lambda ids: [flask.g.tenant for _ in ids])
    with flask_page.app.app_context():
        flask.g.tenant = 1
        with pytest.raises(asynq.loaders.LoadError, match="RuntimeError: Working outside of app"):
            of_nobody(7)


# GraphQL

ALBUMS = "{ artists { albums } }"


@pytest.mark.parametrize(("schema", "count"), [("slow_schema", 50), ("schema", 1)])
def test_the_schemas_of_strawberry_make_as_many_statements_as_the_page_says(
    schema, count, graphql_page, statements
):
    answer = asyncio.run(getattr(graphql_page, schema).execute(ALBUMS))
    assert answer.data["artists"][1]["albums"] == PAGES[1]["albums"]
    assert statements.selects() == count


def test_the_schema_of_graphene_makes_one_statement(graphql_page, statements):
    answer = asyncio.run(graphql_page.execute(ALBUMS))
    assert answer.errors is None
    assert answer.data["artists"][1]["albums"] == PAGES[1]["albums"]
    assert statements.selects() == 1


def test_resolvers_may_call_async_functions(graphql_page, statements):
    strawberry = graphql_page.strawberry

    @strawberry.type
    class Query:
        @strawberry.field
        def headings(self) -> list[graphql_page.Heading]:
            return [graphql_page.Heading(id=id) for id in (1, 2)]

    answer = asyncio.run(strawberry.Schema(Query).execute("{ headings { text } }"))
    assert answer.data == {"headings": [{"text": "AC/DC: 2 albums"}, {"text": "Accept: 2 albums"}]}
    assert statements.selects() == 2


def test_the_application_of_strawberry_answers(graphql_page, statements):
    async def main():
        transport = httpx.ASGITransport(graphql_page.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://server") as client:
            return await client.post("/", json={"query": ALBUMS})

    answer = asyncio.run(main()).json()
    assert answer["data"]["artists"][1]["albums"] == PAGES[1]["albums"]
    assert statements.selects() == 1
