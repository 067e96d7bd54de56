"""The names, parameters and defaults of asynq 1.6.0, which `test_public_api` requires.

`+` marks names that are only on the main branch of asynq.
"""

FUNCTIONS = """
async_task.extract_futures(value, result)
async_task.unwrap(value)
asynq_to_async.is_asyncio_mode()
asynq_to_async.resolve_awaitables(x)
batching.sync(tag='default')
debug.DUMP_ALL(value=None)
debug.async_exception_hook(type, error, tb)
debug.attach_exception_hook()
debug.detach_exception_hook()
debug.disable_complex_assertions()
debug.dump(state)
debug.dump_asynq_stack()
debug.dump_error(error, tb=None)
debug.dump_stack(skip=0, limit=None)
debug.enable_complex_assertions(enable=True)
debug.enable_filter_traceback(enable)
debug.enable_original_exc_handler(enable)
debug.enable_traceback_syntax_highlight(enable)
debug.extract_tb(tb, limit=None)
debug.filter_traceback(tb_list)
debug.format_asynq_stack()
debug.format_error(error, tb=None)
debug.format_tb(tb)
debug.get_frame(generator)
debug.ipython_custom_exception_handler(self, etype, value, tb, tb_offset=None)
debug.repr(source, truncate=True)
debug.str(source, truncate=True)
debug.sync(tag='default')
debug.syntax_highlight_tb(tb_text)
debug.write(text, indent=0)
decorators.async_call(fn, *args, **kwargs)
decorators.async_proxy(pure=False, sync_fn=None, asyncio_fn=None, +allow_sync_call=False)
decorators.asyncio_call(fn, *args, **kwargs)
decorators.asynq(pure=False, sync_fn=None, cls=AsyncTask, asyncio_fn=None, +allow_sync_call=False, \
**kwargs)
decorators.convert_asynq_to_async(fn)
decorators.get_async_fn(fn, wrap_if_none=False)
decorators.get_async_or_sync_fn(fn)
decorators.has_async_fn(fn)
decorators.is_async_fn(fn)
decorators.is_pure_async_fn(fn)
decorators.lazy(fn)
decorators.make_async_decorator(fn, wrapper_fn, name)
generator.async_generator()
generator.list_of_generator(generator)
generator.take_first(generator, n)
mock_.patch(target, new=sentinel.DEFAULT, spec=None, create=False, mocksignature=False, \
spec_set=None, autospec=False, new_callable=None, **kwargs)
mock_.patch.object(target, attribute, new=sentinel.DEFAULT, spec=None, create=False, \
mocksignature=False, spec_set=None, autospec=False, new_callable=None, **kwargs)
profiler.append(stats)
profiler.flush()
profiler.incr_counter()
profiler.reset()
scheduler.get_active_task()
scheduler.get_scheduler()
scheduler.reset()
tools.acached_per_instance(+vary_on=())
tools.afilter(function, sequence)
tools.afilterfalse(function, sequence)
tools.alazy_constant(ttl=0)
tools.alru_cache(maxsize=128, key_fn=None, +vary_on=())
tools.amap(function, sequence)
tools.amax(*args, **kwargs)
tools.amin(*args, **kwargs)
tools.aretry(exception_cls, max_tries=10, sleep=0.05)
tools.asift(pred, items)
tools.asorted(iterable, key=None, reverse=False)
tools.call_with_context(context, fn, *args, **kwargs)
tools.deduplicate(keygetter=None, +vary_on=())
utils.result(value)
"""

METHODS = """
_debug.DebugOptions.DUMP_ALL(value=None)
async_task.AsyncTask._compute()
async_task.AsyncTask._computed()
async_task.AsyncTask._traceback_line()
async_task.AsyncTask.can_continue()
async_task.AsyncTask.collect_perf_stats()
async_task.AsyncTask.dump(indent=0)
async_task.AsyncTask.dump_perf_stats()
async_task.AsyncTask.is_blocked()
async_task.AsyncTask.to_str()
async_task.AsyncTask.traceback()
asynq_to_async.AsyncioMode.__exit__(exc_type, exc_value, tb)
batching.BatchBase._cancel()
batching.BatchBase._compute()
batching.BatchBase._computed()
batching.BatchBase._flush()
batching.BatchBase._try_switch_active_batch()
batching.BatchBase.cancel(error=None)
batching.BatchBase.dump(indent=0)
batching.BatchBase.dump_perf_stats(time_taken)
batching.BatchBase.flush()
batching.BatchBase.get_priority()
batching.BatchBase.is_cancelled()
batching.BatchBase.is_empty()
batching.BatchBase.is_flushed()
batching.BatchBase.to_str()
batching.BatchItemBase._compute()
batching.BatchItemBase.to_str()
contexts.AsyncContext.__enter__()
contexts.AsyncContext.__exit__(ty, value, tb)
contexts.AsyncContext.pause()
contexts.AsyncContext.resume()
contexts.NonAsyncContext.__enter__()
contexts.NonAsyncContext.__exit__(typ, val, tb)
contexts.NonAsyncContext.pause()
contexts.NonAsyncContext.resume()
debug.AsynqStackTracebackFormatter.formatException(exc_info)
decorators.AsyncDecorator._call_pure(args, kwargs)
decorators.AsyncDecorator.asyncio(*args, **kwargs)
decorators.AsyncDecorator.asynq(*args, **kwargs)
decorators.AsyncDecorator.is_pure_async_fn()
decorators.AsyncDecorator.name()
decorators.AsyncDecoratorBinder.asyncio(*args, **kwargs)
decorators.AsyncDecoratorBinder.asynq(*args, **kwargs)
decorators.AsyncWrapper.asynq(*args, **kwargs)
decorators.AsyncWrapper.is_pure_async_fn()
decorators.AsyncWrapper.name()
decorators.PureAsyncDecorator._call_pure(args, kwargs)
decorators.PureAsyncDecorator.asyncio(*args, **kwargs)
decorators.PureAsyncDecorator.is_decorator()
decorators.PureAsyncDecorator.is_pure_async_fn()
decorators.PureAsyncDecorator.name()
decorators.PureAsyncDecoratorBinder.is_pure_async_fn()
futures.FutureBase._compute()
futures.FutureBase._computed()
futures.FutureBase.dump(indent=0)
futures.FutureBase.error()
futures.FutureBase.is_computed()
futures.FutureBase.raise_if_error()
futures.FutureBase.reset_unsafe()
futures.FutureBase.set_error(error)
futures.FutureBase.set_value(value)
futures.FutureBase.value()
scheduler.LocalTaskSchedulerState.reset()
scheduler.TaskScheduler.dump(indent=0)
scheduler.TaskScheduler.reset()
scheduler.TaskScheduler.try_time_based_dump(last_task=None)
scheduler.TaskScheduler.wait_for(task)
scoped_value.AsyncScopedValue.get()
scoped_value.AsyncScopedValue.override(value)
scoped_value.AsyncScopedValue.set(value)
tools.AsyncEventHook.safe_trigger(*args)
tools.AsyncEventHook.subscribe(handler)
tools.AsyncEventHook.trigger(*args)
tools.AsyncEventHook.unsubscribe(handler)
tools.AsyncTimer.pause()
tools.AsyncTimer.resume()
tools.DeduplicateDecorator.cache_key(args, kwargs)
tools.DeduplicateDecorator.dirty(*args, **kwargs)
tools.DeduplicateDecoratorBinder.dirty(*args, **kwargs)
"""

CLASSES = """
async_task.AsyncTask(futures.FutureBase)
async_task.AsyncTaskCancelledError(builtins.GeneratorExit)
async_task.AsyncTaskResult(builtins.GeneratorExit)
asynq_to_async.AsyncioMode(builtins.object)
batching.BatchBase(futures.FutureBase)
batching.BatchCancelledError(batching.BatchingError)
batching.BatchItemBase(futures.FutureBase)
batching.BatchingError(builtins.Exception)
batching.DebugBatch(batching.BatchBase)
batching.DebugBatchItem(batching.BatchItemBase)
batching.LocalDebugBatchState(threading.local)
contexts.AsyncContext(builtins.object)
contexts.NonAsyncContext(builtins.object)
debug.AsynqStackTracebackFormatter(logging.Formatter)
decorators.AsyncAndSyncPairDecorator(decorators.AsyncDecorator)
decorators.AsyncAndSyncPairDecoratorBinder(decorators.AsyncDecoratorBinder)
decorators.AsyncAndSyncPairProxyDecorator(decorators.AsyncProxyDecorator)
decorators.AsyncDecorator(decorators.PureAsyncDecorator)
decorators.AsyncDecoratorBinder(decorators.DecoratorBinder)
decorators.AsyncProxyDecorator(decorators.AsyncDecorator)
decorators.AsyncWrapper(decorators.DecoratorBase)
decorators.PureAsyncDecorator(decorators.DecoratorBase)
decorators.PureAsyncDecoratorBinder(decorators.DecoratorBinder)
futures.ConstFuture(futures.FutureBase)
futures.ErrorFuture(futures.FutureBase)
futures.Future(futures.FutureBase)
futures.FutureBase(builtins.object)
futures.FutureIsAlreadyComputed(builtins.Exception)
generator.Value(builtins.object)
profiler.LocalProfileState(threading.local)
scheduler.AsyncTaskError(builtins.Exception)
scheduler.LocalTaskSchedulerState(threading.local)
scheduler.TaskScheduler(builtins.object)
scoped_value.AsyncScopedValue(builtins.object)
scoped_value.async_override(contexts.AsyncContext)
tools.AsyncTimer(contexts.AsyncContext)
tools.DeduplicateDecorator(decorators.AsyncDecorator)
tools.DeduplicateDecoratorBinder(decorators.AsyncDecoratorBinder)
"""

VALUES = """
_debug.options
async_task.MAX_DUMP_INDENT
batching._debug_batch_state.batches
debug.is_attached
debug.options
debug.original_hook
debug.stderr
debug.stdout
futures._none
futures.none_future
generator.END_OF_GENERATOR
mock_.patch.TEST_PREFIX
mock_.patch.dict
mock_.patch.stopall
profiler._state.counter
profiler._state.stats
scheduler._state.current
scheduler._state.last_id
"""

OPTIONS = {
    "COLLECT_PERF_STATS": False,
    "DEBUG_STR_REPR_MAX_LENGTH": 240,
    "DUMP_COMPUTED": False,
    "DUMP_CONTEXTS": False,
    "DUMP_CONTINUE_TASK": False,
    "DUMP_DEPENDENCIES": False,
    "DUMP_EXCEPTIONS": False,
    "DUMP_FLUSH_BATCH": False,
    "DUMP_NEW_TASKS": False,
    "DUMP_PRE_ERROR_STATE": True,
    "DUMP_QUEUED_RESULTS": False,
    "DUMP_SCHEDULER_STATE": False,
    "DUMP_SCHEDULE_BATCH": False,
    "DUMP_SCHEDULE_TASK": False,
    "DUMP_STACK": False,
    "DUMP_SYNC": False,
    "DUMP_SYNC_CALLS": False,
    "DUMP_YIELD_RESULTS": False,
    "ENABLE_COMPLEX_ASSERTIONS": True,
    "KEEP_DEPENDENCIES": False,
    "SCHEDULER_STATE_DUMP_INTERVAL": 1,
    "STACK_DUMP_LIMIT": 10,
}

MODULES = [
    "async_task",
    "asynq_to_async",
    "batching",
    "contexts",
    "debug",
    "decorators",
    "futures",
    "generator",
    "mock",
    "mock_",
    "profiler",
    "scheduler",
    "scoped_value",
    "tools",
    "utils",
]

# The names in `asynq`, by the modules that define them.
EXPORTS = {
    "async_task": "AsyncTask AsyncTaskCancelledError AsyncTaskResult",
    "asynq_to_async": "is_asyncio_mode",
    "batching": "BatchBase BatchCancelledError BatchItemBase BatchingError",
    "contexts": "AsyncContext NonAsyncContext",
    "decorators": "async_call async_proxy asynq get_async_fn get_async_or_sync_fn has_async_fn "
    "is_async_fn is_pure_async_fn make_async_decorator",
    "futures": "ConstFuture ErrorFuture Future FutureBase FutureIsAlreadyComputed none_future",
    "generator": "END_OF_GENERATOR Value async_generator list_of_generator take_first",
    "scheduler": "AsyncTaskError TaskScheduler get_active_task get_scheduler",
    "scoped_value": "AsyncScopedValue async_override",
    "utils": "result",
}
