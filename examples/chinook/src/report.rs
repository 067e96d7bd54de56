//! The lines that the demo prints.

use std::io::{self, Write};

use crate::listing::Listing;
use crate::lookup::Round;
use crate::run::Run;

/// The width of a track's name, in characters.
const NAME: usize = 44;

/// Number of rounds that are printed one by one.
const ROUNDS: usize = 6;

/// Explanation of the two columns.
const WAYS: &str = "
unbatched: artist_of_track(id) of one track after the other; each key is a query
batched:   artist_of_track_asynq(id) of all tracks together; each round is a query
";

pub(crate) fn artists(
    out: &mut impl Write,
    listing: &Listing,
    artists: &[String],
    limit: usize,
) -> io::Result<()> {
    let Listing { title, tracks } = listing;
    let noun = if tracks.len() == 1 { "track" } else { "tracks" };
    writeln!(out, "{title}: {} {noun}\n", grouped(tracks.len()))?;
    for (track, artist) in tracks.iter().zip(artists).take(limit) {
        let name = cut(&track.name);
        writeln!(out, "{:>7}  {name:NAME$}  {}", track.id, printable(artist))?;
    }
    more(out, tracks.len(), limit)?;
    writeln!(out)
}

pub(crate) fn costs(out: &mut impl Write, unbatched: &Run, batched: &Run) -> io::Result<()> {
    let queries = [unbatched, batched].map(|run| grouped(run.rounds.len()));
    let times = [unbatched, batched].map(|run| format!("{:.1?}", run.time));
    writeln!(out, "           unbatched     batched")?;
    for (label, [unbatched, batched]) in [("queries", queries), ("time", times)] {
        writeln!(out, "{label:7}  {unbatched:>11} {batched:>11}")?;
    }
    write!(out, "{WAYS}")
}

pub(crate) fn rounds(out: &mut impl Write, run: &str, rounds: &[Round]) -> io::Result<()> {
    writeln!(out, "\nflushed, {run}:\n  round  source     keys  distinct")?;
    for (round, Round { source, keys, distinct }) in (1..).zip(rounds).take(ROUNDS) {
        let (keys, distinct) = (grouped(*keys), grouped(*distinct));
        writeln!(out, "{round:>7}  {source:6}  {keys:>7}  {distinct:>8}")?;
    }
    more(out, rounds.len(), ROUNDS)
}

pub(crate) fn explanation(out: &mut impl Write, run: &Run) -> io::Result<()> {
    let Some(why) = &run.why else { return Ok(()) };
    write!(out, "\nexplained, batched:\n{why}")
}

/// Says how many there are beyond the first `shown`.
fn more(out: &mut impl Write, all: usize, shown: usize) -> io::Result<()> {
    match all.saturating_sub(shown) {
        0 => Ok(()),
        more => writeln!(out, "         … and {} more", grouped(more)),
    }
}

/// `text` without characters that would break a line, or worse.
pub(crate) fn printable(text: &str) -> String {
    text.replace(char::is_control, " ")
}

fn cut(name: &str) -> String {
    let name = printable(name);
    match name.char_indices().nth(NAME) {
        Some(_) => name.chars().take(NAME - 1).chain(['…']).collect(),
        None => name,
    }
}

/// `9870` as `9,870`.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.char_indices() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
