//! The place where a loader calls functions.

/// Place where a function is called.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Calls {
    /// Here, where it holds the thread, if it is not async.
    Here,
    /// In a job.
    InJobs,
    /// In a job that no runtime polls.
    InPlace,
}
