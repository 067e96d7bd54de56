//! The report as one page of HTML, which needs nothing else.
//!
//! Rust writes the recording into the page as JSON; scripts of the page draw it. They make elements and texts, and no
//! HTML from strings, which the page's own policy forbids to them.

mod columns;

use std::io::{self, Write};

use columns::Columns;

use crate::explanation::Explanation;
use crate::recording::Recording;
use crate::terminal::text;
use crate::terminal_style::Style;

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("style.css");
/// Parts of one script, the definitions before `main.js`, which opens the page.
const SCRIPTS: [&str; 9] = [
    include_str!("recording.js"),
    include_str!("filter.js"),
    include_str!("time_axis.js"),
    include_str!("tree_grid.js"),
    include_str!("details.js"),
    include_str!("waterfall.js"),
    include_str!("task_tree.js"),
    include_str!("findings.js"),
    include_str!("main.js"),
];

/// Writes the report as a page of HTML in one file.
///
/// It opens without a network and from a file. Nothing that the recording contains becomes markup.
pub(crate) fn write_html(
    recording: &Recording,
    explanation: &Explanation,
    mut to: impl Write,
) -> io::Result<()> {
    let mut rest = PAGE;
    while let Some((before, name, after)) = next_gap(rest) {
        to.write_all(before.as_bytes())?;
        rest = after;
        match name {
            "style" => to.write_all(STYLE.as_bytes())?,
            "script" => SCRIPTS.iter().try_for_each(|script| to.write_all(script.as_bytes()))?,
            "title" => to.write_all(escape(&title(recording)).as_bytes())?,
            "text" => {
                let text = text(recording, explanation, Style::default());
                to.write_all(escape(&text).as_bytes())?;
            }
            "recording" => {
                let columns = Columns::new(recording, explanation);
                serde_json::to_writer(WithoutTags(&mut to), &columns)?;
            }
            _ => unreachable!("page.html has no other gaps"),
        }
    }
    to.write_all(rest.as_bytes())
}

/// Splits a page at its next `{{name}}`.
fn next_gap(page: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = page.split_once("{{")?;
    let (name, after) = rest.split_once("}}")?;
    Some((before, name, after))
}

fn title(recording: &Recording) -> String {
    match recording.header.program.as_str() {
        "" => "Rounds".to_owned(),
        program => format!("Rounds of {program}"),
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Writer of JSON in which no tag and no comment of HTML can begin. In JSON `<` is a part of strings only.
struct WithoutTags<W>(W);

impl<W: Write> Write for WithoutTags<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut parts = bytes.split(|&byte| byte == b'<');
        self.0.write_all(parts.next().unwrap_or_default())?;
        parts.try_for_each(|part| {
            self.0.write_all(b"\\u003c")?;
            self.0.write_all(part)
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
