use asynq::asynq;

#[asynq]
async fn name(id: u32, #[cfg(unix)] uid: u32) -> u32 {
    id + uid
}

fn main() {}
