"""The GraphQL schema. Each resolver handles one object."""

from typing import Optional

import strawberry

from . import sources
from .rows import AlbumRow, ArtistRow, TrackRow


@strawberry.type
class Genre:
    name: str


@strawberry.type
class Track:
    row: strawberry.Private[TrackRow]

    @strawberry.field
    def name(self) -> str:
        return self.row.name

    @strawberry.field
    async def genre(self) -> Genre:
        return Genre(name=(await sources.genre.asyncio(self.row.genre_id)).name)


@strawberry.type
class Album:
    row: strawberry.Private[AlbumRow]

    @strawberry.field
    def title(self) -> str:
        return self.row.title

    @strawberry.field
    async def tracks(self) -> list[Track]:
        return [Track(row=row) for row in await sources.tracks.asyncio(self.row.id)]


@strawberry.type
class Artist:
    row: strawberry.Private[ArtistRow]

    @strawberry.field
    def name(self) -> str:
        return self.row.name

    @strawberry.field
    async def albums(self) -> list[Album]:
        return [Album(row=row) for row in await sources.albums.asyncio(self.row.id)]


@strawberry.type
class Query:
    @strawberry.field
    async def artist(self, id: int) -> Optional[Artist]:
        row = await sources.artist.asyncio(id)
        return None if row is None else Artist(row=row)

    @strawberry.field
    async def artists(self, ids: list[int]) -> list[Optional[Artist]]:
        rows = await sources.artist.load_many.asyncio(ids)
        return [None if row is None else Artist(row=row) for row in rows]


schema = strawberry.Schema(Query)
