//! The native stack that nested synchronous calls take.

use std::cell::Cell;
use std::hint::black_box;
use std::ptr;

/// Half of the stack that Rust gives a thread.
const DEFAULT_MAX: usize = 1 << 20;

/// Stack of the synchronous calls of a scheduler.
pub(super) struct NativeStack {
    max: Cell<usize>,
    /// Address in the frame of the outermost call.
    base: Cell<Option<usize>>,
}

impl Default for NativeStack {
    fn default() -> Self {
        Self { max: Cell::new(DEFAULT_MAX), base: Cell::new(None) }
    }
}

/// A synchronous call.
pub(super) struct Nested<'s> {
    stack: &'s NativeStack,
    outer: Option<usize>,
}

impl NativeStack {
    /// Begins a call. Returns the stack that the calls around it take, if that is too much.
    pub(super) fn nest(&self) -> Result<Nested<'_>, usize> {
        let marker = 0_u8;
        let here = ptr::from_ref(black_box(&marker)).addr();
        let outer = self.base.get();
        let taken = outer.map_or(0, |base| base.abs_diff(here));
        if taken > self.max.get() {
            return Err(taken);
        }
        self.base.set(outer.or(Some(here)));
        Ok(Nested { stack: self, outer })
    }

    pub(super) fn set_max(&self, bytes: usize) {
        self.max.set(bytes);
    }
}

impl Drop for Nested<'_> {
    fn drop(&mut self) {
        self.stack.base.set(self.outer);
    }
}
