//! Requests that are polled while another thread wakes their loads.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, ThreadId};

use asynq::{Loader, request};
use futures::FutureExt;
use futures::stream::{self, StreamExt};
use tokio::runtime::{Builder, Runtime};

type Batches = Arc<Mutex<Vec<Vec<u32>>>>;

fn two_workers() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).build().unwrap()
}

/// Waker that says when it is woken by another thread, and passes that on when it may.
struct Slow {
    owner: ThreadId,
    inner: Waker,
    begins: Mutex<Sender<()>>,
    may_end: Mutex<Receiver<()>>,
}

impl Wake for Slow {
    fn wake(self: Arc<Self>) {
        if thread::current().id() != self.owner {
            self.begins.lock().unwrap().send(()).unwrap();
            self.may_end.lock().unwrap().recv().unwrap();
        }
        self.inner.wake_by_ref();
    }
}

#[test]
fn a_request_whose_loads_are_being_woken_sends_no_round_before_all_of_them_are() {
    let (answer, answered) = tokio::sync::oneshot::channel();
    let answered = Arc::new(Mutex::new(Some(answered)));
    let batches = Batches::default();
    let log = Arc::clone(&batches);
    let loader = Loader::new(move |keys: Vec<u32>| {
        log.lock().unwrap().push(keys.clone());
        let answered = answered.lock().unwrap().take();
        async move {
            if let Some(answered) = answered {
                answered.await.unwrap();
            }
            keys
        }
    });
    let ((begins, begun), (end, may_end)) = (channel(), channel());
    let mut slow = Some((Mutex::new(begins), Mutex::new(may_end)));
    let key = |key| loader.load(key);
    let first = async { key(key(1).await.unwrap() + 10).await.unwrap() };
    let second = async {
        let mut load = key(2);
        let mut waker = None;
        let second = poll_fn(|cx| {
            let waker = waker.get_or_insert_with(|| {
                let (begins, may_end) = slow.take().unwrap();
                let (owner, inner) = (thread::current().id(), cx.waker().clone());
                Waker::from(Arc::new(Slow { owner, inner, begins, may_end }))
            });
            Pin::new(&mut load).poll(&mut Context::from_waker(waker))
        });
        key(second.await.unwrap() + 10).await.unwrap()
    };
    let both = stream::iter([first.boxed(), second.boxed()]).buffer_unordered(2);
    let mut request = pin!(request(both.collect::<Vec<_>>()));
    let runtime = two_workers();
    let _inside = runtime.enter();
    let mut poll = || request.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    while batches.lock().unwrap().is_empty() {
        assert!(poll().is_pending());
    }
    answer.send(()).unwrap();
    begun.recv().unwrap();
    // The first load was woken, and its code loads another key.
    for _ in 0..10 {
        assert!(poll().is_pending());
    }
    assert_eq!(*batches.lock().unwrap(), [[1, 2]]);
    end.send(()).unwrap();
    let values = loop {
        if let Poll::Ready(values) = poll() {
            break values;
        }
    };
    assert_eq!(values, [11, 12]);
    assert_eq!(*batches.lock().unwrap(), [[1, 2], [11, 12]]);
}

#[test]
fn a_queue_of_ten_sends_ten_rounds_of_a_hundred_loads() {
    let runtime = two_workers();
    for _ in 0..20 {
        let loader = Loader::new(async |keys: Vec<u32>| {
            tokio::task::yield_now().await;
            keys
        });
        let load = |key| loader.load(key);
        let unordered = stream::iter(0..100).map(load).buffer_unordered(10);
        assert_eq!(runtime.block_on(request(unordered.count())), 100);
        let ordered = stream::iter(100..200).map(load).buffered(10);
        assert_eq!(runtime.block_on(request(ordered.count())), 100);
        assert_eq!(loader.stats().batches, 20);
    }
}
