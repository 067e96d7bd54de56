//! Rounds: what could be sent without another answer.

use asynq_explain::How;

use crate::common::{Script, rounds};

#[test]
fn two_sources_that_are_awaited_together_are_one_round() {
    let mut script = Script::new();
    let page = script.task("page", 1, None);
    let at = script.site("page", 2);
    let loads = [
        script.load(Some(page), Some(at), "author", 1),
        script.load(Some(page), Some(at), "albums", 1),
    ];
    script.wait(page, at, &[], &loads);
    script.request("author", &loads[..1]);
    script.request("albums", &loads[1..]);
    script.run(page);
    script.end(page);
    let explanation = script.explain();
    assert_eq!((rounds(&explanation), explanation.rounds), (vec![1, 1], 1));
    assert_eq!(explanation.source_rounds, [1, 1]);
}

#[test]
fn a_key_that_is_asked_for_after_an_answer_goes_out_a_round_later() {
    let mut script = Script::new();
    let page = script.task("page", 1, None);
    for (line, source) in [(2, "author"), (3, "albums"), (4, "author")] {
        let at = script.site("page", line);
        let load = script.load(Some(page), Some(at), source, 1);
        script.wait(page, at, &[], &[load]);
        script.request(source, &[load]);
        script.run(page);
    }
    let explanation = script.explain();
    assert_eq!(rounds(&explanation), [1, 2, 3]);
    assert_eq!(explanation.source_rounds, [2, 1]);
}

#[test]
fn a_task_has_seen_what_its_creator_had_seen() {
    let mut script = Script::new();
    let page = script.task("page", 1, None);
    let (first, second) = (script.site("page", 2), script.site("page", 3));
    let load = script.load(Some(page), Some(first), "author", 1);
    script.wait(page, first, &[], &[load]);
    script.request("author", &[load]);
    script.run(page);
    let child = script.task("albums_of", 9, Some((page, second)));
    let at = script.site("albums_of", 10);
    let load = script.load(Some(child), Some(at), "albums", 1);
    script.wait(child, at, &[], &[load]);
    script.wait(page, second, &[child], &[]);
    script.request("albums", &[load]);
    assert_eq!(rounds(&script.explain()), [1, 2]);
}

#[test]
fn a_task_has_seen_what_the_tasks_have_seen_that_it_waited_for() {
    let mut script = Script::new();
    let page = script.task("page", 1, None);
    let (first, second) = (script.site("page", 2), script.site("page", 3));
    let child = script.task("author_of", 9, Some((page, first)));
    let at = script.site("author_of", 10);
    let load = script.load(Some(child), Some(at), "author", 1);
    script.wait(child, at, &[], &[load]);
    script.wait(page, first, &[child], &[]);
    script.request("author", &[load]);
    script.run(child);
    script.end(child);
    script.run(page);
    let load = script.load(Some(page), Some(second), "albums", 1);
    script.wait(page, second, &[], &[load]);
    script.request("albums", &[load]);
    assert_eq!(rounds(&script.explain()), [1, 2]);
}

#[test]
fn a_synchronous_call_in_a_task_holds_up_the_tasks_that_run_after_it() {
    let mut script = Script::new();
    let page = script.task("page", 1, None);
    let at = script.site("page", 2);
    let rows: Vec<_> = (0..3)
        .map(|key| {
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
            row
        })
        .collect();
    assert_eq!(rows.len(), 3);
    let explanation = script.explain();
    assert_eq!(rounds(&explanation), [1, 2, 3]);
    let called_by: Vec<_> = explanation.tasks.iter().filter_map(|task| task.called_by).collect();
    assert_eq!(called_by.len(), 3);
}

#[test]
fn parts_of_a_request_that_was_too_large_are_one_round() {
    let mut script = Script::new();
    let page = script.task("page", 1, None);
    let at = script.site("page", 2);
    let loads: Vec<_> = (0..4).map(|key| script.load(Some(page), Some(at), "name", key)).collect();
    script.wait(page, at, &[], &loads);
    script.request("name", &loads[..2]);
    script.request("name", &loads[2..]);
    assert_eq!(rounds(&script.explain()), [1, 1]);
}

#[test]
fn a_key_that_waits_for_no_answer_but_comes_after_one_of_its_source_is_a_round_later() {
    let mut script = Script::new();
    for key in 0..3 {
        let load = script.load(None, None, "name", key);
        script.request("name", &[load]);
    }
    assert_eq!(rounds(&script.explain()), [1, 2, 3]);
}

#[test]
fn a_cached_key_needs_no_round() {
    let mut script = Script::new();
    let page = script.task("page", 1, None);
    let (first, second) = (script.site("page", 2), script.site("page", 3));
    let load = script.load_as(Some(page), Some(first), "author", 1, How::Cached);
    script.wait(page, first, &[], &[load]);
    script.run(page);
    let load = script.load(Some(page), Some(second), "albums", 1);
    script.wait(page, second, &[], &[load]);
    script.request("albums", &[load]);
    assert_eq!(rounds(&script.explain()), [1]);
}

#[test]
fn what_a_flush_asks_for_is_a_round_later_than_its_batch() {
    let mut script = Script::new();
    let page = script.task("page", 1, None);
    let at = script.site("page", 2);
    let load = script.load(Some(page), Some(at), "profile", 1);
    script.wait(page, at, &[], &[load]);
    let outer = script.flush("profile", &[load]);
    let flush = script.flush_task("profile", 20, outer);
    let inside = script.site("profile", 21);
    let load = script.load(Some(flush), Some(inside), "user", 1);
    script.wait(flush, inside, &[], &[load]);
    script.request("user", &[load]);
    script.run(flush);
    script.end(flush);
    script.answer(outer);
    script.run(page);
    let after = script.site("page", 3);
    let load = script.load(Some(page), Some(after), "albums", 1);
    script.request("albums", &[load]);
    assert_eq!(rounds(&script.explain()), [1, 2, 3]);
}
