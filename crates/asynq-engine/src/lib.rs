//! The scheduler of asynq as a pure state machine.
//!
//! Tasks run until every one of them is blocked; only then one batch of what they asked for is
//! flushed. The engine decides *what happens next*; its driver makes it happen. It does no I/O, has
//! no clock, starts no thread, knows nothing of futures or of Python, and needs no `std`: tasks,
//! batches and contexts are values of the driver's own types ([`Host`]) that it keeps and hands
//! back.
//!
//! # Driving it
//!
//! The methods of [`Engine`] stand in the order in which a driver calls them:
//!
//! 1. **Add**: [`add_task`](Engine::add_task), [`add_promise`](Engine::add_promise),
//!    [`add_batch`](Engine::add_batch), [`add_item`](Engine::add_item).
//! 2. **Call**: [`enter`](Engine::enter), and at the end [`exit`](Engine::exit). Between them the
//!    engine drives what the called task needs. Calls nest to any depth.
//! 3. **Loop** over [`next`](Engine::next), which answers with a [`Step`].
//! 4. **Answer** [`Step::Run`]: [`depend`](Engine::depend) for each thing the task asks for, then
//!    [`block`](Engine::block), or [`complete`](Engine::complete) when it has ended. While it runs
//!    it may enter and leave contexts ([`enter_context`](Engine::enter_context),
//!    [`leave_context`](Engine::leave_context)), and go to and fro between those it has entered
//!    ([`set_scope`](Engine::set_scope), [`switch`](Engine::switch)).
//! 5. **Answer** [`Step::Rank`] by [`rank`](Engine::rank), and [`Step::Flush`] by
//!    [`complete_item`](Engine::complete_item) for each item and [`close`](Engine::close) in the
//!    end, or by [`defer`](Engine::defer) if the values come later.
//! 6. **From outside**, at any time: [`complete`](Engine::complete) a promise or cancel a task,
//!    [`close`](Engine::close) a batch in flight, [`begin_flush`](Engine::begin_flush) of one out
//!    of turn, [`wake`](Engine::wake) a task that waits for something the engine does not know,
//!    [`need`](Engine::need) what such a task waits for, [`interrupt`](Engine::interrupt) one that
//!    is to fail, [`abandon`](Engine::abandon) a call.
//! 7. **Look**: payloads, what is computed, what is active, and the [`Event`]s.
//!
//! ```
//! use asynq_engine::{Engine, Host, Ranking, Step, Until};
//!
//! /// The toy's tasks: add up the squares of some numbers, each squared by the same batch.
//! struct Toy;
//!
//! impl Host for Toy {
//!     type Task = Vec<u64>;
//!     type Batch = Vec<u64>;
//!     type Context = ();
//!     type Priority = (i64, usize);
//! }
//!
//! let mut engine = Engine::<Toy>::new();
//! let squares = engine.add_batch(vec![2, 3, 4], Ranking::BySize);
//! let items: Vec<_> = (0..3).map(|_| engine.add_item(squares).unwrap()).collect();
//! let root = engine.add_task(vec![]);
//!
//! let mut values = vec![];   // of the items, once the batch was flushed
//! let mut flushes = 0;
//! let mut sum = None;
//!
//! engine.enter(root);
//! loop {
//!     match engine.next() {
//!         Step::Run(task) if values.is_empty() => {
//!             assert_eq!(task, root);
//!             for &item in &items {
//!                 engine.depend(item);
//!             }
//!             engine.block(Until::All);
//!         }
//!         Step::Run(task) => {
//!             sum = Some(values.iter().sum::<u64>());
//!             engine.complete(task);
//!         }
//!         Step::Flush(batch) => {
//!             flushes += 1;
//!             values = engine.batch(batch).unwrap().iter().map(|key| key * key).collect();
//!             engine.close(batch);
//!         }
//!         Step::Done => break,
//!         Step::Pause(_) | Step::Resume(_) => unreachable!("the toy has no contexts"),
//!         Step::Rank(_) => unreachable!("its batch is ranked by size"),
//!         Step::Wait => unreachable!("nothing is in flight"),
//!         Step::Deadlock(report) => panic!("{report:?}"),
//!     }
//! }
//! engine.exit();
//!
//! assert_eq!((sum, flushes), (Some(29), 1));
//! ```
//!
//! # What it guarantees
//!
//! - Everything runnable runs first; then the batch of highest [`Priority`] is flushed, among
//!   equals the one opened first. The same calls give the same steps, always.
//! - What is awaited together starts in the order given, depth first. Tasks that were woken go on
//!   in the order in which they began to wait.
//! - Work is proportional to tasks and edges, whatever the number of rounds: a blocked task is not
//!   looked at before it can go on. No recursion, so a chain of a million tasks is nothing special.
//! - A synchronous call drives what the called task needs and nothing else.
//! - A context is active exactly while the task that entered it, or what that task awaits, runs.
//!   What several tasks await runs under the contexts of the one that asked first.
//! - Tasks that can never run are reported, with what each waits for.
//!
//! An engine belongs to one thread at a time. Ids that have ended are harmless: they find nothing,
//! and count as computed. Ids of another engine are not detected.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod agenda;
mod batch;
mod claim;
mod context;
mod deadlock;
mod dependency;
mod engine;
mod event;
mod flush;
mod frame;
mod host;
mod ready;
mod scope;
mod standing;
mod step;
mod task;
mod wait;
mod waiter;

pub use batch::{BatchId, ItemId, Ranking};
pub use context::ContextId;
pub use deadlock::Deadlock;
pub use dependency::Dependency;
pub use engine::Engine;
pub use event::Event;
pub use host::{Host, Priority};
pub use standing::Standing;
pub use step::Step;
pub use task::{TaskId, Until};
