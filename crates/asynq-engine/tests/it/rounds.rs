//! Rounds: everything runnable runs first; then the batch of highest priority is flushed.

use crate::sim::{Driver, Program, all, one};
use asynq_engine::PriorityRule;
use expect_test::expect;

#[test]
fn nothing_is_flushed_while_something_can_run() {
    let mut p = Program::new();
    let db = p.source("db");
    let late = p.task("late", [one(db.item(2))]);
    let early = p.task("early", [one(db.item(1))]);
    let detour = p.task("detour", [one(late)]);
    let root = p.task("root", [all([early, detour])]);
    expect![[r#"
        call root
        root starts
        root awaits [early, detour]
        early starts
        early awaits [db#1(1)]
        detour starts
        detour awaits [late]
        late starts
        late awaits [db#1(2)]
        flush db#1(1, 2)
        early gets [1]
        early returns 1
        late gets [2]
        late returns 2
        detour gets [2]
        detour returns 2
        root gets [1, 2]
        root returns 3
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn the_batch_with_the_most_items_goes_first() {
    let mut p = Program::new();
    let small = p.source("small");
    let large = p.source("large");
    let root = p.task("root", [all([small.item(1), large.item(2), large.item(3)])]);
    expect![[r#"
        call root
        root starts
        root awaits [small#1(1), large#1(2), large#1(3)]
        flush large#1(2, 3)
        flush small#1(1)
        root gets [1, 2, 3]
        root returns 6
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn among_equals_the_batch_opened_first_goes_first() {
    let mut p = Program::new();
    let second = p.source("second");
    let first = p.source("first");
    let third = p.source("third");
    let root = p.task("root", [all([first.item(1), second.item(2), third.item(3)])]);
    expect![[r#"
        call root
        root starts
        root awaits [first#1(1), second#1(2), third#1(3)]
        flush first#1(1)
        flush second#1(2)
        flush third#1(3)
        root gets [1, 2, 3]
        root returns 6
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn a_priority_counts_before_the_number_of_items() {
    let mut p = Program::new();
    let large = p.source("large");
    let urgent = p.source("urgent");
    p.priority(urgent, [1]);
    let idle = p.source("idle");
    p.priority(idle, [-1]);
    let items = [idle.item(1), idle.item(2), large.item(3), large.item(4), urgent.item(5)];
    let root = p.task("root", [all(items)]);
    expect![[r#"
        call root
        root starts
        root awaits [idle#1(1), idle#1(2), large#1(3), large#1(4), urgent#1(5)]
        flush urgent#1(5)
        flush large#1(3, 4)
        flush idle#1(1, 2)
        root gets [1, 2, 3, 4, 5]
        root returns 15
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn a_source_is_asked_anew_for_every_choice() {
    let mut p = Program::new();
    let moody = p.source("moody");
    p.priority(moody, [-1, 1]);
    let first = p.source("first");
    let second = p.source("second");
    let a = p.task("a", [one(first.item(1)), one(first.item(2))]);
    let b = p.task("b", [one(second.item(3))]);
    let c = p.task("c", [one(moody.item(4))]);
    let root = p.task("root", [all([a, b, c])]);
    expect![[r#"
        call root
        root starts
        root awaits [a, b, c]
        a starts
        a awaits [first#1(1)]
        b starts
        b awaits [second#1(3)]
        c starts
        c awaits [moody#1(4)]
        flush first#1(1)
        a gets [1]
        a awaits [first#2(2)]
        flush moody#1(4)
        c gets [4]
        c returns 4
        flush second#1(3)
        b gets [3]
        b returns 3
        flush first#2(2)
        a gets [2]
        a returns 3
        root gets [3, 3, 4]
        root returns 10
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn a_batch_is_ranked_anew_when_it_has_grown() {
    let mut p = Program::new();
    let start = p.source("start");
    let steady = p.source("steady");
    let growing = p.source("growing");
    let two = p.task("two", [all([steady.item(1), steady.item(2)])]);
    let seed = p.task("seed", [one(growing.item(3))]);
    let more = p.task(
        "more",
        [
            all([start.item(4), start.item(5), start.item(6)]),
            all([growing.item(7), growing.item(8)]),
        ],
    );
    let root = p.task("root", [all([two, seed, more])]);
    expect![[r#"
        call root
        root starts
        root awaits [two, seed, more]
        two starts
        two awaits [steady#1(1), steady#1(2)]
        seed starts
        seed awaits [growing#1(3)]
        more starts
        more awaits [start#1(4), start#1(5), start#1(6)]
        flush start#1(4, 5, 6)
        more gets [4, 5, 6]
        more awaits [growing#1(7), growing#1(8)]
        flush growing#1(3, 7, 8)
        seed gets [3]
        seed returns 3
        more gets [7, 8]
        more returns 30
        flush steady#1(1, 2)
        two gets [1, 2]
        two returns 3
        root gets [3, 3, 30]
        root returns 36
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn what_is_asked_after_a_flush_goes_out_with_the_next() {
    let mut p = Program::new();
    let db = p.source("db");
    let a = p.task("a", [one(db.item(1)), one(db.item(2))]);
    let b = p.task("b", [one(db.item(3)), one(db.item(4)), one(db.item(5))]);
    let root = p.task("root", [all([a, b])]);
    expect![[r#"
        call root
        root starts
        root awaits [a, b]
        a starts
        a awaits [db#1(1)]
        b starts
        b awaits [db#1(3)]
        flush db#1(1, 3)
        a gets [1]
        a awaits [db#2(2)]
        b gets [3]
        b awaits [db#2(4)]
        flush db#2(2, 4)
        a gets [2]
        a returns 3
        b gets [4]
        b awaits [db#3(5)]
        flush db#3(5)
        b gets [5]
        b returns 12
        root gets [3, 12]
        root returns 15
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn a_batch_that_nobody_awaits_is_not_flushed() {
    let mut p = Program::new();
    let db = p.source("db");
    let root = p.task("root", [one(db.item(1))]);
    let mut driver = Driver::new(p);
    let unwanted = driver.engine.add_batch(usize::MAX, PriorityRule::BySize);
    driver.engine.add_item(unwanted);
    driver.engine.add_item(unwanted);
    driver.call(root);
    assert!(!driver.engine.is_flushed(unwanted));
    expect![[r#"
        call root
        root starts
        root awaits [db#1(1)]
        flush db#1(1)
        root gets [1]
        root returns 1
    "#]]
    .assert_eq(&driver.into_record().log());
}
