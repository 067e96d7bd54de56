//! Synchronous calls whose bodies are on the stack of the caller.

use std::future::Future;
use std::panic::Location;
use std::pin::pin;

use super::computation::{BodyOf, Run};
use crate::call_stack::Site;
use crate::error::TaskError;
use crate::scheduler;

/// Runs `future` to its value, in a call of `site`.
///
/// # Errors
///
/// If the future panicked or took part in a deadlock.
pub(crate) fn call<F: Future>(
    site: &'static Site,
    at: &'static Location<'static>,
    future: F,
) -> Result<F::Output, TaskError>
where
    F::Output: 'static,
{
    let mut body = pin!(Run::Pending { future });
    scheduler::with(|scheduler| scheduler.call_on_stack(site, at, body.as_mut()))?;
    Ok(BodyOf::take(body).expect("it has ended with a value"))
}
