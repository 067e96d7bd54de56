use asynq::asynq;

#[derive(Clone)]
struct Client;

#[asynq]
impl Client {
    #[asynq]
    async fn name(&self) -> String {
        String::new()
    }
}

fn main() {}
