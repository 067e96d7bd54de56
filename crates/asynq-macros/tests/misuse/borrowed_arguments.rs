use asynq::asynq;

struct Row<'a>(&'a str);

#[asynq]
async fn names(prefix: &str, ids: Vec<&u32>, rows: &[u32], row: Row<'_>) -> usize {
    prefix.len() + ids.len() + rows.len() + row.0.len()
}

fn main() {
    names("a", vec![], &[], Row(""));
}
