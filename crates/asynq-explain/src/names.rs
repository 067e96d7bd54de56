//! Names of tasks and sources, as texts show them.

use std::collections::HashMap;

use crate::code::Code;
use crate::event::Id;
use crate::place::Site;
use crate::recording::Recording;
use crate::timeline::{Timeline, Wait};

/// Names in a recording.
pub(crate) struct Names<'a> {
    code: &'a Code<'a>,
    timeline: &'a Timeline,
    sources: HashMap<Id, &'a str>,
    is_rust: bool,
}

impl<'a> Names<'a> {
    pub(crate) fn new(
        recording: &'a Recording,
        timeline: &'a Timeline,
        code: &'a Code<'a>,
    ) -> Self {
        let sources =
            recording.sources.iter().map(|source| (source.id, source.name.as_str())).collect();
        Self { code, timeline, sources, is_rust: recording.header.language == "rust" }
    }

    /// Returns whether the program is in Rust, and not in Python.
    pub(crate) fn is_rust(&self) -> bool {
        self.is_rust
    }

    pub(crate) fn source(&self, id: Id) -> &'a str {
        self.sources.get(&id).copied().unwrap_or("a source")
    }

    /// Returns the name of the function of a task.
    pub(crate) fn function(&self, task: usize) -> String {
        let site = self.code.site(self.timeline.tasks[task].site);
        site.map_or_else(|| "a task".to_owned(), |site| site.function.clone())
    }

    /// Returns the names of what a wait is for, in backticks.
    pub(crate) fn awaited(&self, wait: &Wait) -> String {
        let tasks = wait.tasks.iter().map(|&task| self.function(task));
        let loads = wait.loads.iter().map(|&load| self.source(self.timeline.loads[load].source));
        let mut names: Vec<String> = Vec::new();
        for name in tasks.chain(loads.map(str::to_owned)) {
            if !names.contains(&name) {
                names.push(name);
            }
            if names.len() > 3 {
                break;
            }
        }
        match &mut names[..] {
            [] => "something".to_owned(),
            [name] => format!("`{name}`"),
            [first, second] => format!("`{first}` and `{second}`"),
            [first, second, ..] => format!("`{first}`, `{second}` and others"),
        }
    }

    /// Returns `file:line`.
    pub(crate) fn place(site: &Site) -> String {
        format!("{}:{}", site.file, site.line)
    }
}
