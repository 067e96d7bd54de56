//! Names that this crate imports from the Python modules of the package, once these are imported:
//! those modules import this crate.

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyType;

use crate::ffi::thread_exit;

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident: $kind:ty = $module:literal . $attribute:literal;)*) => {
        /// Looks up all names. The package calls it when it has been imported, because a look-up
        /// holds a lock while modules are imported, and a fork at that time would leave it locked.
        #[pyfunction]
        pub(crate) fn look_up_names(py: Python<'_>) -> PyResult<()> {
            $($name(py)?;)*
            Ok(())
        }
    $(
        $(#[$doc])*
        pub(crate) fn $name(py: Python<'_>) -> PyResult<&Bound<'_, $kind>> {
            static CELL: PyOnceLock<Py<$kind>> = PyOnceLock::new();
            thread_exit::protect();
            CELL.import(py, $module, $attribute)
        }
    )*};
}

names! {
    already_computed: PyType = "asynq.futures"."FutureIsAlreadyComputed";
    task_error: PyType = "asynq.scheduler"."AsyncTaskError";
    task_result: PyType = "asynq.async_task"."AsyncTaskResult";
    task_cancelled: PyType = "asynq.async_task"."AsyncTaskCancelledError";
    batching_error: PyType = "asynq.batching"."BatchingError";
    batch_cancelled: PyType = "asynq.batching"."BatchCancelledError";
    event_hook: PyType = "asynq._event_hook"."EventHook";
    sinking_event_hook: PyAny = "asynq._event_hook"."sinking_event_hook";
    future_none: PyAny = "asynq.futures"."_none";
    run_plain_function: PyAny = "asynq.async_task"."_run_plain_function";
    call_in_asyncio_mode: PyAny = "asynq.decorators"."_call_in_asyncio_mode";
    wait_for_load: PyAny = "asynq.loaders._loader"."await_load";
    wait_for_parts: PyAny = "asynq.loaders.batch"."wait_for_parts";
    copy_error: PyAny = "asynq.loaders.error_copy"."copy_error";
    queue_empty: PyAny = "queue"."Empty";
    running_function: PyAny = "asynq.loaders.running_function"."running_function";
    loop_task: PyAny = "asynq._loop_task"."LoopTask";
    enter_task: PyAny = "asyncio.tasks"."_enter_task";
    leave_task: PyAny = "asyncio.tasks"."_leave_task";
    ensure_future: PyAny = "asyncio"."ensure_future";
    cancelled_error: PyType = "asyncio"."CancelledError";
    invalid_state: PyType = "asyncio"."InvalidStateError";
    running_event_loop: PyAny = "asyncio"."_get_running_loop";
    generic_alias: PyAny = "types"."GenericAlias";
    incr_counter: PyAny = "asynq.profiler"."incr_counter";
    bound_method: PyType = "types"."MethodType";
    staticmethod: PyType = "builtins"."staticmethod";
    classmethod: PyType = "builtins"."classmethod";
    makes_generator: PyAny = "asynq._inspection"."makes_generator";
    annotations: PyAny = "asynq._function_attributes"."annotations";
    bind_call_form: PyAny = "asynq._function_attributes"."bind_call_form";
    bind_decorated: PyAny = "asynq._pickling"."bind_decorated";
    creation_place: PyAny = "asynq._forgotten"."creation_place";
    explain_yield_from: PyAny = "asynq._forgotten"."explain_yield_from";
    warn_of_blocked_loop: PyAny = "asynq._forgotten"."warn_of_blocked_loop";
    warn_of_drop: PyAny = "asynq._forgotten"."warn_of_drop";
    warn_of_str: PyAny = "asynq._forgotten"."warn_of_str";
    warn_of_value: PyAny = "asynq._forgotten"."warn_of_value";
    not_driven: PyAny = "asynq._forgotten"."not_driven";
    find_decorated: PyAny = "asynq._pickling"."find_decorated";
    flush_with_answers: PyAny = "asynq._explain.answers"."flush";
    recorded_coroutine: PyAny = "asynq._explain.coroutines"."number";
    record_coroutine: PyAny = "asynq._explain.coroutines"."set_number";
}

/// An exception of one of the classes above.
pub(crate) fn new_error(
    class: fn(Python<'_>) -> PyResult<&Bound<'_, PyType>>,
    py: Python<'_>,
    message: impl Into<String>,
) -> PyErr {
    match class(py) {
        Ok(class) => PyErr::from_type(class.clone(), message.into()),
        Err(error) => error,
    }
}

/// Makes the error for a state that no program can bring about.
#[cold]
pub(crate) fn internal_error() -> PyErr {
    PyRuntimeError::new_err("internal error in asynq (a bug; please report it)")
}

/// Calls a function of `asynq._formatting`: the text output of our objects.
pub(crate) fn describe<'py>(
    py: Python<'py>,
    function: &str,
    args: impl pyo3::call::PyCallArgs<'py>,
) -> PyResult<Bound<'py, PyAny>> {
    thread_exit::protect();
    py.import("asynq._formatting")?.getattr(function)?.call1(args)
}

/// Calls a function of `asynq._trace`: what the `DUMP_*` options write. It must not disturb what it
/// reports on, so its errors go to `sys.unraisablehook`.
pub(crate) fn trace<'py>(py: Python<'py>, function: &str, args: impl pyo3::call::PyCallArgs<'py>) {
    thread_exit::protect();
    let traced = py
        .import("asynq._trace")
        .and_then(|module| module.getattr(function))
        .and_then(|function| function.call1(args));
    if let Err(error) = traced {
        error.write_unraisable(py, None);
    }
}

/// `cls[item]`: our classes are generic in their stubs.
pub(crate) fn generic<'py>(
    class: &Bound<'py, PyType>,
    item: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    generic_alias(class.py())?.call1((class, item))
}

/// Returns the name of the class of an object, for messages.
pub(crate) fn type_name(object: &Bound<'_, PyAny>) -> String {
    object.get_type().qualname().map_or_else(|_| "an object".to_owned(), |name| name.to_string())
}
