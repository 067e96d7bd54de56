//! Recordings: what the scheduler and the loaders tell of their steps, beside events.
//!
//! # Note: who tells what
//!
//! A recording of a thread listens to the events of its scheduler (`translator`). Keys, batches of loaders and places of
//! awaits are no events of the engine: `hooks` are called where these happen. `session` is the recording itself, which several
//! threads may share, and `program` the one of a whole program. Without the feature `explain`, the hooks do nothing (`no_recording.rs`).

pub(crate) mod answers;
mod code;
mod hooks;
mod program;
pub(crate) mod report;
mod session;
mod translator;

pub(crate) use self::hooks::{
    Asked, Origin, RecordedRequest, add_item, answered, asked, attach, awaited, is_on, join_load,
    loaded, program_listener, sent, taken,
};
pub(crate) use self::session::Session;
