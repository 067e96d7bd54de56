//! Scenarios, as `scenarios/loaders.txt` writes them down. The face has its own tests of the same file.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// One scenario of a file.
#[derive(Default)]
pub(crate) struct Scenario {
    pub(crate) title: String,
    pub(crate) settings: Settings,
    steps: Vec<(Action, Vec<String>)>,
}

#[derive(Default)]
pub(crate) struct Settings {
    pub(crate) max_batch_size: Option<usize>,
    pub(crate) max_in_flight: Option<usize>,
    /// In milliseconds, like the others.
    pub(crate) timeout: Option<u64>,
    pub(crate) max_delay: Option<u64>,
    pub(crate) hold: Option<u64>,
    pub(crate) caches: bool,
    pub(crate) caches_errors: bool,
    pub(crate) default: Option<String>,
}

/// Values and errors of keys.
pub(crate) type Answer = BTreeMap<u32, Result<String, String>>;

pub(crate) enum Action {
    Load(Vec<u32>),
    Prime(u32, String),
    Clear(u32),
    ClearAll,
    Cancel(u32),
    Call(u32),
    Flush,
    Answer(usize, Answer),
    Fail(usize, String),
    Ask(usize, u32),
    Pass(u64),
    Busy(u64),
    Stats(Stats),
}

#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Stats {
    pub(crate) batches: usize,
    pub(crate) keys: usize,
    pub(crate) largest: usize,
    pub(crate) hits: usize,
}

/// An implementation of loaders.
pub(crate) trait Face {
    fn new(settings: &Settings) -> Self;
    /// Performs an action, and returns its events.
    fn act(&mut self, action: &Action) -> Vec<String>;
    fn stats(&self) -> Stats;
}

/// Texts of events.
pub(crate) mod event {
    use super::*;

    pub(crate) fn call(number: usize, keys: &[u32]) -> String {
        keys.iter().fold(format!("call {number}:"), |mut text, key| {
            write!(text, " {key}").unwrap();
            text
        })
    }

    pub(crate) fn cancelled(number: usize) -> String {
        format!("cancelled {number}")
    }

    pub(crate) fn outcome(key: u32, outcome: &Result<String, String>) -> String {
        match outcome {
            Ok(value) => format!("{key} = {value}"),
            Err(error) => format!("{key} fails: {error}"),
        }
    }
}

/// Runs all scenarios of a text on a face.
pub(crate) fn run_all<F: Face>(text: &str) {
    for scenario in read(text) {
        let mut face = F::new(&scenario.settings);
        for (index, (action, expected)) in scenario.steps.iter().enumerate() {
            let place = || format!("scenario \"{}\", action {}", scenario.title, index + 1);
            if let Action::Stats(stats) = action {
                assert_eq!(face.stats(), *stats, "{}", place());
            } else {
                assert_eq!(face.act(action), *expected, "{}", place());
            }
        }
    }
}

fn read(text: &str) -> Vec<Scenario> {
    let mut scenarios: Vec<Scenario> = Vec::new();
    for line in text.lines().map(str::trim_end) {
        if let Some(title) = line.strip_prefix("== ") {
            scenarios.push(Scenario { title: title.to_owned(), ..Scenario::default() });
            continue;
        }
        let Some(scenario) = scenarios.last_mut().filter(|_| !line.is_empty()) else { continue };
        if let Some(event) = line.strip_prefix("> ") {
            scenario.steps.last_mut().expect("an action").1.push(event.to_owned());
        } else if let Some(settings) = line.strip_prefix("with ") {
            settings.split(", ").for_each(|setting| scenario.settings.read(setting));
        } else {
            scenario.steps.push((Action::read(line), Vec::new()));
        }
    }
    scenarios
}

impl Settings {
    fn read(&mut self, setting: &str) {
        let (name, value) = setting.split_once(' ').unwrap_or((setting, ""));
        match name {
            "max_batch_size" => self.max_batch_size = Some(value.parse().unwrap()),
            "max_in_flight" => self.max_in_flight = Some(value.parse().unwrap()),
            "timeout" => self.timeout = Some(value.parse().unwrap()),
            "max_delay" => self.max_delay = Some(value.parse().unwrap()),
            "hold" => self.hold = Some(value.parse().unwrap()),
            "cache" => self.caches = true,
            "cache_errors" => self.caches_errors = true,
            "default" => self.default = Some(value.to_owned()),
            other => panic!("there is no setting {other}"),
        }
    }
}

impl Action {
    /// Returns whether everything runs after the action, until nothing can run any more.
    pub(crate) fn lets_run(&self) -> bool {
        matches!(
            self,
            Self::Flush | Self::Answer(..) | Self::Fail(..) | Self::Ask(..) | Self::Pass(_)
        )
    }

    fn read(line: &str) -> Self {
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        let key = || rest.parse().unwrap();
        match verb {
            "load" => Self::Load(rest.split(' ').map(|key| key.parse().unwrap()).collect()),
            "prime" => {
                let (key, value) = rest.split_once('=').unwrap();
                Self::Prime(key.parse().unwrap(), value.to_owned())
            }
            "clear" if rest.is_empty() => Self::ClearAll,
            "clear" => Self::Clear(key()),
            "cancel" => Self::Cancel(key()),
            "call" => Self::Call(key()),
            "flush" => Self::Flush,
            "pass" => Self::Pass(rest.parse().unwrap()),
            "busy" => Self::Busy(rest.parse().unwrap()),
            "stats" => Self::Stats(read_stats(rest)),
            "answer" | "fail" | "ask" => {
                let (number, rest) = rest.split_once(": ").unwrap();
                let number = number.parse().unwrap();
                match verb {
                    "answer" => Self::Answer(number, read_answer(rest)),
                    "fail" => Self::Fail(number, rest.to_owned()),
                    _ => Self::Ask(number, rest.parse().unwrap()),
                }
            }
            other => panic!("there is no action {other}"),
        }
    }
}

fn read_answer(text: &str) -> Answer {
    let outcome = |text: &str| {
        if let Some((key, value)) = text.split_once('=') {
            return (key.parse().unwrap(), Ok(value.to_owned()));
        }
        let (key, error) = text.split_once('!').unwrap();
        (key.parse().unwrap(), Err(error.to_owned()))
    };
    text.split(' ').map(outcome).collect()
}

fn read_stats(text: &str) -> Stats {
    let mut stats = Stats::default();
    for count in text.split(", ") {
        let (name, number) = count.split_once(' ').unwrap();
        let number = number.parse().unwrap();
        match name {
            "batches" => stats.batches = number,
            "keys" => stats.keys = number,
            "largest" => stats.largest = number,
            "hits" => stats.hits = number,
            other => panic!("there is no count {other}"),
        }
    }
    stats
}
