"""`vary_on`: what a shared task or a cached value depends on, besides the arguments."""

import asyncio
from contextvars import ContextVar

import pytest

from asynq import AsyncScopedValue, asynq
from asynq.batching import DebugBatchItem
from asynq.tools import acached_per_instance, alru_cache, deduplicate

user = AsyncScopedValue("nobody")
tenant = ContextVar("tenant", default="none")


def per_instance(**options):
    def decorator(fn):
        class Owner:
            @acached_per_instance(**options)
            @asynq()
            def method(self, *args):
                return (yield fn.asynq(*args))

        return Owner().method

    return decorator


DECORATORS = {
    "deduplicate": deduplicate,
    "alru_cache": alru_cache,
    "acached_per_instance": per_instance,
}


@pytest.fixture(params=DECORATORS)
def decorator(request):
    return DECORATORS[request.param]


def secret(log):
    @asynq()
    def secret(id):
        log.append(user.get())
        yield DebugBatchItem()
        return f"{id} for {user.get()} of {tenant.get()}"

    return secret


@asynq()
def ask_as(name, fn, id):
    with user.override(name):
        return (yield fn.asynq(id))


@asynq()
def ask_as_each(names, fn):
    return (yield [ask_as.asynq(name, fn, 1) for name in names])


def test_each_value_has_its_own_result(decorator):
    fn = decorator(vary_on=user)(secret([]))
    names = ["admin", "guest"]
    assert ask_as_each(names, fn) == ["1 for admin of none", "1 for guest of none"]
    assert ask_as("guest", fn, 1) == "1 for guest of none"


def test_equal_values_share_a_result(decorator):
    log = []
    fn = decorator(vary_on=user)(secret(log))
    ask_as_each(["ann", "bob"], fn)
    ask_as_each(["ann", "bob"], fn)
    assert log == ["ann", "bob"] * (2 if decorator is deduplicate else 1)


def test_equal_calls_with_equal_values_share_a_task():
    log = []
    fn = deduplicate(vary_on=user)(secret(log))
    assert ask_as_each(["ann", "bob", "ann"], fn)[2] == "1 for ann of none"
    assert log == ["ann", "bob"]


def test_without_it_everybody_gets_the_result_of_the_first(decorator):
    fn = decorator()(secret([]))
    if decorator is deduplicate:
        assert ask_as_each(["admin", "guest"], fn) == ["1 for admin of none"] * 2
    else:
        first = ask_as("admin", fn, 1)
        assert ask_as("guest", fn, 1) == first == "1 for admin of none"


def test_a_context_variable_is_part_of_the_key(decorator):
    fn = decorator(vary_on=[user, tenant])(secret([]))

    def ask(name):
        token = tenant.set(name)
        try:
            return fn.asynq(1).value()
        finally:
            tenant.reset(token)

    assert [ask("x"), ask("y")] == ["1 for nobody of x", "1 for nobody of y"]


def test_a_key_function_makes_the_rest_of_the_key():
    log = []
    fn = alru_cache(key_fn=lambda args, kwargs: 0, vary_on=user)(secret(log))
    assert [ask_as("ann", fn, 1), ask_as("ann", fn, 2), ask_as("bob", fn, 3)] == [
        "1 for ann of none",
        "1 for ann of none",
        "3 for bob of none",
    ]


def test_a_shared_task_sees_the_values_of_its_call_wherever_it_is_awaited():
    fn = deduplicate(vary_on=[user, tenant])(secret([]))

    @asynq()
    def await_as_admin(task):
        tenant.set("other")
        with user.override("admin"):
            return (yield task)

    @asynq()
    def main():
        task = fn.asynq(1)
        return (yield await_as_admin.asynq(task), fn.asynq(1))

    token = tenant.set("mine")
    try:
        assert main() == ("1 for nobody of mine", "1 for nobody of mine")
    finally:
        tenant.reset(token)


def test_dirty_forgets_the_task_of_the_current_value():
    log = []
    fn = deduplicate(vary_on=user)(secret(log))

    @asynq()
    def main():
        tasks = [fn.asynq(1)]
        with user.override("ann"):
            tasks.append(fn.asynq(1))
            fn.dirty(1)
            tasks.append(fn.asynq(1))
        tasks.append(fn.asynq(1))
        yield tasks
        return tasks

    first, second, third, fourth = main()
    assert (first is fourth, second is third) == (True, False)
    assert log == ["nobody", "ann", "ann"]


def test_a_call_made_while_the_body_runs_starts_a_task():
    @deduplicate(vary_on=user)
    @asynq()
    def countdown():
        calls.append(1)
        return len(calls) if len(calls) > 1 else (yield countdown.asynq())

    calls = []
    assert countdown.asynq().value() == 2


def test_coroutines_have_their_own_values():
    fn = alru_cache(vary_on=[user, tenant])(secret_of_coroutines)

    async def request(name):
        tenant.set(name)
        with user.override(name):
            return await fn.asyncio(1)

    async def main():
        return await asyncio.gather(*map(request, ["ann", "bob", "ann"]))

    assert asyncio.run(main()) == [f"1 for {name} of {name}" for name in ["ann", "bob", "ann"]]


@asynq()
def secret_of_coroutines(id):
    yield asyncio.sleep(0)
    return f"{id} for {user.get()} of {tenant.get()}"


def test_a_context_variable_without_a_value_is_an_error_that_names_it(decorator):
    fn = decorator(vary_on=ContextVar("session"))(secret([]))
    with pytest.raises(LookupError, match="'session' of vary_on has no value"):
        fn.asynq(1).value()


@pytest.mark.parametrize("sources", [7, [7], "user", [user, None]])
def test_only_scoped_values_and_context_variables_are_accepted(decorator, sources):
    with pytest.raises(TypeError, match="vary_on must name AsyncScopedValue or ContextVar"):
        decorator(vary_on=sources)(secret([]))
