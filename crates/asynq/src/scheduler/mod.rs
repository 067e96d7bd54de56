//! The scheduler of a thread: drives the engine, and lends it to the futures that are polled.
//!
//! `state` is the data of a scheduler. The files above it add what it does, each a part of one
//! `impl Scheduler`: `events`, `contexts`, `flush` and `deadlock` perform single steps, `drive` any
//! step; `call` and `foreign` are the two loops over the steps of the engine.

mod block_on;
mod call;
mod call_on_stack;
mod calls_in_place;
mod contexts;
mod deadlock;
mod drive;
mod events;
mod flush;
mod flush_timer;
mod foreign;
mod foreign_requests;
#[cfg(any(
    feature = "tokio",
    feature = "tokio-postgres",
    feature = "redis",
    feature = "memcached"
))]
mod idle_runtime;
mod in_place;
mod native_stack;
mod nesting;
mod payload;
mod permit_table;
mod permits;
mod poll;
mod polling;
mod request;
#[cfg_attr(
    not(any(
        feature = "tokio",
        feature = "tokio-postgres",
        feature = "redis",
        feature = "memcached"
    )),
    path = "no_runtime.rs"
)]
mod runtime;
mod sleep;
mod stack_call;
mod state;
mod sync;
mod thread_waits;
mod threads;
mod waker;

pub(crate) use self::call::throw;
pub(crate) use self::flush::BatchEntry;
pub use self::nesting::set_max_call_stack;
pub(crate) use self::payload::Flushable;
pub(crate) use self::permits::{Claim, Limit};
pub(crate) use self::poll::{is_pending, poll, poll_pending};
pub(crate) use self::request::{Request, Requester};
pub(crate) use self::runtime::{
    Held, MAX_QUESTIONS, RuntimeTurn, held, wake_after_turn, without_budget,
};
pub(crate) use self::state::{Scheduler, try_with, with};
pub(crate) use self::threads::{WokenByThread, woken_by_thread};
