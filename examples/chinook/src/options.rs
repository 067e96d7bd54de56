//! The command line.

use std::path::{Path, PathBuf};

use clap::{Parser, ValueEnum};

const EXAMPLES: &str = "\
Examples:
  make demo ARGS='--playlist Grunge --explain'
  make demo ARGS='--playlist 5 --store redis'
  make demo ARGS='--tracks 1,2,3502 --explain'";

/// The artist of every track of a playlist, asked for one by one and batched.
#[derive(Parser)]
#[command(name = "chinook", after_help = EXAMPLES)]
pub(crate) struct Options {
    /// The playlist, by default the longest; of several with one name, the longest of them
    #[arg(long, value_name = "ID|NAME")]
    pub(crate) playlist: Option<String>,

    /// These tracks, instead of a playlist
    #[arg(long, value_name = "ID,…", value_delimiter = ',', conflicts_with = "playlist")]
    pub(crate) tracks: Vec<i64>,

    /// Place where the keys are looked up: the database, tables that were read beforehand, or a server
    /// that is started for it and filled
    #[arg(long, value_enum, default_value = "sqlite")]
    pub(crate) store: StoreKind,

    /// The Chinook database
    #[arg(long, value_name = "PATH", default_value_os_t = default_database())]
    pub(crate) database: PathBuf,

    /// Number of artists to print
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub(crate) limit: usize,

    /// Say what was flushed in each round, and why the batched run took as many rounds
    #[arg(long)]
    pub(crate) explain: bool,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum StoreKind {
    Sqlite,
    Memory,
    Postgres,
    Redis,
    Memcached,
}

/// The database of the checkout in which the demo was compiled.
fn default_database() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.with_file_name("data").join("chinook.sqlite")
}

/// Returns clap's error on one line, without the paragraphs on usage.
pub(crate) fn complaint(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let usage = |part: &&str| part.starts_with("Usage:") || part.starts_with("For more");
    let parts: Vec<_> = text.split("\n\n").take_while(|part| !usage(part)).collect();
    let words = parts.join("; ");
    let words: Vec<_> = words.split_whitespace().skip(1).collect(); // the first is “error:”
    words.join(" ")
}
