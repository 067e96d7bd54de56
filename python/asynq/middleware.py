"""Middleware that puts each request of a server into an `asynq.request()`.

- ASGI (Starlette, FastAPI, Quart): `app = asgi(app)`, or `app.add_middleware(asgi)`;
- FastAPI, as a dependency: `FastAPI(dependencies=[Depends(fastapi)])`, or of single routes;
- WSGI (Flask): `app.wsgi_app = wsgi(app.wsgi_app)`;
- Django, synchronous or asynchronous: `MIDDLEWARE = ["asynq.middleware.django", ...]`.

The body of a response that is streamed belongs to the request under `asgi` and `wsgi`, not under
`django`, where it is sent later.

With `server_timing=True`, the header `Server-Timing` of each response says how many rounds it took,
and how long each source: developer tools of browsers show it. Everybody can read it, so switch it
on for developers only. For Django, set `ASYNQ_SERVER_TIMING = True`.
"""

import functools
import inspect
import sys

from ._explain.server_timing import ServerTiming
from .loaders.request_scope import request

__all__ = ["asgi", "django", "fastapi", "wsgi"]

__traceback_hide__ = True


def asgi(app, *, server_timing=False):
    """Returns an ASGI application that runs `app` in a request for each HTTP request and socket."""

    @functools.wraps(app, updated=())
    async def isolated(scope, receive, send):
        if scope["type"] == "lifespan":
            await app(scope, receive, send)
            return
        async with request():
            if not server_timing or scope["type"] != "http":
                await app(scope, receive, send)
                return
            with ServerTiming() as timing:
                await app(scope, receive, timing.asgi(send))

    return isolated


async def fastapi():
    """A dependency of FastAPI: the handler, and the dependencies after it, run in a request.

    Its value is the request.
    """
    async with request() as entered:
        yield entered


def wsgi(app, *, server_timing=False):
    """Returns a WSGI application that runs each request of `app` in a request."""

    @functools.wraps(app, updated=())
    def isolated(environ, start_response):
        entered = request()
        with entered:
            if server_timing:
                with ServerTiming() as timing:
                    body = app(environ, timing.wsgi(start_response))
            else:
                body = app(environ, start_response)
        return body if isinstance(body, (list, tuple)) else _Body(body, entered)

    return isolated


class _Body:
    """The body of a response of WSGI, each part of which is made in the request."""

    def __init__(self, body, entered):
        self._body = body
        self._parts = None
        self._request = entered

    def __iter__(self):
        return self

    def __next__(self):
        with self._request:
            if self._parts is None:
                self._parts = iter(self._body)
            return next(self._parts)

    def close(self):
        """Closes the body of the application, as its server must."""
        close = getattr(self._body, "close", None)
        if close is not None:
            with self._request:
                close()


def django(get_response):
    """Middleware of Django: views run in a request."""
    if inspect.iscoroutinefunction(get_response):

        async def isolated(http_request):
            async with request():
                if not _wants_server_timing():
                    return await get_response(http_request)
                with ServerTiming() as timing:
                    response = await get_response(http_request)
                    timing.add_to(response)
                    return response

    else:

        def isolated(http_request):
            with request():
                if not _wants_server_timing():
                    return get_response(http_request)
                with ServerTiming() as timing:
                    response = get_response(http_request)
                    timing.add_to(response)
                    return response

    return isolated


def _wants_server_timing():
    """Returns whether the settings of Django ask for the header."""
    conf = sys.modules.get("django.conf")
    if conf is None or not conf.settings.configured:
        return False
    return getattr(conf.settings, "ASYNQ_SERVER_TIMING", False)


django.sync_capable = django.async_capable = True
