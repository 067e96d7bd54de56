//! Progress, on standard error.

use std::io::{IsTerminal, stderr};

/// One line, rewritten while it goes on if that is a terminal.
pub(crate) struct Progress {
    title: String,
    live: bool,
}

impl Progress {
    pub(crate) fn new(title: String) -> Self {
        let live = stderr().is_terminal();
        if !live {
            eprintln!("{title} …");
        }
        Self { title, live }
    }

    pub(crate) fn tell(&self, what: &str) {
        if self.live {
            eprint!("\r\x1b[K{}: {what}", self.title);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.live {
            eprint!("\r\x1b[K");
        }
    }
}
