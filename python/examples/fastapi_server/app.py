"""The application. Each HTTP request has batches and a cache of its own."""

from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from fastapi import Depends, FastAPI, Query

import asynq
from asynq.middleware import fastapi as isolated
from asynq.stores.sqlite import Sqlite

DATABASE = Path(__file__).resolve().parents[3] / "examples" / "data" / "chinook.sqlite"

chinook = Sqlite(f"{DATABASE.as_uri()}?mode=ro", uri=True)
name = chinook.row_by("Artist", "ArtistId", columns="Name", row=str, default=None)
albums = chinook.rows_by("Album", "ArtistId", columns="Title", order_by="AlbumId", row=str)

app = FastAPI(dependencies=[Depends(isolated)])


@dataclass
class Artist:
    name: Optional[str]
    albums: list[str]


@asynq.asynq()
async def artist(id: int) -> Artist:
    found, titles = await asynq.gather(name.asynq(id), albums.asynq(id))
    return Artist(found, titles)


@asynq.asynq()
async def all_artists(ids: list[int]) -> list[Artist]:
    return await asynq.gather(*[artist.asynq(id) for id in ids])


@app.get("/artists")
async def artists(id: list[int] = Query()) -> list[Artist]:  # noqa: B008
    return await all_artists.asyncio(id)
