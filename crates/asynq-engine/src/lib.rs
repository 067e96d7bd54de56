//! The scheduler of asynq as a pure state machine.
//!
//! Tasks run until every one of them is blocked; only then one batch of the keys they asked for
//! is flushed. The engine decides *what happens next*; its driver makes it happen. It does no I/O, has
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
//! 3. **Loop** over [`next`](Engine::next), which answers with a [`Step`]. If some task can always run,
//!    [`next_flush`](Engine::next_flush) comes in between.
//! 4. **Answer** [`Step::Run`]: [`depend`](Engine::depend) for each thing the task awaits, then
//!    [`block`](Engine::block), or [`complete`](Engine::complete) when it has ended. While it runs
//!    it may enter and leave contexts ([`enter_context`](Engine::enter_context),
//!    [`leave_context`](Engine::leave_context)), and go to and fro between those it has entered
//!    ([`set_scope`](Engine::set_scope), [`switch`](Engine::switch)).
//! 5. **Answer** [`Step::Priority`] by [`set_priority`](Engine::set_priority), and
//!    [`Step::Flush`] by [`complete_item`](Engine::complete_item) for each item and [`close`](Engine::close) in the
//!    end, or by [`defer`](Engine::defer) if the values come later.
//! 6. **From outside**, at any time: [`complete`](Engine::complete) a promise or cancel a task,
//!    [`close`](Engine::close) a batch in flight, [`begin_flush`](Engine::begin_flush) of one out
//!    of turn ([`enter_flush`](Engine::enter_flush), [`leave_flush`](Engine::leave_flush)), [`wake`](Engine::wake) a task that waits for something the engine does not know,
//!    [`need`](Engine::need) the things such a task waits for, [`interrupt`](Engine::interrupt) a
//!    task that must fail, [`abandon`](Engine::abandon) a call.
//! 7. **Look**: payloads, states, active contexts, and the [`Event`]s.
//!
//! ```
//! use asynq_engine::{Engine, Host, PriorityRule, Step, Until};
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
//! let squares = engine.add_batch(vec![2, 3, 4], PriorityRule::BySize);
//! let items: Vec<_> = (0..3).map(|_| engine.add_item(squares).unwrap()).collect();
//! let root = engine.add_task(vec![]);
//!
//! let mut values = vec![];   // the items' values, once the batch was flushed
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
//!         Step::Priority(_) => unreachable!("its batch goes by size"),
//!         Step::Wait => unreachable!("nothing is in flight"),
//!         Step::Deadlock(report) => panic!("{report:?}"),
//!     }
//! }
//! engine.exit();
//!
//! assert_eq!((sum, flushes), (Some(29), 1));
//! ```
//!
//! # The contract
//!
//! ## Rounds
//!
//! Everything runnable runs first. Only when nothing is runnable is a batch flushed: the one of
//! highest [`Priority`], and among equals the one opened first. The priority of a batch is the
//! number of its items ([`PriorityRule::BySize`]), or the front end gives it, before each choice
//! ([`PriorityRule::Ask`]) or after the batch has grown ([`PriorityRule::AskWhenGrown`]). A batch takes items until its flush begins. A batch in flight does not
//! hold back others: when nothing is runnable, the next batch is flushed, and [`Step::Wait`] comes
//! only when there is none.
//!
//! The engine has no clock and no randomness: the same calls give the same steps, always.
//!
//! ## Order
//!
//! The dependencies of a task start in the order given, depth first. Tasks that were woken by
//! completions go before those that are ready already, in the order in which they began to wait.
//! Tasks that are woken from outside ([`wake`](Engine::wake), [`interrupt`](Engine::interrupt)) go
//! after those that are ready, so that a task that wakes itself does not starve the others.
//!
//! ## Joins
//!
//! A task goes on when everything it depends on is computed ([`Until::All`]), or the first of it
//! ([`Until::Any`]). The engine does not know errors: a dependency that failed is computed. So the
//! other dependencies of a join run to their end, and the front end picks the error that its task
//! receives. A task that goes on after the first of several things leaves the others running; they
//! end on their own if the call still drives them.
//!
//! ## Cost
//!
//! Work is proportional to tasks and edges, whatever the number of rounds: a blocked task is not
//! looked at again before it can go on. Nothing recurses: a chain of a million tasks takes constant
//! native stack.
//!
//! ## Calls
//!
//! Any task may call another synchronously, to any depth: [`enter`](Engine::enter) begins a *frame*.
//! A frame drives what its root needs: the root, the things the root waits for, the things these
//! wait for, and so on, even if an outer call had scheduled them before. It never runs an
//! unrelated task. A batch that it flushes takes along the items of everybody. When several frames
//! need a task or batch, the innermost drives it. When a frame ends, the things it leaves behind
//! (because the root failed, or waited for the first of several) belong to the frame it was called
//! from, if there is one. Otherwise they rest: a later call drives them only if it needs them,
//! and [`take_rest`](Engine::take_rest) takes them out.
//!
//! ## Contexts
//!
//! A context is active exactly while the task that entered it runs, or a task that this one
//! awaits. A task inherits the contexts of the first task that depends on it (or calls it), as they
//! are at that moment; together with the contexts it enters itself, they are its *chain*. Two
//! tasks that run one after the other pause and resume only the contexts in which their chains
//! differ: the innermost is paused first and the outermost resumed first. Each pause is paired with
//! one resume, unless the context is left.
//!
//! A call begins and ends under the contexts of its caller. What it drives runs under its own
//! chain, never under those of a caller whose task it is not: a call pauses them for a task that
//! somebody else has asked for. While the driver waits, exactly the contexts of the caller are
//! active. A context that cannot be paused or resumed fails its own task and nothing else.
//!
//! During a flush, the contexts are those common to everybody who waits for it, and nobody's in
//! particular, because its values may be for several requests:
//!
//! - Somebody *waits* for a batch who has asked for an item of it, or depends on one, or depends on a
//!   task that does, or calls such a task. So does code that flushes the batch out of turn, and so
//!   does code of no task, except that code which has only asked for an item, outside of contexts,
//!   does not unless the root of the outermost call is a promise. Those count as well who have ceased
//!   to wait. If the front end [does not know](Engine::add_for_others) who has asked for an item that
//!   nobody waits for, nothing is common.
//! - A context is *common* if everybody waits under it. If a task is awaited by tasks under other
//!   contexts than it has inherited, then what it waits for is waited for under those contexts that
//!   all of them have in common.
//! - Contexts nest. So the flush is under the longest chain of common contexts: it begins with the
//!   outermost, and ends before the first that is not common, or that the front end
//!   [keeps out of flushes](Engine::keep_out_of_flushes).
//! - A task that goes on with the flush inherits these contexts. Who begins to wait for the batch later
//!   does not change them, and counts for what that task waits for.
//!
//! A front end may [limit](Engine::limit_to_call) the flush of a batch further, to contexts that were
//! active around the call which drives it.
//!
//! ## Deadlocks
//!
//! Nothing waits for ever. When no task is ready, no batch can be flushed and nothing outside could
//! set a task going, [`Step::Deadlock`] reports all tasks that are stuck, with what each waits for.
//! In the outermost call it makes those fail that wait for something nobody will complete; if there
//! are none, those that close a circle of waits. The tasks that wait for them then get their
//! errors in the ordinary way. In a nested call, a stuck task may still go on after the call
//! returned: there the call fails, and the tasks stay blocked.
//!
//! # Ids
//!
//! An engine belongs to one thread at a time. Ids that have ended are harmless: they find nothing,
//! and count as computed. Ids of another engine are not detected.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

// Ids and nodes.
mod batch;
mod deadlock;
mod dependency;
mod event;
mod host;
mod id;
mod spare;
mod step;
mod task;
mod waiter;

// Collections of them.
mod context;
mod flush_queue;
mod frame;
mod items;
mod ready;
mod woken;

// The engine.
mod engine;

// Its operations. A file uses those above it.
mod status;

mod claim;
mod wake;

mod deadlock_search;
mod flush;
mod flush_scope;
mod scope;
mod wait;

mod call;
mod inline;
mod next;

pub use batch::PriorityRule;
pub use deadlock::Deadlock;
pub use dependency::Dependency;
pub use engine::Engine;
pub use event::Event;
pub use flush::Place;
pub use host::{Host, Priority};
pub use id::{BatchId, ContextId, ItemId, TaskId};
pub use status::Status;
pub use step::Step;
pub use task::Until;
