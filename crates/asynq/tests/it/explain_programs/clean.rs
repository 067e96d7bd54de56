//! Programs without a fault: each round is needed.

use super::*;

#[asynq]
async fn chain_of_command(first: u32) -> Vec<u32> {
    let mut chain = Vec::new();
    let mut next = first;
    while next > 0 {
        chain.push(next);
        next = BOSS.load(next).await.unwrap();
    }
    chain
}

#[test]
fn a_followed_list_is_clean() {
    check_clean(3, || chain_of_command(6));
}

#[asynq]
async fn first_in_stock(ids: Vec<u32>) -> Option<u32> {
    for id in ids {
        let Ok(0) = in_stock(id).await else { return Some(id) };
    }
    None
}

#[test]
fn a_search_by_let_else_is_clean() {
    check_clean(2, || first_in_stock(vec![4, 5, 6]));
}

#[asynq]
async fn with_retries(mut id: u32) -> u32 {
    for _ in 0..3 {
        match in_stock(id).await {
            Ok(0) => id += 2,
            Ok(stock) => return stock,
            Err(_) => break,
        }
    }
    0
}

#[test]
fn retries_are_clean() {
    check_clean(2, || with_retries(4));
}

#[asynq]
async fn levels(mut ids: Vec<u32>) -> u32 {
    let mut count = 0;
    while !ids.is_empty() {
        count += 1;
        ids = BOSS.load_many(ids).await.unwrap();
        ids.retain(|&id| id > 0);
    }
    count
}

#[test]
fn levels_of_a_tree_are_clean() {
    check_clean(3, || levels(vec![4, 5, 6, 7]));
}

#[asynq]
async fn allowed_price(person: u32) -> Option<u32> {
    if TEAM.load(person).await.unwrap() == 0 {
        return None;
    }
    Some(PRICE.load(person).await.unwrap())
}

#[test]
fn a_check_that_comes_first_is_clean() {
    check_clean(2, || all(IDS.map(allowed_price::asynq)).value());
}

#[test]
fn joined_requests_are_clean() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let city = async |person| {
        let team = TEAM.load(person).await.unwrap();
        CITY.load(team).await.unwrap()
    };
    check_clean(2, || {
        runtime.block_on(request(async { futures::future::join_all(IDS.map(city)).await }))
    });
}

#[asynq]
async fn details(id: u32) -> u32 {
    let (team, price, stock) = all((TEAM.load(id), PRICE.load(id), in_stock(id))).await;
    let city = CITY.load(team.unwrap()).await.unwrap();
    city + price.unwrap() + stock.unwrap()
}

#[test]
fn synchronous_calls_outside_of_tasks_are_clean() {
    check_clean(4, || (details(1), details(2)));
}

#[asynq]
async fn cursors() -> Vec<u32> {
    let (mut cursor, mut seen) = (1, Vec::new());
    for _ in 0..3 {
        let next = CITY.load(cursor).await.unwrap();
        seen.push(std::mem::replace(&mut cursor, next));
    }
    seen
}

#[test]
fn pages_with_cursors_are_clean() {
    check_clean(3, cursors);
}
