//! `asynq._asynq`: the Python face of the scheduling engine.
//!
//! The Python modules of the package re-export these classes under the names of the reference. What
//! happens when is decided by `asynq-engine`; this crate makes it happen: it sends values into
//! generators, flushes batches, pauses and resumes contexts.
//!
//! | folder or file | owner of |
//! |---|---|
//! | `ffi` | all unsafe code: the cell under the GIL, GC tracking, the calling convention, deferred drops |
//! | `future` | futures, and their outcome |
//! | `task` | tasks: their state, one step of them, and the structures that they yield |
//! | `batch` | batches, their items and priorities; flushes in flight |
//! | `loader` | loaders: the face of `asynq-loader`, and the part that every key passes through |
//! | `explain` | recordings for `asynq.explain()` |
//! | `event_loop` | event loops: the calls that are awaited there, and the drive of their schedulers |
//! | `scheduler` | the scheduler of a thread: its state, call stack, loop, reports and Python object |
//! | `call` | decorators, bound methods, arguments and synchronous calls |
//! | `context`, `scoped_value` | contexts that are paused while other tasks run; overrides |
//! | `asyncio_mode`, `options`, `imports`, `overrides` | the mode of `.asyncio(...)`, debug options, names from Python modules, methods that a user's class overrides |

mod asyncio_mode;
mod batch;
mod call;
mod context;
mod event_loop;
mod explain;
mod ffi;
mod future;
mod imports;
mod loader;
mod options;
mod overrides;
mod recursion;
mod scheduler;
mod scoped_value;
mod scopes;
mod task;

use pyo3::prelude::*;
use pyo3::wrap_pyfunction;

/// The extension module.
///
/// It keeps the GIL (`gil_used`); CONTRIBUTING.md says what is missing without it.
#[pymodule(gil_used = true)]
fn _asynq(module: &Bound<'_, PyModule>) -> PyResult<()> {
    // Before the first class is made, which all interpreters of the process would share.
    ffi::interpreter::require_main(module.py())?;
    #[cfg(Py_GIL_DISABLED)]
    ffi::interpreter::require_gil(module.py())?;
    ffi::context_vars::find_fields(module.py())?;
    ffi::frames::find_fields(module.py())?;
    add_classes(module)?;
    add_functions(module)?;
    add_fast_methods(module.py())?;
    ffi::object_memory::install::<batch::item::BatchItemBase>(module.py());
    ffi::object_memory::install::<loader::load::Load>(module.py());
    task::async_task::AsyncTask::install(module.py())?;
    call::decorator::AsyncDecorator::install(module.py())?;
    call::binder::AsyncDecoratorBinder::install(module.py())?;
    module.add("options", module.getattr("DebugOptions")?.call0()?)
}

fn add_classes(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<future::base::FutureBase>()?;
    module.add_class::<future::constants::ConstFuture>()?;
    module.add_class::<future::constants::ErrorFuture>()?;
    module.add_class::<future::lazy::Future>()?;
    module.add_class::<task::async_task::AsyncTask>()?;
    module.add_class::<task::gather::Gather>()?;
    module.add_class::<batch::base::BatchBase>()?;
    module.add_class::<batch::item::BatchItemBase>()?;
    module.add_class::<loader::base::LoaderBase>()?;
    module.add_class::<loader::nodes::LoaderBatch>()?;
    module.add_class::<loader::nodes::LoaderHost>()?;
    module.add_class::<loader::load::Load>()?;
    module.add_class::<scheduler::inbox::Flight>()?;
    module.add_class::<loader::jobs::Jobs>()?;
    module.add_class::<loader::permits::Limit>()?;
    module.add_class::<loader::permits::Permits>()?;
    module.add_class::<event_loop::call::AsyncioCall>()?;
    module.add_class::<context::AsyncContext>()?;
    module.add_class::<context::NonAsyncContext>()?;
    module.add_class::<scoped_value::ScopedOverrideBase>()?;
    module.add_class::<scoped_value::AttributeOverrideBase>()?;
    module.add_class::<call::decorator_base::DecoratorBase>()?;
    module.add_class::<call::pure_decorator::PureAsyncDecorator>()?;
    module.add_class::<call::decorator::AsyncDecorator>()?;
    module.add_class::<call::binder::DecoratorBinder>()?;
    module.add_class::<call::binder::PureAsyncDecoratorBinder>()?;
    module.add_class::<call::binder::AsyncDecoratorBinder>()?;
    module.add_class::<scheduler::handle::TaskScheduler>()?;
    module.add_class::<explain::session::ExplainSession>()?;
    module.add_class::<explain::recording::Recording>()?;
    module.add_class::<options::DebugOptions>()
}

/// Adds the methods in the interpreter's own calling convention.
fn add_fast_methods(py: Python<'_>) -> PyResult<()> {
    ffi::fast_method::add::<call::decorator::AsyncDecorator>(py)?;
    ffi::fast_method::add::<call::binder::AsyncDecoratorBinder>(py)?;
    ffi::fast_method::add::<future::methods::SetValue>(py)?;
    ffi::init_method::add::<batch::item_methods::Init>(py)
}

fn add_functions(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(asyncio_mode::enter_asyncio_mode, module)?)?;
    module.add_function(wrap_pyfunction!(asyncio_mode::is_asyncio_mode, module)?)?;
    module.add_function(wrap_pyfunction!(asyncio_mode::is_entered, module)?)?;
    module.add_function(wrap_pyfunction!(asyncio_mode::leave_asyncio_mode, module)?)?;
    module.add_function(wrap_pyfunction!(batch::flights::call_for, module)?)?;
    module.add_function(wrap_pyfunction!(event_loop::call_methods::asyncio_call, module)?)?;
    module
        .add_function(wrap_pyfunction!(event_loop::current_task::cancel_on_event_loop, module)?)?;
    module.add_function(wrap_pyfunction!(explain::answers::key_of_item, module)?)?;
    module.add_function(wrap_pyfunction!(explain::answers::use_answers, module)?)?;
    module.add_function(wrap_pyfunction!(explain::observer::set_flush_observer, module)?)?;
    module.add_function(wrap_pyfunction!(ffi::call_form::call_form, module)?)?;
    module.add_function(wrap_pyfunction!(ffi::method_descriptor::call_as_methods, module)?)?;
    module.add_function(wrap_pyfunction!(imports::look_up_names, module)?)?;
    module
        .add_function(wrap_pyfunction!(scheduler::blocked_loops::is_blocked_event_loop, module)?)?;
    module.add_function(wrap_pyfunction!(loader::asyncio_future::call_until_done, module)?)?;
    module.add_function(wrap_pyfunction!(event_loop::drive::call_in_drive, module)?)?;
    module.add_function(wrap_pyfunction!(loader::variant::divide_loaders_by_request, module)?)?;
    module.add_function(wrap_pyfunction!(loader::asyncio_future::set_result, module)?)?;
    module.add_function(wrap_pyfunction!(loader::permit_wait::call_with_permits, module)?)?;
    module
        .add_function(wrap_pyfunction!(loader::flight_methods::fail_flights_after_fork, module)?)?;
    module.add_function(wrap_pyfunction!(scheduler::greenlets::current_greenlet, module)?)?;
    module.add_function(wrap_pyfunction!(scheduler::greenlets::set_greenlets_loaded, module)?)?;
    module.add_function(wrap_pyfunction!(scheduler::handle_methods::get_active_task, module)?)?;
    module.add_function(wrap_pyfunction!(scheduler::handle_methods::get_scheduler, module)?)?;
    module.add_function(wrap_pyfunction!(scheduler::handle_methods::reset_scheduler, module)?)?;
    module.add_function(wrap_pyfunction!(scopes::active_scopes, module)?)?;
    module.add_function(wrap_pyfunction!(scopes::pop_scope, module)?)?;
    module.add_function(wrap_pyfunction!(scopes::push_scope, module)?)?;
    module.add_function(wrap_pyfunction!(scopes::scopes_variable, module)?)?;
    module.add_function(wrap_pyfunction!(scopes::set_active_scopes, module)?)?;
    module.add_function(wrap_pyfunction!(task::forgotten::count_as_asked, module)?)?;
    module.add_function(wrap_pyfunction!(task::yielded::extract_futures, module)?)?;
    module.add_function(wrap_pyfunction!(task::yielded::py_unwrap, module)?)
}
