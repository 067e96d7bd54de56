//! The report on a terminal: a table of rounds with a waterfall, and what to change first.

use std::fmt::Write as _;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::explanation::Explanation;
use crate::finding::Finding;
use crate::lookup::{Lookup, duration, place, plural};
use crate::recording::Recording;
use crate::terminal_style::{BOLD, GREEN, Style, YELLOW, paint, printable};
use crate::terminal_table::Table;

/// Returns the report for a terminal.
///
/// Each line fits into [`Style::width`]. The recording cannot send control sequences to the terminal: control
/// characters in names are replaced.
pub fn text(recording: &Recording, explanation: &Explanation, style: Style) -> String {
    let style = Style { width: style.width.max(40), ..style };
    let lookup = Lookup::new(recording, explanation);
    let mut out = String::new();
    head(&mut out, &lookup, recording, style);
    if !explanation.batches.is_empty() {
        out.push('\n');
        Table::new(&lookup, style).write(&mut out);
    }
    out.push('\n');
    findings(&mut out, &explanation.findings, style);
    if style.unicode { out } else { ascii(&out) }
}

fn head(out: &mut String, lookup: &Lookup<'_>, recording: &Recording, style: Style) {
    let explanation = lookup.explanation;
    let keys = explanation.batches.iter().map(|batch| batch.keys).sum();
    let totals = format!(
        "{}: {}, {}, {}, {}, {}",
        lookup.title(),
        plural(explanation.rounds.into(), "round"),
        plural(explanation.batches.len() as u64, "batch"),
        plural(keys, "key"),
        plural(explanation.tasks.len() as u64, "task"),
        duration(lookup.duration()),
    );
    paragraph(out, &totals, "", style, BOLD);
    if recording.header.dropped > 0 {
        let lost = format!(
            "The oldest {} were lost: the recording was full.",
            plural(recording.header.dropped, "event")
        );
        paragraph(out, &lost, "", style, YELLOW);
    }
}

fn findings(out: &mut String, findings: &[Finding], style: Style) {
    let Some(first) = findings.first() else {
        paragraph(out, "Nothing to change: no finding.", "", style, GREEN);
        return;
    };
    paragraph(
        out,
        &format!("What to change first, {}: {}", place(&first.file, first.line), first.what),
        "  ",
        style,
        YELLOW,
    );
    paragraph(out, &format!("  {}", first.why), "  ", style, "");
    paragraph(out, &format!("  {}", first.advice), "  ", style, "");
    for other in &findings[1..findings.len().min(MOST_FINDINGS)] {
        paragraph(
            out,
            &format!("Then {}: {}", place(&other.file, other.line), other.what),
            "  ",
            style,
            "",
        );
    }
    if findings.len() > MOST_FINDINGS {
        let more = (findings.len() - MOST_FINDINGS) as u64;
        paragraph(out, &format!("And {}.", plural(more, "more finding")), "", style, "");
    }
}

const MOST_FINDINGS: usize = 5;

/// Writes a paragraph, whose lines after the first are indented.
fn paragraph(out: &mut String, text: &str, indent: &str, style: Style, colour: &str) {
    let text = printable(text);
    let text = if style.unicode { text } else { text.replace('…', "...") };
    for line in wrap(&text, indent, style.width) {
        let _ = writeln!(out, "{}", paint(&line, colour, style));
    }
}

/// Breaks a text at spaces into lines of at most `width` columns, and longer words anywhere.
fn wrap(text: &str, indent: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_inclusive(' ') {
        if line.width() + word.trim_end().width() > width && line.trim() != "" {
            lines.push(std::mem::replace(&mut line, indent.to_owned()).trim_end().to_owned());
        }
        for character in word.chars() {
            if line.width() + character.width().unwrap_or(0) > width && character != ' ' {
                lines.push(std::mem::replace(&mut line, indent.to_owned()).trim_end().to_owned());
            }
            line.push(character);
        }
    }
    lines.push(line.trim_end().to_owned());
    lines
}

fn ascii(text: &str) -> String {
    text.chars()
        .map(|character| match character {
            '█' => '#',
            '▒' | '–' => '-',
            'µ' => 'u',
            '…' => '~',
            _ if character.is_ascii() => character,
            _ => '?',
        })
        .collect()
}
