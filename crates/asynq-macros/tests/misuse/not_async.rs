use asynq::asynq;

#[asynq]
fn name(id: u32) -> String {
    id.to_string()
}

fn main() {
    name(1);
}
