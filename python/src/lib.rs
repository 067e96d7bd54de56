//! `asynq._asynq`: the Python face of the scheduling engine.
//!
//! The Python modules of the package re-export these classes under the names of the reference. What
//! happens when is decided by `asynq-engine`; this crate makes it happen: it sends values into
//! generators, flushes batches, pauses and resumes contexts.
//!
//! | file | what it owns |
//! |---|---|
//! | `future`, `constants`, `outcome` | futures, and how they come to their values |
//! | `task`, `task_methods`, `body`, `step`, `yielded` | a task, what it runs, one step of it, what it yields |
//! | `batch`, `item`, `rank`, `flights` | batches, their items, their priorities; those in flight |
//! | `loader`, `load`, `round` | loaders: what every key passes through |
//! | `context` | contexts |
//! | `scheduler`, `drive`, `deadlock`, `handle` | the scheduler of a thread, its loop, its reports, its face |
//! | `call`, `activation` | synchronous calls, and whose code is running |
//! | `decorator`, `decorator_base`, `binder`, `fastcall`, `args` | `@asynq()`, methods, and calls of both |
//! | `asyncio_mode`, `options`, `names`, `overrides`, `slot`, `tracking`, `graveyard` | what these need |

mod activation;
mod args;
mod asyncio_mode;
mod batch;
mod binder;
mod body;
mod call;
mod constants;
mod context;
mod deadlock;
mod decorator;
mod decorator_base;
mod drive;
mod fastcall;
mod flights;
mod future;
mod graveyard;
mod handle;
mod item;
mod load;
mod loader;
mod names;
mod options;
mod outcome;
mod overrides;
mod rank;
mod round;
mod scheduler;
mod slot;
mod step;
mod task;
mod task_methods;
mod tracking;
mod yielded;

/// The extension module.
#[pyo3::pymodule]
mod _asynq {
    use pyo3::prelude::*;

    #[pymodule_export]
    use crate::asyncio_mode::{enter_asyncio_mode, is_asyncio_mode, leave_asyncio_mode};
    #[pymodule_export]
    use crate::batch::BatchBase;
    #[pymodule_export]
    use crate::binder::{AsyncDecoratorBinder, DecoratorBinder, PureAsyncDecoratorBinder};
    #[pymodule_export]
    use crate::constants::{ConstFuture, ErrorFuture, Future};
    #[pymodule_export]
    use crate::context::{AsyncContext, NonAsyncContext};
    #[pymodule_export]
    use crate::decorator::{AsyncDecorator, PureAsyncDecorator};
    #[pymodule_export]
    use crate::decorator_base::DecoratorBase;
    #[pymodule_export]
    use crate::flights::{call_for, landed, set_flights, take_off};
    #[pymodule_export]
    use crate::future::FutureBase;
    #[pymodule_export]
    use crate::handle::{TaskScheduler, get_active_task, get_scheduler, reset_scheduler};
    #[pymodule_export]
    use crate::item::BatchItemBase;
    #[pymodule_export]
    use crate::load::Load;
    #[pymodule_export]
    use crate::loader::{LoaderBase, Rounds};
    #[pymodule_export]
    use crate::options::DebugOptions;
    #[pymodule_export]
    use crate::round::{RoundBase, deliver, give};
    #[pymodule_export]
    use crate::task::AsyncTask;
    #[pymodule_export]
    use crate::yielded::{extract_futures, py_unwrap};

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        crate::fastcall::add_methods(module.py())?;
        module.add("options", module.getattr("DebugOptions")?.call0()?)
    }
}
