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
//! | `loader` | loaders: the part that every key passes through |
//! | `scheduler` | the scheduler of a thread: its state, call stack, loop, reports and Python object |
//! | `call` | decorators, bound methods, arguments and synchronous calls |
//! | `context` | contexts that are paused while other tasks run |
//! | `asyncio_mode`, `options`, `imports`, `overrides` | the mode of `.asyncio(...)`, debug options, names from Python modules, methods that a user's class overrides |

mod asyncio_mode;
mod batch;
mod call;
mod context;
mod ffi;
mod future;
mod imports;
mod loader;
mod options;
mod overrides;
mod scheduler;
mod task;

/// The extension module.
#[pyo3::pymodule]
mod _asynq {
    use pyo3::prelude::*;

    #[pymodule_export]
    use crate::asyncio_mode::{enter_asyncio_mode, is_asyncio_mode, leave_asyncio_mode};
    #[pymodule_export]
    use crate::batch::base::BatchBase;
    #[pymodule_export]
    use crate::batch::flights::{call_for, complete_flight, set_flight_count, start_flight};
    #[pymodule_export]
    use crate::batch::item::BatchItemBase;
    #[pymodule_export]
    use crate::call::binder::{AsyncDecoratorBinder, DecoratorBinder, PureAsyncDecoratorBinder};
    #[pymodule_export]
    use crate::call::decorator::{AsyncDecorator, PureAsyncDecorator};
    #[pymodule_export]
    use crate::call::decorator_base::DecoratorBase;
    #[pymodule_export]
    use crate::context::{AsyncContext, NonAsyncContext};
    #[pymodule_export]
    use crate::future::base::FutureBase;
    #[pymodule_export]
    use crate::future::constants::{ConstFuture, ErrorFuture};
    #[pymodule_export]
    use crate::future::lazy::Future;
    #[pymodule_export]
    use crate::loader::base::LoaderBase;
    #[pymodule_export]
    use crate::loader::delivery::{deliver, resolve_load};
    #[pymodule_export]
    use crate::loader::load::Load;
    #[pymodule_export]
    use crate::loader::round::RoundBase;
    #[pymodule_export]
    use crate::loader::rounds::Rounds;
    #[pymodule_export]
    use crate::options::DebugOptions;
    #[pymodule_export]
    use crate::scheduler::handle::TaskScheduler;
    #[pymodule_export]
    use crate::scheduler::handle_methods::{get_active_task, get_scheduler, reset_scheduler};
    #[pymodule_export]
    use crate::task::async_task::AsyncTask;
    #[pymodule_export]
    use crate::task::yielded::{extract_futures, py_unwrap};

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        crate::call::fast_methods::add_methods(module.py())?;
        module.add("options", module.getattr("DebugOptions")?.call0()?)
    }
}
