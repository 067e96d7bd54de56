//! The settings of a recording, and its share of the calls.

use crate::keys::Keys;

/// Settings of a recording.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Maximum number of events that are kept. Each one more drops the oldest.
    pub capacity: usize,
    /// Share of the outermost calls that are recorded, from 0 to 1.
    pub sampling: f64,
    /// Form in which the recording shows keys.
    pub keys: Keys,
    /// `python` or `rust`.
    pub language: String,
    /// Name of the program.
    pub program: String,
    /// Unix time of the beginning, in milliseconds.
    pub started: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            capacity: 1_000_000,
            sampling: 1.0,
            keys: Keys::default(),
            language: String::new(),
            program: String::new(),
            started: 0,
        }
    }
}

/// Chooses the outermost calls that are recorded: evenly, beginning with the first.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sampler {
    sampling: f64,
    /// Calls that were seen, as shares: one is recorded whenever the sum reaches 1.
    share: f64,
}

impl Sampler {
    /// Creates a sampler that records this share of the calls, from 0 to 1.
    #[must_use]
    pub fn new(sampling: f64) -> Self {
        let sampling = sampling.clamp(0.0, 1.0);
        // The first call is recorded, however small the share.
        Self { sampling, share: if sampling > 0.0 { 1.0 - sampling } else { 0.0 } }
    }

    /// Returns whether the call that begins now is to be recorded.
    pub fn samples(&mut self) -> bool {
        self.share += self.sampling;
        let samples = self.share >= 1.0;
        if samples {
            self.share -= 1.0;
        }
        samples
    }
}
