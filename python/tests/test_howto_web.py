"""The pages about FastAPI, Flask and GraphQL, with these frameworks themselves."""

import asyncio
import contextlib
import gc
import sqlite3
import sys
import types
import weakref

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


@pytest.fixture
def async_statements(fastapi_page):
    """The statements of the engine of the page."""
    statements = []
    engine = fastapi_page.engine

    def append(connection, cursor, statement, *args):
        statements.append(statement)

    event.listen(engine.sync_engine, "before_cursor_execute", append)
    yield statements
    event.remove(engine.sync_engine, "before_cursor_execute", append)
    asyncio.run(engine.dispose())


@pytest.mark.parametrize(("path", "count"), [("slow", 6), ("artists", 2)])
def test_the_handlers_with_a_session_make_as_many_statements_as_the_page_says(
    path, count, fastapi_page, async_statements
):
    (response,) = get(fastapi_page.app, f"/session/{path}?{IDS}")
    assert response.json() == PAGES
    assert len(async_statements) == count


def test_each_request_of_fastapi_has_a_session(fastapi_page, async_statements):
    path = f"/session/artists?{IDS}"
    first, second = get(fastapi_page.app, path, path)
    assert [first.json(), second.json()] == [PAGES, PAGES]
    assert len(async_statements) == 4


def test_a_load_is_in_the_transaction_of_its_handler(fastapi_page, async_statements):
    (response,) = get(fastapi_page.app, "/session/artists/1?name=Powerage", method="PUT")
    assert response.json() == {"name": "Powerage", "found": True}
    assert [statement.split()[0] for statement in async_statements] == [
        "SELECT",
        "UPDATE",
        "SELECT",
    ]
    (response,) = get(fastapi_page.app, "/session/artists?id=1")
    assert response.json() == PAGES[:1]


def test_the_test_of_the_page_about_fastapi_passes(fastapi_page, asynq_rounds, async_statements):
    asyncio.run(fastapi_page.test_pages(asynq_rounds))


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


@pytest.fixture
def session_statements(flask_page):
    """The statements of the engine of Flask-SQLAlchemy."""
    statements = []

    def append(connection, cursor, statement, *args):
        statements.append(statement)

    with flask_page.app.app_context():
        engine = flask_page.db.engine
    event.listen(engine, "before_cursor_execute", append)
    yield statements
    event.remove(engine, "before_cursor_execute", append)
    engine.dispose()


@pytest.mark.parametrize(("path", "count"), [("slow", 6), ("artists", 2), ("async/artists", 2)])
def test_the_views_of_flask_sqlalchemy_make_as_many_statements_as_the_page_says(
    path, count, flask_page, session_statements
):
    response = flask_page.app.test_client().get(f"/session/{path}?{IDS}")
    assert response.get_json() == PAGES
    assert len(session_statements) == count


def test_each_request_of_flask_has_a_session(flask_page, session_statements):
    client = flask_page.app.test_client()
    pages = [client.get(f"/session/artists?{IDS}").get_json() for _ in "ab"]
    assert pages == [PAGES, PAGES]
    assert len(session_statements) == 4


def test_loaders_and_the_session_of_flask_share_objects(flask_page, session_statements):
    with flask_page.app.app_context():
        artist = flask_page.loaders.artist(1)
        assert flask_page.db.session.get(flask_page.Artist, 1) is artist
        flask_page.loaders.albums(artist)
        assert [album.Title for album in artist.albums] == PAGES[0]["albums"]
    assert len(session_statements) == 2


def test_a_request_of_flask_sees_what_it_has_written(flask_page, session_statements):
    counts = flask_page.app.test_client().post("/albums/Powerage").get_json()
    assert counts == {"before": 0, "after": 1}


def test_the_loaders_of_flask_end_with_their_context(flask_page, session_statements):
    with flask_page.app.app_context():
        loaders = weakref.ref(flask_page.loaders._get_current_object())
        flask_page.loaders.artist(1)
    gc.collect()
    assert loaders() is None


def test_the_tests_of_the_page_about_flask_pass(flask_page, asynq_rounds, session_statements):
    flask_page.test_pages(asynq_rounds)
    flask_page.test_view()


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


def in_session(make, graphql_page):
    """Returns the answer of a schema with a session, and the number of its statements."""
    statements = []

    def append(connection, cursor, statement, *args):
        statements.append(statement)

    async def main():
        try:
            return await make()
        finally:
            await graphql_page.engine.dispose()

    event.listen(graphql_page.engine.sync_engine, "before_cursor_execute", append)
    answer = asyncio.run(main())
    event.remove(graphql_page.engine.sync_engine, "before_cursor_execute", append)
    assert answer.errors is None
    return answer.data, len(statements)


@pytest.mark.parametrize("library", ["strawberry", "graphene"])
def test_the_resolvers_of_an_operation_share_a_session(library, graphql_page):
    def make():
        if library == "graphene":
            return graphql_page.execute_in_session(ALBUMS)
        return graphql_page.session_schema.execute(ALBUMS, context_value={})

    data, count = in_session(make, graphql_page)
    assert data["artists"][1]["albums"] == PAGES[1]["albums"]
    assert (len(data["artists"]), count) == (50, 2)


def test_the_application_of_strawberry_has_a_session(graphql_page):
    from strawberry.asgi import GraphQL

    async def main():
        transport = httpx.ASGITransport(GraphQL(graphql_page.session_schema))
        async with httpx.AsyncClient(transport=transport, base_url="http://server") as client:
            answer = await client.post("/", json={"query": ALBUMS})
        await graphql_page.engine.dispose()
        return answer.json()

    assert asyncio.run(main())["data"]["artists"][1]["albums"] == PAGES[1]["albums"]


def test_tenants_of_graphql_share_no_batch(graphql_page):
    async def main():
        queries = [(1, 7), (2, 7), (1, 8)]
        execute = graphql_page.execute_for
        return await asyncio.gather(
            *(execute(of, f"{{ document(id: {id}) }}") for of, id in queries)
        )

    before = graphql_page.document.stats.batches
    assert [answer.data["document"] for answer in asyncio.run(main())] == [
        "document 7 of tenant 1",
        "document 7 of tenant 2",
        "document 8 of tenant 1",
    ]
    assert graphql_page.document.stats.batches == before + 2
