//! The page with a loop of awaits. Try `ASYNQ_EXPLAIN=1 cargo run -p explain --bin page`, or `ASYNQ_EXPLAIN=report.html`.
#![forbid(unsafe_code)]

fn main() {
    println!("{:?}", explain::loop_of_awaits::page(vec![1, 2, 3, 4]));
}
