"""Stores: loaders and caches on top of common client libraries.

========================== ============================================ ==========================
module                     contents                                      `pip install`
========================== ============================================ ==========================
`asynq.stores.sqlite`      loaders of rows, by the values of a column    `asynq-rs`
`asynq.stores.postgres`    loaders of rows, by the values of a column    `asynq-rs[postgres]`
`asynq.stores.redis`       gets, sets and other commands, a cache        `asynq-rs[redis]`
`asynq.stores.memcached`   gets, sets and deletes, a cache               `asynq-rs[memcached]`
========================== ============================================ ==========================

Threads may share a store. A store sends the operations of concurrent tasks in one request, on a
worker thread. Tasks continue meanwhile, and requests to other stores overlap with it.
"""

from .. import _installation as _installation
