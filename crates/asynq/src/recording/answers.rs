//! Answers of sources, which are recorded, or replayed from a file.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, BufRead, Write};
use std::sync::{Arc, Mutex, PoisonError};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::batch::BoxError;

/// Version of the format.
const VERSION: u32 = 1;

thread_local! {
    static CURRENT: RefCell<Option<Arc<Answers>>> = const { RefCell::new(None) };
}

/// Answers that are recorded or replayed, by source and text of the key.
pub(crate) struct Answers {
    /// File from which they are replayed; `None` while they are recorded.
    file: Option<String>,
    answers: Mutex<BTreeMap<(String, String), Answer>>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Answer {
    Value(Value),
    Error(String),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Line {
    Answers { version: u32 },
    Answer(Answered),
}

#[derive(Serialize, Deserialize)]
struct Answered {
    source: String,
    key: String,
    #[serde(flatten)]
    answer: Answer,
}

/// The way of the values of a loader to and from a file.
pub(crate) struct Codec<V> {
    encode: fn(&V) -> serde_json::Result<Value>,
    decode: fn(Value) -> serde_json::Result<V>,
}

impl<V: Serialize + DeserializeOwned> Codec<V> {
    pub(crate) fn new() -> Self {
        Self { encode: |value| serde_json::to_value(value), decode: serde_json::from_value }
    }
}

/// A key that was not recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotRecorded {
    source: String,
    key: String,
    file: String,
}

impl fmt::Display for NotRecorded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { source, key, file } = self;
        write!(f, "{file} has no answer of {source} for the key {key}: record the answers again")
    }
}

impl std::error::Error for NotRecorded {}

/// Returns the answers that are recorded or replayed on this thread.
pub(crate) fn current() -> Option<Arc<Answers>> {
    CURRENT.try_with(|current| current.borrow().clone()).ok().flatten()
}

/// Sets the answers that are recorded or replayed on this thread. Returns those before.
pub(crate) fn set_current(answers: Option<Arc<Answers>>) -> Option<Arc<Answers>> {
    CURRENT.replace(answers)
}

impl Answers {
    pub(crate) fn new() -> Self {
        Self { file: None, answers: Mutex::default() }
    }

    /// Reads the answers of a file.
    pub(crate) fn read(name: &str, from: impl BufRead) -> io::Result<Self> {
        let mut answers = BTreeMap::new();
        let refused = |message: String| io::Error::new(io::ErrorKind::InvalidData, message);
        for (number, line) in (1..).zip(from.lines()) {
            match serde_json::from_str(&line?) {
                Ok(Line::Answers { version }) if version > VERSION => {
                    return Err(refused(format!(
                        "{name} has version {version} of the format, and this asynq reads up to {VERSION}"
                    )));
                }
                Ok(Line::Answers { .. }) => {}
                Ok(Line::Answer(Answered { source, key, answer })) => {
                    answers.insert((source, key), answer);
                }
                Err(error) => return Err(refused(format!("{name}, line {number}: {error}"))),
            }
        }
        Ok(Self { file: Some(name.to_owned()), answers: Mutex::new(answers) })
    }

    pub(crate) fn write(&self, mut to: impl Write) -> io::Result<()> {
        let mut write = |line: &Line| writeln!(to, "{}", serde_json::to_string(line)?);
        write(&Line::Answers { version: VERSION })?;
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.iter().try_for_each(|((source, key), answer)| {
            let (source, key, answer) = (source.clone(), key.clone(), answer.clone());
            write(&Line::Answer(Answered { source, key, answer }))
        })
    }

    /// Returns whether the answers are replayed, and the source is not asked.
    pub(crate) fn are_replayed(&self) -> bool {
        self.file.is_some()
    }

    /// Adds the answer for a key.
    pub(crate) fn add<V>(
        &self,
        codec: &Codec<V>,
        source: &str,
        key: String,
        answer: Result<&V, String>,
    ) {
        let answer = match answer.map(codec.encode) {
            Ok(Ok(value)) => Answer::Value(value),
            Ok(Err(error)) => Answer::Error(format!("the value cannot be recorded: {error}")),
            Err(error) => Answer::Error(error),
        };
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.insert((source.to_owned(), key), answer);
    }

    /// Returns the answer for a key.
    pub(crate) fn get<V>(&self, codec: &Codec<V>, source: &str, key: &str) -> Result<V, BoxError> {
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        match answers.get(&(source.to_owned(), key.to_owned())) {
            Some(Answer::Value(value)) => Ok((codec.decode)(value.clone())?),
            Some(Answer::Error(error)) => Err(error.clone().into()),
            None => {
                let (source, key) = (source.to_owned(), key.to_owned());
                let file = self.file.clone().unwrap_or_default();
                Err(NotRecorded { source, key, file }.into())
            }
        }
    }
}
