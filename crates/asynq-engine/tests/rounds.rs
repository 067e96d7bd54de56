//! Rounds: everything runnable runs first; then the batch of highest priority is flushed.
#![allow(
    clippy::needless_raw_string_hashes,
    reason = "as `expect_test` writes them"
)]

mod sim;

use expect_test::expect;
use sim::{Program, all, one};

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
