//! The requests that a round waits for.

use crate::settings::{Settings, Time};

/// Number of usual times without a part in flight after which no request is expected.
const IDLE: Time = 8;

/// Largest number of fruitless waits that is noted. A round then waits for others nearby once in 64 times.
const MAX_FAILURES: u32 = 6;

/// The requests in the open round, and an estimate of how many it can expect.
///
/// Requests whose keys were sent together get their values together. So they load again at about the same time, each
/// in its next step, and their clients return at about the same time. A round that waits for as many requests as the
/// rounds before had keeps them together, and nearly always knows when all of them are there.
///
/// Requests that come while others are in flight could have been sent with these, so a round sometimes waits for as
/// many as there are nearby. That takes longer, but once they have met they stay together. If they do not meet, rounds
/// do so less often; and not in a fixed pattern, since two groups that always waited for each other would come no
/// closer.
#[derive(Debug, Default)]
pub(crate) struct Crowd {
    /// Requests in the open round.
    present: usize,
    /// Requests of a round, as far as is known from the rounds before.
    usual: usize,
    /// Requests in the round before.
    before: usize,
    /// These, and the requests that have come while a part was in flight.
    nearby: usize,
    /// Fruitless waits for those nearby, less twice the others.
    failures: u32,
    /// State of a generator of pseudo-random numbers.
    random: u32,
}

impl Crowd {
    /// Adds a request to the open round. `in_flight` says whether a part is in flight, `idle` for how long none was,
    /// `usual` the time in which requests return.
    pub(crate) fn add(&mut self, in_flight: bool, idle: Time, usual: Time) {
        self.present += 1;
        if in_flight {
            self.nearby = self.nearby.max(self.before).saturating_add(1);
        } else if self.present == 1 && idle > usual.saturating_mul(IDLE) {
            let Self { failures, random, .. } = *self;
            *self = Self { present: 1, failures, random, ..Self::default() };
        }
    }

    /// Returns whether the open round has all requests that it can expect.
    pub(crate) fn is_complete(&self) -> bool {
        self.present >= self.usual && !self.waits_for_nearby()
    }

    /// Returns the time for which the first key of the open round waits for other requests.
    pub(crate) fn patience(&self, settings: &Settings, typical_time: Time) -> Time {
        let hold = settings.hold;
        if self.waits_for_nearby() {
            // Those in flight come in their next steps.
            hold.saturating_add(typical_time.min(hold).saturating_mul(2))
        } else {
            hold
        }
    }

    /// Notes that the open round is sent. `is_late` says that it has waited for others in vain.
    pub(crate) fn send(&mut self, is_late: bool) {
        if is_late && self.waits_for_nearby() {
            self.failures = MAX_FAILURES.min(self.failures + 1);
        } else if self.nearby > self.usual && self.present >= self.nearby {
            self.failures = self.failures.saturating_sub(2);
        }
        if is_late {
            self.usual -= self.usual.saturating_sub(self.present).div_ceil(4);
        }
        self.usual = self.usual.max(self.present);
        self.before = self.present;
        self.nearby = 0;
        self.random = self.random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        self.present = 0;
    }

    /// Notes that nobody waits for the open round any more.
    pub(crate) fn leave(&mut self) {
        self.present = 0;
    }

    fn waits_for_nearby(&self) -> bool {
        let is_willing = || (self.random >> 16).trailing_zeros() >= self.failures;
        self.nearby > self.usual && self.present < self.nearby && is_willing()
    }
}
