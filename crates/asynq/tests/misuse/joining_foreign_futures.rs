use asynq::{AsyncTask, FutureBase, all};

fn main() {
    let task = AsyncTask::new(async {
        all(vec![std::future::ready(1)]).await;
        all((1, 2)).await;
    });
    task.value();
}
