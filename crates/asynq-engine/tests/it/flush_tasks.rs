//! Flush tasks: tasks that bring the values of a flush; and flushes that call.

use crate::sim::{Flush, On, Op, Program, all, one};
use expect_test::expect;

#[test]
fn a_task_carries_a_flush_and_shares_the_rounds_of_the_others() {
    let mut p = Program::new();
    let shards = p.source("shards");
    let db = p.source("db");
    let load = p.task("load", [one(shards.item(9))]);
    p.flush(db, Flush::Carried(load));
    p.priority(db, [1]);
    let waiting = p.task("waiting", [one(shards.item(1))]);
    let on: [On; 2] = [db.item(2), waiting.into()];
    let root = p.task("root", [all(on)]);
    expect![[r#"
        call root
        root starts
        root awaits [db#1(2), waiting]
        waiting starts
        waiting awaits [shards#1(1)]
        flush db#1(2)
        load[db#1] starts
        load[db#1] awaits [shards#1(9)]
        flush shards#1(1, 9)
        waiting gets [1]
        waiting returns 1
        load[db#1] gets [9]
        load[db#1] returns 9
        db#1 lands
        root gets [2, 1]
        root returns 3
    "#]]
    .assert_eq(&p.log(root));
}

#[test]
fn a_call_drives_the_flush_task_of_what_it_needs() {
    let mut p = Program::new();
    let [gate, shards, db] = ["gate", "shards", "db"].map(|name| p.source(name));
    let load = p.task("load", [one(shards.item(9))]);
    p.flush(db, Flush::Carried(load));
    p.priority(db, [2]);
    p.priority(gate, [1]);
    let waiting = p.task("waiting", [one(db.item(1))]);
    let called = p.task("called", [one(waiting)]);
    let calling = p.task("calling", [one(gate.item(2)), Op::Call(called)]);
    let root = p.task("root", [all([waiting, calling])]);
    expect![[r#"
        call root
        root starts
        root awaits [waiting, calling]
        waiting starts
        waiting awaits [db#1(1)]
        calling starts
        calling awaits [gate#1(2)]
        flush db#1(1)
        load[db#1] starts
        load[db#1] awaits [shards#1(9)]
        flush gate#1(2)
        calling gets [2]
        call called
          called starts
          called awaits [waiting]
          flush shards#1(9)
          load[db#1] gets [9]
          load[db#1] returns 9
          db#1 lands
          waiting gets [1]
          waiting returns 1
          called gets [1]
          called returns 1
        calling returns 3
        root gets [1, 3]
        root returns 4
    "#]]
    .assert_eq(&p.log(root));
}
