"""`asynq.sqlalchemy` with sessions, and the page about it."""

import asyncio
import contextvars
import doctest
import gc
import weakref

import pytest
from sqlalchemy import create_engine, event, inspect, select
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session, scoped_session, sessionmaker
from sqlalchemy_albums import (
    Album,
    Base,
    Cover,
    Disc,
    Music,
    Tag,
    fill,
    in_async_session,
    record,
    titles,
)
from test_docs import examples

import asynq.sqlalchemy
from asynq.loaders import LoadError, MissingKeyError
from asynq.sqlalchemy import group_of, related, row_by


@pytest.fixture
def statements():
    return []


@pytest.fixture
def engine(statements):
    engine = create_engine("sqlite://")
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        fill(session)
    record(engine, statements)
    yield engine
    engine.dispose()


@pytest.fixture
def session(engine):
    with Session(engine) as session:
        yield session


@pytest.fixture
def music(session):
    return Music(session)


# Rows


def test_the_keys_of_a_round_are_one_statement(music, statements):
    assert titles(music.album.load_many([3, 1, 2])) == ["Restless", "Box", "Breaker"]
    assert len(statements) == 1


def test_lists_have_the_order_of_the_select(music):
    assert [titles(found) for found in music.parts_of.load_many([1, 2])] == [
        ["Breaker", "Restless"],
        [],
    ]


def test_a_key_without_a_row_is_missing(music):
    with pytest.raises(MissingKeyError, match="loader Album by id, key 9"):
        music.album(9)
    assert music.titled("Nothing") is None


def test_a_key_with_several_rows_fails_alone(session):
    class Parts:
        def __init__(self):
            self.session = session

        part = row_by(Album, Album.part_of, default=None)

    several, none = Parts().part.load_many([1, 2], return_exceptions=True)
    assert str(several).endswith("there are 2 rows for it: use rows_by")
    assert none is None


def test_a_key_of_another_type_fails_with_advice(music):
    text, number = music.parts_of.load_many(["1", 2], return_exceptions=True)
    assert "Album.part_of is 1, which equals none of the keys" in str(text)
    assert isinstance(number, LoadError)


def test_rows_may_depend_on_the_instance(session):
    assert titles(Music(session, least=3).since(1)) == ["Restless"]


def test_objects_are_those_of_the_session(session, music):
    assert music.album(1) is session.get(Album, 1)


def test_a_load_sees_the_pending_changes_of_its_transaction(session, music):
    session.add(Album(id=4, title="Powerage", part_of=1))
    assert titles(music.parts_of(1)) == ["Breaker", "Powerage", "Restless"]
    session.rollback()
    assert titles(music.parts_of(1)) == ["Breaker", "Restless"]


# Relationships


def test_a_relationship_is_one_statement_for_all_objects(music, statements):
    albums = music.album.load_many([1, 2, 3])
    statements.clear()
    assert [titles(parts) for parts in music.parts.load_many(albums)] == [
        ["Restless", "Breaker"],
        [],
        [],
    ]
    assert len(statements) == 1


@pytest.mark.parametrize(
    ("loader", "found"),
    [
        ("whole", [None, "Box", "Box"]),
        ("tags", [["metal", "rock"], ["rock"], []]),
        ("disc", [None, 1, None]),
    ],
    ids=["many-to-one", "many-to-many", "one-to-one"],
)
def test_a_relationship_may_be(loader, found, music):
    def read(value):
        if isinstance(value, list):
            return [read(one) for one in value]
        return None if value is None else getattr(value, names[type(value)])

    names = {Album: "title", Tag: "name", Disc: "number"}
    albums = music.album.load_many([1, 2, 3])
    assert read(getattr(music, loader).load_many(albums)) == found


def test_the_owner_of_a_relationship_may_have_a_composite_key(music, session):
    discs = session.scalars(select(Disc)).all()
    assert titles(music.album_of_disc.load_many(discs)) == ["Breaker"]


def test_a_loaded_relationship_needs_no_statement(music, statements):
    album = music.album(1)
    parts = music.parts(album)
    statements.clear()
    assert music.parts(album) is parts is album.parts
    assert statements == []


def test_an_expired_relationship_is_loaded_again(music, session, statements):
    album = music.album(1)
    music.parts(album)
    session.add(Album(title="Powerage", part_of=1))
    session.commit()
    assert titles(music.parts(album)) == ["Restless", "Powerage", "Breaker"]
    assert "parts" not in inspect(album).unloaded


def test_a_relationship_can_be_changed_after_it_was_loaded(music, session):
    album = music.album(1)
    music.parts(album).pop()
    session.commit()
    assert titles(music.parts(album)) == ["Restless"]


def test_the_key_of_a_relationship_must_be_an_object_of_the_database(music):
    with pytest.raises(TypeError, match="the key must be an instance of Album, got 7"):
        music.parts(7)
    with pytest.raises(ValueError, match="the key must be in the database"):
        music.parts(Album(title="new"))


def test_an_object_of_another_session_fails_alone(music, engine):
    with Session(engine) as other:
        own, foreign = music.album(1), Music(other).album(1)
        found, failed = music.parts.load_many([own, foreign], return_exceptions=True)
    assert titles(found) == ["Restless", "Breaker"]
    assert "it does not belong to the session of the loader" in str(failed)
    assert "parts" in inspect(foreign).unloaded


def test_the_owner_of_a_relationship_may_be_a_dataclass(music, session):
    cover = Cover(album_id=2)
    session.add(cover)
    session.flush()
    with pytest.raises(TypeError, match="unhashable"):
        hash(cover)
    assert music.album_of_cover(cover).title == "Breaker"


# Groups


def test_the_loaders_of_a_session_share_a_scope(music, session, statements):
    with group_of(session).scope():
        music.album(1), music.album(1), music.titled("Box"), music.titled("Box")
        assert len(statements) == 2
        group_of(session).clear_all()
        music.album(1)
    assert len(statements) == 3


def test_the_group_of_a_session_does_not_keep_it_alive(engine):
    session = Session(engine)
    group_of(session)
    Music(session).album(1)
    session.close()
    session = weakref.ref(session)
    gc.collect()
    assert session() is None


def test_a_scoped_session_is_refused_with_advice(engine):
    session = scoped_session(sessionmaker(engine))
    with pytest.raises(TypeError, match=r"of a scoped_session, give scoped_session\(\)"):
        Music(session).album(1)
    assert Music(session()).album(1).title == "Box"
    session.remove()


@pytest.mark.parametrize(
    ("make", "error", "match"),
    [
        (lambda: row_by("album", Album.id), TypeError, "rows must be a mapped class, a select"),
        (lambda: row_by(int, Album.id), TypeError, "rows must be a mapped class, a select"),
        (lambda: row_by(Album, "id"), TypeError, "column must be an attribute with a column"),
        (lambda: row_by(Album, Album.parts), TypeError, "column must be an attribute with a col"),
        (lambda: row_by(select(Album)), TypeError, "column must be given, such as Artist.id"),
        (lambda: row_by(Disc), ValueError, "Disc has a primary key of several columns, album_id, "),
        (lambda: row_by(Album, blocking=True), TypeError, "the session has its thread"),
        (lambda: row_by(Album, max_in_flight=2), TypeError, "a session runs one statement at a"),
        (lambda: related(Album.parts, timeout=-1), ValueError, "timeout must be"),
        (lambda: related(Album.title), TypeError, "relationship must be an attribute such as"),
        (lambda: related("parts"), TypeError, "relationship must be an attribute such as"),
        (lambda: related(Album.later), ValueError, "Album.later is dynamic, so it is a query"),
    ],
)
def test_invalid_arguments_are_refused(make, error, match):
    with pytest.raises(error, match=match):
        make()


def test_requests_keep_the_objects_of_a_session(music, statements):
    with asynq.request() as request:
        music.album(1), music.album(1)
        assert len(statements) == 1
        request.clear()
        music.album(1)
    assert len(statements) == 2


# Context variables


tenant = contextvars.ContextVar("tenant")


def note_tenants(engine, seen):
    """Appends the tenant that each statement sees to a list."""

    @event.listens_for(engine, "before_cursor_execute")
    def append(*args):
        seen.append(tenant.get())


def test_a_statement_sees_the_context_variables_of_its_caller(engine, session, music):
    seen = []
    note_tenants(engine, seen)
    for name in ("alice", "bob"):
        tenant.set(name)
        music.album.load_many([1, 2])
    assert seen == ["alice", "bob"]


def test_statements_on_an_event_loop_see_the_context_variables_of_their_callers(statements):
    async def as_tenant(name, session):
        tenant.set(name)
        music = Music(session)
        albums = await asyncio.gather(music.album.asyncio(1), music.album.asyncio(2))
        return titles(albums), [await music.parts.asyncio(albums[0])]

    async def main(session):
        note_tenants(session.bind.sync_engine, seen)
        async with AsyncSession(session.bind) as other:
            return await asyncio.gather(as_tenant("alice", session), as_tenant("bob", other))

    seen = []
    alice, bob = in_async_session(main, statements)
    assert alice[0] == bob[0] == ["Box", "Breaker"]
    assert sorted(seen) == ["alice", "alice", "bob", "bob"]


def test_the_context_of_a_caller_ends_with_it(session):
    class Request:
        pass

    def load():
        request = Request()
        tenant.set(request)
        music = Music(session)
        music.album(1)
        return music, weakref.ref(request)

    music, request = contextvars.copy_context().run(load)
    gc.collect()
    assert request() is None
    assert music.album(2).title == "Breaker"


# The documentation


@pytest.fixture(scope="module")
def page():
    names = {"__name__": "sqlalchemy_page"}
    exec(examples("python/howto/sqlalchemy.md"), names)
    yield names
    names["engine"].dispose()


def test_the_examples_of_the_module_are_true(page):
    test = doctest.DocTestFinder().find(asynq.sqlalchemy, extraglobs=page)[0]
    assert doctest.DocTestRunner().run(test).failed == 0


PAGES = [("AC/DC", ["High Voltage", "Powerage"]), ("Accept", ["Breaker"]), ("Aerosmith", [])]


@pytest.mark.parametrize(("make", "count"), [("slow_pages", 6), ("pages", 2)])
def test_the_functions_of_the_page_make_as_many_statements_as_it_says(make, count, page):
    statements = []
    record(page["engine"], statements)
    with page["Session"](page["engine"]) as session:
        of_session = session if make == "slow_pages" else page["Music"](session)
        assert page[make](of_session, [1, 2, 3]) == PAGES
    assert len(statements) == count


@pytest.mark.parametrize("make", ["async_pages", "pages_of_synchronous_code"])
def test_the_asynchronous_functions_of_the_page_make_two_statements(make, page):
    async def main():
        engine = create_async_engine("sqlite+aiosqlite://")
        async with engine.begin() as connection:
            await connection.run_sync(page["Base"].metadata.create_all)
        async with AsyncSession(engine) as session:
            session.add(page["Artist"](name="Accept", albums=[page["Album"](title="Breaker")]))
            session.add(page["Artist"](name="Aerosmith"))
            await session.commit()
        record(engine.sync_engine, statements)
        found = await page[make](engine, [1, 2])
        async with AsyncSession(engine) as session:
            counts = page["Counts"](session)
            assert await counts.name_length.load_many.asyncio([1, 2]) == [6, 9]
        await engine.dispose()
        return found

    statements = []
    assert asyncio.run(main()) == PAGES[1:]
    assert len(statements) == 3
