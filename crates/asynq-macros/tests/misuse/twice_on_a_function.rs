#![allow(unused_imports)]

use asynq::{AsyncTask, async_proxy, asynq};

#[asynq]
#[asynq(pure)]
async fn name() -> String {
    String::new()
}

#[asynq]
#[async_proxy]
fn other() -> AsyncTask<String> {
    name::asynq()
}

fn main() {}
