//! Draws a recording: `cargo run -p asynq-explain --example report -- recording.jsonl report.html`.
//!
//! The second file says by its extension what is made. Without it, the report goes to the terminal.

use std::env;
use std::error::Error;
use std::fs::File;
use std::io::{BufReader, BufWriter, Write as _};
use std::path::PathBuf;

use asynq_explain::{Explanation, Recording, Report, Style, text};

fn main() -> Result<(), Box<dyn Error>> {
    let mut paths = env::args_os().skip(1).map(PathBuf::from);
    let from = paths.next().ok_or("usage: report RECORDING.jsonl [REPORT.html]")?;
    let recording = Recording::read(BufReader::new(File::open(from)?))?;
    let explanation = Explanation::of(&recording);
    let Some(to) = paths.next() else {
        print!("{}", text(&recording, &explanation, Style::default()));
        return Ok(());
    };
    let report = Report::of_path(&to)?;
    let mut file = BufWriter::new(File::create(to)?);
    report.write(&recording, &explanation, &mut file)?;
    Ok(file.flush()?)
}
