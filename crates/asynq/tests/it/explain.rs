//! Explanations: what is recorded of tasks and sources, and assertions on rounds.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::LazyLock;
use std::time::Duration;

use asynq::explain::{
    Event, Keys, Kind, Options, Reason, assert_rounds, assert_rounds_of, record, record_answers,
    record_with, replay_answers,
};
use asynq::{
    AsyncContext, AsyncTask, Batch, FutureBase, Items, Loader, LocalLoader, Source, all, asynq,
    debug, with_context,
};

use crate::common::{Log, store};
use crate::loader_bounds::load_beside_busy_task;

fn same(ids: Vec<u32>) -> Vec<u32> {
    ids
}

#[asynq]
async fn sum(names: Loader<u32, u32>, ids: Vec<u32>) -> u32 {
    let mut sum = 0;
    for id in ids {
        sum += names.load(id).await.unwrap();
    }
    sum
}

#[test]
fn an_assertion_that_holds_returns_the_value() {
    let names = Loader::new(same);
    assert_eq!(assert_rounds(2, || sum(names.clone(), vec![1, 2])), 3);
    assert_eq!(assert_rounds(..=3, || sum(names.clone(), vec![1, 2])), 3);
    assert_eq!(assert_rounds(1..=2, || sum(names.clone(), vec![1, 2])), 3);
}

#[test]
fn an_assertion_that_fails_prints_the_explanation() {
    let names = Loader::new(same).name("names");
    let call = || assert_rounds(..=1, || sum(names, vec![1, 2, 3]));
    let payload = catch_unwind(AssertUnwindSafe(call)).unwrap_err();
    let message = payload.downcast_ref::<String>().unwrap();
    assert!(message.starts_with("expected at most 1 round, took 3 rounds (crates"), "{message}");
    assert!(message.contains("`sum` asks `names` once"), "{message}");
    assert!(message.contains("1 round instead of 3"), "{message}");
}

#[tokio::test]
async fn rounds_are_asserted_in_async_tests() {
    let names = Loader::new(async |ids: Vec<u32>| {
        tokio::task::yield_now().await;
        ids
    });
    let task = sum::asynq(names.clone(), vec![1, 2]);
    assert_eq!(assert_rounds_of(2, task).await, 3);
    assert_eq!(assert_rounds(2, || sum(Loader::new(same), vec![1, 2])), 3);
}

#[test]
fn items_of_sources_are_recorded() {
    let log = Log::new();
    let source = store(&log, "names");
    let why = record();
    let task = AsyncTask::new(async move { all([source.item(1), source.item(2)]).await });
    drop(task.value());
    let explanation = why.explanation();
    let [batch] = &explanation.batches[..] else { panic!("{explanation:?}") };
    assert_eq!((batch.round, batch.keys, batch.loads.len()), (1, 2, 2));
    assert!(batch.end.is_some());
}

#[test]
fn keys_of_local_loaders_are_compared() {
    let names = LocalLoader::new(|ids: Vec<u32>| ids).name("names");
    let why = record_with(Options { keys: Keys::Repr, ..Options::default() });
    let task = AsyncTask::new(async move {
        let first = names.load(7).await.unwrap();
        debug::sync().await;
        first + names.load(first).await.unwrap()
    });
    task.value();
    let explanation = why.explanation();
    assert_eq!(explanation.findings[0].kind, Kind::Duplicate);
    assert!(explanation.findings[0].what.contains("key 7"), "{:?}", explanation.findings);
}

#[test]
fn keys_are_counted_and_not_shown_by_default() {
    let names = Loader::new(same);
    let why = record();
    sum(names, vec![4711]);
    let text = why.recording().to_json_lines();
    assert!(text.contains(r#""key":1"#), "{text}");
    assert!(!text.contains("4711"), "{text}");
}

/// A source that sets the value of its first item, and fails.
struct Failing;

impl Batch for Failing {
    type Key = u32;
    type Value = u32;
    type Flush = Result<(), &'static str>;

    fn flush(self: Rc<Self>, items: Items<Self>) -> Self::Flush {
        items.iter().next().unwrap().set_value(0);
        Err("the store is away")
    }

    fn priority(&self) -> i64 {
        7
    }
}

#[test]
fn a_flush_is_recorded_with_its_priority_and_failure() {
    let source = Source::new(Failing);
    let why = record();
    drop(all([source.item(1), source.item(2)]).value());
    let events = why.recording().events;
    let sent = events.iter().find_map(|event| match event {
        Event::Flush(sent) => Some((sent.priority.clone().unwrap(), sent.keys)),
        _ => None,
    });
    assert_eq!(sent, Some(("(7, 2)".to_owned(), 2)));
    let answered = events.iter().find_map(|event| match event {
        Event::Answer(answered) => Some((answered.failed, answered.error.clone().unwrap())),
        _ => None,
    });
    assert_eq!(answered, Some((1, "the store is away".to_owned())));
}

struct Tenant(u32);

impl AsyncContext for Tenant {
    fn resume(&self) {}

    fn pause(&self) {}

    fn name(&self) -> String {
        format!("tenant {}", self.0)
    }
}

#[test]
fn tasks_are_recorded_with_the_contexts_that_they_inherit() {
    let why = record();
    let inner = || AsyncTask::new(debug::sync());
    AsyncTask::new(async move {
        with_context(Tenant(1), with_context(Tenant(2), async move { inner().await })).await;
        inner().await;
    })
    .value();
    let of_task = |event| match event {
        Event::Task(task) => Some(task.contexts.join(", ")),
        _ => None,
    };
    let contexts: Vec<_> = why.recording().events.into_iter().filter_map(of_task).collect();
    assert_eq!(contexts, ["", "tenant 1, tenant 2", ""]);
}

#[test]
fn a_batch_that_was_sent_since_its_key_had_waited_says_so() {
    let names = LocalLoader::new(same).max_delay(Duration::from_millis(1));
    let why = record();
    load_beside_busy_task(&names, 1).value();
    assert_eq!(why.explanation().batches[0].reason, Reason::Delay);
}

#[test]
fn the_function_of_a_loader_asks_for_itself() {
    let codes = LocalLoader::new(same).name("codes");
    let shared = Loader::new(same).name("shared codes");
    let names = {
        let shared = shared.clone();
        Loader::new(move |ids: Vec<u32>| {
            ids.into_iter().map(|id| shared.load(id + 1).value().unwrap()).collect::<Vec<_>>()
        })
    };
    let why = record();
    AsyncTask::new(async move {
        codes.load(1).await.unwrap();
        names.load(1).await.unwrap()
    })
    .value();
    let explanation = why.explanation();
    let asked_by = |load: usize| explanation.loads[load].task.map(|task| &explanation.tasks[task]);
    assert_eq!(asked_by(1).unwrap().flush, None);
    let function = asked_by(2).unwrap();
    assert!(function.flush.is_some() && function.end.is_some(), "{:?}", explanation.tasks);
    assert_eq!(explanation.rounds, 3);
}

#[test]
fn contexts_and_callers_are_recorded() {
    let why = record();
    let inner = || AsyncTask::new(debug::sync());
    AsyncTask::new(async move { inner().await }).value();
    let explanation = why.explanation();
    assert_eq!(explanation.tasks.len(), 2);
    assert_eq!(explanation.tasks[1].parent, Some(0));
    assert!(explanation.tasks.iter().all(|task| task.end.is_some()));
}

#[test]
fn only_the_last_events_are_kept() {
    let names = Loader::new(same);
    let why = record_with(Options { capacity: 4, ..Options::default() });
    sum(names, (0..100).collect());
    let recording = why.recording();
    assert_eq!(recording.events.len(), 4);
    assert!(recording.header.dropped > 100);
    assert!(why.explanation().findings.is_empty());
}

#[test]
fn a_share_of_the_outermost_calls_is_recorded() {
    let names = Loader::new(same);
    let why = record_with(Options { sampling: 0.5, ..Options::default() });
    for _ in 0..4 {
        sum(names.clone(), vec![1]);
    }
    assert_eq!(why.explanation().batches.len(), 2);
}

#[test]
fn a_report_is_saved_in_the_form_of_its_extension() {
    let folder = tempfile::tempdir().unwrap();
    let why = record();
    sum(Loader::new(same), vec![1]);
    let save = |name: &str| {
        let path = folder.path().join(name);
        why.save(&path).map(|()| std::fs::read_to_string(path).unwrap())
    };
    assert!(save("why.html").unwrap().contains("<html"));
    assert!(
        save("why.jsonl").unwrap().starts_with(r#"{"recording":{"version":1,"language":"rust""#)
    );
    assert_eq!(save("why.pdf").unwrap_err().kind(), std::io::ErrorKind::InvalidInput);
}

#[test]
fn recorded_answers_are_replayed_without_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("answers.jsonl");
    let loader = |store: fn(u32) -> Result<u32, String>| {
        let store = move |ids: Vec<u32>| ids.into_iter().map(store).collect::<Vec<_>>();
        Loader::try_new(store).name("half").replayable()
    };
    let half = loader(|id| if id % 2 == 0 { Ok(id / 2) } else { Err("odd".to_owned()) });
    let answers = record_answers();
    assert_eq!(half.load(4).value().unwrap(), 2);
    assert!(half.load(5).value().is_err());
    answers.save(&file).unwrap();
    drop(answers);

    let half = loader(|_| panic!("the store is asked"));
    let replay = replay_answers(&file).unwrap();
    assert_eq!(assert_rounds(1, || half.load(4).value().unwrap()), 2);
    assert!(half.load(5).value().unwrap_err().to_string().contains("odd"));
    let error = half.load(6).value().unwrap_err().to_string();
    assert!(error.contains("has no answer of half for the key 6"), "{error}");
    drop(replay);

    let error = replay_answers(folder.path().join("nothing.jsonl")).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
}

#[test]
fn answers_of_sources_and_local_loaders_are_replayed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("answers.jsonl");
    let local =
        |store: fn(Vec<u32>) -> Vec<u32>| LocalLoader::new(store).name("local").replayable();
    let (source, loader) = (Source::new(Failing).replayable(), local(same));
    let answers = record_answers();
    assert!(all((source.item(1), source.item(2), loader.load(3))).value().2.is_ok());
    answers.save(&file).unwrap();
    drop(answers);

    let (source, loader) = (Source::new(Failing).replayable(), local(|_| panic!("it is asked")));
    let _replay = replay_answers(&file).unwrap();
    let (first, second, third) = all((source.item(1), source.item(2), loader.load(3))).value();
    assert_eq!((first.unwrap(), third.unwrap()), (0, 3));
    assert!(second.unwrap_err().to_string().contains("the store is away"));
    let error = source.item(4).value().unwrap_err().to_string();
    assert!(error.contains("has no answer of Failing for the key 4"), "{error}");
}

#[test]
fn a_file_of_something_else_is_not_replayed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("answers.jsonl");
    std::fs::write(&file, "{\"recording\":{\"version\":1}}\n").unwrap();
    let error = replay_answers(&file).unwrap_err().to_string();
    assert!(error.contains("answers.jsonl, line 1: "), "{error}");
}

static AUTHOR: LazyLock<Loader<u32, u32>> = LazyLock::new(|| Loader::new(same).name("author"));
static ALBUMS: LazyLock<Loader<u32, u32>> = LazyLock::new(|| Loader::new(same).name("albums"));

async fn handler(id: u32) -> u32 {
    let author = AUTHOR.load(id).await.unwrap();
    let albums = ALBUMS.load(id).await.unwrap();
    author + albums
}

#[tokio::test]
async fn requests_of_servers_are_recorded() {
    let why = record();
    assert_eq!(asynq::request(handler(7)).await, 14);
    let explanation = why.explanation();
    assert_eq!(explanation.rounds, 2);
    let finding = &explanation.findings[0];
    assert_eq!((finding.kind, finding.rounds_after), (Kind::EarlyAwait, 1), "{finding}");
    assert!(finding.what.contains("`albums`"), "{finding}");
}

#[tokio::test]
async fn keys_that_a_request_loads_together_are_one_round() {
    let why = record();
    let load = |id| async move { AUTHOR.load(id).await.unwrap() };
    asynq::request(futures::future::join_all([101, 102, 103].map(load))).await;
    let explanation = why.explanation();
    assert_eq!((explanation.rounds, explanation.findings), (1, vec![]));
}
