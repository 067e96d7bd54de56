use asynq::asynq;

struct Client;

impl Client {
    #[asynq]
    async fn name(&self) -> String {
        String::new()
    }
}

fn main() {}
