//! A frame: one synchronous call that is being driven.
//!
//! # Note: what a frame drives
//!
//! A frame drives what its root needs, and nothing else (point 5 of the contract). Every task and
//! batch carries the serial number of the innermost frame that needs it. When a task blocks, what
//! it asked for is *claimed* for the frame it runs in: if it was claimed by an outer frame before,
//! it changes hands, and so does whatever it waits for in its turn. A task is claimed at most once
//! per frame that needs it, so claims cost no more than the edges they follow.
//!
//! Serial numbers grow and are never used again. So when a frame ends and something of it is left
//! (its root failed, or waited for the first of several things), no node has to be touched: its
//! owner is by definition the innermost living frame whose serial is not greater than the node's,
//! which is the frame that the ended one was called from. A frame that starts later has a greater
//! serial and gets the node only if it claims it. A node whose frames have all ended rests until
//! somebody asks for it again.

use alloc::vec::Vec;

use crate::agenda::Agenda;
use crate::dependency::Dependency;
use crate::engine::SPARE;
use crate::host::Priority;
use crate::ready::Ready;
use crate::task::TaskId;

/// The number of a frame, from 1; they are numbered in the order in which they start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Serial(u64);

impl Serial {
    /// What nobody needs.
    pub(crate) const NONE: Self = Self(0);
}

#[derive(Debug)]
pub(crate) struct Frame<P> {
    pub(crate) serial: Serial,
    pub(crate) root: TaskId,
    /// The task that runs in this frame, between `Step::Run` and the answer to it.
    pub(crate) running: Option<TaskId>,
    /// What that has asked for so far.
    pub(crate) asked: Vec<Dependency>,
    pub(crate) ready: Ready,
    pub(crate) agenda: Agenda<P>,
    /// How many tasks of this frame, and flushes in flight, can be set going from outside.
    pub(crate) outside: usize,
    /// How many contexts were active when the call was made. They stay so until it returns.
    pub(crate) floor: usize,
    /// The driver gives up: pause what is active, then let go.
    pub(crate) abandoned: bool,
}

/// The lists of a frame that has ended, empty: the next call need not allocate its own.
#[derive(Debug)]
struct Lists<P> {
    asked: Vec<Dependency>,
    ready: Ready,
    agenda: Agenda<P>,
}

impl<P> Default for Lists<P> {
    fn default() -> Self {
        Self { asked: Vec::new(), ready: Ready::default(), agenda: Agenda::default() }
    }
}

#[derive(Debug)]
pub(crate) struct Frames<P> {
    stack: Vec<Frame<P>>,
    last_serial: Serial,
    /// Ready tasks that no frame needs.
    idle: Ready,
    spare: Option<Lists<P>>,
}

impl<P> Default for Frames<P> {
    fn default() -> Self {
        Self { stack: Vec::new(), last_serial: Serial::NONE, idle: Ready::default(), spare: None }
    }
}

impl<P> Frames<P> {
    pub(crate) fn push(&mut self, root: TaskId, floor: usize) {
        self.last_serial = Serial(self.last_serial.0 + 1);
        let lists = self.spare.take().unwrap_or_default();
        self.stack.push(Frame {
            serial: self.last_serial,
            root,
            running: None,
            asked: lists.asked,
            ready: lists.ready,
            agenda: lists.agenda,
            outside: 0,
            floor,
            abandoned: false,
        });
    }

    pub(crate) fn depth(&self) -> usize {
        self.stack.len()
    }

    /// The tasks that were called, the outermost first.
    pub(crate) fn roots(&self) -> impl Iterator<Item = TaskId> {
        self.stack.iter().map(|frame| frame.root)
    }

    pub(crate) fn top(&self) -> Option<&Frame<P>> {
        self.stack.last()
    }

    pub(crate) fn top_mut(&mut self) -> Option<&mut Frame<P>> {
        self.stack.last_mut()
    }

    /// The active context at `place` was left, and those above it moved down: so do the floors.
    pub(crate) fn lower_floors(&mut self, place: usize) {
        // Floors grow from frame to frame.
        for frame in self.stack.iter_mut().rev().take_while(|frame| frame.floor > place) {
            frame.floor -= 1;
        }
    }

    /// The frame that drives what was last claimed for `serial`.
    pub(crate) fn owner_mut(&mut self, serial: Serial) -> Option<&mut Frame<P>> {
        self.owner(serial).map(|index| &mut self.stack[index])
    }

    fn owner(&self, serial: Serial) -> Option<usize> {
        let living = match self.stack.last() {
            Some(top) if top.serial <= serial => self.stack.len(),
            _ => self.stack.partition_point(|frame| frame.serial <= serial),
        };
        living.checked_sub(1)
    }

    /// The list in which a task waits to run that was last claimed for `serial`.
    pub(crate) fn ready_mut(&mut self, serial: Serial) -> &mut Ready {
        match self.owner(serial) {
            Some(index) => &mut self.stack[index].ready,
            None => &mut self.idle,
        }
    }

    /// The ready tasks that no frame needs have been taken out.
    pub(crate) fn forget_idle(&mut self) {
        self.idle = Ready::default();
    }

    /// Ends the innermost frame, and gives what it leaves behind to the one around it.
    pub(crate) fn pop(&mut self)
    where
        P: Priority,
    {
        let mut ended = self.stack.pop().expect("`exit` answers `enter`");
        if let Some(outer) = self.stack.last_mut() {
            outer.outside += ended.outside;
            outer.agenda.append(&mut ended.agenda);
            outer.ready.prepend(&mut ended.ready);
        } else {
            self.idle.prepend(&mut ended.ready);
            ended.agenda.clear();
        }
        ended.asked.clear();
        ended.asked.shrink_to(SPARE);
        ended.ready.shrink();
        let Frame { asked, ready, agenda, .. } = ended;
        self.spare = Some(Lists { asked, ready, agenda });
    }
}
