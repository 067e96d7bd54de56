//! The critical path: the chain of batches that decided the latency.

use crate::common::Script;

#[test]
fn it_leads_from_the_first_round_to_the_last_and_says_why() {
    let mut script = Script::new();
    script.flow(2, &[]);
    script.flow(3, &[]);
    script.flow(4, &[3]);
    let page = script.task("page", 1, None);
    for (line, source) in [(2, "author"), (3, "albums"), (4, "tracks")] {
        let at = script.site("page", line);
        let load = script.load(Some(page), Some(at), source, 1);
        script.wait(page, at, &[], &[load]);
        script.request(source, &[load]);
        script.run(page);
    }
    let explanation = script.explain();
    let path: Vec<_> =
        explanation.critical_path.iter().map(|link| (link.batch, link.text.as_str())).collect();
    assert_eq!(
        path,
        [
            (0, ""),
            (
                1,
                "`page` awaits `author` (page.py:2) before it asks for `albums` (page.py:3): \
                 awaited together they would take one round less"
            ),
            (2, "`page` awaits `albums` (page.py:3) before it asks for `tracks` (page.py:4)"),
        ]
    );
}

#[test]
fn it_goes_through_the_tasks_that_were_waited_for() {
    let mut script = Script::new();
    let page = script.task("page", 1, None);
    let (first, second) = (script.site("page", 2), script.site("page", 3));
    let child = script.task("author_of", 9, Some((page, first)));
    let at = script.site("author_of", 10);
    let unrelated = script.load(Some(child), Some(at), "log", 1);
    let load = script.load(Some(child), Some(at), "author", 1);
    script.wait(child, at, &[], &[unrelated, load]);
    script.wait(page, first, &[child], &[]);
    script.request("author", &[load]);
    script.request("log", &[unrelated]);
    script.run(child);
    script.end(child);
    script.run(page);
    let load = script.load(Some(page), Some(second), "albums", 1);
    script.wait(page, second, &[], &[load]);
    script.request("albums", &[load]);
    let explanation = script.explain();
    let last = explanation.critical_path.last().unwrap();
    assert_eq!((explanation.critical_path.len(), last.batch), (2, 2));
    assert_eq!(
        last.text,
        "`page` awaits `author_of` (page.py:2) before it asks for `albums` (page.py:3)"
    );
}
