"""Loaders of mapped classes, for SQLAlchemy 2.

Loaders belong to a session, as the objects that they load do. So they are attributes of a class
whose instances have a `session`:

>>> import asyncio
>>> from asynq.sqlalchemy import related, row_by, rows_by
>>> class Music:
...     def __init__(self, session):
...         self.session = session
...
...     artist = row_by(Artist)
...     albums = rows_by(select(Album).order_by(Album.title), Album.artist_id)
...     of_artist = related(Artist.albums)
>>> with Session(engine) as session:
...     music = Music(session)
...     artists = music.artist.load_many([1, 2])  # one statement
...     [album.title for album in music.of_artist(artists[0])]
['High Voltage', 'Powerage']
>>> async def count(engine, ids):
...     async with AsyncSession(engine) as session:
...         music = Music(session)
...         albums = await asyncio.gather(*[music.albums.asyncio(id) for id in ids])
...     return sum(map(len, albums))

The session may be a `Session`, an `AsyncSession`, or the `Session` of `AsyncSession.run_sync`. The
loaders see its transaction, and flush pending changes first if it has `autoflush`. An
`AsyncSession` runs one statement at a time, so all loaders of it take turns.

`rows` is a mapped class, a `select()` of one, or a function of the instance that returns a
`select()`, for rows that depend on the instance:
`rows_by(lambda self: select(Album).where(Album.tenant == self.tenant), Album.artist_id)`. A session
is not for several requests, so its statements see the context variables of those who ask. The other
settings are the same as for `asynq.loader`, without `blocking`, `executor` and `max_in_flight`. A
`timeout` is for the statements of an `AsyncSession`: a late one is cancelled, and then the session
has to be rolled back.
"""

import asyncio
import weakref

from sqlalchemy import Select, inspect, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import (
    InstrumentedAttribute,
    Mapper,
    RelationshipProperty,
    Session,
    aliased,
    attributes,
)

from ._model_loader import ModelLoader, refuse_settings
from ._row_groups import RowGroups
from ._validation import check_duration
from .loaders import Group
from .loaders.errors import Late, failed

__all__ = ["group_of", "related", "row_by", "rows_by"]

__traceback_hide__ = True

_groups = weakref.WeakKeyDictionary()


def group_of(session):
    """Returns the `Group` of the loaders of a session, one of which runs at a time.

    Give it to your own loaders: `@asynq.loader(group=lambda self: group_of(self.session))`. Its
    `scope()` keeps values for a block, and its `clear_all()` forgets them.

    Raises `TypeError` if `session` is neither a `Session` nor an `AsyncSession`.
    """
    if not isinstance(session, (Session, AsyncSession)):
        raise TypeError(
            f"session must be a Session or an AsyncSession, got {session!r}; of a scoped_session,"
            " give scoped_session()"
        )
    group = _groups.get(session)
    if group is None:
        group = _groups.setdefault(session, Group(max_in_flight=1))
    return group


def row_by(rows, column=None, **settings):
    """Returns a loader of the object that has the key in `column`.

    `column` is an attribute of the mapped class, by default its primary key. A key with no row
    fails with a `MissingKeyError`, unless there is a `default`. A key with several rows fails with
    a `LoadError`.

    Raises `TypeError` or `ValueError` for invalid arguments.
    """
    if column is None:
        column = _primary_key(rows)
    _check_column(column)
    return _loader(RowGroups.one, rows, column, settings)


def rows_by(rows, column, **settings):
    """Returns a loader of the list of all objects that have the key in `column`.

    Each list has the order of the `select()`. A key with no row has an empty list. Raises the same
    errors as `row_by`.
    """
    _check_column(column)
    return _loader(RowGroups.all, rows, column, {"default_factory": list, **settings})


def related(relationship, **settings):
    """Returns a loader of a relationship: for an object, what the attribute has.

    `tracks = related(Playlist.tracks)` makes `music.tracks(playlist)` do what reading
    `playlist.tracks` does, for all playlists of a batch in one statement: an attribute that is
    loaded already needs none, and afterwards it is loaded, until it expires. An object of another
    session fails alone.

    Raises `TypeError` or `ValueError` for invalid arguments.
    """
    mapped = getattr(relationship, "property", None)
    if not isinstance(mapped, RelationshipProperty):
        raise TypeError(
            f"relationship must be an attribute such as Artist.albums, got {relationship!r}"
        )
    if mapped.lazy in ("dynamic", "write_only"):
        raise ValueError(f"{relationship} is {mapped.lazy}, so it is a query and cannot be loaded")
    attribute, cls = relationship.key, relationship.class_
    settings = {"name": str(relationship), **settings}

    def key(instance):
        state = inspect(instance, raiseerr=False)
        if not isinstance(instance, cls) or state is None:
            raise TypeError(f"the key must be an instance of {cls.__name__}, got {instance!r}")
        if state.identity is None:
            raise ValueError(f"the key must be in the database: flush {instance!r} first")
        return state  # An instance of a dataclass has no hash.

    def fetch(self, instances):
        session = getattr(self.session, "sync_session", self.session)
        states = {inspect(instance): instance for instance in instances}
        unloaded = {
            state.identity: instance
            for state, instance in states.items()
            if state.session is session and attribute in state.unloaded
        }

        def answer():
            return {
                state: getattr(instance, attribute)
                if state.session is session
                else failed(settings["name"], instance, _not_of_session())
                for state, instance in states.items()
            }

        def read(found):
            values = {identity: [] for identity in unloaded}
            for value, *identity in found:
                values.setdefault(tuple(identity), []).append(value)
            for identity, instance in unloaded.items():
                value = values[identity]
                if not mapped.uselist:
                    value = value[0] if value else None
                attributes.set_committed_value(instance, attribute, value)
            return answer()

        if not unloaded:
            return answer()
        return _execute(self.session, _select_related(cls, mapped, list(unloaded)), read)

    return _load(fetch, {**settings, "key": key})


def _select_related(cls, mapped, identities):
    """Returns a select() of the related objects, with the primary keys of their owners."""
    owner = aliased(cls)
    columns = [getattr(owner, one) for one in _primary_key_names(cls)]
    statement = (
        select(mapped.entity.entity, *columns)
        .select_from(owner)
        .join(getattr(owner, mapped.key))
        .where(_is_one_of(columns, identities))
    )
    return statement.order_by(*mapped.order_by) if mapped.order_by else statement


def _not_of_session():
    return ValueError("it does not belong to the session of the loader: load it there, or merge it")


def _loader(choose, rows, column, settings):
    if not (_is_mapped(rows) or isinstance(rows, Select) or _is_function(rows)):
        raise TypeError(
            "rows must be a mapped class, a select() of one, or a function of the instance that"
            f" returns a select(), got {rows!r}"
        )
    settings = {"name": f"{column.class_.__name__} by {column.key}", **settings}
    name, key = settings["name"], settings.get("key")

    def fetch(self, keys):
        statement = rows(self) if _is_function(rows) else rows
        if not isinstance(statement, Select):
            statement = select(statement)
        statement = statement.add_columns(column).where(column.in_(keys))
        groups = RowGroups(name, keys, str(column), key)

        def read(found):
            for row, value in found:
                groups.add(value, row)
            return choose(groups)

        return _execute(self.session, statement, read)

    return _load(fetch, settings)


def _load(fetch, settings):
    refuse_settings(settings, "the session has its thread", "blocking", "executor")
    refuse_settings(settings, "a session runs one statement at a time", "max_in_flight")
    timeout = settings.pop("timeout", None)
    if timeout is not None:
        check_duration("timeout", timeout)

    def fetch_in_time(self, keys):
        answer = fetch(self, keys)
        return answer if timeout is None or isinstance(answer, dict) else _in_time(answer, timeout)

    return _SessionLoader(fetch_in_time, **{"group": _group_of_owner, **settings})


async def _in_time(coroutine, timeout):
    """Awaits a statement, and cancels it if it is late. Returns when it has ended."""

    async def outcome():
        try:
            return await coroutine, None
        except Exception as error:  # Perhaps a timeout of the driver.
            return None, error

    try:
        answer, error = await asyncio.wait_for(outcome(), timeout)
    except asyncio.TimeoutError:
        raise Late(timeout) from None
    if error is not None:
        raise error
    return answer


class _SessionLoader(ModelLoader):
    """A loader of one session, whose engine may depend on context variables of its callers."""

    _is_of_one_request = True


def _group_of_owner(owner):
    return group_of(owner.session)


def _execute(session, statement, read):
    """Returns what `read` makes of the rows, or a coroutine that returns it."""
    if not isinstance(session, AsyncSession):
        return read(session.execute(statement).unique())
    return _execute_async(session, statement, read, asyncio._get_running_loop())


async def _execute_async(session, statement, read, loop):
    if asyncio.get_running_loop() is not loop:
        raise RuntimeError(
            "an AsyncSession works on its event loop only: use 'await loader.asyncio(key)' there,"
            " or make the synchronous call in 'await session.run_sync(function)', with loaders of"
            " the Session that the function gets"
        )
    return read((await session.execute(statement)).unique())


def _check_column(column):
    if not isinstance(column, InstrumentedAttribute) or not hasattr(column.property, "columns"):
        raise TypeError(
            f"column must be an attribute with a column, such as Album.artist_id, got {column!r}"
        )


def _is_mapped(rows):
    return isinstance(rows, type) and isinstance(inspect(rows, raiseerr=False), Mapper)


def _is_function(rows):
    return callable(rows) and not isinstance(rows, type)


def _primary_key(rows):
    if not _is_mapped(rows):
        raise TypeError(
            "column must be given, such as Artist.id, unless rows is a mapped class: rows is"
            f" {rows!r}"
        )
    names = _primary_key_names(rows)
    if len(names) > 1:
        raise ValueError(
            f"{rows.__name__} has a primary key of several columns, {', '.join(names)}: give the"
            " column whose value is the key"
        )
    return getattr(rows, names[0])


def _primary_key_names(cls):
    mapper = inspect(cls)
    return [mapper.get_property_by_column(column).key for column in mapper.primary_key]


def _is_one_of(columns, identities):
    if len(columns) == 1:
        return columns[0].in_([identity for (identity,) in identities])
    return tuple_(*columns).in_(identities)
