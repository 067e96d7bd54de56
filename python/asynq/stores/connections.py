"""The connections of the SQL stores: a pool, or one connection of the caller."""

import os
import threading

from .._fork import reset_after_fork

__traceback_hide__ = True


class ConnectionPool:
    """Connections that are opened when needed, kept open, and used by one thread at a time.

    - `connect()` opens a connection.
    - `is_lost(connection, error)` returns whether an error means that the connection is unusable.
    - `limit` is the maximum number of open connections. Default: two per core.

    No pool of a library is used: the one of psycopg retries a server that refuses connections until
    it times out, and does not report the reason.
    """

    def __init__(self, connect, is_lost, limit=None):
        self._connect = connect
        self._is_lost = is_lost
        # Enough to keep a server with as many cores as this machine busy.
        self._limit = limit or 2 * (os.cpu_count() or 1)
        self._idle = []
        self._of_parent = []
        self._reset()
        reset_after_fork(self)

    def _reset(self):
        # Not closed, because that would end the sessions of the parent process.
        self._of_parent.extend(self._idle)
        self._idle = []
        self._lock = threading.Lock()
        self._permits = threading.Semaphore(self._limit)

    def run(self, work):
        """Returns `work(connection)`.

        If the connection was lost while it was idle, calls `work` a second time with a new one.
        `work` must not change the database. A transaction that it began ends with it.
        """
        with self._permits:
            idle, connection = self._take()
            if connection is not None:
                try:
                    return self._run(idle, connection, work)
                except Exception as error:
                    if not self._is_lost(connection, error):
                        raise
                # The other idle connections are most likely lost, too.
                self.close()
                idle = self._idle
            return self._run(idle, self._connect(), work)

    def _take(self):
        """Returns the list of idle connections, and one connection from it or None."""
        with self._lock:
            return self._idle, self._idle.pop() if self._idle else None

    def _run(self, idle, connection, work):
        try:
            result = work(connection)
            # The next work must see what others have committed meanwhile.
            connection.commit()
        except BaseException:
            connection.close()
            raise
        with self._lock:
            is_kept = idle is self._idle
            if is_kept:
                idle.append(connection)
        if not is_kept:
            connection.close()  # The pool was closed meanwhile.
        return result

    def close(self):
        """Closes the idle connections, and the busy ones as soon as they are returned."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()


class SingleConnection:
    """One connection of the caller, used by one thread at a time."""

    def __init__(self, connection):
        self._connection = connection
        self._reset()
        reset_after_fork(self)

    def _reset(self):
        self._lock = threading.Lock()

    def run(self, work):
        """Returns `work(connection)`."""
        with self._lock:
            return work(self._connection)

    def close(self):
        """Closes the connection."""
        self._connection.close()
