"""Albums in a database of SQLAlchemy, their loaders, and sessions that record statements."""

import asyncio

from sqlalchemy import Column, ForeignKey, Table, event, select
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, MappedAsDataclass, mapped_column, relationship

from asynq.sqlalchemy import related, row_by, rows_by


class Base(DeclarativeBase):
    pass


tags = Table(
    "album_tag",
    Base.metadata,
    Column("album", ForeignKey("album.id")),
    Column("tag", ForeignKey("tag.name")),
)


class Tag(Base):
    __tablename__ = "tag"
    name: Mapped[str] = mapped_column(primary_key=True)


class Album(Base):
    __tablename__ = "album"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    part_of: Mapped[int | None] = mapped_column(ForeignKey("album.id"))
    parts: Mapped[list["Album"]] = relationship(order_by="Album.title.desc()")
    whole: Mapped["Album | None"] = relationship(remote_side=[id], viewonly=True)
    tags: Mapped[list[Tag]] = relationship(secondary=tags, order_by=Tag.name)
    disc: Mapped["Disc | None"] = relationship(back_populates="album")
    later: Mapped[list["Album"]] = relationship(lazy="dynamic", viewonly=True)


class Disc(Base):
    __tablename__ = "disc"
    album_id: Mapped[int] = mapped_column(ForeignKey("album.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    album: Mapped[Album] = relationship(back_populates="disc")


class Cover(MappedAsDataclass, Base):
    __tablename__ = "cover"
    album_id: Mapped[int] = mapped_column(ForeignKey("album.id"), primary_key=True)
    album: Mapped[Album] = relationship(init=False)


class Music:
    def __init__(self, session, least=0):
        self.session = session
        self.least = least

    album = row_by(Album)
    titled = row_by(Album, Album.title, default=None)
    parts_of = rows_by(select(Album).order_by(Album.title), Album.part_of)
    since = rows_by(lambda self: select(Album).where(Album.id >= self.least), Album.part_of)
    parts = related(Album.parts)
    whole = related(Album.whole)
    tags = related(Album.tags)
    disc = related(Album.disc)
    album_of_disc = related(Disc.album)
    album_of_cover = related(Cover.album)


def fill(session):
    metal, rock = Tag(name="metal"), Tag(name="rock")
    session.add_all(
        [
            Album(id=1, title="Box", tags=[rock, metal]),
            Album(id=2, title="Breaker", part_of=1, tags=[rock]),
            Album(id=3, title="Restless", part_of=1),
            Disc(album_id=2, number=1),
        ]
    )
    session.commit()


def record(engine, statements):
    """Appends the statements of an engine to a list."""

    @event.listens_for(engine, "before_cursor_execute")
    def append(connection, cursor, statement, parameters, context, executemany):
        statements.append(statement)


def in_async_session(function, statements):
    """Returns `await function(session)`, and appends its statements to a list."""

    async def main():
        engine = create_async_engine("sqlite+aiosqlite://")
        async with engine.begin() as connection:
            await connection.run_sync(Base.metadata.create_all)
        async with AsyncSession(engine) as session:
            await session.run_sync(fill)
            record(engine.sync_engine, statements)
            try:
                return await function(session)
            finally:
                await session.close()
                await engine.dispose()

    return asyncio.run(main())


def titles(albums):
    return [album.title for album in albums]
