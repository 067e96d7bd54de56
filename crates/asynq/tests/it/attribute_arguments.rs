//! Arguments of `#[asynq]`, and `#[async_proxy]`.

use std::cell::Cell;

use asynq::{AsyncTask, ConstFuture, FutureBase, all, async_proxy, asynq};

#[asynq(pure)]
async fn double(n: u32) -> u32 {
    2 * n
}

thread_local! {
    static AT_ONCE: Cell<u32> = const { Cell::new(0) };
}

fn triple_at_once(n: u32) -> u32 {
    AT_ONCE.set(AT_ONCE.get() + 1);
    3 * n
}

#[asynq(sync_fn = triple_at_once)]
async fn triple(n: u32) -> u32 {
    3 * n
}

#[async_proxy]
fn even_or_double(n: u32) -> AsyncTask<u32> {
    if n.is_multiple_of(2) { AsyncTask::new(async move { n }) } else { double(n).task() }
}

#[async_proxy]
fn known<T: Clone + 'static>(value: T) -> ConstFuture<T> {
    ConstFuture::new(value)
}

#[async_proxy]
fn one_way_or_the_other(n: u32) -> impl FutureBase<Output = (u32, u32)> {
    all((double(n), triple::asynq(n)))
}

#[derive(Clone)]
struct Scale(u32);

/// Not `Clone`: a proxy needs no more than the borrow.
struct Unique(u32);

#[asynq]
impl Scale {
    #[asynq(pure)]
    async fn apply(&self, n: u32) -> u32 {
        self.0 * n
    }

    fn apply_at_once(&self, n: u32) -> u32 {
        1000 * self.0 * n
    }

    #[asynq(sync_fn = Self::apply_at_once)]
    async fn apply_either_way(&self, n: u32) -> u32 {
        self.0 * n
    }
}

#[asynq]
impl Unique {
    #[async_proxy]
    fn doubled(&self) -> AsyncTask<u32> {
        double(self.0).task()
    }
}

#[test]
fn the_plain_call_of_a_pure_function_is_its_task() {
    let task: AsyncTask<u32> = double(2).task();
    assert_eq!(all([task, double::asynq(3).task()]).value(), [4, 6]);
}

#[test]
fn a_plain_call_is_the_synchronous_function() {
    assert_eq!(triple(2), 6);
    assert_eq!(AT_ONCE.get(), 1);
}

#[test]
fn an_asynchronous_call_is_not_the_synchronous_function() {
    assert_eq!(triple::asynq(2).value(), 6);
    assert_eq!(AT_ONCE.get(), 0);
}

#[test]
fn a_proxy_returns_a_future_or_its_value() {
    assert_eq!(even_or_double(3), 6);
    assert_eq!(all([3, 4].map(even_or_double::asynq)).value(), [6, 4]);
}

#[test]
fn a_proxy_may_return_any_future_of_asynq() {
    let known: ConstFuture<&str> = known::asynq("value");
    assert_eq!(known.value(), "value");
}

#[test]
fn a_proxy_need_not_name_its_future() {
    assert_eq!(one_way_or_the_other(1), (2, 3));
    assert_eq!(one_way_or_the_other::asynq(2).value(), (4, 6));
}

#[test]
fn a_proxy_may_be_generic() {
    assert_eq!((known(1), known("one")), (1, "one"));
}

#[test]
fn a_method_may_be_pure() {
    assert_eq!((Scale(3).apply(2).value(), Scale(3).apply_asynq(2).value()), (6, 6));
}

#[test]
fn a_method_may_have_a_synchronous_one() {
    let scale = Scale(3);
    assert_eq!((scale.apply_either_way(2), scale.apply_either_way_asynq(2).value()), (6000, 6));
}

#[test]
fn a_method_may_be_a_proxy() {
    assert_eq!((Unique(2).doubled(), Unique(2).doubled_asynq().value()), (4, 4));
}
