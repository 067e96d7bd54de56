//! Assertions on the number of rounds, for tests.

use std::future::Future;
use std::ops::{RangeInclusive, RangeToInclusive};
use std::panic::Location;

use asynq_explain::{Keys, Options};

use super::why::{Why, record_with};

/// Number of rounds that a test expects: `3`, `..=3` or `2..=3`.
pub trait Rounds {
    /// Returns whether a number of rounds is expected.
    fn allows(&self, rounds: u32) -> bool;
    /// Returns the text of the expectation.
    fn expected(&self) -> String;
}

impl Rounds for u32 {
    fn allows(&self, rounds: u32) -> bool {
        *self == rounds
    }

    fn expected(&self) -> String {
        counted(*self)
    }
}

impl Rounds for RangeToInclusive<u32> {
    fn allows(&self, rounds: u32) -> bool {
        self.contains(&rounds)
    }

    fn expected(&self) -> String {
        format!("at most {}", counted(self.end))
    }
}

impl Rounds for RangeInclusive<u32> {
    fn allows(&self, rounds: u32) -> bool {
        self.contains(&rounds)
    }

    fn expected(&self) -> String {
        format!("{} to {}", self.start(), counted(*self.end()))
    }
}

/// Calls `f`, and returns its value if it took the expected number of rounds.
///
/// ```
/// use asynq::{Loader, asynq, explain};
/// use std::sync::LazyLock;
///
/// static NAME: LazyLock<Loader<u32, u32>> = LazyLock::new(|| Loader::new(|ids: Vec<u32>| ids));
///
/// #[asynq]
/// async fn page(id: u32) -> u32 {
///     NAME.load(id).await.unwrap()
/// }
///
/// assert_eq!(explain::assert_rounds(1, || page(7)), 7);
/// explain::assert_rounds(..=3, || page(7));
/// ```
///
/// # Panics
///
/// If `f` took another number of rounds: with the explanation.
#[track_caller]
#[expect(clippy::needless_pass_by_value, reason = "`assert_rounds(3, ..)` reads better")]
pub fn assert_rounds<T>(rounds: impl Rounds, f: impl FnOnce() -> T) -> T {
    let why = begin();
    let value = f();
    check(&rounds, &why, Location::caller());
    value
}

/// Awaits `future`, and returns its value if it took the expected number of rounds: [`assert_rounds`] for a test that is
/// async.
///
/// # Panics
///
/// If `future` took another number of rounds: with the explanation.
#[track_caller]
pub fn assert_rounds_of<F: Future>(
    rounds: impl Rounds,
    future: F,
) -> impl Future<Output = F::Output> {
    let at = Location::caller();
    async move {
        let why = begin();
        let value = future.await;
        check(&rounds, &why, at);
        value
    }
}

fn begin() -> Why {
    record_with(Options { keys: Keys::Repr, ..Options::default() })
}

fn check(rounds: &impl Rounds, why: &Why, at: &Location<'_>) {
    let taken = why.explanation().rounds;
    assert!(
        rounds.allows(taken),
        "expected {}, took {} ({at})\n{why}",
        rounds.expected(),
        counted(taken),
    );
}

fn counted(rounds: u32) -> String {
    if rounds == 1 { "1 round".to_owned() } else { format!("{rounds} rounds") }
}
