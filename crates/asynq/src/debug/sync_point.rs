//! A batch that does nothing, for tests.

use std::cell::RefCell;
use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use crate::batch::{Batch, BatchItem, Items, Source};
use crate::futures::{FutureBase, joins_as_itself};
use crate::scheduler::{self, Request, Requester};

struct Sync {
    tag: &'static str,
}

impl Batch for Sync {
    type Key = ();
    type Value = ();
    type Flush = ();

    fn flush(self: Rc<Self>, items: Items<Self>) {
        items.set_values(|()| Some(()));
    }

    fn name(&self) -> String {
        format!("sync({:?})", self.tag)
    }
}

thread_local! {
    static SOURCES: RefCell<HashMap<&'static str, Source<Sync>>> = RefCell::default();
}

/// Creates an item of a batch that does nothing. Tests await it to make tasks wait for a flush without a
/// store.
///
/// ```
/// use asynq::{AsyncTask, FutureBase, debug};
///
/// AsyncTask::new(async { debug::sync().await }).value();
/// ```
pub fn sync() -> SyncPoint {
    sync_in("default")
}

/// Creates an item as [`sync`] does, in a separate batch for each `tag`.
pub fn sync_in(tag: &'static str) -> SyncPoint {
    let source = SOURCES.with(|sources| {
        let mut sources = sources.borrow_mut();
        sources.entry(tag).or_insert_with(|| Source::new(Sync { tag })).clone()
    });
    SyncPoint { item: source.item(()) }
}

/// Future of [`sync`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited or asked for their value"]
pub struct SyncPoint {
    item: BatchItem<Sync>,
}

impl Request for SyncPoint {
    fn request(&mut self, requester: &Requester<'_>) -> bool {
        self.item.request(requester)
    }

    fn take(&mut self) {
        // It could fail only if the batch was cancelled, and no other code has a handle to it.
        self.item.take().unwrap_or_default();
    }
}

impl Future for SyncPoint {
    type Output = ();

    #[cfg_attr(feature = "explain", track_caller)]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        scheduler::poll(&mut *self, cx)
    }
}

impl FutureBase for SyncPoint {
    joins_as_itself!();

    fn is_computed(&self) -> bool {
        self.item.is_computed()
    }

    fn on_computed(&self, callback: impl FnOnce() + 'static) {
        self.item.on_computed(callback);
    }
}
