//! Tables in memory that every implementation asks, and that count how often they are asked.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use hashbrown::HashMap;
use hashbrown::hash_map::Entry;

/// The sizes of the requests that fan out.
pub(crate) const SIZES: [usize; 4] = [3, 100, 10_000, 1_000_000];

/// A table: has an answer for a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Table {
    /// From an answer to the user who wrote it.
    Authors,
    /// From a user to the name.
    Names,
    /// From a key to a number. There are many sources of this kind.
    Numbers,
}

static AUTHORS: LazyLock<Vec<u64>> = LazyLock::new(|| {
    let mut random = fastrand::Rng::with_seed(1);
    let authors = |size| {
        let users = distinct_users(size) as u64;
        // Everyone has written something.
        let mut authors: Vec<u64> = (0..users).cycle().take(size).collect();
        random.shuffle(&mut authors);
        authors
    };
    SIZES.into_iter().flat_map(authors).collect()
});

static NAMES: LazyLock<Vec<u64>> =
    LazyLock::new(|| (0..100_000).map(|user| 3 * user + 1).collect());

static NUMBERS: LazyLock<Vec<u64>> =
    LazyLock::new(|| (0..20_000).map(|key| 7 * key % 1_009).collect());

static BATCHES: AtomicU64 = AtomicU64::new(0);
static KEYS: AtomicU64 = AtomicU64::new(0);

impl Table {
    fn rows(self) -> &'static [u64] {
        match self {
            Self::Authors => &AUTHORS,
            Self::Names => &NAMES,
            Self::Numbers => &NUMBERS,
        }
    }

    /// The answer for one key, without a batch.
    pub(crate) fn look_up(self, key: u64) -> u64 {
        self.rows()[usize::try_from(key).expect("keys count from 0")]
    }

    /// One batch: the answers for these keys, in their order.
    pub(crate) fn ask(self, keys: &[u64]) -> Vec<u64> {
        BATCHES.fetch_add(1, Ordering::Relaxed);
        KEYS.fetch_add(keys.len() as u64, Ordering::Relaxed);
        keys.iter().map(|&key| self.look_up(key)).collect()
    }

    /// The same, for implementations that want a map.
    pub(crate) fn ask_for_map(self, keys: &[u64]) -> std::collections::HashMap<u64, u64> {
        keys.iter().copied().zip(self.ask(keys)).collect()
    }

    /// The same, for implementations that leave duplicates in: each key is asked for once.
    pub(crate) fn ask_once_each(self, keys: impl ExactSizeIterator<Item = u64>) -> Vec<u64> {
        let mut places = HashMap::with_capacity(keys.len());
        let mut distinct = Vec::with_capacity(keys.len());
        let of_each: Vec<usize> = keys
            .map(|key| match places.entry(key) {
                Entry::Occupied(place) => *place.get(),
                Entry::Vacant(entry) => {
                    distinct.push(key);
                    *entry.insert(distinct.len() - 1)
                }
            })
            .collect();
        let answers = self.ask(&distinct);
        of_each.into_iter().map(|place| answers[place]).collect()
    }
}

/// Number of different users who have written so many answers.
pub(crate) fn distinct_users(answers: usize) -> usize {
    answers.div_ceil(10).max(2)
}

/// The answers of a request of this size, one of [`SIZES`].
pub(crate) fn answers(size: usize) -> std::ops::Range<u64> {
    let first: usize = SIZES.iter().take_while(|&&other| other != size).sum();
    first as u64..(first + size) as u64
}

/// Number of batches and keys that the tables were asked for.
pub(crate) struct Counts {
    pub(crate) batches: u64,
    pub(crate) keys: u64,
}

/// Takes the numbers of batches and keys that the tables were asked for since the last call.
pub(crate) fn take_counts() -> Counts {
    Counts { batches: BATCHES.swap(0, Ordering::Relaxed), keys: KEYS.swap(0, Ordering::Relaxed) }
}
