use asynq::asynq;

struct Client;

#[asynq]
impl Client {
    async fn name(&self, id: u32) -> String {
        id.to_string()
    }
}

fn main() {
    Client.name(1);
}
