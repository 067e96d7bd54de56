"""Loaders of the models of Django and SQLAlchemy."""

from typing import Any, Optional, Protocol

from sqlalchemy import ForeignKey, create_engine, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship
from typing_extensions import assert_type

from asynq import django, sqlalchemy
from asynq.loaders import Group, Loader


class Base(DeclarativeBase):
    pass


class Album(Base):
    __tablename__ = "album"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    artist_id: Mapped[int] = mapped_column(ForeignKey("artist.id"))


class Artist(Base):
    __tablename__ = "artist"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    albums: Mapped[list[Album]] = relationship()


class Music:
    artist = sqlalchemy.row_by(Artist)
    named = sqlalchemy.row_by(Artist, Artist.name, default=None)
    albums = sqlalchemy.rows_by(Album, Album.artist_id, cache=True)
    sorted = sqlalchemy.rows_by(select(Album).order_by(Album.title), Album.artist_id)
    related = sqlalchemy.related(Artist.albums)

    def __init__(self, session: Session | AsyncSession) -> None:
        self.session = session


def loaders_of_sqlalchemy_know_their_objects() -> None:
    engine = create_engine("sqlite://")
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add(Artist(id=1, name="AC/DC"))
        music = Music(session)
        assert_type(music.artist(1), Artist)
        assert_type(music.named, Loader[str, Optional[Artist]])
        assert_type(music.albums(1), list[Album])
        assert_type(music.sorted, Loader[int, list[Any]])
        assert_type(music.related(music.artist(1)), list[Album])
        assert_type(sqlalchemy.group_of(session), Group)
    engine.dispose()


class Queryset(Protocol):
    """A queryset as the stubs of Django have it."""

    def get(self, *args: Any, **kwargs: Any) -> Album: ...


# Not called, since it would need models of Django.
def loaders_of_django_know_their_models(model: type[Album], rows: Queryset) -> None:
    assert_type(django.row_by(model), Loader[Any, Album])
    assert_type(django.row_by(rows, "title", default=None), Loader[Any, Optional[Album]])
    assert_type(django.rows_by(lambda: rows, "artist", cache=True), Loader[Any, list[Album]])
    assert_type(django.related(model, "artist", rows), Loader[Album, Any])
