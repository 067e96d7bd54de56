//! The clock of a thread, which is not read at each step.

use super::session::Session;

/// Time between two steps, in nanoseconds, up to which the clock is read less often.
const SHORT: u64 = 2_000;

/// Maximum number of steps with the same time.
const MAX_STRIDE: u32 = 16;

/// Time of the steps of a thread. While steps are short, some have the time of one before. Requests and answers have
/// their own.
#[derive(Default)]
pub(super) struct Clock {
    pub(super) now: u64,
    /// Number of steps between two readings.
    stride: u32,
    left: u32,
}

impl Clock {
    /// Reads the time.
    pub(super) fn read(&mut self, session: &Session) -> u64 {
        self.now = session.now();
        self.left = self.stride;
        self.now
    }

    /// Returns the time of a step that begins.
    #[inline]
    pub(super) fn tick(&mut self, session: &Session) -> u64 {
        if self.left == 0 {
            self.adapt(session);
        } else {
            self.left -= 1;
        }
        self.now
    }

    #[cold]
    fn adapt(&mut self, session: &Session) {
        let before = self.now;
        let steps = u64::from(self.stride) + 1;
        let is_short = self.read(session) - before < SHORT * steps;
        self.stride = if is_short { (2 * self.stride + 1).min(MAX_STRIDE - 1) } else { 0 };
        self.left = self.stride;
    }
}
