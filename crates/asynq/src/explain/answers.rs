//! Recorded answers, from which tests run without a store.

use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

pub use crate::recording::answers::NotRecorded;
use crate::recording::answers::{self, Answers};

/// Records the answers of [replayable](crate::Loader::replayable) loaders to the keys of this thread, as long as the result lives.
///
/// ```
/// use asynq::{FutureBase, Loader, explain};
///
/// # let folder = tempfile::tempdir().unwrap();
/// # let file = folder.path().join("answers.jsonl");
/// let loader = |store: fn(Vec<u32>) -> Vec<String>| Loader::new(store).name("user").replayable();
/// let user = loader(|ids| ids.iter().map(|id| format!("user {id}")).collect());
///
/// let answers = explain::record_answers();
/// assert_eq!(user.load(7).value().unwrap(), "user 7");
/// answers.save(&file).unwrap();
///
/// let user = loader(|_| panic!("the store is not there"));
/// let replay = explain::replay_answers(&file).unwrap();
/// assert_eq!(user.load(7).value().unwrap(), "user 7");
/// let error = user.load(8).value().unwrap_err();
/// assert!(error.to_string().contains("has no answer of user for the key 8"));
/// ```
pub fn record_answers() -> RecordedAnswers {
    let answers = Arc::new(Answers::new());
    let before = answers::set_current(Some(Arc::clone(&answers)));
    RecordedAnswers { answers, before }
}

/// Guard of [`record_answers`] and [`replay_answers`].
#[must_use = "answers are recorded or replayed as long as it lives"]
pub struct RecordedAnswers {
    answers: Arc<Answers>,
    before: Option<Arc<Answers>>,
}

impl RecordedAnswers {
    /// Writes the answers to a file of JSON Lines.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> io::Result<()> {
        let mut file = BufWriter::new(File::create(path)?);
        self.answers.write(&mut file)?;
        file.flush()
    }
}

impl Drop for RecordedAnswers {
    fn drop(&mut self) {
        answers::set_current(self.before.take());
    }
}

impl fmt::Debug for RecordedAnswers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordedAnswers").finish_non_exhaustive()
    }
}

/// Answers the keys of this thread from a file, as long as the result lives: the batch functions of
/// [replayable](crate::Loader::replayable) loaders are not called. A key that was not recorded gets the error [`NotRecorded`].
///
/// # Errors
///
/// If the file cannot be read, or is not one of [`RecordedAnswers::save`].
pub fn replay_answers(path: impl AsRef<Path>) -> io::Result<RecordedAnswers> {
    let path = path.as_ref();
    let file = BufReader::new(File::open(path)?);
    let answers = Arc::new(Answers::read(&path.display().to_string(), file)?);
    let before = answers::set_current(Some(Arc::clone(&answers)));
    Ok(RecordedAnswers { answers, before })
}
