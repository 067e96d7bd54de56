//! Order: what is awaited together starts in the order given, depth first; what was woken goes on
//! in the order in which it began to wait.

use crate::plain::{Plain, await_all, begin_call};
use crate::sim::{Fate, Join, Op, Program, all, one};
use asynq_engine::{Engine, Step, Until};
use expect_test::expect;

#[test]
fn tasks_start_in_the_order_given_depth_first() {
    let mut p = Program::new();
    let [b1, b2, c1] = ["b1", "b2", "c1"].map(|name| p.task(name, []));
    let a = p.task("a", []);
    let b = p.task("b", [all([b1, b2])]);
    let c = p.task("c", [one(c1)]);
    let root = p.task("root", [all([a, b, c])]);
    expect![[r#"
        call root
        root starts
        root awaits [a, b, c]
        a starts
        a returns 0
        b starts
        b awaits [b1, b2]
        b1 starts
        b1 returns 0
        b2 starts
        b2 returns 0
        b gets [0, 0]
        b returns 0
        c starts
        c awaits [c1]
        c1 starts
        c1 returns 0
        c gets [0]
        c returns 0
        root gets [0, 0, 0]
        root returns 0
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn a_task_goes_on_before_its_later_siblings_start() {
    let mut p = Program::new();
    let leaf = p.task("leaf", []);
    let again = p.task("again", []);
    let first = p.task("first", [one(leaf), one(again)]);
    let second = p.task("second", []);
    let root = p.task("root", [all([first, second])]);
    expect![[r#"
        call root
        root starts
        root awaits [first, second]
        first starts
        first awaits [leaf]
        leaf starts
        leaf returns 0
        first gets [0]
        first awaits [again]
        again starts
        again returns 0
        first gets [0]
        first returns 0
        second starts
        second returns 0
        root gets [0, 0]
        root returns 0
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn a_task_that_an_earlier_one_awaits_starts_there() {
    let mut p = Program::new();
    let shared = p.task("shared", []);
    let between = p.task("between", []);
    let early = p.task("early", [one(shared)]);
    let root = p.task("root", [all([early, between, shared])]);
    expect![[r#"
        call root
        root starts
        root awaits [early, between, shared]
        early starts
        early awaits [shared]
        shared starts
        shared returns 0
        early gets [0]
        early returns 0
        between starts
        between returns 0
        root gets [0, 0, 0]
        root returns 0
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn a_task_that_began_to_wait_again_stands_behind() {
    let mut p = Program::new();
    let first = p.source("first");
    let db = p.source("db");
    let again = p.task("again", [all([first.item(1), first.item(2)]), one(db.item(3))]);
    let once = p.task("once", [one(db.item(4))]);
    let root = p.task("root", [all([again, once])]);
    expect![[r#"
        call root
        root starts
        root awaits [again, once]
        again starts
        again awaits [first#1(1), first#1(2)]
        once starts
        once awaits [db#1(4)]
        flush first#1(1, 2)
        again gets [1, 2]
        again awaits [db#1(3)]
        flush db#1(4, 3)
        once gets [4]
        once returns 4
        again gets [3]
        again returns 6
        root gets [6, 4]
        root returns 10
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn tasks_woken_by_one_flush_go_on_in_the_order_of_their_waits() {
    let mut p = Program::new();
    let db = p.source("db");
    // The error of a forgotten item comes at the end of the flush, so `first` is woken last.
    p.fate(db, 1, Fate::Forgotten);
    let first = p.task("first", [one(db.item(1)), Op::Catch]);
    let second = p.task("second", [one(db.item(2))]);
    let root = p.task("root", [all([first, second])]);
    expect![[r#"
        call root
        root starts
        root awaits [first, second]
        first starts
        first awaits [db#1(1)]
        second starts
        second awaits [db#1(2)]
        flush db#1(1, 2)
        first gets error: db#1 forgot 1
        first catches: db#1 forgot 1
        first returns 0
        second gets [2]
        second returns 2
        root gets [0, 2]
        root returns 2
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn woken_tasks_go_before_those_that_were_ready() {
    let mut p = Program::new();
    let promise = p.promise("promise");
    let waiting = p.task("waiting", [one(promise)]);
    let setting = p.task("setting", [Op::Set(promise, Ok(1))]);
    let ready = p.task("ready", []);
    let root = p.task("root", [all([waiting, setting, ready])]);
    expect![[r#"
        call root
        root starts
        root awaits [waiting, setting, ready]
        waiting starts
        waiting awaits [promise]
        setting starts
        promise is set to 1
        setting returns 0
        waiting gets [1]
        waiting returns 1
        ready starts
        ready returns 0
        root gets [1, 0, 0]
        root returns 1
    "#]]
    .assert_eq(&p.log(root));
}

/// `moved` is ready behind `other` at first, then awaited and so moved to the front, and at last
/// woken, which puts it behind `ready`.
#[test]
fn a_ready_task_has_one_place_however_often_it_moves() {
    let mut p = Program::new();
    let promise = p.promise("promise");
    let moved = p.task("moved", [Op::Await(vec![promise.into()], Join::AnyOrWake(0))]);
    let awaiting = p.task("awaiting", [one(moved)]);
    let waking = p.task("waking", [Op::Wake(moved)]);
    let ready = p.task("ready", []);
    let root = p.task("root", [all([awaiting, waking, moved, ready])]);
    expect![[r#"
        call root
        root starts
        root awaits [awaiting, waking, moved, ready]
        awaiting starts
        awaiting awaits [moved]
        moved starts
        moved awaits any of [promise]
        waking starts
        waking returns 0
        ready starts
        ready returns 0
        moved gets [-]
        moved returns 0
        awaiting gets [0]
        awaiting returns 0
        root gets [0, 0, 0, 0]
        root returns 0
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn a_task_that_was_woken_while_it_ran_lets_the_ready_ones_go_first() {
    let mut engine = Engine::<Plain>::new();
    let [root, woken, ready] = [(); 3].map(|()| engine.add_task(()));
    begin_call(&mut engine, root);
    await_all(&mut engine, [woken, ready]);
    assert_eq!(engine.next(), Step::Run(woken));
    engine.wake(woken);
    engine.block(Until::All);
    assert_eq!(engine.next(), Step::Run(ready));
    engine.complete(ready);
    assert_eq!(engine.next(), Step::Run(woken));
}
