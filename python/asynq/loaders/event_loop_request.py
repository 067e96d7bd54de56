"""Calls of batch functions on an asyncio event loop."""

import asyncio
import contextlib
import functools
import inspect

from .._asynq import call_in_drive, call_until_done, set_asyncio_result
from .._explain import answers
from .caller_context import CallerContext
from .limit import wait_for_permits
from .request import Request
from .running_function import running_function

__traceback_hide__ = True


class EventLoopRequest(Request):
    """A request of coroutines: a task of their event loop."""

    def __init__(self, loader, host, part):
        super().__init__(loader, host, part)
        self._loop = asyncio.get_running_loop()
        self.is_nested = host.is_nested
        self._opener, self._parent, self._context = host.opener
        self._timer = None
        self._caller = None
        self._has_begun = self._is_cancelled = False
        self._answer = None, None  # Of a function on a worker thread, with its error.

    def send(self):
        """Calls the batch function, as soon as it has its permits."""
        if answers.replayed() is not None:
            self.replay()
            return
        blocking = self.loader.settings.blocking
        function = self.new_function(None if blocking else self._loop, self._parent)
        self._caller = CallerContext(self.loader, function, self._opener, self._context)
        begin = functools.partial(call_until_done, self._begin, True)
        if not call_in_drive(self._loop, begin):
            self._begin(False)
        if self.loader.settings.timeout is not None:
            self._set_timer()

    def _begin(self, is_eager):
        """Starts the task, which takes its first step at once if it is eager.

        Returns whether the request has ended. A signal handler may raise at any line of this, and
        then it is called again.
        """
        if not self._has_begun and self.task is None:
            task = self._caller.start(self._run(), is_eager and not self._is_cancelled)
        else:
            task = self.task
        if task is None or task.done():
            self._end(task)
            return True
        self.task = task
        task.add_done_callback(functools.partial(call_until_done, self._end))
        if self._is_cancelled:
            task.cancel()
        return False

    def is_asker(self):
        """Returns whether the batch function itself is calling this."""
        function = running_function.get()
        return function is not None and function.is_within(self.function)

    def expire(self):
        """Fails the keys whose deadline has passed."""
        super().expire()
        self._set_timer()

    def cancel(self, is_late):
        """Ends the request, because all of its keys are late or nobody waits for it any more.

        The task gives the permits back when it has ended. A function on a thread, which nobody can
        cancel, gives them up if it is late, since it may never return.
        """
        is_on_thread = self.loader.settings.blocking
        if self.function is not None and is_on_thread and (is_late or not self._has_keys):
            self.function.permits.release()
        if self.task is not None:
            self.task.cancel()
        else:
            self._is_cancelled = True
        if is_late and self._has_keys:
            self._finish(TimeoutError(f"no answer within {self.loader.settings.timeout:g} s"))

    def _set_timer(self):
        if self._timer is not None:
            self._timer.cancel()
        deadline = self._host.deadline(self._part)
        if deadline is None:
            self._timer = None
        else:
            self._timer = self._loop.call_at(deadline, call_until_done, self.expire)

    async def _run(self):
        self._has_begun, self.task = True, asyncio.current_task()
        blocking = self.loader.settings.blocking
        try:
            if blocking:
                answer, error = await self._call_on_thread()
            else:
                answer, error = await self._call_here()
        finally:
            if not (blocking and self._has_keys):
                self.function.permits.release()  # Otherwise the thread of the function does.
        if error is not None:
            self.fail(error)
        else:
            self.deliver(answer)

    async def _call_here(self):
        """Returns the answer and None, or None and the error, which asyncio may not see."""
        try:
            turn = _Turn(self._loop)
            self.function.permits.acquire(turn.begin)
            if not turn.has_come:
                await turn.wait(self.function.permits)
            if not self.permit():
                return None, None
            if self.loader.settings.timeout is not None:
                self._set_timer()
            self.start()
            try:
                if self.loader.is_asynq_function:
                    answer = await self.loader.fn.asyncio(self.keys)
                else:
                    answer = self._host.call(self._part, self._call_function)
                    if inspect.isawaitable(answer):
                        answer = await answer
            finally:
                self.stop()
            return answer, None
        except GeneratorExit:
            raise  # The loop is closed.
        except BaseException as error:
            return None, error

    def _call_function(self):
        return self.loader.fn(self.keys)

    async def _call_on_thread(self):
        future = self._loop.create_future()
        # A new CallerContext: two threads cannot enter the same context at once.
        caller = CallerContext(self.loader)
        begin = functools.partial(self._begin_on_thread, future, caller)
        self.function.permits.acquire(begin)
        try:
            await wait_for_permits(self.function.permits, future)
        except GeneratorExit:
            raise  # The loop is closed.
        except BaseException as error:
            return None, error
        answer, self._answer = self._answer, (None, None)
        return answer

    def _begin_on_thread(self, future, caller):
        def fail(error):
            self._answer = None, error
            self._wake(future)

        if not self.permit():
            self.function.permits.release()
            self._wake(future)
            return
        try:
            self.function.submit(functools.partial(self._call_there, future, caller), fail)
        except RuntimeError as error:
            self.function.permits.release()
            fail(error)

    def _call_there(self, future, caller):
        """Calls the batch function on a worker thread.

        No variable of the thread holds the answer when the event loop wakes: its values must not
        live until the thread goes on.
        """
        if not (future.done() or self._loop.is_closed()):
            try:
                self._answer = self.call_on_thread(caller), None
            except BaseException as error:
                self._answer = None, error
        self.function.permits.release()
        self._wake(future)

    def _wake(self, future):
        """Completes a future, in any thread."""
        with contextlib.suppress(RuntimeError):  # The loop was closed meanwhile.
            self._loop.call_soon_threadsafe(set_asyncio_result, future, None)

    def _end(self, task):
        """Fails a request whose task has ended without having finished it.

        A signal handler may raise at any line of this, and then it is called again.
        """
        if self._timer is not None:
            self._timer.cancel()
        if self.function is not None and not (self.loader.settings.blocking and self._has_keys):
            self.function.permits.release()
        was_cancelled = task is None or task.cancelled()
        error = asyncio.CancelledError() if was_cancelled else task.exception()
        if error is not None and not self._has_finished:
            with contextlib.suppress(asyncio.CancelledError):
                self.fail(error)
        self.task = self._caller = None  # They refer to the request.


class _Turn:
    """The turn of a request for its permits, which mostly comes at once."""

    def __init__(self, loop):
        self._loop = loop
        self.has_come = False
        self._future = None

    def begin(self):
        """Begins the turn, in any thread."""
        self.has_come = True
        if self._future is not None:
            with contextlib.suppress(RuntimeError):  # The loop was closed meanwhile.
                self._loop.call_soon_threadsafe(set_asyncio_result, self._future, None)

    async def wait(self, permits):
        """Waits for the turn, which comes with the permits."""
        self._future = self._loop.create_future()
        if not self.has_come:  # Another thread may have begun it.
            await wait_for_permits(permits, self._future)
