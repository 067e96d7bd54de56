"""Loaders of models, for Django.

>>> from asynq import asynq
>>> from asynq.django import related, row_by, rows_by
>>> artist = row_by(Artist)
>>> albums = rows_by(Album.objects.order_by("title"), "artist")
>>> @asynq()
... def page(id):
...     found, of_artist = yield artist.asynq(id), albums.asynq(id)
...     return found.name, [album.title for album in of_artist]
>>> page(1)
('AC/DC', ['High Voltage', 'Powerage'])
>>> in_playlist = related(Playlist, "albums")
>>> [len(albums) for albums in in_playlist.load_many(Playlist.objects.all())]
[3, 0]

A batch runs on the thread that has the connection of the caller, as the ORM does itself, so it sees
the open `atomic()` block:

- in synchronous code, on the thread of the caller;
- in coroutines (`await artist.asyncio(id)`), on the thread of `sync_to_async(...,
  thread_sensitive=True)`. Coroutines for which that is another thread share no batch.

Django and its routers choose the database, as for any queryset: `Artist.objects.using("replica")`.

`rows` is a model, a manager, a queryset of models, or a function without parameters that returns a
manager or queryset. It is evaluated anew for each batch. If the rows depend on a variable of the
caller, such as a tenant, name it in the setting `per`. The other settings are the same as for
`asynq.loader`, without `blocking` and `executor`:

- `max_in_flight` counts the statements of the loader in all threads and requests;
- `timeout` fails keys on event loops, where the statement then goes on in its thread. In
  synchronous code a statement blocks its thread, and only the wait for a limit has an end.

For the middleware, see `asynq.middleware.django`.
"""

import asyncio
import weakref

from asgiref.sync import AsyncToSync, SyncToAsync, ThreadSensitiveContext, sync_to_async
from django.core.exceptions import EmptyResultSet, SynchronousOnlyOperation
from django.db import connections
from django.db.models import Model, Prefetch, QuerySet, prefetch_related_objects
from django.db.models.manager import BaseManager

from ._model_loader import ModelLoader, refuse_settings
from ._row_groups import RowGroups
from .loaders.settings import Settings

__all__ = ["related", "row_by", "rows_by"]

__traceback_hide__ = True

# The attribute in which Django leaves what it has found for an instance, until the batch ends.
_FOUND = "_asynq_found"


def row_by(rows, field="pk", **settings):
    """Returns a loader of the model instance that contains the key in `field`.

    A key with no row fails with a `MissingKeyError`, unless there is a `default`. A key with
    several rows fails with a `LoadError`.

    Raises `TypeError` or `ValueError` for invalid arguments, and `FieldDoesNotExist` if the model
    has no such field.
    """
    return _loader(RowGroups.one, rows, field, settings)


def rows_by(rows, field, **settings):
    """Returns a loader of the list of all model instances that contain the key in `field`.

    Each list has the order of the queryset. A key with no row has an empty list. Raises the same
    errors as `row_by`.
    """
    return _loader(RowGroups.all, rows, field, {"default_factory": list, **settings})


def related(model, relation, rows=None, **settings):
    """Returns a loader of what `relation` of an instance of `model` leads to.

    `tracks = related(Playlist, "tracks")` loads for `tracks(playlist)` what `playlist.tracks.all()`
    finds, as a list; for a relation to one object, that object or None. It works for all relations
    for which `prefetch_related` does. `rows` selects and orders the related objects.

    It does not use what was prefetched before, and changes no prefetched values of the instance.

    Raises `TypeError` or `ValueError` for invalid arguments.
    """
    if not _is_model(model):
        raise TypeError(f"model must be a model of Django, got {model!r}")
    if not isinstance(relation, str):
        raise TypeError(f"relation must be the name of a relation, got {relation!r}")
    if "__" in relation:
        raise ValueError(f"relation must be one relation of {model.__name__}, got {relation!r}")
    if rows is not None:
        _check_rows(rows)

    def key(instance):
        if not isinstance(instance, model):
            raise TypeError(f"the key must be an instance of {model.__name__}, got {instance!r}")
        if instance.pk is None:
            raise ValueError(f"the key must be saved: {instance!r} has no primary key")
        return instance._meta.concrete_model, instance.pk, instance._state.db

    def fetch(instances):
        # Not checked earlier, since other models add relations to this one.
        if not _is_relation(getattr(model, relation, None)):
            raise ValueError(f"{model.__name__} has no relation {relation!r}")
        of_database = {}
        for instance in instances:
            of_database.setdefault(instance._state.db, []).append(instance)
        found = {}
        for database, ones in of_database.items():
            queryset = None if rows is None else _queryset(rows)
            for part in _parts(ones, queryset, database):
                found.update(zip(map(key, part), _prefetch(part, relation, queryset)))
        return found

    return _load(fetch, {"name": f"{model.__name__}.{relation}", **settings, "key": key})


def _loader(choose, rows, field_name, settings):
    _check_rows(rows)
    if not isinstance(field_name, str):
        raise TypeError(f"field must be the name of a field, got {field_name!r}")
    model = _model(rows)
    if model is not None:
        _field(model, field_name)
    of = getattr(rows, "__name__", "rows") if model is None else model.__name__
    settings = {"name": f"{of} by {field_name}", **settings}
    name, key = settings["name"], settings.get("key")

    def fetch(keys):
        queryset = _queryset(rows)
        field = _field(queryset.model, field_name)
        found = RowGroups(name, keys, f"{queryset.model.__name__}.{field.attname}", key)
        for part in _parts(keys, queryset, queryset.db):
            for row in queryset.filter(**{f"{field.name}__in": part}):
                found.add(_value(row, field), row)
        return choose(found)

    return _load(fetch, settings)


def _load(fetch, settings):
    """Returns a loader that calls `fetch(keys)` on the thread with the connection."""
    refuse_settings(settings, "Django chooses the thread", "blocking", "executor")
    per = Settings.parse({"per": settings.get("per", ())}).per.sources

    def load(keys):
        loop = asyncio._get_running_loop()
        return fetch(keys) if loop is None else _fetch_async(fetch, keys, loop)

    return ModelLoader(load, **{**settings, "per": (_Thread(), *per)})


async def _fetch_async(fetch, keys, loop):
    if asyncio.get_running_loop() is not loop:
        raise SynchronousOnlyOperation(
            "models cannot be loaded by a synchronous call on the thread of an event loop: use"
            " 'await loader.asyncio(key)' in async def functions"
        )
    return await sync_to_async(fetch, thread_sensitive=True)(keys)


class _Thread:
    """The thread on which `sync_to_async` runs a thread-sensitive function, as a value of `per`.

    The value is an executor or a context of the request, by a weak reference, so that its batches
    and values end with it.
    """

    def __call__(self):
        if asyncio._get_running_loop() is None:
            return None  # On this one.
        decider = getattr(AsyncToSync.executors, "current", None)
        if decider is None:
            decider = SyncToAsync.thread_sensitive_context.get(None)
        return None if decider is None else weakref.ref(decider)

    def restore(self, reference):
        decider = None if reference is None else reference()
        if isinstance(decider, ThreadSensitiveContext):
            SyncToAsync.thread_sensitive_context.set(decider)
        elif decider is not None:
            AsyncToSync.executors.current = decider


def _prefetch(instances, relation, queryset):
    """Returns what the relation of each instance leads to."""
    try:
        prefetch_related_objects(instances, Prefetch(relation, queryset, to_attr=_FOUND))
        return [instance.__dict__[_FOUND] for instance in instances]
    finally:
        for instance in instances:
            instance.__dict__.pop(_FOUND, None)


def _parts(keys, queryset, database):
    """Divides keys into as many lists as statements are needed."""
    size = connections[database].features.max_query_params
    if size is None:
        return [keys]
    if queryset is not None:
        try:
            _, parameters = queryset.query.get_compiler(database).as_sql()
        except EmptyResultSet:
            parameters = ()
        size = max(size - len(parameters), 1)
    return [keys[start : start + size] for start in range(0, len(keys), size)]


def _is_model(rows):
    return isinstance(rows, type) and issubclass(rows, Model)


def _is_relation(descriptor):
    """Returns whether `prefetch_related` follows an attribute of a model."""
    names = ("get_prefetch_querysets", "get_prefetch_queryset", "related_manager_cls")
    return any(hasattr(descriptor, name) for name in names)


def _check_rows(rows):
    is_known = _is_model(rows) or isinstance(rows, (BaseManager, QuerySet))
    if not is_known and (isinstance(rows, type) or not callable(rows)):
        raise TypeError(
            "rows must be a model, a manager, a queryset or a function that returns one, got"
            f" {rows!r}"
        )


def _model(rows):
    """Returns the model of the rows, or None if only a function knows it."""
    if _is_model(rows):
        return rows
    return rows.model if isinstance(rows, (BaseManager, QuerySet)) else None


def _queryset(rows):
    """Returns a new queryset of the rows."""
    if _is_model(rows):
        return rows._default_manager.all()
    if not isinstance(rows, (BaseManager, QuerySet)):
        made = rows()
        if not isinstance(made, (BaseManager, QuerySet)):
            raise TypeError(f"{rows!r} must return a manager or a queryset, got {made!r}")
        rows = made
    return rows.all()


def _field(model, name):
    """Returns the field with this name. Raises `ValueError` if it is not one column."""
    field = model._meta.pk if name == "pk" else model._meta.get_field(name)
    if getattr(field, "attname", None) is None or field.many_to_many or not field.concrete:
        raise ValueError(
            f"{model.__name__}.{name} is not a column of {model.__name__}: to follow a relation,"
            f" use related({model.__name__}, {name!r})"
        )
    return field


def _value(row, field):
    if not isinstance(row, Model):
        raise TypeError("rows must be model instances: leave out values() and values_list()")
    try:
        return row.__dict__[field.attname]
    except KeyError:
        raise ValueError(
            f"the queryset must load {field.attname}, which holds the keys: add it to only(), or"
            " take it out of defer()"
        ) from None
