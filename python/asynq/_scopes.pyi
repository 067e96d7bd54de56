from .loaders.request_scope import request

REQUESTS: object

def current_request() -> request | None: ...
