//! The artist of every track of a playlist: the same functions called one by one, and awaited
//! together. `cargo run --release --example chinook -- --help` lists the options.
//!
//! Read `music.rs` first: the three functions, each for one key. `lookup.rs` is the batch behind
//! them, `sqlite.rs` and `memory.rs` are two stores for it; the rest is a command line.
#![forbid(unsafe_code)]

mod database;
mod listing;
mod lookup;
mod memory;
mod music;
mod options;
mod report;
mod sqlite;

use std::io::{self, BufWriter, ErrorKind, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use asynq::{BatchError, BoxError, FutureBase, try_all};
use clap::Parser;

use crate::database::Database;
use crate::listing::Listing;
use crate::lookup::Round;
use crate::music::Music;
use crate::options::Options;

fn main() -> ExitCode {
    let Err(error) = demo() else {
        return ExitCode::SUCCESS;
    };
    if let Some(error) = error.downcast_ref::<io::Error>()
        && error.kind() == ErrorKind::BrokenPipe
    {
        return ExitCode::SUCCESS; // the reader has seen enough, as in `… | head -1`
    }
    let line = report::printable(&error.to_string());
    // Unlike `eprintln!`, this does not panic where standard error is closed.
    let _ = writeln!(anstream::stderr(), "\x1b[1;31merror:\x1b[0m {line}");
    ExitCode::from(2)
}

fn demo() -> Result<(), BoxError> {
    let options = match Options::try_parse() {
        Ok(options) => options,
        Err(error) if error.use_stderr() => return Err(options::complaint(&error).into()),
        Err(help) => return Ok(help.print()?),
    };
    let listing = Listing::read(&options)?;
    let tracks = || listing.tracks.iter().map(|track| track.id);

    let unbatched =
        Run::new(&options, |music| tracks().map(|id| music.artist_of_track(id)).collect())?;
    let batched = Run::new(&options, |music| {
        try_all(tracks().map(|id| music.artist_of_track_asynq(id))).value()
    })?;

    if unbatched.artists != batched.artists {
        return Err("the two runs disagree: the database has changed between them".into());
    }
    let mut out = BufWriter::new(io::stdout().lock());
    report::artists(&mut out, &listing, &batched.artists, options.limit)?;
    report::costs(&mut out, &unbatched, &batched)?;
    if options.explain {
        report::rounds(&mut out, "unbatched", &unbatched.rounds)?;
        report::rounds(&mut out, "batched", &batched.rounds)?;
    }
    Ok(out.flush()?)
}

/// One way to ask for all the artists, and what it took.
struct Run {
    artists: Vec<String>,
    rounds: Vec<Round>,
    time: Duration,
}

impl Run {
    /// Each run has a connection of its own, so that none profits from what another has cached.
    fn new(
        options: &Options,
        ask: impl FnOnce(&Music) -> Result<Vec<String>, BatchError>,
    ) -> Result<Self, BoxError> {
        let music = Music::new(Database::open(&options.database)?, options.store)?;
        let start = Instant::now();
        let artists = ask(&music)?;
        Ok(Self { time: start.elapsed(), artists, rounds: music.rounds() })
    }
}
