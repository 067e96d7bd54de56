//! Flushes in flight: batches whose values come later, when the driver is told to wait.

use crate::sim::{Flush, Join, On, Op, Program, all, any, one};
use expect_test::expect;

#[test]
fn the_driver_waits_for_a_flush_in_flight() {
    let mut p = Program::new();
    let db = p.source("db");
    p.flush(db, Flush::Later(0));
    let root = p.task("root", [all([db.item(1), db.item(2)])]);
    expect![[r#"
        call root
        root starts
        root awaits [db#1(1), db#1(2)]
        flush db#1(1, 2)
        wait
        db#1 lands
        root gets [1, 2]
        root returns 3
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn it_waits_only_when_nothing_runs_and_nothing_is_to_be_flushed() {
    let mut p = Program::new();
    let slow = p.source("slow");
    p.flush(slow, Flush::Later(0));
    p.priority(slow, [1]);
    let db = p.source("db");
    let waiting = p.task("waiting", [one(slow.item(1))]);
    let busy = p.task("busy", [one(db.item(2)), one(db.item(3))]);
    let root = p.task("root", [all([waiting, busy])]);
    expect![[r#"
        call root
        root starts
        root awaits [waiting, busy]
        waiting starts
        waiting awaits [slow#1(1)]
        busy starts
        busy awaits [db#1(2)]
        flush slow#1(1)
        flush db#1(2)
        busy gets [2]
        busy awaits [db#2(3)]
        flush db#2(3)
        busy gets [3]
        busy returns 5
        wait
        slow#1 lands
        waiting gets [1]
        waiting returns 1
        root gets [1, 5]
        root returns 6
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn several_are_in_flight_and_land_in_any_order() {
    let mut p = Program::new();
    let sources: Vec<_> = [("a", 3), ("b", 1), ("c", 2)]
        .into_iter()
        .map(|(name, order)| {
            let source = p.source(name);
            p.flush(source, Flush::Later(order));
            source
        })
        .collect();
    let tasks: Vec<_> = sources
        .iter()
        .zip(["x", "y", "z"])
        .map(|(source, name)| p.task(name, [one(source.item(1))]))
        .collect();
    let root = p.task("root", [all(tasks)]);
    expect![[r#"
        call root
        root starts
        root awaits [x, y, z]
        x starts
        x awaits [a#1(1)]
        y starts
        y awaits [b#1(1)]
        z starts
        z awaits [c#1(1)]
        flush a#1(1)
        flush b#1(1)
        flush c#1(1)
        wait
        b#1 lands
        y gets [1]
        y returns 1
        wait
        c#1 lands
        z gets [1]
        z returns 1
        wait
        a#1 lands
        x gets [1]
        x returns 1
        root gets [1, 1, 1]
        root returns 3
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn a_batch_in_flight_takes_no_more_items() {
    let mut p = Program::new();
    let slow = p.source("slow");
    p.flush(slow, Flush::Later(0));
    let db = p.source("db");
    let early = p.task("early", [all([slow.item(1), slow.item(2)])]);
    let late = p.task("late", [one(db.item(3)), one(slow.item(4))]);
    let root = p.task("root", [all([early, late])]);
    expect![[r#"
        call root
        root starts
        root awaits [early, late]
        early starts
        early awaits [slow#1(1), slow#1(2)]
        late starts
        late awaits [db#1(3)]
        flush slow#1(1, 2)
        flush db#1(3)
        late gets [3]
        late awaits [slow#2(4)]
        flush slow#2(4)
        wait
        slow#1 lands
        early gets [1, 2]
        early returns 3
        wait
        slow#2 lands
        late gets [4]
        late returns 7
        root gets [3, 7]
        root returns 10
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn tasks_woken_by_a_landing_go_on_in_the_order_of_their_waits() {
    let mut p = Program::new();
    let slow = p.source("slow");
    p.flush(slow, Flush::Later(0));
    let wide = p.task("wide", [all([slow.item(1), slow.item(3)])]);
    let narrow = p.task("narrow", [one(slow.item(2))]);
    let root = p.task("root", [all([wide, narrow])]);
    expect![[r#"
        call root
        root starts
        root awaits [wide, narrow]
        wide starts
        wide awaits [slow#1(1), slow#1(3)]
        narrow starts
        narrow awaits [slow#1(2)]
        flush slow#1(1, 3, 2)
        wait
        slow#1 lands
        wide gets [1, 3]
        wide returns 4
        narrow gets [2]
        narrow returns 2
        root gets [4, 2]
        root returns 6
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn a_call_waits_for_a_flush_that_an_outer_call_has_in_flight() {
    let mut p = Program::new();
    let slow = p.source("slow");
    p.flush(slow, Flush::Later(0));
    let db = p.source("db");
    let waiting = p.task("waiting", [all([slow.item(1), slow.item(2)])]);
    let called = p.task("called", [one(waiting)]);
    let calling = p.task("calling", [one(db.item(3)), Op::Call(called)]);
    let root = p.task("root", [all([waiting, calling])]);
    expect![[r#"
        call root
        root starts
        root awaits [waiting, calling]
        waiting starts
        waiting awaits [slow#1(1), slow#1(2)]
        calling starts
        calling awaits [db#1(3)]
        flush slow#1(1, 2)
        flush db#1(3)
        calling gets [3]
        call called
          called starts
          called awaits [waiting]
          wait
          slow#1 lands
          waiting gets [1, 2]
          waiting returns 3
          called gets [3]
          called returns 3
        calling returns 6
        root gets [3, 6]
        root returns 9
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn what_lands_inside_a_call_for_an_outer_one_goes_on_after_it() {
    let mut p = Program::new();
    let [first, second] = ["first", "second"].map(|name| p.source(name));
    p.flush(first, Flush::Later(1));
    p.flush(second, Flush::Later(2));
    let db = p.source("db");
    let waiting = p.task("waiting", [all([first.item(1), first.item(2)])]);
    let called = p.task("called", [one(second.item(3))]);
    let calling = p.task("calling", [one(db.item(4)), Op::Call(called)]);
    let root = p.task("root", [all([waiting, calling])]);
    expect![[r#"
        call root
        root starts
        root awaits [waiting, calling]
        waiting starts
        waiting awaits [first#1(1), first#1(2)]
        calling starts
        calling awaits [db#1(4)]
        flush first#1(1, 2)
        flush db#1(4)
        calling gets [4]
        call called
          called starts
          called awaits [second#1(3)]
          flush second#1(3)
          wait
          first#1 lands
          wait
          second#1 lands
          called gets [3]
          called returns 3
        calling returns 7
        waiting gets [1, 2]
        waiting returns 3
        root gets [3, 7]
        root returns 10
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn a_flush_in_flight_that_a_call_left_behind_is_waited_for_by_the_outer_one() {
    let mut p = Program::new();
    let slow = p.source("slow");
    p.flush(slow, Flush::Later(2));
    let quick = p.source("quick");
    p.flush(quick, Flush::Later(1));
    let waiting = p.task("waiting", [one(slow.item(1))]);
    let called = p.task("called", [any([On::from(waiting), quick.item(2)])]);
    let calling = p.task("calling", [Op::Call(called)]);
    let root = p.task("root", [all([calling, waiting])]);
    expect![[r#"
        call root
        root starts
        root awaits [calling, waiting]
        calling starts
        call called
          called starts
          called awaits any of [waiting, quick#1(2)]
          waiting starts
          waiting awaits [slow#1(1)]
          flush quick#1(2)
          flush slow#1(1)
          wait
          quick#1 lands
          called gets [-, 2]
          called returns 2
        calling returns 2
        wait
        slow#1 lands
        waiting gets [1]
        waiting returns 1
        root gets [2, 1]
        root returns 3
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn a_task_is_woken_from_outside() {
    let mut p = Program::new();
    let promise = p.promise("promise");
    let wait = Op::Await(vec![promise.into()], Join::AnyOrWake(0));
    let root = p.task("root", [wait, Op::Add(1)]);
    expect![[r#"
        call root
        root starts
        root awaits any of [promise]
        wait
        root gets [-]
        root returns 1
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn a_task_that_can_be_woken_goes_on_when_what_it_awaits_is_there() {
    let mut p = Program::new();
    let slow = p.source("slow");
    p.flush(slow, Flush::Later(1));
    let wait = Op::Await(vec![slow.item(1)], Join::AnyOrWake(2));
    let root = p.task("root", [wait, one(slow.item(2))]);
    expect![[r#"
        call root
        root starts
        root awaits any of [slow#1(1)]
        flush slow#1(1)
        wait
        slow#1 lands
        root gets [1]
        root awaits [slow#2(2)]
        flush slow#2(2)
        wait
        slow#2 lands
        root gets [2]
        root returns 3
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn a_call_waits_for_a_wake_up_of_a_task_that_an_outer_call_has_blocked() {
    let mut p = Program::new();
    let sleeping = p.task("sleeping", [Op::Await(vec![], Join::AnyOrWake(0)), Op::Add(1)]);
    let called = p.task("called", [one(sleeping)]);
    let calling = p.task("calling", [Op::Call(called)]);
    let root = p.task("root", [all([sleeping, calling])]);
    expect![[r#"
        call root
        root starts
        root awaits [sleeping, calling]
        sleeping starts
        sleeping awaits any of []
        calling starts
        call called
          called starts
          called awaits [sleeping]
          wait
          sleeping gets []
          sleeping returns 1
          called gets [1]
          called returns 1
        calling returns 1
        root gets [1, 1]
        root returns 2
    "#]]
    .assert_eq(&p.log(root));
}
