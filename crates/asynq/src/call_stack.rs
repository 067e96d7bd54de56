//! The asynq stack: which async function called which.
//!
//! A frame is made by a task that creates others, once, and shared by all of them; a leaf costs
//! nothing. Frames outlive their tasks, so that a stack stays complete after the caller has ended.

use std::cell::RefCell;
use std::fmt;
use std::panic::Location;
use std::rc::Rc;

/// An async function, as written.
#[derive(Debug)]
pub struct Site {
    name: &'static str,
    /// What is done with it: called, made.
    verb: &'static str,
    written: &'static Location<'static>,
}

impl Site {
    /// The function called `name`, which is written where this is called.
    #[must_use]
    #[track_caller]
    pub const fn new(name: &'static str) -> Self {
        Self { name, verb: "called", written: Location::caller() }
    }

    /// A thing called `name`, that is made and not called.
    #[must_use]
    #[track_caller]
    pub(crate) const fn made(name: &'static str) -> Self {
        Self { verb: "made", ..Self::new(name) }
    }
}

/// Where a task comes from.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    pub(crate) site: &'static Site,
    /// Where it was called.
    pub(crate) at: &'static Location<'static>,
    pub(crate) creator: Option<Rc<Frame>>,
}

#[derive(Debug)]
pub(crate) struct Frame(Origin);

impl Frame {
    pub(crate) fn new(origin: Origin) -> Rc<Self> {
        Rc::new(Self(origin))
    }

    pub(crate) fn call(&self) -> Call {
        self.0.call()
    }
}

impl Drop for Frame {
    /// A chain of a million calls is a list of a million frames: freed in a loop, since recursion
    /// would overflow the native stack.
    fn drop(&mut self) {
        let mut next = self.0.creator.take();
        while let Some(mut frame) = next.and_then(Rc::into_inner) {
            next = frame.0.creator.take();
        }
    }
}

impl Origin {
    pub(crate) fn call(&self) -> Call {
        // A function that is passed as a value is called by the standard library's `FnOnce`, which
        // is no place to look at.
        let file = self.at.file();
        let passed = file.ends_with("ops/function.rs") || file.ends_with(r"ops\function.rs");
        let (verb, at) =
            if passed { ("written", self.site.written) } else { (self.site.verb, self.at) };
        Call { function: self.site.name, at, verb }
    }

    pub(crate) fn stack(&self) -> AsynqStack {
        let mut calls = Vec::new();
        let mut next = Some(self);
        while let Some(origin) = next {
            calls.push(origin.call());
            next = origin.creator.as_deref().map(|frame| &frame.0);
        }
        calls.reverse();
        let mut stack = inherited();
        stack.calls.append(&mut calls);
        stack
    }
}

/// One call of an async function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    /// The path of the function.
    pub function: &'static str,
    /// Where it was called; of a function that was passed as a value (`ids.map(f::asynq)`), where
    /// it is written.
    pub at: &'static Location<'static>,
    verb: &'static str,
}

impl Call {
    /// What is said of [`at`](Self::at): that it was called there, made, or written.
    pub(crate) fn verb(&self) -> &'static str {
        self.verb
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {} at {}", self.function, self.verb, self.at)
    }
}

/// Which async function called which, the outermost first.
///
/// Its `Display` form has a line for each call; of a very deep stack, the middle is left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AsynqStack {
    calls: Vec<Call>,
}

impl AsynqStack {
    /// The calls, the outermost first.
    #[must_use]
    pub fn calls(&self) -> &[Call] {
        &self.calls
    }
}

thread_local! {
    /// Of the flush for which a thread of the pool works.
    static INHERITED: RefCell<AsynqStack> = RefCell::default();
}

/// The stack on which those of this thread stand: empty but on a thread that works for a flush.
pub(crate) fn inherited() -> AsynqStack {
    // A thread that ends may still give up its tasks.
    INHERITED.try_with(|inherited| inherited.borrow().clone()).unwrap_or_default()
}

#[cfg(feature = "blocking")]
impl AsynqStack {
    /// Calls a function, on another thread, as a part of this stack.
    pub(crate) fn beneath<T>(self, function: impl FnOnce() -> T) -> T {
        struct Restore(AsynqStack);

        impl Drop for Restore {
            fn drop(&mut self) {
                INHERITED.set(std::mem::take(&mut self.0));
            }
        }

        let _restore = Restore(INHERITED.replace(self));
        function()
    }
}

/// How many calls at each end of a stack are printed.
const SHOWN: usize = 25;

impl fmt::Display for AsynqStack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "asynq stack (most recent call last):")?;
        let hidden = self.calls.len().saturating_sub(2 * SHOWN);
        for (index, call) in self.calls.iter().enumerate() {
            if hidden > 0 && index == SHOWN {
                write!(f, "\n  … {hidden} more …")?;
            }
            if !(SHOWN..SHOWN + hidden).contains(&index) {
                write!(f, "\n  {call}")?;
            }
        }
        Ok(())
    }
}
