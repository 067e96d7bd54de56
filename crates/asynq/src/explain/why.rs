//! A recording in progress, and what it says.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

use asynq_explain::{Explanation, Options, Recording, Style, text};

use crate::recording::{self, Attached, Session, report};

/// Records what this thread asks of its sources, as long as the result lives.
///
/// Tasks that run already are not recorded.
#[must_use = "the recording ends when it is dropped"]
pub fn record() -> Why {
    record_with(Options::default())
}

/// Records this thread as [`record`] does, with other settings.
///
/// ```
/// use asynq::explain::{self, Keys, Options};
///
/// let why = explain::record_with(Options { keys: Keys::Repr, capacity: 10_000, ..Options::default() });
/// assert_eq!(why.explanation().rounds, 0);
/// ```
#[must_use = "the recording ends when it is dropped"]
pub fn record_with(options: Options) -> Why {
    let session = Session::new(options);
    let attached = recording::attach(Arc::clone(&session));
    Why { session, _attached: attached }
}

/// A recording in progress. Its `Display` form is the report.
pub struct Why {
    session: Arc<Session>,
    _attached: Attached,
}

impl Why {
    /// Returns the recording so far.
    #[must_use]
    pub fn recording(&self) -> Recording {
        recording::hand_over();
        report::recording_of(&self.session)
    }

    /// Returns what the recording says so far.
    #[must_use]
    pub fn explanation(&self) -> Explanation {
        Explanation::of(&self.recording())
    }
}

impl Why {
    /// Prints the report to standard error, in colour and as wide as the terminal if it is one.
    pub fn print(&self) {
        report::print(&self.recording());
    }

    /// Saves the recording in the form that the extension of `path` says: a page (`.html`), a trace for Perfetto (`.json`), the
    /// recording itself (`.jsonl`), a flowchart (`.mmd`), a graph (`.dot`) or text (`.txt`).
    ///
    /// # Errors
    ///
    /// If the extension is another one ([`InvalidInput`](io::ErrorKind::InvalidInput)), or the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> io::Result<()> {
        report::save(&self.recording(), path.as_ref())
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let recording = self.recording();
        f.write_str(&text(&recording, &Explanation::of(&recording), Style::default()))
    }
}

impl fmt::Debug for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Why").finish_non_exhaustive()
    }
}
