use asynq::asynq;

#[asynq]
struct Name;

fn main() {}
