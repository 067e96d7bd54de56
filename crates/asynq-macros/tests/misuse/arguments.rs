use asynq::{async_proxy, asynq};

#[asynq(batch = 10)]
async fn unknown(id: u32) -> u32 {
    id
}

#[asynq(pure, sync_fn = main)]
async fn both() {}

#[asynq(sync_fn = "main")]
async fn not_a_path() {}

#[asynq(crate = "asynq")]
async fn not_a_path_of_the_library() {}

#[asynq(pure, pure)]
async fn twice() {}

struct Client;

#[asynq(pure)]
impl Client {
    async fn on_the_block() {}

    #[asynq(fast)]
    async fn on_the_method() {}

    #[asynq(crate = asynq)]
    async fn of_the_block() {}
}

#[async_proxy(pure)]
fn of_a_proxy() -> asynq::AsyncTask<()> {
    both::asynq().task()
}

fn main() {
    unknown(1);
}
