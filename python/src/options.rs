//! The debug options. There is one set of them in a process; the switches are bits of one word, so
//! that a step asks once whether any is on.

use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use pyo3::prelude::*;

static SWITCHES: AtomicU32 = AtomicU32::new(QUIET);
static MAX_TASKS: AtomicUsize = AtomicUsize::new(DEFAULT_MAX_TASKS);

/// A chain of a million tasks is nothing unusual; ten million are a recursion without an end.
const DEFAULT_MAX_TASKS: usize = 10_000_000;

/// The switches that are on at first: no step asks for them.
const QUIET: u32 = Switches::DUMP_PRE_ERROR_STATE.0 | Switches::ENABLE_COMPLEX_ASSERTIONS.0;

/// Some of the switches, on.
#[derive(Clone, Copy)]
pub(crate) struct Switches(u32);

impl Switches {
    /// Returns the switches that are on.
    pub(crate) fn on() -> Self {
        Self(SWITCHES.load(Ordering::Relaxed))
    }

    /// Set while `asynq.explain()` records.
    pub(crate) const RECORD: Self = Self(1 << 31);

    /// Returns whether no step has anything to report: the usual case.
    pub(crate) fn none(self) -> bool {
        self.0 & !QUIET == 0
    }

    /// Returns whether no option of the user is on that reports steps. A recording may be made.
    pub(crate) fn none_but_record(self) -> bool {
        self.0 & !(QUIET | Self::RECORD.0) == 0
    }

    pub(crate) fn has(self, switch: Self) -> bool {
        self.0 & switch.0 != 0
    }
}

/// Returns the maximum number of tasks alive in a thread: more must come from an endless recursion.
pub(crate) fn max_tasks() -> usize {
    MAX_TASKS.load(Ordering::Relaxed)
}

/// The debug options of asynq: `asynq.debug.options` is the only instance that matters.
#[pyclass(dict, module = "asynq._debug")]
pub(crate) struct DebugOptions {
    #[pyo3(get, set, name = "SCHEDULER_STATE_DUMP_INTERVAL")]
    scheduler_state_dump_interval: f64,
    #[pyo3(get, set, name = "DEBUG_STR_REPR_MAX_LENGTH")]
    debug_str_repr_max_length: i64,
    #[pyo3(get, set, name = "STACK_DUMP_LIMIT")]
    stack_dump_limit: Py<PyAny>,
}

macro_rules! switches {
    ($($name:ident $getter:ident $setter:ident $bit:literal;)*) => {
        impl Switches {
            $(pub(crate) const $name: Self = Self(1 << $bit);)*
        }

        #[pymethods]
        #[allow(non_snake_case, reason = "the names are the reference's")]
        impl DebugOptions {
            $(
                #[getter($name)]
                fn $getter(&self) -> bool {
                    Switches::on().has(Switches::$name)
                }

                #[setter($name)]
                fn $setter(&self, value: &Bound<'_, PyAny>) -> PyResult<()> {
                    set(Switches::$name, value.is_truthy()?);
                    Ok(())
                }
            )*

            #[new]
            fn new(py: Python<'_>) -> PyResult<Self> {
                Ok(Self {
                    scheduler_state_dump_interval: 1.0,
                    debug_str_repr_max_length: 240,
                    stack_dump_limit: 10_i64.into_pyobject(py)?.into_any().unbind(),
                })
            }

            /// Maximum number of tasks that are alive in one thread. A task that requests one more gets
            /// a `RuntimeError`.
            #[getter(MAX_TASK_STACK_SIZE)]
            fn max_task_stack_size(&self) -> usize {
                max_tasks()
            }

            #[setter(MAX_TASK_STACK_SIZE)]
            fn set_max_task_stack_size(&self, value: usize) {
                MAX_TASKS.store(value, Ordering::Relaxed);
            }

            /// Sets all `DUMP_*` switches to `value`. Without it, returns whether all of them are on.
            #[pyo3(name = "DUMP_ALL", signature = (value=None))]
            fn dump_all(&self, value: Option<&Bound<'_, PyAny>>) -> PyResult<Option<bool>> {
                let all = [$((stringify!($name), Switches::$name)),*];
                let mut dumps =
                    all.iter().filter(|(name, _)| name.starts_with("DUMP_")).map(|(_, bit)| *bit);
                match value {
                    None => Ok(Some(dumps.all(|switch| Switches::on().has(switch)))),
                    Some(value) => {
                        let value = value.is_truthy()?;
                        dumps.for_each(|switch| set(switch, value));
                        Ok(None)
                    }
                }
            }
        }
    };
}

switches! {
    DUMP_PRE_ERROR_STATE dump_pre_error_state set_dump_pre_error_state 0;
    DUMP_EXCEPTIONS dump_exceptions set_dump_exceptions 1;
    DUMP_SCHEDULE_TASK dump_schedule_task set_dump_schedule_task 2;
    DUMP_CONTINUE_TASK dump_continue_task set_dump_continue_task 3;
    DUMP_SCHEDULE_BATCH dump_schedule_batch set_dump_schedule_batch 4;
    DUMP_FLUSH_BATCH dump_flush_batch set_dump_flush_batch 5;
    DUMP_DEPENDENCIES dump_dependencies set_dump_dependencies 6;
    DUMP_COMPUTED dump_computed set_dump_computed 7;
    DUMP_NEW_TASKS dump_new_tasks set_dump_new_tasks 8;
    DUMP_YIELD_RESULTS dump_yield_results set_dump_yield_results 9;
    DUMP_QUEUED_RESULTS dump_queued_results set_dump_queued_results 10;
    DUMP_CONTEXTS dump_contexts set_dump_contexts 11;
    DUMP_SYNC dump_sync set_dump_sync 12;
    DUMP_STACK dump_stack set_dump_stack 13;
    DUMP_SCHEDULER_STATE dump_scheduler_state set_dump_scheduler_state 14;
    DUMP_SYNC_CALLS dump_sync_calls set_dump_sync_calls 15;
    COLLECT_PERF_STATS collect_perf_stats set_collect_perf_stats 16;
    ENABLE_COMPLEX_ASSERTIONS enable_complex_assertions set_enable_complex_assertions 17;
    KEEP_DEPENDENCIES keep_dependencies set_keep_dependencies 18;
}

/// Sets whether steps are recorded.
pub(crate) fn record(on: bool) {
    set(Switches::RECORD, on);
}

fn set(switch: Switches, on: bool) {
    if on {
        SWITCHES.fetch_or(switch.0, Ordering::Relaxed);
    } else {
        SWITCHES.fetch_and(!switch.0, Ordering::Relaxed);
    }
}
