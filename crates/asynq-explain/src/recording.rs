//! A recording, and its file.

use std::fmt;
use std::io::{self, BufRead, Write};

use serde::{Deserialize, Serialize};

use crate::event::Event;
use crate::keys::Keys;
use crate::place::{Flow, Site, Source};

/// Version of the format that this crate writes, and the latest that it reads.
pub const VERSION: u32 = 1;

/// Record of what a program asked of its sources. `recording.md` describes the format of its file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recording {
    /// The first line.
    pub header: Header,
    /// Places in the code.
    pub sites: Vec<Site>,
    /// Sources.
    pub sources: Vec<Source>,
    /// Needs of statements.
    pub flows: Vec<Flow>,
    /// Events, in order.
    pub events: Vec<Event>,
}

/// The first line of a recording.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// Version of the format.
    pub version: u32,
    /// `python` or `rust`.
    #[serde(default)]
    pub language: String,
    /// Name of the program.
    #[serde(default)]
    pub program: String,
    /// Form in which the recording shows keys.
    #[serde(default)]
    pub keys: Keys,
    /// Share of the outermost calls that were recorded, from 0 to 1.
    #[serde(default = "all")]
    pub sampling: f64,
    /// Unix time of the beginning, in milliseconds.
    #[serde(default)]
    pub started: u64,
    /// Number of the oldest events that were lost.
    #[serde(default)]
    pub dropped: u64,
}

fn all() -> f64 {
    1.0
}

impl Default for Header {
    fn default() -> Self {
        Self {
            version: VERSION,
            language: String::new(),
            program: String::new(),
            keys: Keys::default(),
            sampling: 1.0,
            started: 0,
            dropped: 0,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum LineToWrite<'a> {
    Recording(&'a Header),
    Site(&'a Site),
    Source(&'a Source),
    Flow(&'a Flow),
    #[serde(untagged)]
    Event(&'a Event),
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Definition {
    Recording(Header),
    Site(Site),
    Source(Source),
    Flow(Flow),
}

impl Recording {
    /// Writes the recording as JSON Lines.
    ///
    /// # Errors
    ///
    /// If `to` cannot be written to.
    pub fn write(&self, mut to: impl Write) -> io::Result<()> {
        let mut line = |line: LineToWrite<'_>| {
            serde_json::to_writer(&mut to, &line)?;
            to.write_all(b"\n")
        };
        line(LineToWrite::Recording(&self.header))?;
        self.sites.iter().try_for_each(|site| line(LineToWrite::Site(site)))?;
        self.sources.iter().try_for_each(|source| line(LineToWrite::Source(source)))?;
        self.flows.iter().try_for_each(|flow| line(LineToWrite::Flow(flow)))?;
        self.events.iter().try_for_each(|event| line(LineToWrite::Event(event)))
    }

    /// Returns the recording as JSON Lines.
    pub fn to_json_lines(&self) -> String {
        let mut bytes = Vec::new();
        // Writing to a vector does not fail, and JSON is UTF-8.
        let _ = self.write(&mut bytes);
        String::from_utf8(bytes).unwrap_or_default()
    }

    /// Reads a recording. Kinds of lines that it does not know are skipped.
    ///
    /// # Errors
    ///
    /// If `from` cannot be read, is not a recording, or has a later version.
    pub fn read(from: impl BufRead) -> Result<Self, ReadError> {
        let mut recording = Self::default();
        let mut has_header = false;
        for (number, line) in (1..).zip(from.lines()) {
            let line = line.map_err(ReadError::Io)?;
            if line.trim().is_empty() {
                continue;
            }
            let malformed = |error| ReadError::Malformed { line: number, error };
            if !has_header {
                let Ok(Definition::Recording(header)) = serde_json::from_str(&line) else {
                    return Err(ReadError::NoRecording);
                };
                if header.version > VERSION {
                    return Err(ReadError::Version(header.version));
                }
                recording.header = header;
                has_header = true;
                continue;
            }
            match kind(&line) {
                Some("recording") => {}
                Some("site" | "source" | "flow") => {
                    match serde_json::from_str(&line).map_err(malformed)? {
                        Definition::Recording(_) => {}
                        Definition::Site(site) => recording.sites.push(site),
                        Definition::Source(source) => recording.sources.push(source),
                        Definition::Flow(flow) => recording.flows.push(flow),
                    }
                }
                Some(
                    "task" | "run" | "wait" | "end" | "load" | "flush" | "answer" | "call"
                    | "return" | "enter" | "leave",
                ) => recording.events.push(serde_json::from_str(&line).map_err(malformed)?),
                _ => {
                    serde_json::from_str::<serde::de::IgnoredAny>(&line).map_err(malformed)?;
                }
            }
        }
        if has_header { Ok(recording) } else { Err(ReadError::NoRecording) }
    }
}

/// Returns the name of the only member of a line.
fn kind(line: &str) -> Option<&str> {
    let rest = line.trim_start().strip_prefix('{')?.trim_start().strip_prefix('"')?;
    Some(&rest[..rest.find('"')?])
}

/// Error of [`Recording::read`].
#[derive(Debug)]
#[non_exhaustive]
pub enum ReadError {
    /// The file cannot be read.
    Io(io::Error),
    /// The first line is not that of a recording.
    NoRecording,
    /// A later version of asynq has written it.
    Version(u32),
    /// A line is not what the format says.
    Malformed {
        /// Number of the line, from 1.
        line: usize,
        /// Error of the line.
        error: serde_json::Error,
    },
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "cannot read the recording: {error}"),
            Self::NoRecording => f.write_str(
                "not a recording of asynq: its first line has to be {\"recording\":{…}}",
            ),
            Self::Version(version) => write!(
                f,
                "the recording has version {version} of the format, and this asynq reads up to {VERSION}: \
                 use a later asynq"
            ),
            Self::Malformed { line, error } => write!(f, "line {line} of the recording: {error}"),
        }
    }
}

impl std::error::Error for ReadError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            Self::Malformed { error, .. } => Some(error),
            Self::NoRecording | Self::Version(_) => None,
        }
    }
}
