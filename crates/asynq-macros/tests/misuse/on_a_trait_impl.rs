use asynq::asynq;

trait Named {
    fn name(&self) -> String;
}

struct User;

#[asynq]
impl Named for User {
    fn name(&self) -> String {
        String::new()
    }
}

fn main() {}
