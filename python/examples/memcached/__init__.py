"""A memcached client whose calls leave together.

`client.py` has the `Client`, `requests.py` the batch behind it. `python -m memcached` shows what a
cached function sends to its server.
"""

from .client import Client

__all__ = ["Client"]
