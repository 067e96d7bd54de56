//! Reports of recordings, for the public side and for programs that are recorded as a whole.

use std::env;
use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::Path;

use asynq_explain::{Explanation, Recording, Report, Style, text};

use super::code;
use super::convert;
use super::session::Session;

/// Returns a recording with what is known of the code.
pub(crate) fn recording_of(session: &Session) -> Recording {
    let mut recording = convert::recording(&session.state());
    recording.flows = code::flows(&recording.sites);
    recording
}

/// Prints a report to standard error.
pub(crate) fn print(recording: &Recording) {
    let mut error = io::stderr().lock();
    let is_terminal = error.is_terminal();
    let size = terminal_size::terminal_size_of(io::stderr()).filter(|_| is_terminal);
    let width = size.map_or(Style::default().width, |(width, _)| usize::from(width.0));
    let colour = is_terminal && env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let style = Style { width, colour, ..Style::default() };
    // Nobody could be told of an error.
    let _ = error.write_all(text(recording, &Explanation::of(recording), style).as_bytes());
}

/// Saves a report.
pub(crate) fn save(recording: &Recording, path: &Path) -> io::Result<()> {
    let report = Report::of_path(path)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
    let mut file = BufWriter::new(File::create(path)?);
    report.write(recording, &Explanation::of(recording), &mut file)?;
    file.flush()
}
