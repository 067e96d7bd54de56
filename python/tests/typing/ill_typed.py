"""Mistakes that type checkers must report.

Each mistake is marked with the codes of mypy and the rules of pyright; `-` means none. The tests
read this file, and nothing runs it.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from asynq import (
    AsyncContext,
    AsyncScopedValue,
    AsyncTask,
    BatchBase,
    BatchItemBase,
    ConstFuture,
    ErrorFuture,
    FutureBase,
    async_call,
    async_proxy,
    asynq,
    debug,
    gather,
    get_async_fn,
    get_scheduler,
    list_of_generator,
    make_async_decorator,
    mock,
    tools,
)
from asynq._debug import DebugOptions

# Functions


@asynq()
def generator(x: int, *, name: str = "") -> Generator[Any, Any, str]:
    yield None
    return name * x


@asynq()
def plain(x: int, *, name: str = "") -> str:
    return name * x


@asynq(pure=True)
def pure(x: int) -> str:
    return "a"


@async_proxy()
def proxy(x: int) -> FutureBase[str]:
    return plain.asynq(x)


def synchronous(x: int) -> str:
    return "a"


generator("a")  # E: arg-type / reportArgumentType
generator.asynq("a")  # E: arg-type / reportArgumentType
_ = generator.asyncio("a")  # E: arg-type / reportArgumentType
plain("a")  # E: arg-type / reportArgumentType
plain.asynq(y=1)  # E: call-arg / reportCallIssue
_ = plain.asyncio()  # E: call-arg / reportCallIssue
pure("a")  # E: arg-type / reportArgumentType
proxy("a")  # E: arg-type / reportArgumentType
proxy.asynq("a")  # E: arg-type / reportArgumentType

value_of_a_generator: int = generator(1)  # E: assignment / reportAssignmentType
task_of_a_generator: AsyncTask[int] = generator.asynq(1)  # E: assignment / reportAssignmentType
task_for_a_value: str = plain.asynq(1)  # E: assignment / reportAssignmentType
future_for_a_task: AsyncTask[str] = proxy.asynq(1)  # E: assignment / reportAssignmentType
pure.asynq(1)  # E: attr-defined / reportAttributeAccessIssue


@asynq()
async def coroutine(x: int) -> str:
    _number: int = await plain.asynq(x)  # E: assignment / reportAssignmentType
    _other: int = await plain.asyncio(x)  # E: assignment / reportAssignmentType
    _ints: list[int] = await gather(*[plain.asynq(x)])  # E: - / reportAssignmentType
    await gather(5)  # E: call-overload / reportCallIssue,reportArgumentType
    await plain(x)  # E: misc / reportGeneralTypeIssues
    return "a"


coroutine("a")  # E: arg-type / reportArgumentType
coroutine.asynq("a")  # E: arg-type / reportArgumentType
value_of_a_coroutine: int = coroutine(1)  # E: assignment / reportAssignmentType


# Methods


class Methods:
    @asynq()
    def method(self, x: int) -> str:
        return "a"

    @asynq()
    @classmethod
    def class_method(cls, x: int) -> str:
        return "a"

    @asynq()
    @staticmethod
    def static_method(x: int) -> str:
        return "a"


Methods().method("a")  # E: arg-type / reportArgumentType
Methods().method.asynq()  # E: call-arg / reportCallIssue
Methods().method.asynq(Methods(), 1)  # E: arg-type,call-arg / reportCallIssue
Methods.method(1)  # E: arg-type,call-arg / reportCallIssue
Methods.class_method("a")  # E: arg-type / reportArgumentType
Methods().class_method.asynq("a")  # E: arg-type / reportArgumentType
Methods().static_method.asynq("a")  # E: arg-type / reportArgumentType

# Decorators


@asynq  # E: call-overload / reportArgumentType,reportCallIssue
def without_parentheses(x: int) -> str:
    return "a"


@async_proxy()  # E: arg-type / reportArgumentType
def proxy_without_a_future(x: int) -> str:
    return "a"


asynq(pure=True, sync_fn=synchronous)  # E: call-overload / reportArgumentType,reportCallIssue
asynq(unheard_of=1)  # E: call-overload / reportCallIssue
asynq(cls=int)  # E: arg-type / reportArgumentType
asynq(asyncio_fn=synchronous)  # E: arg-type / reportArgumentType
make_async_decorator(plain, synchronous, "name")  # E: arg-type / reportArgumentType

async_call(plain, "a")  # E: call-overload / reportArgumentType,reportCallIssue
async_call.asynq(synchronous)  # E: call-overload / reportCallIssue
get_async_fn(plain)("a")  # E: arg-type / reportArgumentType
get_async_fn(synchronous)(1)  # E: misc / reportOptionalCall

# Futures


def futures_are_not_truth_values(future: FutureBase[bool]) -> int:
    if future:  # E: - / reportGeneralTypeIssues
        return 1
    return 0


future_of_less: FutureBase[str] = ConstFuture(1)  # E: arg-type / reportAssignmentType
ErrorFuture("a")  # E: arg-type / reportArgumentType
plain.asynq(1).set_value(1)  # E: arg-type / reportArgumentType
plain.asynq(1).set_error("a")  # E: arg-type / reportArgumentType
plain.asynq(1).running = True  # E: misc / reportAttributeAccessIssue

# Batches


class Item(BatchItemBase[str]):
    pass


class Batch(BatchBase[Item]):
    def _flush(self) -> None:
        for item in self.items:
            item.set_value(1)  # E: arg-type / reportArgumentType

    def get_priority(self) -> int:  # E: override / reportIncompatibleMethodOverride
        return 1


class BatchOfNoItems(BatchBase[int]):  # E: type-var / reportInvalidTypeArguments
    pass


class TwoKinds(AsyncContext, BatchBase[Item]):  # E: misc / reportGeneralTypeIssues
    pass


BatchItemBase()  # E: call-arg / reportCallIssue
Item("a")  # E: arg-type / reportArgumentType
number: int = Item(Batch()).value()  # E: assignment / reportAssignmentType

# Contexts


class Context(AsyncContext):
    def resume(self, x: int) -> None:  # E: override / reportIncompatibleMethodOverride
        pass


user = AsyncScopedValue("nobody")
user.set(1)  # E: arg-type / reportArgumentType
user.override(1)  # E: arg-type / reportArgumentType
Context("a")  # E: call-arg / reportCallIssue

# Tools


@tools.alru_cache()
@asynq()
def cached(x: int) -> str:
    return "a"


@tools.deduplicate()
@asynq()
def deduplicated(x: int) -> str:
    return "a"


cached("a")  # E: arg-type / reportArgumentType
cached.asynq("a")  # E: arg-type / reportArgumentType
deduplicated.dirty("a")  # E: arg-type / reportArgumentType
tools.alru_cache()(synchronous)  # E: arg-type / reportArgumentType
tools.alazy_constant()(plain)  # E: arg-type / reportArgumentType
tools.amap(synchronous, [1])  # E: arg-type / reportArgumentType
tools.amap(cached, ["a"])  # E: misc / reportArgumentType
tools.amap.asynq(cached, ["a"])  # E: misc / reportArgumentType
tools.asorted([1], key=synchronous)  # E: arg-type / reportArgumentType
tools.amax()  # E: call-overload / reportCallIssue
lengths: list[int] = tools.amap(cached, [1])  # E: arg-type / reportAssignmentType
list_of_generator([1])  # E: arg-type / reportArgumentType

# The rest

debug.options.DUMP_SYNC = "yes"  # E: assignment / reportAttributeAccessIssue
debug.options.UNHEARD_OF = True  # E: attr-defined / reportAttributeAccessIssue
debug.DUMP_ALL("yes")  # E: call-overload / reportArgumentType,reportCallIssue
get_scheduler().active_task.to_str()  # E: union-attr / reportOptionalMemberAccess
mock.patch.object(tools)  # E: call-overload / reportCallIssue


class Options(DebugOptions):  # E: misc / reportGeneralTypeIssues
    pass
