//! The hooks of recordings without the feature `explain`: they do nothing.

use std::panic::Location;

use asynq_engine::{BatchId, ContextId, Dependency, ItemId, TaskId};
use asynq_loader::PartId;

use crate::call_stack::Site;

pub(crate) enum Origin {
    New,
    Shared(#[expect(dead_code, reason = "only recordings read it")] Option<PartId>),
    /// Another load of the key has not taken its value yet.
    Answered,
    Cached,
}

pub(crate) struct Asked;

impl Asked {
    pub(crate) fn any(_: &'static Location<'static>, _: &dyn std::any::Any) -> Self {
        Self
    }

    pub(crate) fn key<K>(_: &'static Location<'static>, _: &K) -> Self {
        Self
    }
}

#[inline]
pub(crate) const fn is_on() -> bool {
    false
}

pub(crate) fn created(_: TaskId, _: &'static Site, _: &'static Location<'static>) {}

pub(crate) fn runs(_: TaskId) {}

pub(crate) fn blocks(_: TaskId, _: &[Dependency]) {}

pub(crate) fn ends(_: TaskId, _: Option<&str>) {}

pub(crate) fn awaited(_: &'static Location<'static>) {}

pub(crate) fn call_begins(_: TaskId, _: Option<&'static Location<'static>>, _: usize) {}

pub(crate) fn call_ends(_: usize) {}

pub(crate) fn entered(_: ContextId, _: &str) {}

pub(crate) fn left(_: ContextId) {}

pub(crate) fn flush_begins(_: BatchId, _: i64, _: (&'static Site, &'static Location<'static>)) {}

/// Guard of the call or poll of the function of a loader.
pub(crate) struct Calling;

impl Calling {
    #[inline]
    pub(crate) fn begin<P>(_: (u64, P), _: &'static Site, _: &'static Location<'static>) -> Self {
        Self
    }
}

pub(crate) fn flush_deferred() {}

pub(crate) fn flush_fails(_: BatchId, _: usize, _: Option<&str>) {}

pub(crate) fn flush_ends(_: BatchId) {}

/// Guard of the reason for the requests that are sent until it is dropped.
pub(crate) struct SentFor;

impl SentFor {
    #[inline]
    pub(crate) const fn delay() -> Self {
        Self
    }

    #[inline]
    pub(crate) const fn asked() -> Self {
        Self
    }

    #[inline]
    pub(crate) const fn current() -> Self {
        Self
    }

    #[inline]
    pub(crate) const fn is_late() {}
}

pub(crate) fn asked(_: Asked) {}

pub(crate) fn add_item(
    _: ItemId,
    _: impl FnOnce() -> String,
    _: &'static Location<'static>,
    _: bool,
) {
}

#[inline]
pub(crate) fn join_load<K>(_: u64, _: K, _: bool) {}

pub(crate) fn loaded<K>(
    _: (u64, K),
    _: impl Fn() -> String,
    _: &'static Location<'static>,
    _: Asked,
    _: Origin,
) {
}

/// A batch of a loader that is sent.
#[expect(dead_code, reason = "only recordings read it")]
pub(crate) struct Sent<'a> {
    pub(crate) name: &'a str,
    pub(crate) place: &'static Location<'static>,
    pub(crate) priority: i64,
    pub(crate) is_full: bool,
}

#[inline]
pub(crate) fn sent<P, K>(_: (u64, P), _: &[K], _: &Sent<'_>) {}

#[inline]
pub(crate) fn answered<P>(_: (u64, P), _: impl FnOnce() -> (usize, Option<String>)) {}

#[inline]
pub(crate) fn taken<K>(_: (u64, K)) {}

pub(crate) struct RecordedRequest;

#[expect(clippy::unused_self, reason = "the same as with recordings")]
impl RecordedRequest {
    pub(crate) const NONE: Self = Self;

    #[inline]
    pub(crate) fn new(_: &'static Location<'static>) -> Self {
        Self
    }

    #[inline]
    pub(crate) fn begin_poll(&self) {}

    #[inline]
    pub(crate) fn end_poll(&self, _: bool) {}
}
