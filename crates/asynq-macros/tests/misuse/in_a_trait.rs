//! A trait has plain functions that return tasks.

use asynq::asynq;

#[asynq]
trait Named {
    async fn name(&self) -> String;
}

trait Greeted {
    #[asynq]
    async fn greeting(&self) -> String;
}

fn main() {}
