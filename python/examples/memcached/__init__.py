"""A function with a cache in memcached. `python -m memcached` shows the requests it sends."""
