"""Loaders of what stores hold, by the client libraries that their users know.

========================== ============================================ ==========================
module                     what it makes                                 `pip install`
========================== ============================================ ==========================
`asynq.stores.sqlite`      loaders of rows, by the values of a column    nothing more
`asynq.stores.postgres`    the same                                      `asynq-rs[postgres]`
`asynq.stores.redis`       gets, sets and other commands, a cache        `asynq-rs[redis]`
`asynq.stores.memcached`   gets, sets and deletes, a cache               `asynq-rs[memcached]`
========================== ============================================ ==========================

A store may be shared between threads. What its tasks ask for in a round is one request, which waits
on a thread of its own: tasks go on meanwhile, and requests to other stores overlap with it.
"""
