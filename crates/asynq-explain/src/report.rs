//! The forms in which a recording can be saved.

use std::fmt;
use std::io::{self, Write};
use std::path::Path;

use crate::chrome_trace::write_chrome_trace;
use crate::dot::dot;
use crate::explanation::Explanation;
use crate::html::write_html;
use crate::mermaid::mermaid;
use crate::recording::Recording;
use crate::terminal::text;
use crate::terminal_style::Style;

/// Form of a saved recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Report {
    /// The recording itself, as JSON Lines: `.jsonl`.
    Recording,
    /// A page of HTML that needs no other file and no network: `.html` or `.htm`.
    Html,
    /// A trace for Perfetto and `chrome://tracing`: `.json`.
    ChromeTrace,
    /// A Mermaid flowchart of the rounds, without times: `.mmd` or `.mermaid`.
    Mermaid,
    /// A graph of the rounds for Graphviz, without times: `.dot` or `.gv`.
    Dot,
    /// The text that [`text`] returns in the default style: `.txt`.
    Text,
}

impl Report {
    /// Returns the form that the extension of a file stands for.
    ///
    /// # Errors
    ///
    /// If it stands for none.
    pub fn of_path(path: &Path) -> Result<Self, UnknownReport> {
        let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        match extension.as_str() {
            "jsonl" => Ok(Self::Recording),
            "html" | "htm" => Ok(Self::Html),
            "json" => Ok(Self::ChromeTrace),
            "mmd" | "mermaid" => Ok(Self::Mermaid),
            "dot" | "gv" => Ok(Self::Dot),
            "txt" => Ok(Self::Text),
            _ => Err(UnknownReport(path.display().to_string())),
        }
    }

    /// Writes a recording in this form. The caller buffers `to`.
    ///
    /// # Errors
    ///
    /// If `to` cannot be written to.
    pub fn write(
        self,
        recording: &Recording,
        explanation: &Explanation,
        mut to: impl Write,
    ) -> io::Result<()> {
        match self {
            Self::Recording => recording.write(to),
            Self::Html => write_html(recording, explanation, to),
            Self::ChromeTrace => write_chrome_trace(recording, explanation, to),
            Self::Mermaid => to.write_all(mermaid(recording, explanation).as_bytes()),
            Self::Dot => to.write_all(dot(recording, explanation).as_bytes()),
            Self::Text => to.write_all(text(recording, explanation, Style::default()).as_bytes()),
        }
    }
}

/// Error for a file whose extension stands for no form of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownReport(String);

impl fmt::Display for UnknownReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "cannot tell what to save as {:?}: its name must end in .html, .json (a trace for Perfetto), .jsonl (the \
             recording), .mmd (Mermaid), .dot (Graphviz) or .txt",
            self.0
        )
    }
}

impl std::error::Error for UnknownReport {}
