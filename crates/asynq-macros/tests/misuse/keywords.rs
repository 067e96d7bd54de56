use asynq::asynq;

#[asynq]
async unsafe extern "C" fn name(id: u32) -> u32 {
    id
}

fn main() {}
