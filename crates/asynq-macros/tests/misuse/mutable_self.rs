use asynq::asynq;

#[derive(Clone)]
struct Counter(u32);

#[asynq]
impl Counter {
    async fn step(&mut self) {
        self.0 += 1;
    }
}

fn main() {}
