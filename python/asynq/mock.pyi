from .mock_ import patch as patch

__all__ = ["patch"]
