//! `Varies`: the reasons for which callers of a loader use variants.

use std::sync::atomic::{AtomicBool, Ordering};

/// Set once a request was entered.
static HAS_REQUESTS: AtomicBool = AtomicBool::new(false);

/// Notes that a request was entered in this process.
pub(crate) fn note_request() {
    HAS_REQUESTS.store(true, Ordering::Relaxed);
}

/// Returns whether a request was ever entered in this process.
#[inline]
pub(crate) fn has_requests() -> bool {
    HAS_REQUESTS.load(Ordering::Relaxed)
}

/// Reason for which callers of a loader use variants; see [`variant`](crate::loader::variant).
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Varies {
    #[default]
    ByRequest,
    /// By values of `per`, and by the request.
    ByValues,
    /// The loader is a variant itself, or the same in all requests.
    Never,
}

impl Varies {
    /// Returns whether a caller may use a variant of the loader.
    pub(crate) fn may_vary(self) -> bool {
        match self {
            Self::Never => false,
            Self::ByValues => true,
            Self::ByRequest => has_requests(),
        }
    }
}
