"""A function whose values are kept in memcached: `python -m memcached` shows what that is asked."""
