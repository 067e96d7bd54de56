//! Tests of `#[asynq(crate = path)]` in a crate whose dependency has another name. Here, code that says `::asynq`
//! does not compile.
#![forbid(unsafe_code)]
#![cfg(test)]

use batching::{AsyncTask, FutureBase, all, async_proxy, asynq};

#[asynq(crate = batching)]
async fn double(n: u32) -> u32 {
    2 * n
}

#[asynq(crate = batching)]
async fn factorial(n: u64) -> u64 {
    if n == 0 { 1 } else { n * factorial::asynq(n - 1).await }
}

#[asynq(pure, crate = ::batching)]
async fn doubles(count: u32) -> Vec<u32> {
    all((0..count).map(double::asynq)).await
}

fn double_at_once(n: u32) -> u32 {
    n << 1
}

#[asynq(crate = batching, sync_fn = double_at_once)]
async fn double_twice_as_fast(n: u32) -> u32 {
    double::asynq(n).await
}

#[async_proxy(crate = batching)]
fn quadruple(n: u32) -> AsyncTask<u32> {
    double::asynq(2 * n).task()
}

#[async_proxy(crate = batching)]
fn octuple(n: u32) -> impl FutureBase<Output = u32> {
    double::asynq(4 * n).task()
}

#[derive(Clone)]
struct Scale(u32);

#[asynq(crate = batching)]
impl Scale {
    async fn apply(&self, n: u32) -> u32 {
        self.0 * n
    }

    #[asynq(pure)]
    async fn twice(self, n: u32) -> u32 {
        let once = self.apply_asynq(n).await;
        self.apply_asynq(once).await
    }

    #[async_proxy]
    fn thrice(&self, n: u32) -> AsyncTask<u32> {
        self.apply_asynq(3 * n).task()
    }
}

#[test]
fn a_function_has_both_calls() {
    assert_eq!((double(4), double::asynq(4).value()), (8, 8));
}

#[test]
fn a_recursive_function_has_a_task() {
    assert_eq!(factorial(5), 120);
}

#[test]
fn the_other_arguments_stand_beside_the_path() {
    assert_eq!(doubles(3).value(), [0, 2, 4]);
    assert_eq!(double_twice_as_fast(4), double_twice_as_fast::asynq(4).value());
}

#[test]
fn a_proxy_returns_the_future_of_its_function() {
    assert_eq!((quadruple(3), octuple(3)), (12, 24));
}

#[test]
fn the_path_on_a_block_is_that_of_its_methods() {
    assert_eq!((Scale(3).twice(2).value(), Scale(3).thrice(2)), (18, 18));
}
