use asynq::async_proxy;

#[async_proxy]
async fn is_async() -> u32 {
    1
}

#[async_proxy]
fn returns_nothing() {}

#[async_proxy]
fn says_nothing_of_the_value() -> impl asynq::FutureBase {
    asynq::ConstFuture::new(1)
}

#[async_proxy]
struct NoFunction;

fn main() {}
