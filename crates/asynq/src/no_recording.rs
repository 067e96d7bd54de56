//! The hooks of recordings without the feature `explain`: they do nothing.

use std::panic::Location;

use asynq_engine::ItemId;
use asynq_loader::PartId;

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

pub(crate) fn awaited(_: &'static Location<'static>) {}

pub(crate) fn asked(_: Asked) {}

pub(crate) fn add_item(_: ItemId, _: &str, _: &'static Location<'static>, _: bool) {}

#[inline]
pub(crate) fn join_load<K>(_: u64, _: K, _: bool) {}

pub(crate) fn loaded<K>(_: (u64, K), _: &str, _: &'static Location<'static>, _: Asked, _: Origin) {}

#[inline]
pub(crate) fn sent<P, K>(_: (u64, P), _: &str, _: &'static Location<'static>, _: &[K], _: bool) {}

#[inline]
pub(crate) fn answered<P>(_: (u64, P), _: impl FnOnce() -> (usize, Option<String>)) {}

#[inline]
pub(crate) fn taken<K>(_: (u64, K)) {}

pub(crate) fn program_listener() -> Option<fn(&crate::debug::Event)> {
    None
}

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
