//! The recording of a whole program, which the environment asks for.

use std::env;
use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;

use asynq_explain::Options;

use super::report;
use super::session::Session;

/// Environment variable with the file of the report, or `1` for text on standard error.
const VARIABLE: &str = "ASYNQ_EXPLAIN";

/// Number of threads that are recorded.
static THREADS: AtomicUsize = AtomicUsize::new(0);

/// Returns the recording of the program, if it is wanted.
fn session() -> Option<&'static Arc<Session>> {
    static SESSION: OnceLock<Option<Arc<Session>>> = OnceLock::new();
    let is_wanted = || env::var_os(VARIABLE).is_some_and(|value| !value.is_empty() && value != "0");
    SESSION.get_or_init(|| is_wanted().then(|| Session::new(Options::default()))).as_ref()
}

/// The part of a thread in the recording of the program. The report is written when the main thread ends, or the last
/// one that is recorded: Rust has no hook for the end of a program.
pub(super) struct Share(());

impl Share {
    /// Adds this thread to the recording of the program, if it is wanted.
    pub(super) fn new() -> Option<(Self, Arc<Session>)> {
        let session = session()?;
        THREADS.fetch_add(1, Ordering::AcqRel);
        Some((Self(()), Arc::clone(session)))
    }
}

/// Writes the report of the steps of the program that were handed over, if it is wanted. Returns whether it is.
pub(crate) fn write_report() -> io::Result<bool> {
    let (Some(session), Some(wanted)) = (session(), env::var_os(VARIABLE)) else {
        return Ok(false);
    };
    let recording = report::recording_of(session);
    if wanted == "1" {
        report::print(&recording);
    } else {
        report::save(&recording, Path::new(&wanted))?;
    }
    Ok(true)
}

impl Drop for Share {
    fn drop(&mut self) {
        let is_last = THREADS.fetch_sub(1, Ordering::AcqRel) == 1;
        if (is_last || thread::current().name() == Some("main"))
            && let Err(error) = write_report()
        {
            let path = env::var_os(VARIABLE).unwrap_or_default();
            // Nobody else could be told.
            let _ = writeln!(io::stderr(), "asynq: {VARIABLE}={}: {error}", path.display());
        }
    }
}
