//! The loaders of asynq as a pure state machine.
//!
//! A loader turns a function of many keys into a function of one key. The [`Loader`] decides which
//! round a load joins, what is asked once, when a round is sent, in which parts and under which
//! permits, and what an answer means; its face makes it happen. It does no I/O, has no clock, starts no
//! thread, and needs no `std`. It does not know keys either, because hashing and comparing them runs
//! code of users: a face keeps the slot of each key ([`SlotId`]), and the values and errors.
//!
//! # Driving it
//!
//! 1. **Load**: [`load`](Loader::load) a new key; [`join`](Loader::join) the slot of a key that has
//!    one; [`load_cached`](Loader::load_cached) a key with a cached value. [`cancel`](Loader::cancel)
//!    a load that nobody waits for, and [`clear`](Loader::clear) a key.
//! 2. **Send**: say when nothing else can run, by [`round_ready`](Loader::round_ready) and
//!    [`cached_ready`](Loader::cached_ready). Get the permits of each part that the loader asks for
//!    ([`Output::Claim`]), from [`Permits`]; then [`permit`](Loader::permit) says whether to call the
//!    batch function, and [`slots_of`](Loader::slots_of) with which keys. If that takes time,
//!    [`called`](Loader::called) says when it was called.
//! 3. **Answer**: [`answered`](Loader::answered) for each value or error, then
//!    [`ended`](Loader::ended). Release the permits.
//! 4. **Deadlines**: [`late`](Loader::late) at the [`deadline`](Loader::deadline) of a part, and
//!    [`round_late`](Loader::round_late) at the [`round_deadline`](Loader::round_deadline).
//! 5. **Look**: counts, and the state of slots and parts.
//!
//! After each call, [`next_output`](Loader::next_output) has the actions for the face.
//!
//! ```
//! use asynq_loader::{Loader, Output, Settings};
//!
//! let mut loader = Loader::new(Settings { max_batch_size: 2, ..Settings::default() });
//! let slots = [0; 3].map(|now| loader.load(now));
//! loader.round_ready(0);
//!
//! let mut calls = Vec::new();
//! while let Some(output) = loader.next_output() {
//!     // This face has no limits.
//!     if let Output::Claim(part) = output && loader.permit(part, 0) {
//!         calls.push((part, loader.slots_of(part).unwrap().to_vec()));
//!     }
//! }
//! assert_eq!(calls[0].1, slots[..2]);
//! assert_eq!(calls[1].1, slots[2..]);
//!
//! let (part, _) = calls[0];
//! assert_eq!(loader.answered(part, 0).unwrap().slot, slots[0]);
//! assert!(loader.answered(part, 0).is_none(), "it has its answer");
//! assert_eq!(loader.ended(part, 5).unwrap().unanswered, slots[1..2]);
//! ```
//!
//! # The contract
//!
//! ## Rounds
//!
//! The keys that were not sent are the *round* of the loader. A round collects until it can be sent:
//! it is ready when nothing else can run, and stays open while it waits for a permit. So the busier the
//! store, the larger the batches. It then takes all keys that were loaded by that time, in parts of at
//! most `max_batch_size` keys, in the order in which they were loaded. With a `hold`, it also stays
//! open for that time after its first key, unless it fills a part before.
//!
//! If other requests load as well (a server), nobody knows that nothing else can run. There a round has
//! *settled* when some turns of the executor have brought no new key ([`turn`](Loader::turn)), and stays open
//! while the store is busy, or while it can expect further requests ([`round_settled`](Loader::round_settled)).
//!
//! On hosts where keys may keep coming (`max_delay`), a round is sent at the latest when it fills a
//! part, or when its first key has waited so long, whatever else can run.
//!
//! ## Keys
//!
//! A key is sent once, as long as it is pending: loads share its slot. A key that nobody waits for any
//! more is not sent, and a part that nobody waits for is cancelled; as long as somebody waits for
//! another key of the part, the answer can still be shared. (`sends_unawaited` is for keys that are
//! writes.) A batch function that loads a key it was called for would wait for itself, which
//! [`Join::SelfWait`] reports.
//!
//! A cached key resolves together with the keys that are sent in the same step, when the last part
//! with one of them has ended, so that caching splits no later batch. If nobody in that step waits for
//! keys that are sent, it resolves at once, and nothing is sent because of it.
//!
//! Clearing or priming a key that was sent detaches its slot: later loads ask anew, and the answer is
//! not cached. Before it is sent, neither has an effect on the slot, whose value will be newer.
//!
//! ## Answers
//!
//! Each slot gets one answer: the first. An answer to a part that has ended, to a slot that has one or
//! is late, or with an index that the part does not have, is dropped. When a part has ended, each slot
//! without an answer gets the error of the part.
//!
//! ## Deadlines
//!
//! The deadline of a key begins when its round is ready, so it covers the wait for permits and the
//! time for which the round is held. Keys that are late fail, sent or not; a part is cancelled when the
//! last of its keys is late.
//!
//! ## Permits
//!
//! See [`Permits`]. No limit can stop the parts that it limits: a part whose function waits for
//! another part lends its permits.
//!
//! ## Statistics
//!
//! A part counts when it is sent, whatever becomes of it. Its time is the time of the call, without the
//! wait for permits, hooks and threads.
//!
//! ## Cost
//!
//! Each call takes constant time, apart from what it returns; nothing is allocated for a key once the
//! tables have grown. A slot is free as soon as it has its answer.
//!
//! # Ids
//!
//! A loader belongs to one thread at a time. Ids that have ended are harmless: they find nothing. Ids
//! of another loader are not detected.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

// Ids and nodes.
mod crowd;
mod id;
mod output;
mod part;
mod settings;
mod settle;
mod slot;
mod stats;

// Collections of them.
mod queue;
mod riders;

// The loader, and its operations.
mod answer;
mod load;
mod loader;
mod send;

// The limits that loaders share.
mod permits;

pub use answer::{Answered, Ended};
pub use id::{ClaimId, LimitId, PartId, SlotId};
pub use load::Join;
pub use loader::Loader;
pub use output::Output;
pub use permits::Permits;
pub use settings::{Busy, Settings, Time};
pub use settle::Settle;
pub use stats::Stats;
