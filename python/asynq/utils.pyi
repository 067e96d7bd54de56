from typing import NoReturn

__all__ = ["result"]

def result(value: object) -> NoReturn: ...
