use asynq::asynq;

struct Client;

#[asynq]
impl Client {
    fn new() -> Self {
        Self
    }
}

fn main() {
    Client::new();
}
