//! The report of a whole program.

use std::io;

use crate::recording;

/// Writes the report that the environment variable `ASYNQ_EXPLAIN` asks for, of what was recorded so far. Returns
/// whether it asks for one.
///
/// The report is written when the main thread ends. Rust has no hook for the end of a program, so one that ends by
/// [`std::process::exit`] on another thread, or by a signal, has to call this before. Steps of other threads that run
/// at this time may be missing.
///
/// ```
/// use asynq::explain;
///
/// fn quit(code: i32) -> ! {
///     if let Err(error) = explain::write_report() {
///         eprintln!("no report: {error}");
///     }
///     std::process::exit(code)
/// }
/// # assert!(!explain::write_report().unwrap());
/// ```
///
/// # Errors
///
/// If the file cannot be written, or its extension is not that of a report.
pub fn write_report() -> io::Result<bool> {
    recording::hand_over();
    recording::write_report()
}
