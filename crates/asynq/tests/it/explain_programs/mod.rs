//! Findings in programs of many forms: methods, closures, macros, helpers, requests. The line of each fault is marked
//! by its kind.

mod clean;
mod faults;

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::{LazyLock, Mutex, PoisonError};

use asynq::explain::{Explanation, Kind, record};
use asynq::{Batch, FutureBase, Items, Loader, LocalLoader, Source, all, asynq, request, try_all};

type Numbers = LazyLock<Loader<u32, u32>>;

static TEAM: Numbers = LazyLock::new(|| loader("team", |person| person % 3));
static CITY: Numbers = LazyLock::new(|| loader("city", |team| team + 10));
static PRICE: Numbers = LazyLock::new(|| loader("price", |id| 10 * id));
static BOSS: Numbers = LazyLock::new(|| loader("boss", |person| person / 2));

fn loader(name: &str, value: fn(u32) -> u32) -> Loader<u32, u32> {
    Loader::new(move |ids: Vec<u32>| ids.into_iter().map(value).collect::<Vec<_>>()).name(name)
}

/// Items in stock, by batches by hand.
struct Stock;

impl Batch for Stock {
    type Key = u32;
    type Value = u32;
    type Flush = ();

    fn flush(self: Rc<Self>, items: Items<Self>) {
        items.set_values(|id| Some(id % 4));
    }
}

thread_local! {
    static STOCK: Source<Stock> = Source::new(Stock);
}

fn in_stock(id: u32) -> asynq::BatchItem<Stock> {
    STOCK.with(|stock| stock.item(id))
}

const IDS: [u32; 6] = [1, 2, 3, 4, 5, 6];

/// The tests share the loaders: two at a time would share batches.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn explained<T>(program: impl FnOnce() -> T) -> (T, Explanation) {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let why = record();
    let value = program();
    (value, why.explanation())
}

/// Checks that the first finding of `faulty` has the line that is marked by its kind, and that `advised` has the same
/// value and takes the rounds that were promised.
#[track_caller]
fn check<T: PartialEq + std::fmt::Debug>(
    kind: Kind,
    faulty: impl FnOnce() -> T,
    advised: impl FnOnce() -> T,
) {
    let (value, explanation) = explained(faulty);
    let finding = explanation.findings.first().unwrap_or_else(|| panic!("{explanation:#?}"));
    let line = usize::try_from(finding.line).unwrap();
    let line = include_str!("faults.rs").lines().nth(line - 1).unwrap_or_default();
    assert!(finding.file.ends_with("faults.rs"), "{finding}");
    let marked = format!("// {}", kind.name());
    assert!(finding.kind == kind && line.ends_with(&marked), "{line}\n{finding}");
    let (again, advised) = explained(advised);
    assert_eq!(again, value);
    assert_eq!(advised.rounds, finding.rounds_after, "{finding}");
    assert_eq!(advised.findings, []);
}

#[track_caller]
fn check_clean<T>(rounds: u32, program: impl FnOnce() -> T) {
    let (_, explanation) = explained(program);
    assert_eq!((explanation.rounds, explanation.findings), (rounds, vec![]));
}
