//! Several requests with contexts on one thread: none sees the contexts of another.
#![allow(clippy::needless_raw_string_hashes, reason = "as `expect_test` writes them")]

use std::rc::Rc;

use asynq::tools::AsyncTimer;
use asynq::{
    AsyncTask, FutureBase, Items, NonAsyncContext, ScopedValue, Source, all, call_with_context,
    debug, try_all, with_context,
};
use expect_test::expect;
use futures::channel::oneshot;
use futures::stream::{FuturesUnordered, StreamExt};

use crate::common::{By, Later, Log, assert_usable, poll_once, source};

/// Things that two requests share: a source, and the user for whom a request runs.
#[derive(Clone)]
struct World {
    log: Log,
    user: ScopedValue<&'static str>,
    rows: Source<By<()>>,
}

impl World {
    fn new() -> Self {
        let (log, user) = (Log::new(), ScopedValue::new("nobody"));
        let rows = {
            let (log, user) = (log.clone(), user.clone());
            source("rows", move |items: Items<By<()>>| {
                log.add(format_args!("flush {:?} as {}", items.keys(), user.get()));
                items.set_values(|&key| Some(key));
            })
        };
        Self { log, user, rows }
    }

    fn say(&self, what: &str) {
        self.log.add(format_args!("{what} as {}", self.user.get()));
    }

    /// A task of Bob, who has no context: it waits for a row.
    fn bobs(&self, key: u32) -> AsyncTask<()> {
        let this = self.clone();
        AsyncTask::new(async move {
            this.say("bob begins");
            this.rows.item(key).await.unwrap();
            this.say("bob goes on");
        })
    }

    fn admins<T: 'static>(&self, request: impl Future<Output = T> + 'static) -> AsyncTask<T> {
        AsyncTask::new(with_context(self.user.override_with("admin"), request))
    }
}

/// A channel whose value is sent by a thread, so that a wait for it is a real one.
fn from_outside() -> oneshot::Receiver<()> {
    let (sender, receiver) = oneshot::channel();
    std::thread::spawn(move || sender.send(()));
    receiver
}

#[test]
fn a_call_that_needs_a_task_of_another_request_runs_it_under_the_contexts_of_that() {
    let world = World::new();
    let shared = world.bobs(1);
    let admin = world.admins({
        let (world, shared) = (world.clone(), shared.clone());
        async move {
            shared.value();
            world.say("admin goes on");
        }
    });
    all((shared, admin)).value();
    expect![[r#"
        bob begins as nobody
        flush [1] as nobody
        bob goes on as nobody
        admin goes on as admin
    "#]]
    .assert_eq(&world.log.take());
}

#[test]
fn a_call_flushes_the_keys_of_two_requests_under_the_contexts_of_neither() {
    let world = World::new();
    let admin = world.admins({
        let world = world.clone();
        async move {
            world.rows.item(2).value().unwrap();
            world.say("admin goes on");
        }
    });
    all((world.bobs(1), admin)).value();
    expect![[r#"
        bob begins as nobody
        flush [1, 2] as nobody
        admin goes on as admin
        bob goes on as nobody
    "#]]
    .assert_eq(&world.log.take());
}

#[test]
fn a_key_that_another_request_does_not_wait_for_yet_counts() {
    let world = World::new();
    let bob = {
        let world = world.clone();
        AsyncTask::new(async move {
            let early = world.rows.item(1);
            debug::sync_in("bob").await;
            early.await.unwrap();
        })
    };
    let admin = world.admins({
        let world = world.clone();
        async move { world.rows.item(2).value().unwrap() }
    });
    all((bob, admin)).value();
    assert_eq!(world.log.take(), "flush [1, 2] as nobody\n");
}

#[test]
fn a_call_flushes_under_the_contexts_of_its_caller_if_all_who_wait_are_under_them() {
    let world = World::new();
    let admin = world.admins({
        let world = world.clone();
        async move { try_all([world.rows.item(1), world.rows.item(2)]).value().unwrap() }
    });
    assert_eq!(admin.value(), [1, 2]);
    assert_eq!(world.log.take(), "flush [1, 2] as admin\n");
}

#[test]
fn a_flush_of_the_outermost_call_sees_what_is_common_to_all_who_wait() {
    let world = World::new();
    let tenant = world.admins({
        let world = world.clone();
        async move {
            let own = with_context(world.user.override_with("auditor"), world.rows.item(1));
            all((AsyncTask::new(own), AsyncTask::new(world.rows.item(2)))).await
        }
    });
    drop(tenant.value());
    assert_eq!(world.log.take(), "flush [1, 2] as admin\n");
}

#[test]
fn a_flush_for_a_task_that_two_requests_share_runs_under_the_contexts_of_neither() {
    let world = World::new();
    let shared = AsyncTask::new({
        let world = world.clone();
        async move {
            world.rows.item(1).await.unwrap();
            world.rows.item(2).await.unwrap();
        }
    });
    let request = |user, shared: AsyncTask<()>| {
        AsyncTask::new(with_context(world.user.override_with(user), shared))
    };
    all([request("admin", shared.clone()), request("guest", shared)]).value();
    assert_eq!(world.log.take(), "flush [1] as nobody\nflush [2] as nobody\n");
}

#[test]
fn a_key_that_an_executor_has_not_polled_yet_counts() {
    let world = World::new();
    let others = source("others", |items: Items<By<()>>| items.set_values(|&key| Some(key)));
    let admin = world.admins({
        let world = world.clone();
        async move { world.rows.item(2).await.unwrap() }
    });
    let early = world.rows.item(1);
    futures::executor::block_on(async {
        drop(futures::join!(others.item(1), admin));
        early.await.unwrap();
    });
    assert_eq!(world.log.take(), "flush [1, 2] as nobody\n");
}

#[test]
fn a_timer_is_paused_in_a_flush_and_so_are_the_contexts_inside_it() {
    let world = World::new();
    let timed = with_context(
        AsyncTimer::new(),
        with_context(world.user.override_with("admin"), world.rows.item(1)),
    );
    AsyncTask::new(with_context(world.user.override_with("tenant"), timed)).value().unwrap();
    assert_eq!(world.log.take(), "flush [1] as tenant\n");
}

#[test]
fn a_flush_in_flight_of_two_requests_runs_under_the_contexts_of_neither() {
    let world = World::new();
    let remote = {
        let world = world.clone();
        source("remote", move |items| -> Later {
            let world = world.clone();
            Box::pin(async move {
                world.say("sends");
                debug::sync().await;
                world.say("receives");
                items.set_values(|&key| Some(key));
            })
        })
    };
    let bob = AsyncTask::new(remote.item(1));
    let admin = world.admins(async move { remote.item(2).value().unwrap() });
    drop(all((bob, admin)).value());
    assert_eq!(world.log.take(), "sends as nobody\nreceives as nobody\n");
}

#[test]
fn a_flush_out_of_turn_is_under_what_all_have_in_common() {
    let world = World::new();
    let admin = world.admins({
        let world = world.clone();
        async move {
            let own = world.rows.item(2);
            own.batch().flush();
            world.say("admin goes on");
            own.await.unwrap()
        }
    });
    all((world.bobs(1), admin)).value();
    expect![[r#"
        bob begins as nobody
        flush [1, 2] as nobody
        admin goes on as admin
        bob goes on as nobody
    "#]]
    .assert_eq(&world.log.take());
}

#[test]
fn a_call_that_waits_for_something_outside_runs_no_task_of_another_request() {
    let world = World::new();
    let bob = {
        let world = world.clone();
        AsyncTask::new(async move {
            let mut queue: FuturesUnordered<_> = (1..=3).map(|key| world.bobs(key)).collect();
            while queue.next().await.is_some() {}
        })
    };
    let admin = world.admins({
        let world = world.clone();
        async move {
            world.say("admin calls");
            AsyncTask::new(from_outside()).value().unwrap();
            world.say("admin has called");
        }
    });
    all((admin, bob)).value();
    expect![[r#"
        admin calls as admin
        admin has called as admin
        bob begins as nobody
        bob begins as nobody
        bob begins as nobody
        flush [1, 2, 3] as nobody
        bob goes on as nobody
        bob goes on as nobody
        bob goes on as nobody
    "#]]
    .assert_eq(&world.log.take());
}

#[test]
fn siblings_in_a_queue_that_each_wait_in_a_call_do_not_nest() {
    let task = AsyncTask::new(async {
        let siblings = (0..100).map(|_| {
            AsyncTask::new(async {
                debug::sync().await;
                AsyncTask::new(from_outside()).value().unwrap();
            })
        });
        siblings.collect::<FuturesUnordered<_>>().collect::<Vec<_>>().await.len()
    });
    let deepest = Rc::new(std::cell::Cell::new(0));
    let its = Rc::clone(&deepest);
    let _listening = debug::listen(move |event| {
        if let debug::Event::Called { depth, .. } = event {
            its.set(its.get().max(*depth));
        }
    });
    assert_eq!(task.value(), 100);
    assert!(deepest.get() <= 2, "{}", deepest.get());
}

#[test]
fn a_queue_that_was_polled_before_goes_on_in_a_call() {
    let world = World::new();
    let task = {
        let world = world.clone();
        AsyncTask::new(async move {
            let mut queue: FuturesUnordered<_> = (1..=3).map(|key| world.bobs(key)).collect();
            assert!(poll_once(&mut queue.next()).await.is_pending());
            AsyncTask::new(queue.collect::<Vec<_>>()).value().len()
        })
    };
    assert_eq!(task.value(), 3);
    assert!(world.log.take().contains("flush [1, 2, 3] as nobody"));
    assert_usable();
}

#[test]
fn a_plain_call_in_a_context_runs_a_task_of_another_request_under_its_own() {
    let world = World::new();
    let shared = world.bobs(1);
    let bob = {
        let mut shared = shared.clone();
        AsyncTask::new(async move {
            assert!(poll_once(&mut shared).await.is_pending());
            debug::sync().await;
        })
    };
    bob.value();
    call_with_context(world.user.override_with("admin"), || {
        shared.value();
        world.say("admin goes on");
    });
    expect![[r#"
        bob begins as nobody
        flush [1] as nobody
        bob goes on as nobody
        admin goes on as admin
    "#]]
    .assert_eq(&world.log.take());
}

#[test]
fn a_branch_of_a_join_reads_no_value_of_another() {
    let world = World::new();
    let task = {
        let world = world.clone();
        AsyncTask::new(async move {
            let admin = with_context(world.user.override_with("admin"), async {
                world.rows.item(1).await.unwrap();
                world.say("admin goes on");
            });
            futures::join!(admin, async { world.say("other") });
        })
    };
    task.value();
    expect![[r#"
        other as nobody
        flush [1] as admin
        admin goes on as admin
    "#]]
    .assert_eq(&world.log.take());
}

/// Found by the random programs: the task was thought to wait in the context of the other branch.
#[test]
fn a_branch_that_yields_goes_on_outside_of_the_context_of_another() {
    let world = World::new();
    let task = {
        let world = world.clone();
        AsyncTask::new(async move {
            let yields = async {
                yield_now().await;
                world.say("other");
            };
            let admin = with_context(world.user.override_with("admin"), world.rows.item(1));
            futures::join!(yields, admin).1.unwrap();
        })
    };
    task.value();
    assert_eq!(world.log.take(), "other as nobody\nflush [1] as nobody\n");
}

#[test]
fn a_lock_may_be_held_in_a_call_that_runs_a_task_of_another_request() {
    let world = World::new();
    let shared = world.bobs(1);
    let locks = {
        let shared = shared.clone();
        AsyncTask::new(async move {
            let _lock = NonAsyncContext::enter("the lock");
            shared.value();
        })
    };
    all((shared, locks)).value();
}

#[test]
fn a_task_that_wakes_itself_leaves_nothing_active_in_another_executor() {
    let world = World::new();
    let busy = world.admins({
        let world = world.clone();
        async move {
            for _ in 0..200 {
                yield_now().await;
            }
            world.user.get()
        }
    });
    let mut busy = Box::pin(busy);
    let seen = futures::executor::block_on(async {
        let mut seen = Vec::new();
        loop {
            let polled = futures::poll!(&mut busy);
            seen.push(world.user.get());
            if polled.is_ready() {
                return seen;
            }
            yield_now().await;
        }
    });
    assert!(seen.len() > 2, "it gave the executor its turn");
    assert!(seen.iter().all(|&user| user == "nobody"), "{seen:?}");
}

/// Waits until it is polled again.
fn yield_now() -> impl Future<Output = ()> {
    let mut polled = false;
    std::future::poll_fn(move |cx| {
        if std::mem::replace(&mut polled, true) {
            return std::task::Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        std::task::Poll::Pending
    })
}
