//! Items that the tests share: a log, and sources and contexts that write into it.

use std::any::Any;
use std::cell::RefCell;
use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use asynq::{AsyncContext, AsyncTask, Batch, FutureBase, Items, Source};

/// Record of what happened, one line for each event.
#[derive(Clone, Default)]
pub(crate) struct Log(Rc<RefCell<String>>);

impl Log {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn add(&self, line: impl Display) {
        use std::fmt::Write;
        writeln!(self.0.borrow_mut(), "{line}").unwrap();
    }

    /// All lines since the last call.
    pub(crate) fn take(&self) -> String {
        self.0.take()
    }
}

/// A source of numbers that writes its flushes into a log; the value of a key is ten times the key.
pub(crate) struct Store {
    pub(crate) name: &'static str,
    pub(crate) log: Log,
    pub(crate) priority: i64,
}

impl Batch for Store {
    type Key = u32;
    type Value = u32;
    type Flush = ();

    fn flush(self: Rc<Self>, items: Items<Self>) {
        self.log.add(format_args!("flush {} {:?}", self.name, items.keys()));
        items.set_values(|key| Some(key * 10));
    }

    fn name(&self) -> String {
        self.name.to_owned()
    }

    fn priority(&self) -> i64 {
        self.priority
    }
}

pub(crate) fn store(log: &Log, name: &'static str) -> Source<Store> {
    store_with_priority(log, name, 0)
}

pub(crate) fn store_with_priority(log: &Log, name: &'static str, priority: i64) -> Source<Store> {
    Source::new(Store { name, log: log.clone(), priority })
}

/// A source whose flush is a closure.
pub(crate) struct By<F: asynq::Flush> {
    name: &'static str,
    flush: Box<dyn Fn(Items<Self>) -> F>,
}

impl<F: asynq::Flush> Batch for By<F> {
    type Key = u32;
    type Value = u32;
    type Flush = F;

    fn flush(self: Rc<Self>, items: Items<Self>) -> F {
        (self.flush)(items)
    }

    fn name(&self) -> String {
        self.name.to_owned()
    }
}

#[track_caller]
pub(crate) fn source<F: asynq::Flush>(
    name: &'static str,
    flush: impl Fn(Items<By<F>>) -> F + 'static,
) -> Source<By<F>> {
    Source::new(By { name, flush: Box::new(flush) })
}

/// The flush that goes on after it returned.
pub(crate) type Later<T = ()> = Pin<Box<dyn Future<Output = T>>>;

/// A context that writes its pauses and resumes into a log.
pub(crate) struct Traced {
    name: &'static str,
    log: Log,
}

impl AsyncContext for Traced {
    fn resume(&self) {
        self.log.add(format_args!("resume {}", self.name));
    }

    fn pause(&self) {
        self.log.add(format_args!("pause {}", self.name));
    }
}

pub(crate) fn traced(log: &Log, name: &'static str) -> Traced {
    Traced { name, log: log.clone() }
}

/// A task that writes its start and its end into a log; between them it awaits one item.
pub(crate) fn logged(
    log: &Log,
    name: &'static str,
    item: asynq::BatchItem<Store>,
) -> AsyncTask<u32> {
    let log = log.clone();
    AsyncTask::new(async move {
        log.add(format_args!("{name} starts"));
        let value = item.await.unwrap();
        log.add(format_args!("{name} gets {value}"));
        value
    })
}

/// A task that waits for some rounds.
pub(crate) fn later(rounds: usize) -> AsyncTask<usize> {
    AsyncTask::new(async move {
        for _ in 0..rounds {
            asynq::debug::sync().await;
        }
        rounds
    })
}

/// Lets other tasks run: wakes its own task, and is ready at the next poll.
pub(crate) async fn yield_now() {
    let mut yielded = false;
    std::future::poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// A task that is given a handle to itself.
pub(crate) fn knowing_itself<T, F, R>(run: F) -> AsyncTask<T>
where
    T: Clone + 'static,
    F: FnOnce(AsyncTask<T>) -> R + 'static,
    R: Future<Output = T> + 'static,
{
    let this: Rc<RefCell<Option<AsyncTask<T>>>> = Rc::default();
    let task = {
        let this = Rc::clone(&this);
        AsyncTask::new(async move {
            let this = this.take().expect("set before it starts");
            run(this).await
        })
    };
    this.replace(Some(task.clone()));
    task
}

/// Polls a future once, as a combinator would that then turns to something else.
pub(crate) async fn poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    std::future::poll_fn(|cx| Poll::Ready(Pin::new(&mut *future).poll(cx))).await
}

/// Polls a future outside of any task.
pub(crate) fn poll_outside<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}

/// Returns the payload of the panic of `f`.
pub(crate) fn panic_of<R>(f: impl FnOnce() -> R) -> Box<dyn Any + Send> {
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(_) => panic!("it did not panic"),
        Err(payload) => payload,
    }
}

/// Returns the message of the panic of `f`.
pub(crate) fn message_of<R>(f: impl FnOnce() -> R) -> String {
    match panic_of(f).downcast::<String>() {
        Ok(message) => *message,
        Err(payload) => (*payload.downcast_ref::<&str>().expect("a text")).to_owned(),
    }
}

/// A text that names places in the source, without the line numbers.
pub(crate) fn without_lines(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        match line.split_once(".rs:") {
            Some((before, after)) => {
                let rest = after.trim_start_matches(|c: char| c.is_ascii_digit() || c == ':');
                out.extend([before, ".rs", rest]);
            }
            None => out.push_str(line),
        }
        out.push('\n');
    }
    out
}

/// Runs a task and a flush, to see that the scheduler of this thread is in order.
#[track_caller]
pub(crate) fn assert_usable() {
    let log = Log::new();
    let numbers = store(&log, "numbers");
    let task = {
        let numbers = numbers.clone();
        AsyncTask::new(
            async move { numbers.item(1).await.unwrap() + numbers.item(2).value().unwrap() },
        )
    };
    assert_eq!(task.value(), 30);
    assert_eq!(log.take(), "flush numbers [1]\nflush numbers [2]\n");
    assert!(asynq::debug::format_asynq_stack().is_none(), "no task runs any more");
}
