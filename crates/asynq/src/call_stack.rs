//! The asynq stack: the chain of async functions that called each other.
//!
//! A task that creates others allocates one [`Creator`], which all of them share; a task that
//! creates none allocates nothing. Creators outlive their tasks, so a stack stays complete after
//! the caller has ended.

use std::cell::RefCell;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::panic::Location;
use std::ptr;
use std::rc::Rc;
use std::sync::Arc;

/// Definition of an async function.
#[derive(Debug)]
pub struct Site {
    name: Name,
    /// Verb for a use of it in reports: "called" or "made".
    verb: &'static str,
    written: &'static Location<'static>,
}

#[derive(Debug)]
enum Name {
    Text(&'static str),
    /// Name of the type of a function, which a constant cannot compute.
    Type(fn() -> &'static str),
}

/// Verb for batch functions, which are called for their loader.
const BATCH_FUNCTION: &str = "batch function of the loader";

impl Site {
    /// Describes the function `name`, which is defined where `new` is called.
    #[must_use]
    #[track_caller]
    pub const fn new(name: &'static str) -> Self {
        Self { name: Name::Text(name), verb: "called", written: Location::caller() }
    }

    /// Describes something that is made, not called, such as a promise.
    #[must_use]
    #[track_caller]
    pub(crate) const fn made(name: &'static str) -> Self {
        Self { verb: "made", ..Self::new(name) }
    }

    /// Describes the batch function of a loader, whose type is `F`.
    pub(crate) const fn of_batch_function<F>() -> &'static Self {
        const {
            &Self {
                name: Name::Type(std::any::type_name::<F>),
                verb: BATCH_FUNCTION,
                written: Location::caller(),
            }
        }
    }

    pub(crate) fn name(&self) -> &'static str {
        match self.name {
            Name::Text(name) => name,
            Name::Type(name) => name(),
        }
    }
}

/// Origin of a task: its function, the place of the call, and the task that called.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    pub(crate) site: &'static Site,
    /// Place of the call.
    pub(crate) at: &'static Location<'static>,
    pub(crate) creator: Option<Rc<Creator>>,
}

/// A call that waits as a part of its task.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CallInPlace {
    pub(crate) site: &'static Site,
    /// Place of the call.
    pub(crate) at: &'static Location<'static>,
    /// The task itself has made it, and not another call.
    pub(crate) is_outermost: bool,
}

/// Places are compared by their addresses. Equal ones at several addresses are only kept several times.
impl PartialEq for CallInPlace {
    fn eq(&self, other: &Self) -> bool {
        ptr::eq(self.site, other.site)
            && ptr::eq(self.at, other.at)
            && self.is_outermost == other.is_outermost
    }
}

impl Eq for CallInPlace {}

impl Hash for CallInPlace {
    fn hash<H: Hasher>(&self, state: &mut H) {
        ptr::hash(self.site, state);
        ptr::hash(self.at, state);
        self.is_outermost.hash(state);
    }
}

impl fmt::Display for CallInPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Origin { site: self.site, at: self.at, creator: None }.call().fmt(f)
    }
}

/// A task as the creator of other tasks.
#[derive(Debug)]
pub(crate) struct Creator(Origin);

impl Creator {
    pub(crate) fn new(origin: Origin) -> Rc<Self> {
        Rc::new(Self(origin))
    }

    pub(crate) fn call(&self) -> Call {
        self.0.call()
    }

    /// Returns the calls from the outermost to this one.
    pub(crate) fn stack(&self) -> AsynqStack {
        self.0.stack()
    }

    /// Returns whether this is `ancestor`, or was created by it, or by a task that was, and so on.
    pub(crate) fn is_within(&self, ancestor: &Self) -> bool {
        self.ancestors().any(|creator| ptr::eq(creator, ancestor))
    }

    /// Returns whether this, or a task that has created it, and so on, is a call of a batch function.
    pub(crate) fn is_within_batch_function(&self) -> bool {
        self.ancestors().any(|creator| creator.0.site.verb == BATCH_FUNCTION)
    }

    /// Iterates over this, its creator, the creator of that, and so on.
    fn ancestors(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(Some(self), |creator| creator.0.creator.as_deref())
    }
}

impl Drop for Creator {
    /// Frees the chain of creators in a loop: recursion over a million of them would overflow the
    /// native stack.
    fn drop(&mut self) {
        let mut next = self.0.creator.take();
        while let Some(mut creator) = next.and_then(Rc::into_inner) {
            next = creator.0.creator.take();
        }
    }
}

impl Origin {
    pub(crate) fn call(&self) -> Call {
        // A function that is passed as a value is called inside the standard library, which tells
        // the reader nothing.
        let file = self.at.file();
        let passed = file.ends_with("ops/function.rs") || file.ends_with(r"ops\function.rs");
        let (verb, at) =
            if passed { ("written", self.site.written) } else { (self.site.verb, self.at) };
        Call { function: self.site.name(), at, verb, written: self.site.written }
    }

    pub(crate) fn stack(&self) -> AsynqStack {
        let mut calls = Vec::new();
        let mut next = Some(self);
        while let Some(origin) = next {
            calls.push(origin.call());
            next = origin.creator.as_deref().map(|creator| &creator.0);
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
    /// Place of the call. For a function that was passed as a value (`ids.map(f::asynq)`), the
    /// place of its definition.
    pub at: &'static Location<'static>,
    verb: &'static str,
    /// Place of the definition.
    written: &'static Location<'static>,
}

#[cfg(feature = "explain")]
impl Call {
    /// Returns the place of the definition of the function; of its loader, if it is a batch function.
    pub(crate) fn written(&self) -> &'static Location<'static> {
        if self.verb == BATCH_FUNCTION { self.at } else { self.written }
    }

    /// Returns whether the function was passed as a value.
    pub(crate) fn is_passed(&self) -> bool {
        self.verb == "written"
    }
}

impl Call {
    /// Verb for [`at`](Self::at) in reports: "called", "made" or "written".
    pub(crate) fn verb(&self) -> &'static str {
        self.verb
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {} at {}", self.function, self.verb, self.at)
    }
}

/// Chain of async function calls, the outermost first.
///
/// The `Display` form has one line per call and leaves out the middle of a very deep stack.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AsynqStack {
    calls: Vec<Call>,
    /// Loader whose batch function is the last call, if it is one.
    loader: Option<Arc<str>>,
}

impl AsynqStack {
    /// Returns the calls, the outermost first.
    #[must_use]
    pub fn calls(&self) -> &[Call] {
        &self.calls
    }

    /// Adds the call of the batch function of `loader`, which was created `at` this place, unless it is the last call.
    pub(crate) fn in_batch_function(
        mut self,
        function: &'static Site,
        at: &'static Location<'static>,
        loader: String,
    ) -> Self {
        if self.calls.last().is_none_or(|last| last.verb != BATCH_FUNCTION || last.at != at) {
            self.calls.push(Origin { site: function, at, creator: None }.call());
        }
        self.loader = Some(loader.into());
        self
    }
}

thread_local! {
    /// Stack of the flush that this worker thread runs a function for.
    static INHERITED: RefCell<AsynqStack> = RefCell::default();
}

/// Returns the stack below all tasks of this thread: the stack of a flush on a worker thread, and
/// an empty one elsewhere.
pub(crate) fn inherited() -> AsynqStack {
    // A thread that ends may still cancel its tasks.
    INHERITED.try_with(|inherited| inherited.borrow().clone()).unwrap_or_default()
}

#[cfg(feature = "blocking")]
impl AsynqStack {
    /// Calls `function` on a worker thread as a part of this stack.
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

/// Number of calls that are printed at each end of a deep stack.
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
                match &self.loader {
                    Some(loader) if index + 1 == self.calls.len() => {
                        f.write_str("\n  ")?;
                        // The function of a store is one of this crate, which nobody else knows.
                        if !call.function.starts_with(concat!(env!("CARGO_CRATE_NAME"), "::")) {
                            write!(f, "{}, ", call.function)?;
                        }
                        write!(f, "batch function of {loader}")?;
                    }
                    _ => write!(f, "\n  {call}")?,
                }
            }
        }
        Ok(())
    }
}
