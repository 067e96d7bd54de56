//! The artist of every track of a playlist: the same functions called one by one, and awaited
//! together. `make demo ARGS=--help` lists the options.
//!
//! Read `music.rs` first: the three functions, each for one key. `lookup.rs` is what they ask, `store.rs`
//! what they ask it of, and `stores/` has each kind of store; the rest is a command line.
#![forbid(unsafe_code)]

mod any_loader;
mod column;
mod database;
mod listing;
mod lookup;
mod music;
mod options;
mod report;
mod run;
mod store;
mod stores;
mod value;

use std::io::{self, BufWriter, ErrorKind, Write};
use std::process::ExitCode;

use asynq::BoxError;
use clap::Parser;

use crate::listing::Listing;
use crate::options::Options;
#[cfg(feature = "servers")]
use crate::stores::servers::interrupts::Interrupted;

fn main() -> ExitCode {
    let Err(error) = demo() else {
        return ExitCode::SUCCESS;
    };
    if let Some(error) = error.downcast_ref::<io::Error>()
        && error.kind() == ErrorKind::BrokenPipe
    {
        return ExitCode::SUCCESS; // the reader has seen enough, as in `… | head -1`
    }
    #[cfg(feature = "servers")]
    if error.is::<Interrupted>() {
        return ExitCode::from(130); // what a shell expects of a command that Ctrl-C has ended
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
    let tracks: Vec<_> = listing.tracks.iter().map(|track| track.id).collect();
    let [unbatched, batched] = stores::ask(&options, &tracks)?;
    if unbatched.artists != batched.artists {
        return Err("the two runs disagree: the database has changed between them".into());
    }
    let mut out = BufWriter::new(io::stdout().lock());
    report::artists(&mut out, &listing, &batched.artists, options.limit)?;
    report::costs(&mut out, &unbatched, &batched)?;
    if options.explain {
        report::rounds(&mut out, "unbatched", &unbatched.rounds)?;
        report::rounds(&mut out, "batched", &batched.rounds)?;
        report::explanation(&mut out, &batched)?;
    }
    Ok(out.flush()?)
}
