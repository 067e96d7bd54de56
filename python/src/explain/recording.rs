//! `Recording`: a recording that has ended, as Python sees it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use asynq_explain::{Event, Explanation, Flow, ReadError, Report, Style};
use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;

/// A recording, and what explains it.
#[pyclass(frozen, module = "asynq._explain")]
pub(crate) struct Recording {
    content: asynq_explain::Recording,
    /// Folder in which the program ran. Files below it are named from there, in the recording.
    folder: Option<PathBuf>,
    explanation: OnceLock<Explanation>,
}

/// A finding: kind, file, line, function, text, name of the source, and rounds before and after of the source
/// and of all.
type Finding = (&'static str, String, u32, String, String, String, (u32, u32), (u32, u32));

/// A request: round, name of the source, number and texts of keys, seconds, reason, error.
type Request = (u32, String, u64, Vec<Option<String>>, Option<f64>, String, Option<String>);

/// The needs of a statement: file, first and last line, needs, loop, and whether the loop carries the value.
type Needs = (String, u32, u32, Vec<u32>, Option<u32>, bool);

impl Recording {
    /// Makes an object of a recording, whose files below `folder` get shorter names.
    pub(crate) fn of(mut content: asynq_explain::Recording, folder: PathBuf) -> Self {
        for site in &mut content.sites {
            site.file = below(&folder, &site.file);
        }
        for source in &mut content.sources {
            source.file = source.file.as_ref().map(|file| below(&folder, file));
        }
        Self { content, folder: Some(folder), explanation: OnceLock::new() }
    }

    /// Returns the whole path of a file of the recording.
    fn whole(&self, file: &str) -> String {
        match &self.folder {
            Some(folder) if !file.starts_with('<') => folder.join(file).display().to_string(),
            _ => file.to_owned(),
        }
    }

    fn explanation(&self, py: Python<'_>) -> &Explanation {
        if self.explanation.get().is_none() {
            let explanation = py.detach(|| Explanation::of(&self.content));
            let _ = self.explanation.set(explanation);
        }
        self.explanation.get_or_init(Explanation::default)
    }

    fn source_name(&self, id: u64) -> String {
        let source = self.content.sources.iter().find(|source| source.id == id);
        source.map_or_else(String::new, |source| source.name.clone())
    }
}

#[pymethods]
impl Recording {
    /// Reads the file of a recording.
    #[staticmethod]
    #[allow(clippy::needless_pass_by_value, reason = "an argument of Python")]
    fn read(py: Python<'_>, path: PathBuf) -> PyResult<Self> {
        let file = File::open(&path).map_err(|error| os_error(&error, &path))?;
        let read = py.detach(|| asynq_explain::Recording::read(BufReader::new(file)));
        let of = |content| Self { content, folder: None, explanation: OnceLock::new() };
        read.map(of).map_err(|error| match error {
            ReadError::Io(error) => error.into(),
            error => PyValueError::new_err(format!("{}: {error}", path.display())),
        })
    }

    /// Returns the lines at which something was recorded, and whether that was a synchronous call.
    fn places(&self) -> Vec<(String, u32, bool)> {
        let calls: Vec<_> = self
            .content
            .events
            .iter()
            .filter_map(|event| match event {
                Event::Call(call) => call.at,
                _ => None,
            })
            .collect();
        let places = self.content.sites.iter().filter(|site| !site.file.is_empty());
        places.map(|site| (self.whole(&site.file), site.line, calls.contains(&site.id))).collect()
    }

    /// Returns the recording with what the statements of its code need.
    fn with_flows(&self, flows: Vec<Needs>) -> Self {
        let flow = |(file, line, end, needs, in_loop, carried): Needs| Flow {
            file: self.folder.as_ref().map_or_else(|| file.clone(), |folder| below(folder, &file)),
            line,
            end,
            needs,
            in_loop,
            carried,
            ..Flow::default()
        };
        let flows = flows.into_iter().map(flow).collect();
        Self {
            content: asynq_explain::Recording { flows, ..self.content.clone() },
            folder: self.folder.clone(),
            explanation: OnceLock::new(),
        }
    }

    /// Number of rounds.
    #[getter]
    fn rounds(&self, py: Python<'_>) -> u32 {
        self.explanation(py).rounds
    }

    /// Number of rounds of each source, by name.
    #[getter]
    fn source_rounds(&self, py: Python<'_>) -> BTreeMap<String, usize> {
        let mut rounds: BTreeMap<_, Vec<u32>> = BTreeMap::new();
        for batch in &self.explanation(py).batches {
            rounds.entry(self.source_name(batch.source)).or_default().push(batch.round);
        }
        let count = |mut rounds: Vec<u32>| {
            rounds.sort_unstable();
            rounds.dedup();
            rounds.len()
        };
        rounds.into_iter().map(|(name, rounds)| (name, count(rounds))).collect()
    }

    /// The requests, in the order in which they were sent.
    #[getter]
    fn requests(&self, py: Python<'_>) -> Vec<Request> {
        let explanation = self.explanation(py);
        let request = |batch: &asynq_explain::Batch| {
            let loads = batch.loads.iter().filter_map(|&load| explanation.loads.get(load));
            let new = loads.filter(|load| load.how == asynq_explain::How::New);
            (
                batch.round,
                self.source_name(batch.source),
                batch.keys,
                new.map(|load| load.text.clone()).collect(),
                batch.end.map(|end| seconds(end.saturating_sub(batch.start))),
                format!("{:?}", batch.reason).to_lowercase(),
                batch.error.clone(),
            )
        };
        explanation.batches.iter().map(request).collect()
    }

    /// The findings, the one that costs most first.
    #[getter]
    fn findings(&self, py: Python<'_>) -> Vec<Finding> {
        let finding = |finding: &asynq_explain::Finding| {
            (
                finding.kind.name(),
                self.whole(&finding.file),
                finding.line,
                finding.function.clone(),
                format!("{}\n{}\n{}", finding.what, finding.why, finding.advice),
                finding.source.clone(),
                (finding.source_rounds, finding.source_rounds_after),
                (finding.rounds, finding.rounds_after),
            )
        };
        self.explanation(py).findings.iter().map(finding).collect()
    }

    /// Number of the oldest events that were lost.
    #[getter]
    fn dropped(&self) -> u64 {
        self.content.header.dropped
    }

    /// Returns the explanation for a terminal of this width.
    fn text(&self, py: Python<'_>, width: usize, colour: bool, unicode: bool) -> String {
        let style = Style { width, colour, unicode };
        asynq_explain::text(&self.content, self.explanation(py), style)
    }

    /// Writes a file in the form that its extension stands for.
    #[allow(clippy::needless_pass_by_value, reason = "an argument of Python")]
    fn save(&self, py: Python<'_>, path: PathBuf) -> PyResult<()> {
        let report = form(&path)?;
        let explanation = self.explanation(py);
        py.detach(|| {
            let mut file = BufWriter::new(File::create(&path)?);
            report.write(&self.content, explanation, &mut file)?;
            file.flush()
        })
        .map_err(|error| os_error(&error, &path))
    }

    /// Raises `ValueError` if the extension of a file stands for no form.
    #[staticmethod]
    #[allow(clippy::needless_pass_by_value, reason = "an argument of Python")]
    fn check_path(path: PathBuf) -> PyResult<()> {
        form(&path).map(|_| ())
    }
}

/// Returns the path of a file from a folder, if it is below that.
fn below(folder: &Path, file: &str) -> String {
    match Path::new(file).strip_prefix(folder) {
        Ok(rest) if !rest.as_os_str().is_empty() => rest.display().to_string(),
        Ok(_) | Err(_) => file.to_owned(),
    }
}

/// Makes an `OSError` that names the file.
fn os_error(error: &io::Error, path: &Path) -> PyErr {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default().to_owned();
    PyOSError::new_err((error.raw_os_error(), text, path.to_path_buf()))
}

fn form(path: &Path) -> PyResult<Report> {
    Report::of_path(path).map_err(|error| PyValueError::new_err(error.to_string()))
}

#[allow(clippy::cast_precision_loss, reason = "a clock is not exact to the nanosecond")]
fn seconds(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / 1e9
}
