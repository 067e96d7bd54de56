//! Threads that Python ends while our code is on their stack.
//!
//! Before Python 3.14 an interpreter that shuts down ends every other thread that wants the GIL again
//! (a daemon thread, a worker whose load has timed out) by `pthread_exit`. The GNU C library does that
//! by unwinding the stack: it runs landing pads without the GIL, and aborts the process as soon as it
//! meets a `catch_unwind` or a call of an `extern "C"` function, and every method of this module is
//! full of these. Since 3.14 such a thread sleeps until the process ends. This gives every thread that
//! uses the module the same behaviour in older interpreters.
//!
//! # Note: a cleanup handler that never returns
//!
//! `pthread_exit` calls a thread's cleanup handlers as it leaves the frames in which they were pushed,
//! and it looks for handlers before it asks a frame for its landing pads. A frame is left once the
//! stack pointer is above the handler's record; a record on the heap is outside of the stack, and so
//! counts as left at the first frame, that of `pthread_exit` itself. So a handler that was pushed once
//! from the heap, and that sleeps for ever, keeps the unwinder from every other frame of its thread. It
//! sleeps only if the interpreter shuts down: then nobody waits for the thread, which cannot run Python
//! code any more. A thread that ends by `pthread_exit` at any other time goes on.
//!
//! This needs no guard around calls of Python code (there are hundreds, many inside `pyo3`, and the
//! drop of a reference is one), and costs nothing after the first use in a thread. Other C libraries
//! do not unwind in `pthread_exit`.

#[cfg(any(Py_3_14, not(all(target_os = "linux", target_env = "gnu"))))]
pub(crate) fn protect() {}

#[cfg(all(not(Py_3_14), target_os = "linux", target_env = "gnu"))]
pub(crate) use handler::protect;

#[cfg(all(not(Py_3_14), target_os = "linux", target_env = "gnu"))]
mod handler {
    use std::cell::{Cell, UnsafeCell};
    use std::ffi::{c_int, c_void};
    use std::ptr;
    use std::thread;
    use std::time::Duration;

    /// `struct _pthread_cleanup_buffer` of `pthread.h`.
    #[repr(C)]
    struct Record {
        routine: Option<extern "C" fn(*mut c_void)>,
        argument: *mut c_void,
        cancel_type: c_int,
        previous: *mut Record,
    }

    #[allow(unsafe_code)]
    unsafe extern "C" {
        fn _pthread_cleanup_push(
            record: *mut Record,
            routine: extern "C" fn(*mut c_void),
            argument: *mut c_void,
        );
        fn _pthread_cleanup_pop(record: *mut Record, execute: c_int);
        #[cfg(Py_3_13)]
        fn Py_IsFinalizing() -> c_int;
        #[cfg(not(Py_3_13))]
        fn _Py_IsFinalizing() -> c_int;
    }

    thread_local! {
        static IS_PROTECTED: Cell<bool> = const { Cell::new(false) };
        static HANDLER: Handler = Handler::push();
    }

    /// Keeps this thread from unwinding our frames if the interpreter ends it.
    #[inline]
    pub(crate) fn protect() {
        if !IS_PROTECTED.get() {
            push();
        }
    }

    #[cold]
    fn push() {
        IS_PROTECTED.set(true);
        // A thread whose locals are gone has no frames of ours to come.
        let _ = HANDLER.try_with(|_| ());
    }

    /// A handler that is pushed in this thread, and popped when the thread ends.
    struct Handler(Box<UnsafeCell<Record>>);

    impl Handler {
        #[allow(unsafe_code)]
        fn push() -> Self {
            let record = Box::new(UnsafeCell::new(Record {
                routine: None,
                argument: ptr::null_mut(),
                cancel_type: 0,
                previous: ptr::null_mut(),
            }));
            // SAFETY: the record lives on the heap until it is popped, in the same thread.
            unsafe { _pthread_cleanup_push(record.get(), sleep_for_ever, ptr::null_mut()) };
            Self(record)
        }
    }

    impl Drop for Handler {
        #[allow(unsafe_code)]
        fn drop(&mut self) {
            // SAFETY: the thread ends: whoever has pushed a handler after this one has popped it.
            unsafe { _pthread_cleanup_pop(self.0.get(), 0) };
        }
    }

    extern "C" fn sleep_for_ever(_: *mut c_void) {
        while is_finalizing() {
            thread::sleep(Duration::from_secs(3600));
        }
    }

    #[allow(unsafe_code)]
    fn is_finalizing() -> bool {
        // SAFETY: reads a flag of the process; needs no GIL.
        #[cfg(Py_3_13)]
        let is_finalizing = unsafe { Py_IsFinalizing() };
        // SAFETY: as above.
        #[cfg(not(Py_3_13))]
        let is_finalizing = unsafe { _Py_IsFinalizing() };
        is_finalizing != 0
    }
}
