//! The fan-out on tokio's runtime with two threads.

use std::future::Future;
use std::sync::Arc;

use futures::future::join_all;
use tokio::runtime::{Builder, Runtime};
use tokio::task::unconstrained;

use crate::peers::{Peer, Program};
use crate::programs::{Kept, SendLoads, fan_out, name_of_author};
use crate::record::Results;
use crate::rounds;
use crate::store;
use crate::workload::{REQUEST, REQUESTS, Workload};

pub(crate) const SIZE: usize = 10_000;

/// Distribution of the work over the threads.
#[derive(Clone, Copy)]
pub(crate) enum Spread {
    /// One task of the runtime awaits everything.
    Together,
    /// Each function is a task of the runtime.
    Apart,
    /// Each of many requests is one.
    Requests,
}

pub(crate) fn measure(peers: &[&'static Peer], quick: bool) -> Vec<Results> {
    let measure = |spread: Spread| {
        let programs: Vec<_> =
            peers.iter().filter_map(|&peer| Some((peer, (peer.on_threads)(spread)?))).collect();
        if programs.is_empty() {
            return None;
        }
        let title = spread.title();
        let mut results = rounds::measure(title, spread.workload(), programs, quick);
        spread.about().clone_into(&mut results.about);
        Some(results)
    };
    [Spread::Together, Spread::Apart, Spread::Requests].into_iter().filter_map(measure).collect()
}

impl Spread {
    fn workload(self) -> Workload {
        match self {
            Self::Together | Self::Apart => Workload::FanOut(SIZE),
            Self::Requests => Workload::Requests,
        }
    }

    fn title(self) -> String {
        let workload = self.workload().title();
        match self {
            Self::Together => format!("{workload}, in one task"),
            Self::Apart => format!("{workload}, a task each"),
            Self::Requests => workload,
        }
    }

    fn about(self) -> &'static str {
        match self {
            Self::Together => {
                "The fan-out on tokio's multi-thread runtime with two workers, in one task of it; \
                 with asynq in `spawn_pinned`, from one task of it."
            }
            Self::Apart => {
                "Likewise, and each of the functions is spawned as a task of its own, so that both \
                 threads have work. With asynq what shares batches stays on one thread."
            }
            Self::Requests => {
                "100 tasks of that runtime, each with a request for the names of the authors of 100 \
                 answers; with asynq each in `spawn_pinned`, on two threads. Requests may share \
                 batches, where sources live longer than a request."
            }
        }
    }
}

pub(crate) fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}

/// Runs it in a task of the runtime, not on the thread of the caller.
pub(crate) fn run<T: Send + 'static>(
    runtime: &Runtime,
    request: impl Future<Output = T> + Send + 'static,
) -> T {
    runtime.block_on(runtime.spawn(request)).expect("no panic")
}

/// The program of a peer.
pub(crate) fn program<L: SendLoads>(spread: Spread) -> Program {
    let runtime = runtime();
    let kept = {
        let _inside = runtime.enter();
        Kept::<L>::new(spread.workload().tables())
    };
    match spread {
        Spread::Together => Box::new(move || run(&runtime, request(kept.clone(), SIZE))),
        Spread::Apart => Box::new(move || run(&runtime, spawned(kept.clone()))),
        Spread::Requests => Box::new(move || {
            let requests = (0..REQUESTS).map(|_| request(kept.clone(), REQUEST)).collect();
            run(&runtime, apart(requests)).concat()
        }),
    }
}

/// Runs each of these requests in a task of its own.
pub(crate) async fn apart<T: Send + 'static>(
    requests: Vec<impl Future<Output = T> + Send + 'static>,
) -> Vec<T> {
    let tasks = join_all(requests.into_iter().map(tokio::spawn)).await;
    tasks.into_iter().map(|value| value.expect("no panic")).collect()
}

async fn request<L: SendLoads>(kept: Kept<L>, size: usize) -> Vec<u64> {
    let loads = kept.loads();
    unconstrained(fan_out(&*loads, size)).await
}

/// One request, each of whose functions is a task.
async fn spawned<L: SendLoads>(kept: Kept<L>) -> Vec<u64> {
    let loads = kept.loads();
    let name = |answer| {
        let loads = Arc::clone(&loads);
        async move { name_of_author(&*loads, answer).await }
    };
    apart(store::answers(SIZE).map(name).collect()).await
}
