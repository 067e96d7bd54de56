//! The texts on the page of common mistakes.

use std::fmt;
use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

/// The last expression of a mistake.
pub(crate) trait Shown {
    /// Returns the text of the error.
    fn text(self) -> Option<String>;
}

impl<T, E: fmt::Display> Shown for Result<T, E> {
    fn text(self) -> Option<String> {
        self.err().map(|error| error.to_string())
    }
}

impl Shown for String {
    fn text(self) -> Option<String> {
        None
    }
}

/// Asserts that a mistake fails or panics with a text, apart from lines and columns.
pub(crate) fn check<T: Shown>(mistake: fn() -> T, text: &str) {
    let shown = match catch_unwind(mistake) {
        Ok(value) => value.text().expect("the mistake has no error"),
        Err(panic) => panic.downcast_ref::<String>().expect("the panic has a text").clone(),
    };
    assert_eq!(without_places(&shown), text.trim_end());
}

/// Replaces the places of the generated tests by those of a program.
fn without_places(text: &str) -> String {
    let mut words = Vec::new();
    for word in text.split_inclusive(|c: char| c.is_whitespace() || c == ',') {
        let (bare, end) = word
            .split_at(word.trim_end_matches(|c: char| c.is_whitespace() || ",.".contains(c)).len());
        let bare = match (bare.contains("tests.rs:"), bare.rsplit_once("::mistake::")) {
            (true, _) => "src/main.rs:…",
            (false, Some((_, name))) => name,
            (false, None) => bare,
        };
        words.push(format!("{bare}{end}"));
    }
    words.concat().replace("it::pages::", "page::")
}

/// Asserts that asynq gives the compiler the message for this code: in the tests of its attribute, which compare it with
/// that of the compiler, or as the message of a trait.
pub(crate) fn check_compiler(code: &str, text: &str) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    if !text.starts_with("error[") {
        let folder = root.join("asynq-macros/tests/misuse");
        let matches = |file: &PathBuf| fs::read_to_string(file).unwrap().contains(code);
        let mut files =
            files(&folder).into_iter().filter(|file| file.extension().is_some_and(|e| e == "rs"));
        let file = files
            .find(matches)
            .unwrap_or_else(|| panic!("no file of {} has this code:\n{code}", folder.display()));
        let shown = fs::read_to_string(file.with_extension("stderr")).unwrap();
        assert!(text.lines().all(|line| shown.contains(line)), "{shown}");
        return;
    }
    let sources: Vec<_> = files(&root.join("asynq/src"))
        .iter()
        .map(|file| fs::read_to_string(file).unwrap())
        .collect();
    let attributes =
        sources.iter().flat_map(|source| source.split("#[diagnostic::on_unimplemented(").skip(1));
    let attributes: Vec<_> =
        attributes.map(|rest| one_line(rest.split("\n)]").next().unwrap())).collect();
    let is_known = |line: &str| {
        let (_, message) = line.split_once(": ").unwrap();
        attributes.iter().any(|attribute| {
            // The names of types are between backquotes.
            let fixed = message.split('`').step_by(2);
            attribute.contains(message)
                || fixed.clone().count() > 1
                    && fixed.map(str::trim).all(|part| attribute.contains(part))
        })
    };
    assert!(text.lines().all(is_known), "no trait has this message:\n{text}\n{attributes:#?}");
}

/// Joins the lines of texts that end in a backslash.
fn one_line(text: &str) -> String {
    text.split("\\\n")
        .enumerate()
        .map(|(i, line)| if i == 0 { line } else { line.trim_start() })
        .collect()
}

/// Returns the files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}
