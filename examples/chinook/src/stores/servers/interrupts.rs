//! Ctrl-C, where something has to end before the demo does.

use std::error::Error;
use std::{fmt, panic, thread};

use asynq::BoxError;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

pub(crate) struct Interrupts {
    runtime: Runtime,
    signal: Signal,
}

impl Interrupts {
    /// From now on Ctrl-C does not end the process.
    pub(crate) fn watch() -> Result<Self, BoxError> {
        let runtime = Builder::new_current_thread().enable_io().build()?;
        let signal = runtime.block_on(async { signal(SignalKind::interrupt()) })?;
        Ok(Self { runtime, signal })
    }

    /// Returns the result of `work`, unless Ctrl-C comes first: then [`Interrupted`], and nobody waits for it.
    pub(crate) fn or<T: Send + 'static>(
        mut self,
        work: impl FnOnce() -> Result<T, BoxError> + Send + 'static,
    ) -> Result<T, BoxError> {
        let (end, ended) = oneshot::channel();
        let worker = thread::spawn(move || {
            // Whether anybody waits for it or not.
            let _ = end.send(work());
        });
        self.runtime.block_on(async {
            tokio::select! {
                result = ended => result.unwrap_or_else(|_| {
                    panic::resume_unwind(worker.join().expect_err("it ended without a result"))
                }),
                _ = self.signal.recv() => Err(Interrupted.into()),
            }
        })
    }
}

/// Somebody has pressed Ctrl-C.
#[derive(Debug)]
pub(crate) struct Interrupted;

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("interrupted")
    }
}

impl Error for Interrupted {}
