//! Needs of statements in Rust, from their source.

use asynq_explain::{Flow, flows_of_rust};
use expect_test::{Expect, expect};

#[track_caller]
fn check(body: &str, expected: &Expect) {
    let source = format!("async fn page(ids: Vec<u32>) {{{body}}}");
    let text: String = flows_of_rust("page.rs", &source).iter().map(line).collect();
    expected.assert_eq(&text);
}

fn line(flow: &Flow) -> String {
    let around = flow.in_loop.map(|line| format!(", in the loop at {line}")).unwrap_or_default();
    let carried = if flow.carried { ", carried" } else { "" };
    format!("{}-{} needs {:?}{around}{carried}\n", flow.line, flow.end, flow.needs)
}

#[test]
fn a_statement_needs_the_awaits_that_its_operands_come_from() {
    check(
        "
        let author = author::asynq(7).await;
        let name = author.name.clone();
        let albums = albums::asynq(7).await;
        let other = albums_of::asynq(name).await;
        ",
        &expect![[r#"
            2-2 needs []
            3-3 needs [2]
            4-4 needs []
            5-5 needs [2]
        "#]],
    );
}

#[test]
fn the_turns_of_a_loop_over_known_values_need_no_earlier_turn() {
    check(
        "
        let mut names = Vec::new();
        for id in ids {
            names.push(name::asynq(id).await);
        }
        let mut total = 0;
        for id in &ids {
            total += PRICE.load(id).await.unwrap();
        }
        ",
        &expect![[r#"
            2-2 needs []
            3-3 needs []
            4-4 needs [], in the loop at 3
            6-6 needs []
            7-7 needs []
            8-8 needs [], in the loop at 7
        "#]],
    );
}

#[test]
fn synchronous_calls_need_what_their_arguments_come_from() {
    check(
        "
        let mut names = Vec::new();
        for id in ids {
            names.push(name(id));
        }
        let first = name(names[0]);
        ",
        &expect![[r#"
            2-2 needs []
            3-3 needs []
            4-4 needs [], in the loop at 3
            6-6 needs [4]
        "#]],
    );
}

#[test]
fn a_list_that_is_followed_is_carried() {
    check(
        "
        let mut next = Some(1);
        while let Some(id) = next {
            next = NODE.load(id).await.next;
        }
        ",
        &expect![[r#"
            2-2 needs []
            3-3 needs [], in the loop at 3, carried
            4-4 needs [], in the loop at 3, carried
        "#]],
    );
}

#[test]
fn a_loop_that_ends_when_something_was_found_is_carried() {
    check(
        "
        for shard in shards {
            let found = find::asynq(shard).await;
            if found.is_some() {
                return found;
            }
        }
        ",
        &expect![[r#"
            2-2 needs []
            3-3 needs [], in the loop at 2, carried
            4-4 needs [3], in the loop at 2, carried
            5-5 needs [3], in the loop at 2, carried
        "#]],
    );
}

#[test]
fn a_condition_is_needed_by_what_it_decides() {
    check(
        "
        let user = user::asynq(1).await;
        if user.is_public {
            let albums = albums::asynq(1).await;
        }
        let posts = posts::asynq(1).await;
        let Some(name) = user.name else { return };
        let likes = likes::asynq(1).await;
        ",
        &expect![[r#"
            2-2 needs []
            3-3 needs [2]
            4-4 needs [2]
            6-6 needs []
            7-7 needs [2]
            8-8 needs [2]
        "#]],
    );
}

#[test]
fn an_await_without_a_used_value_is_needed_by_what_comes_after_it() {
    check(
        "
        save::asynq(1).await;
        let posts = posts::asynq(1).await;
        ",
        &expect![[r#"
            2-2 needs []
            3-3 needs [2]
        "#]],
    );
}

#[test]
fn a_block_of_async_code_is_read_as_well() {
    check(
        "
        AsyncTask::new(async move {
            let author = AUTHOR.load(1).await?;
            let albums = ALBUMS.load(1).await?;
        });
        ",
        &expect![[r#"
            2-5 needs []
            3-3 needs []
            4-4 needs []
        "#]],
    );
}

#[test]
fn a_file_that_is_not_rust_has_no_needs() {
    assert_eq!(flows_of_rust("page.py", "def page(): yield"), []);
}

#[test]
fn a_closure_that_calls_for_each_element_is_a_loop() {
    check(
        "
        let cheapest = ids.iter().copied().min_by_key(|&id| price(id));
        let first = ids.iter().copied().find(|&id| price(id) > 3);
        let prices = all(ids.iter().map(|&id| price::asynq(id))).await;
        ids.iter().map(|id| id + 1).sum::<u32>();
        ",
        &expect![[r#"
            2-2 needs [], in the loop at 2
            3-3 needs []
            4-4 needs []
            5-5 needs []
        "#]],
    );
}

#[test]
fn functions_that_are_not_async_are_marked() {
    let source = "
        fn plain() {
            ask(async {
                first().await
            });
        }
        async fn page() { second().await }
    ";
    let marked = flows_of_rust("page.rs", source).into_iter().map(|flow| flow.plain);
    assert_eq!(marked.collect::<Vec<_>>(), [true, false, false]);
}
