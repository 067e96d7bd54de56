//! Findings about each page: the line with the fault first, with a promise that is kept; and nothing about clean pages.

use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

use asynq::explain::{Explanation, Finding, Kind, assert_rounds, record};
use explain::{clean, duplicate, early_await, loop_of_awaits, own_cache, synchronous_call};

/// The tests share the loaders: two at a time would share batches.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
}

fn explanation<T>(page: impl FnOnce() -> T) -> Explanation {
    let _alone = alone();
    let why = record();
    page();
    why.explanation()
}

/// Returns the first finding, and the line of code that it names.
fn first<T>(page: impl FnOnce() -> T) -> (Finding, String) {
    let finding = explanation(page).findings.into_iter().next().expect("a finding");
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(&finding.file);
    let source = std::fs::read_to_string(path).expect("the source of the page");
    let line = source.lines().nth(finding.line as usize - 1).expect("the line").trim().to_owned();
    (finding, line)
}

#[test]
fn a_loop_of_awaits() {
    let (finding, line) = first(|| loop_of_awaits::page(vec![1, 2, 3, 4]));
    assert_eq!((finding.kind, line.as_str()), (Kind::Loop, "total += PRICE.load(album).await?;"));
    assert_eq!((finding.rounds, finding.rounds_after), (4, 1));
    let _alone = alone();
    assert_rounds(finding.rounds_after, || loop_of_awaits::advised(vec![1, 2, 3, 4])).unwrap();
}

#[test]
fn a_synchronous_call_in_a_task() {
    let (finding, line) = first(|| synchronous_call::page(vec![1, 2, 3]));
    assert_eq!(
        (finding.kind, line.as_str()),
        (Kind::SynchronousCall, "let artist = artist_of(album)?;")
    );
    assert_eq!((finding.rounds, finding.rounds_after), (6, 2));
    let _alone = alone();
    assert_rounds(finding.rounds_after, || synchronous_call::advised(vec![1, 2, 3])).unwrap();
}

#[test]
fn an_await_that_comes_too_early() {
    let (finding, line) = first(|| early_await::page(1, 2));
    assert_eq!(
        (finding.kind, line.as_str()),
        (Kind::EarlyAwait, "let name = ARTIST.load(artist).await?;")
    );
    assert_eq!((finding.rounds, finding.rounds_after), (2, 1));
    let _alone = alone();
    assert_rounds(finding.rounds_after, || early_await::advised(1, 2)).unwrap();
}

#[test]
fn a_cache_of_ones_own() {
    own_cache::remember(1);
    own_cache::remember(2);
    let (finding, line) = first(|| own_cache::page(vec![1, 2, 3]));
    assert_eq!((finding.kind, line.as_str()), (Kind::Split, "None => ARTIST.load(artist).await?,"));
    assert_eq!((finding.source_rounds, finding.source_rounds_after), (2, 1));
    let advised = explanation(|| own_cache::advised(vec![1, 2, 3]));
    assert_eq!(advised.source_rounds[1], finding.source_rounds_after);
}

#[test]
fn a_key_that_is_sent_again() {
    let (finding, line) = first(|| duplicate::page(1));
    assert_eq!(
        (finding.kind, line.as_str()),
        (Kind::Duplicate, "let name = ARTIST.load(album.artist).await?;")
    );
    assert_eq!((finding.rounds, finding.rounds_after), (3, 2));
    let _alone = alone();
    assert_rounds(finding.rounds_after, || duplicate::advised(1)).unwrap();
}

#[test]
fn pages_as_advised_are_clean() {
    assert_eq!(explanation(|| loop_of_awaits::advised(vec![1, 2, 3])).findings, []);
    assert_eq!(explanation(|| synchronous_call::advised(vec![1, 2, 3])).findings, []);
    assert_eq!(explanation(|| early_await::advised(1, 2)).findings, []);
    assert_eq!(explanation(|| own_cache::advised(vec![1, 2, 3])).findings, []);
    assert_eq!(explanation(|| duplicate::advised(1)).findings, []);
}

#[test]
fn a_list_that_is_followed_is_clean() {
    let explanation = explanation(|| clean::followed_list(1));
    assert_eq!((explanation.rounds, explanation.findings), (3, vec![]));
}

#[test]
fn an_await_that_the_next_one_needs_is_clean() {
    let explanation = explanation(|| clean::needed_await(1));
    assert_eq!((explanation.rounds, explanation.findings), (2, vec![]));
}

#[test]
fn a_search_that_ends_when_it_has_found_something_is_clean() {
    let explanation = explanation(|| clean::first_found(vec![1, 2, 3, 4]));
    assert_eq!((explanation.rounds, explanation.findings), (3, vec![]));
}

#[test]
fn one_synchronous_call_is_clean() {
    let explanation = explanation(|| clean::one_call(1));
    assert_eq!((explanation.rounds, explanation.findings), (2, vec![]));
}

#[test]
fn keys_that_the_loader_caches_are_clean() {
    let explanation = explanation(|| clean::cached_keys(vec![1, 2, 3]));
    assert_eq!((explanation.rounds, explanation.findings), (2, vec![]));
}

#[test]
fn a_program_that_the_environment_records_prints_the_report_at_its_end() {
    let page = Command::new(env!("CARGO_BIN_EXE_page")).env("ASYNQ_EXPLAIN", "1").output();
    let text = String::from_utf8(page.expect("the page runs").stderr).expect("UTF-8");
    assert!(text.starts_with("page: 4 rounds, 4 batches"), "{text}");
    assert!(
        text.contains("loop_of_awaits.rs:16") && text.contains("1 round instead of 4"),
        "{text}"
    );
}
