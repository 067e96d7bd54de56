"""Calls from asyncio.

`f.asyncio(x)` and `loader.asyncio(key)` return an `AsyncioCall`. On a running event loop it begins
at once, and it can be awaited any number of times:

>>> import asyncio
>>> import asynq
>>> @asynq.loader
... def user(ids):
...     print("loading", ids)
...     return {id: f"user {id}" for id in ids}
>>> async def main():
...     first, second = user.asyncio(1), user.asyncio(2)
...     return await first, await second
>>> asyncio.run(main())
loading [1, 2]
('user 1', 'user 2')
"""

from ._asynq import AsyncioCall

__all__ = ["AsyncioCall"]
