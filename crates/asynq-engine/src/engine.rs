//! The engine: its parts, and the record of its steps.

use alloc::collections::VecDeque;

use slotmap::SlotMap;

use crate::batch::Batches;
use crate::context::Contexts;
use crate::dependency::SpareList;
use crate::event::Event;
use crate::frame::{Frame, Frames};
use crate::host::Host;
use crate::id::Stamp;
use crate::items::Items;
use crate::task::Tasks;
use crate::woken::Woken;

/// The scheduler of one thread. See the [crate documentation](crate) for how to drive it.
pub struct Engine<H: Host> {
    pub(crate) tasks: Tasks<H>,
    pub(crate) batches: Batches<H>,
    pub(crate) contexts: Contexts<H>,
    pub(crate) frames: Frames<H::Priority>,
    /// The latest stamp of a task.
    pub(crate) last_stamp: Stamp,
    pub(crate) woken: Woken,
    /// The room of a batch that was closed, for the next one.
    pub(crate) spare_items: Items,
    /// The list of what a task waited for, for the next one.
    pub(crate) spare_list: SpareList,
    /// Number of batches that were opened.
    pub(crate) batches_opened: u64,
    events: Option<VecDeque<Event>>,
}

impl<H: Host> Default for Engine<H> {
    fn default() -> Self {
        Self::new()
    }
}

impl<H: Host> Engine<H> {
    /// Returns an engine without tasks.
    #[must_use]
    pub fn new() -> Self {
        Self {
            tasks: SlotMap::with_key(),
            batches: SlotMap::with_key(),
            contexts: Contexts::new(),
            frames: Frames::default(),
            last_stamp: Stamp::NONE,
            woken: Woken::default(),
            spare_items: Items::default(),
            spare_list: SpareList::default(),
            batches_opened: 0,
            events: None,
        }
    }

    pub(crate) fn frame_mut(&mut self) -> &mut Frame<H::Priority> {
        self.frames.top_mut().expect("only between `enter` and `exit`")
    }
}

/// # 7. Look: events
impl<H: Host> Engine<H> {
    /// Begins or ends the recording of [`Event`]s. Without it a step costs one branch more.
    pub fn listen(&mut self, listen: bool) {
        if listen {
            self.events.get_or_insert_default();
        } else {
            self.events = None;
        }
    }

    /// Takes the oldest event that was not read yet.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.as_mut()?.pop_front()
    }

    pub(crate) fn is_listening(&self) -> bool {
        self.events.is_some()
    }

    #[inline]
    pub(crate) fn record(&mut self, event: impl FnOnce() -> Event) {
        if let Some(events) = &mut self.events {
            events.push_back(event());
        }
    }
}
