use asynq::asynq;

#[asynq(batch = 10)]
async fn name(id: u32) -> u32 {
    id
}

fn main() {
    name(1);
}
