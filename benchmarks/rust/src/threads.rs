//! The fan-out on tokio's runtime with two threads, for those whose futures are `Send`.

use std::future::Future;
use std::sync::Arc;

use futures::future::join_all;
use tokio::runtime::{Builder, Runtime};
use tokio::task::unconstrained;

use crate::peers::{Peer, Program};
use crate::programs::{SendLoads, fan_out, name_of_author};
use crate::record::Results;
use crate::rounds;
use crate::store;
use crate::workload::Workload;

const SIZE: usize = 10_000;
const WORKLOAD: Workload = Workload::FanOut(SIZE);

/// How the tasks of a request lie on the threads.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spread {
    /// One task of the runtime awaits all of them.
    Together,
    /// Each is a task of the runtime.
    Apart,
}

pub(crate) fn measure(peers: &[&'static Peer], quick: bool) -> Vec<Results> {
    let measure = |spread: Spread| {
        let programs: Vec<_> =
            peers.iter().filter_map(|&peer| Some((peer, peer.on_threads?(spread)))).collect();
        if programs.is_empty() {
            return None;
        }
        let title = format!("{}, {}", WORKLOAD.title(), spread.title());
        let mut results = rounds::measure(title, WORKLOAD, programs, quick);
        spread.about().clone_into(&mut results.about);
        Some(results)
    };
    [Spread::Together, Spread::Apart].into_iter().filter_map(measure).collect()
}

impl Spread {
    fn title(self) -> &'static str {
        match self {
            Self::Together => "in one task",
            Self::Apart => "a task each",
        }
    }

    fn about(self) -> &'static str {
        match self {
            Self::Together => {
                "The fan-out on tokio's multi-thread runtime with two workers, in one task of it."
            }
            Self::Apart => {
                "Likewise, and each of the functions is spawned as a task of its own, so that both \
                 threads have work."
            }
        }
    }
}

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}

/// The program of a peer.
pub(crate) fn program<L: SendLoads>(spread: Spread) -> Program {
    let runtime = runtime();
    let kept = (!L::CACHES).then(|| {
        let _inside = runtime.enter();
        Arc::new(L::new(WORKLOAD.tables()))
    });
    Box::new(move || {
        let kept = kept.clone();
        let request = async move {
            let loads = kept.unwrap_or_else(|| Arc::new(L::new(WORKLOAD.tables())));
            match spread {
                Spread::Together => unconstrained(fan_out(&*loads, SIZE)).await,
                Spread::Apart => {
                    join_all(store::answers(SIZE).map(|answer| spawned(&loads, answer))).await
                }
            }
        };
        runtime.block_on(runtime.spawn(request)).expect("no panic")
    })
}

fn spawned<L: SendLoads>(loads: &Arc<L>, answer: u64) -> impl Future<Output = u64> + Send + use<L> {
    let loads = Arc::clone(loads);
    let task = tokio::spawn(async move { name_of_author(&*loads, answer).await });
    async { task.await.expect("no panic") }
}
