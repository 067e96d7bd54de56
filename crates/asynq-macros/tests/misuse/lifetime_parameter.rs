use asynq::asynq;

#[asynq]
async fn first<'a>(names: Vec<&'a str>) -> &'a str {
    names[0]
}

fn main() {}
