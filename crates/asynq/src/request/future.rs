//! The future of a request.

use std::fmt;
use std::future::{Future, IntoFuture, poll_fn};
use std::mem;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use pin_project_lite::pin_project;

use super::current::{self, Shelf, State};
use super::executor::Executor;
use super::waker::RequestWaker;
use crate::call_stack::Site;
use crate::recording::RecordedRequest;
use crate::scheduler::{self, Scheduler};
use crate::task::on_stack;

/// Runs `future` as one request: the keys that it loads are sent together, when none of its code can run.
///
/// This is for handlers of servers: the future runs where it is polled, so the spans, task-locals and borrows of
/// the handler are there, and it is `Send` if `future` is. It may join others in any way (`join_all`, `join!`,
/// [`all`](crate::all), the resolvers of async-graphql), which all load in the same rounds. Requests share the rounds
/// of their loaders, whatever thread they run on. A future of tokio that has used up the budget of its task
/// does not split a round.
///
/// A [`Loader`](crate::Loader) with [`cache_per_request`](crate::Loader::cache_per_request) caches its values in the
/// request. [`with_context`](crate::with_context) works inside: the context is active while its future is polled.
///
/// Code that spawns tasks loads outside of the request; a request in each of them does the same for these.
///
/// ```
/// use std::sync::LazyLock;
/// use asynq::{Loader, all, request};
///
/// static NAME: LazyLock<Loader<u32, String>> = LazyLock::new(|| {
///     Loader::new(|ids: Vec<u32>| {
///         assert_eq!(ids, [1, 2, 3]);           // one statement
///         ids.into_iter().map(|id| format!("user {id}")).collect::<Vec<_>>()
///     })
/// });
///
/// async fn greeting(id: u32) -> String {
///     format!("Hello, {}!", NAME.load(id).await.unwrap())
/// }
///
/// let greetings = futures::future::join_all([1, 2, 3].map(greeting));
/// assert_eq!(futures::executor::block_on(request(greetings))[2], "Hello, user 3!");
/// ```
#[track_caller]
pub fn request<F: IntoFuture>(future: F) -> Request<F::IntoFuture> {
    let at = Location::caller();
    with(future, at, RecordedRequest::new(at), Executor::Unknown)
}

/// Runs the future of a job as a request that recordings do not show.
#[track_caller]
pub(crate) fn unrecorded_request<F: IntoFuture>(future: F) -> Request<F::IntoFuture> {
    with(future, Location::caller(), RecordedRequest::NONE, Executor::GoesOn)
}

fn with<F: IntoFuture>(
    future: F,
    at: &'static Location<'static>,
    recorded: RecordedRequest,
    executor: Executor,
) -> Request<F::IntoFuture> {
    Request {
        at,
        recorded,
        executor,
        future: future.into_future(),
        state: State::default(),
        waker: None,
        shelf: Arc::default(),
    }
}

pin_project! {
    /// The future of [`request`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct Request<F> {
        #[pin]
        future: F,
        state: State,
        recorded: RecordedRequest,
        executor: Executor,
        at: &'static Location<'static>,
        // Made when it is first polled, with the same allocation as a `Waker`.
        waker: Option<(Arc<RequestWaker>, Waker)>,
        shelf: Arc<Shelf>,
    }
}

impl<F: Future> Future for Request<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        if scheduler::with(Scheduler::is_polling) {
            // The scheduler knows what else can run.
            let this = self.project();
            if let Some((waker, _)) = this.waker {
                waker.pass(cx.waker());
            }
            return this.future.poll(cx);
        }
        let this = self.project();
        let (waker, as_waker) = this.waker.get_or_insert_with(|| {
            let waker = RequestWaker::new();
            (Arc::clone(&waker), Waker::from(waker))
        });
        let mut future = this.future;
        let mut is_woken = waker.begin(cx.waker());
        let mut is_waking = false;
        let mut is_asked;
        loop {
            if is_woken {
                let poll = || future.as_mut().poll(&mut Context::from_waker(as_waker));
                let poll = || scheduler::without_budget(poll);
                this.recorded.begin_poll();
                let polled = current::poll(this.state, this.shelf, waker, poll);
                this.recorded.end_poll(polled.is_ready());
                if polled.is_ready() {
                    return polled;
                }
            }
            is_asked = this.executor.is_asked();
            if is_asked {
                break;
            }
            if matches!(this.executor, Executor::Holds) {
                return Poll::Ready(run_here(future, this.state, this.shelf, waker, this.at));
            }
            if this.state.touched.is_empty() {
                break;
            }
            // Asked first: those that have been woken by then have woken the request.
            is_waking = this.state.touched.watch_waking(cx.waker());
            if is_waking || waker.is_woken() {
                break;
            }
            this.state.touched.turn();
            is_woken = waker.is_woken();
            if !is_woken {
                break;
            }
            // A function that is not async has answered.
            waker.begin_again();
        }
        if !is_waking && !waker.is_woken() {
            if is_asked || this.executor.ask(cx.waker()) {
                cx.waker().wake_by_ref();
            } else if !this.state.touched.is_empty() {
                // Polled again when the executor has polled everything else.
                scheduler::wake_after_turn(cx);
            }
        }
        waker.end();
        Poll::Pending
    }
}

/// Runs the code of a request to its end as a synchronous call does, since its executor holds the thread anyway.
#[cold]
fn run_here<F: Future>(
    mut future: Pin<&mut F>,
    state: &mut State,
    shelf: &Arc<Shelf>,
    waker: &Arc<RequestWaker>,
    at: &'static Location<'static>,
) -> F::Output {
    static BLOCKED: Site = Site::made("`block_on` of a request");
    // The scheduler knows nothing of the loads that wait by wakers.
    mem::take(&mut state.touched).wake();
    let mut output = None;
    let code = poll_fn(|cx| {
        waker.pass(cx.waker());
        let poll = || future.as_mut().poll(cx);
        current::poll(state, shelf, waker, poll).map(|value| output = Some(value))
    });
    on_stack::call(&BLOCKED, at, code).unwrap_or_else(|error| scheduler::throw(error));
    output.expect("the call has ended with it")
}

impl<F> fmt::Debug for Request<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request").finish_non_exhaustive()
    }
}
