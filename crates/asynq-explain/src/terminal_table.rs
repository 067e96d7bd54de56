//! The table of rounds: a row for each batch, at whose end the bar shows when it was sent and answered.

use std::fmt::Write as _;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::event::Time;
use crate::lookup::{Lookup, duration, number, reason};
use crate::shown_batches::{Shown, ShownBatches};
use crate::terminal_style::{DIM, Style, paint, printable};

/// Maximum number of rows.
const ROWS: usize = 40;
/// Columns of the narrowest waterfall that says anything.
const NARROWEST: usize = 10;
const SOURCE: usize = 1;
const WAITING: usize = 3;
const REASON: usize = 5;
const HEAD: [&str; 6] = ["round", "source", "keys", "waiting", "time", "sent because"];
const COLOURS: [&str; 6] = ["34", "33", "32", "35", "36", "31"];

struct Row {
    cells: [String; 6],
    start: Time,
    end: Time,
    /// Number of the source; `None` for batches that are only counted.
    source: Option<usize>,
    critical: bool,
}

/// A table, as far as it fits into the width.
pub(crate) struct Table {
    style: Style,
    rows: Vec<Row>,
    widths: [usize; 6],
    begin: Time,
    end: Time,
    /// Columns of the waterfall; 0 if there is no room for one.
    waterfall: usize,
}

impl Table {
    pub(crate) fn new(lookup: &Lookup<'_>, style: Style) -> Self {
        let rows: Vec<Row> = ShownBatches::new(lookup.explanation, ROWS)
            .iter()
            .map(|shown| match shown {
                Shown::Batch(index) => batch_row(lookup, index),
                Shown::Gap(indexes) => gap_row(lookup, indexes),
            })
            .collect();
        let mut widths = HEAD.map(str::len);
        for row in &rows {
            for (width, cell) in widths.iter_mut().zip(&row.cells) {
                *width = (*width).max(cell.width());
            }
        }
        widths[SOURCE] = widths[SOURCE].min((style.width / 4).max(HEAD[SOURCE].len()));
        let used = |widths: &[usize]| {
            widths.iter().map(|width| if *width == 0 { 0 } else { width + 2 }).sum::<usize>()
        };
        for least in [REASON, WAITING] {
            if used(&widths) + NARROWEST > style.width {
                widths[least] = 0;
            }
        }
        let room = style.width.saturating_sub(used(&widths));
        Self {
            style,
            begin: rows.iter().map(|row| row.start).min().unwrap_or(0),
            end: rows.iter().map(|row| row.end).max().unwrap_or(0),
            rows,
            widths,
            waterfall: if room < NARROWEST { 0 } else { room },
        }
    }

    pub(crate) fn write(&self, out: &mut String) {
        let head = self.line(&HEAD.map(str::to_owned), None) + &self.scale();
        let _ = writeln!(out, "{}", paint(head.trim_end(), DIM, self.style));
        let mut round = "";
        for row in &self.rows {
            let mut cells = row.cells.clone();
            if cells[0] == round {
                cells[0].clear();
            }
            round = &row.cells[0];
            let line = self.line(&cells, row.source) + &self.bar(row);
            let _ = writeln!(out, "{}", line.trim_end());
        }
        let is_critical = |row: &Row| row.critical;
        if self.waterfall > 0
            && self.rows.iter().any(is_critical)
            && !self.rows.iter().all(is_critical)
        {
            let legend = "█ critical path   ▒ other requests";
            let _ = writeln!(out, "{}", paint(legend, DIM, self.style));
        }
    }

    fn line(&self, cells: &[String; 6], source: Option<usize>) -> String {
        let mut line = String::new();
        for (index, (cell, &width)) in cells.iter().zip(&self.widths).enumerate() {
            if width == 0 {
                continue;
            }
            let cell = if index == SOURCE { cut_middle(cell, width) } else { cut(cell, width) };
            let room = " ".repeat(width - cell.width());
            match index {
                SOURCE => {
                    let colour = source.map_or("", |source| COLOURS[source % COLOURS.len()]);
                    line += &paint(&cell, colour, self.style);
                    line += &room;
                }
                REASON => line += &(cell + &room),
                _ => line += &(room + &cell),
            }
            line += "  ";
        }
        line
    }

    /// Times at both ends of the waterfall.
    fn scale(&self) -> String {
        if self.waterfall == 0 {
            return String::new();
        }
        let end = duration(self.end - self.begin);
        format!("0{end:>room$}", room = self.waterfall - 1)
    }

    fn bar(&self, row: &Row) -> String {
        if self.waterfall == 0 {
            return String::new();
        }
        let whole = (self.end - self.begin).max(1);
        let column = |time: Time| {
            let columns =
                u128::from(time - self.begin) * self.waterfall as u128 / u128::from(whole);
            usize::try_from(columns).unwrap_or(0)
        };
        let left = column(row.start).min(self.waterfall - 1);
        let length = column(row.end).saturating_sub(left).max(1);
        let bar = if row.critical { "█" } else { "▒" }.repeat(length);
        let colour = row.source.map_or(DIM, |source| COLOURS[source % COLOURS.len()]);
        " ".repeat(left) + &paint(&bar, colour, self.style)
    }
}

fn batch_row(lookup: &Lookup<'_>, index: usize) -> Row {
    let batch = &lookup.explanation.batches[index];
    let end = lookup.end(index);
    let reason = lookup.error(index).unwrap_or_else(|| reason(batch.reason).to_owned());
    Row {
        cells: [
            number(batch.round.into()),
            printable(lookup.source_name(index)),
            number(batch.keys),
            number(lookup.waiters[index].len() as u64),
            duration(end.saturating_sub(batch.start)),
            cut(&printable(&reason), 24),
        ],
        start: batch.start,
        end,
        source: Some(lookup.source(index).unwrap_or(0)),
        critical: lookup.explanation.critical_path.iter().any(|link| link.batch == index),
    }
}

fn gap_row(lookup: &Lookup<'_>, indexes: &[usize]) -> Row {
    let batches = || indexes.iter().map(|&index| &lookup.explanation.batches[index]);
    let sum = |of: &dyn Fn(usize) -> u64| indexes.iter().map(|&index| of(index)).sum::<u64>();
    let time =
        sum(&|index| lookup.end(index).saturating_sub(lookup.explanation.batches[index].start));
    Row {
        cells: [
            "…".to_owned(),
            format!("{} more", number(indexes.len() as u64)),
            number(batches().map(|batch| batch.keys).sum()),
            number(sum(&|index| lookup.waiters[index].len() as u64)),
            duration(time),
            String::new(),
        ],
        start: batches().map(|batch| batch.start).min().unwrap_or(0),
        end: indexes.iter().map(|&index| lookup.end(index)).max().unwrap_or(0),
        source: None,
        critical: false,
    }
}

/// Cuts the end of a text that takes more than `width` columns.
fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    fitting(text.chars(), width.saturating_sub(1)).into_iter().chain(['…']).collect()
}

/// Cuts the middle of a name, because the names of loaders that are called by their place differ at the end.
fn cut_middle(name: &str, width: usize) -> String {
    if name.width() <= width {
        return name.to_owned();
    }
    let left = width.saturating_sub(1);
    let begin = fitting(name.chars(), left / 3);
    let end = fitting(name.chars().rev(), left - left / 3);
    begin.into_iter().chain(['…']).chain(end.into_iter().rev()).collect()
}

/// Returns the first characters, as many as fit.
fn fitting(characters: impl Iterator<Item = char>, width: usize) -> Vec<char> {
    let mut used = 0;
    let fits = |character: &char| {
        used += character.width().unwrap_or(0);
        used <= width
    };
    characters.take_while(fits).collect()
}
