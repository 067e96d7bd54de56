//! Findings: each names the line to change and keeps its promise, and clean programs have none.

use asynq_explain::{Explanation, Finding, Id, Kind};

use crate::common::Script;

/// `for id in ids: yield name(id)`, with three ids.
fn in_a_loop(carried: bool) -> Explanation {
    let mut script = Script::new();
    script.flow_in_loop(3, 2, carried);
    let page = script.task("page", 1, None);
    let at = script.site("page", 3);
    for key in 0..3 {
        let load = script.load(Some(page), Some(at), "name", key);
        script.wait(page, at, &[], &[load]);
        script.request("name", &[load]);
        script.run(page);
    }
    script.end(page);
    script.explain()
}

/// Two awaits of a function, one after the other.
fn one_after_the_other(needs: &[u32]) -> Explanation {
    let mut script = Script::new();
    script.flow(2, &[]);
    script.flow(3, needs);
    let page = script.task("page", 1, None);
    for (line, source) in [(2, "author"), (3, "albums")] {
        let at = script.site("page", line);
        let load = script.load(Some(page), Some(at), source, 1);
        script.wait(page, at, &[], &[load]);
        script.request(source, &[load]);
        script.run(page);
    }
    script.end(page);
    script.explain()
}

fn first(explanation: &Explanation) -> &Finding {
    explanation.findings.first().expect("a finding")
}

fn promise(finding: &Finding) -> (Kind, u32, u32, u32) {
    (finding.kind, finding.line, finding.rounds, finding.rounds_after)
}

#[test]
fn a_loop_that_asks_for_one_key_a_round_is_found() {
    let explanation = in_a_loop(false);
    let finding = first(&explanation);
    assert_eq!(promise(finding), (Kind::Loop, 3, 3, 1));
    assert_eq!(
        finding.to_string(),
        "page.py:3: `page` asks `name` once in each turn of the loop at line 2"
    );
    assert!(finding.advice.ends_with("1 round instead of 3"));
}

#[test]
fn a_list_that_is_followed_from_link_to_link_is_clean() {
    assert_eq!(in_a_loop(true).findings, []);
}

#[test]
fn an_await_before_a_request_that_does_not_need_it_is_found() {
    let explanation = one_after_the_other(&[]);
    let finding = first(&explanation);
    assert_eq!(promise(finding), (Kind::EarlyAwait, 2, 2, 1));
    assert_eq!(
        finding.to_string(),
        "page.py:2: `page` awaits `author` before it asks for `albums` at line 3"
    );
}

#[test]
fn an_await_whose_value_is_needed_is_clean() {
    assert_eq!(one_after_the_other(&[2]).findings, []);
}

#[test]
fn nothing_is_claimed_of_code_that_nobody_has_read() {
    let mut script = Script::new();
    let page = script.task("page", 1, None);
    for (line, source) in [(2, "author"), (3, "albums"), (3, "albums"), (3, "albums")] {
        let at = script.site("page", line);
        let key = script.new_key();
        let load = script.load(Some(page), Some(at), source, key);
        script.wait(page, at, &[], &[load]);
        script.request(source, &[load]);
        script.run(page);
    }
    assert_eq!(script.explain().findings, []);
}

#[test]
fn synchronous_calls_that_split_a_batch_are_found() {
    let mut script = Script::new();
    let page = script.task("page", 1, None);
    let at = script.site("page", 2);
    for key in 0..4 {
        let row = script.task("row", 5, Some((page, at)));
        let place = script.site("row", 6);
        let root = script.call("name", 9, Some((row, place)));
        let inside = script.site("name", 10);
        let load = script.load(Some(root), Some(inside), "name", key);
        script.wait(root, inside, &[], &[load]);
        script.request("name", &[load]);
        script.run(root);
        script.end(root);
        script.returns();
        script.end(row);
    }
    let explanation = script.explain();
    assert_eq!(promise(first(&explanation)), (Kind::SynchronousCall, 6, 4, 1));
}

#[test]
fn one_synchronous_call_that_holds_up_nobody_is_clean() {
    let mut script = Script::new();
    let page = script.task("page", 1, None);
    let place = script.site("page", 2);
    let root = script.call("name", 9, Some((page, place)));
    let inside = script.site("name", 10);
    let load = script.load(Some(root), Some(inside), "name", 1);
    script.wait(root, inside, &[], &[load]);
    script.request("name", &[load]);
    script.run(root);
    script.end(root);
    script.returns();
    script.end(page);
    assert_eq!(script.explain().findings, []);
}

/// Rows of which some skip an await, and what they ask for after it.
fn rows(script: &mut Script, cached: impl Fn(u64) -> bool) -> Vec<Id> {
    let page = script.task("page", 1, None);
    let call = script.site("page", 2);
    let (first, second) = (script.site("row", 6), script.site("row", 7));
    let rows: Vec<_> = (0..4).map(|_| script.task("row", 5, Some((page, call)))).collect();
    let mut authors = Vec::new();
    let mut countries = Vec::new();
    for (&row, key) in rows.iter().zip(0..) {
        script.run(row);
        let (at, source, loads) = if cached(key) {
            (second, "country", &mut countries)
        } else {
            (first, "author", &mut authors)
        };
        let load = script.load(Some(row), Some(at), source, key);
        script.wait(row, at, &[], &[load]);
        loads.push(load);
    }
    script.wait(page, call, &rows, &[]);
    if !countries.is_empty() {
        script.request("country", &countries);
    }
    script.request("author", &authors);
    let mut late = Vec::new();
    for (&row, key) in rows.iter().zip(0..) {
        if !cached(key) {
            script.run(row);
            let load = script.load(Some(row), Some(second), "country", key);
            script.wait(row, second, &[], &[load]);
            late.push(load);
        }
    }
    script.request("country", &late);
    rows
}

#[test]
fn a_split_by_tasks_that_skip_an_await_is_found() {
    let mut script = Script::new();
    script.flow(6, &[]);
    script.flow(7, &[6]);
    rows(&mut script, |key| key < 2);
    let explanation = script.explain();
    let finding = first(&explanation);
    assert_eq!(promise(finding), (Kind::Split, 6, 2, 2));
    assert_eq!(
        (finding.source.as_str(), finding.source_rounds, finding.source_rounds_after),
        ("country", 2, 1)
    );
}

#[test]
fn tasks_that_all_await_the_same_are_clean() {
    let mut script = Script::new();
    script.flow(6, &[]);
    script.flow(7, &[6]);
    rows(&mut script, |_| false);
    assert_eq!(script.explain().findings, []);
}

#[test]
fn a_key_that_is_sent_again_in_a_later_round_is_found() {
    let mut script = Script::new();
    let page = script.task("page", 1, None);
    for (line, source, key) in [(2, "user", 1), (3, "posts", 5), (4, "user", 1)] {
        let at = script.site("page", line);
        let load = script.load(Some(page), Some(at), source, key);
        script.wait(page, at, &[], &[load]);
        script.request(source, &[load]);
        script.run(page);
    }
    let explanation = script.explain();
    let finding = first(&explanation);
    assert_eq!(promise(finding), (Kind::Duplicate, 4, 3, 2));
    assert_eq!(
        finding.to_string(),
        "page.py:4: `page` asks `user` again for a key that line 2 has asked for"
    );
}

#[test]
fn a_key_that_one_function_has_asked_for_twice_is_found_where_it_was_called() {
    let mut script = Script::new();
    let page = script.task("page", 1, None);
    for (line, key) in [(2, 1), (3, 2), (4, 1)] {
        let call = script.site("page", line);
        let user = script.task("user", 9, Some((page, call)));
        let at = script.site("user", 10);
        let load = script.load(Some(user), Some(at), "user", key);
        script.wait(user, at, &[], &[load]);
        script.wait(page, call, &[user], &[]);
        script.request("user", &[load]);
        script.run(user);
        script.end(user);
        script.run(page);
    }
    let explanation = script.explain();
    assert_eq!(
        first(&explanation).to_string(),
        "page.py:4: `page` asks `user` again for a key that line 2 has asked for"
    );
}

#[test]
fn a_key_that_two_outermost_calls_ask_for_is_clean() {
    let mut script = Script::new();
    for _ in 0..2 {
        let page = script.task("page", 1, None);
        let at = script.site("page", 2);
        let load = script.load(Some(page), Some(at), "user", 1);
        script.wait(page, at, &[], &[load]);
        script.request("user", &[load]);
        script.run(page);
        script.end(page);
    }
    assert_eq!(script.explain().findings, []);
}

#[test]
fn what_a_plain_function_asks_for_counts_for_the_await_of_its_caller() {
    let explained = |is_plain: bool| {
        let mut script = Script::new();
        let page = script.task("page", 1, None);
        script.flow_in_body(2, 1, false);
        script.flow_in_body(3, 1, false);
        script.flow_in_body(8, 7, is_plain);
        for (line, asked, source) in [(2, 2, "author"), (3, 8, "albums")] {
            let at = script.site("page", line);
            let asked = if asked == line { at } else { script.site("helper", asked) };
            let key = script.new_key();
            let load = script.load(Some(page), Some(asked), source, key);
            script.wait(page, at, &[], &[load]);
            script.request(source, &[load]);
            script.run(page);
        }
        script.explain()
    };
    assert_eq!(promise(first(&explained(true))), (Kind::EarlyAwait, 2, 2, 1));
    assert_eq!(explained(false).findings, []);
}
