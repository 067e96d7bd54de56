//! Drawings of a recording: on a terminal, in HTML, as a trace and as a graph.

use std::collections::HashMap;
use std::path::Path;

use asynq_explain::{Explanation, Recording, Report, Style, text};
use expect_test::{Expect, expect};
use proptest::prelude::*;

/// A page that awaits the author before it asks for the albums, as `docs/recording.md` shows it.
const PAGE: &str = r#"{"recording":{"version":1,"language":"python","program":"page.py","keys":"repr"}}
{"site":{"id":1,"function":"page","file":"page.py","line":10}}
{"site":{"id":2,"function":"page","file":"page.py","line":11}}
{"site":{"id":3,"function":"page","file":"page.py","line":12}}
{"source":{"id":1,"name":"author","file":"page.py","line":3}}
{"source":{"id":2,"name":"albums","file":"page.py","line":6}}
{"flow":{"file":"page.py","line":11,"end":11}}
{"flow":{"file":"page.py","line":12,"end":12}}
{"task":{"t":1000,"id":1,"thread":1,"site":1}}
{"run":{"t":1100,"task":1}}
{"load":{"t":2000,"id":1,"task":1,"at":2,"source":1,"key":1,"text":"7","how":"new"}}
{"wait":{"t":2500,"task":1,"at":2,"loads":[1]}}
{"flush":{"t":3000,"batch":1,"thread":1,"source":1,"loads":[1],"keys":1,"reason":"idle"}}
{"answer":{"t":903000,"batch":1}}
{"run":{"t":904000,"task":1}}
{"load":{"t":905000,"id":2,"task":1,"at":3,"source":2,"key":1,"text":"7","how":"new"}}
{"wait":{"t":905500,"task":1,"at":3,"loads":[2]}}
{"flush":{"t":906000,"batch":2,"thread":1,"source":2,"loads":[2],"keys":1,"reason":"idle"}}
{"answer":{"t":1806000,"batch":2}}
{"run":{"t":1807000,"task":1}}
{"end":{"t":1808000,"task":1}}
"#;

/// A name that is markup everywhere, and moves the cursor of a terminal.
const HOSTILE: &str = "\\u001b[2J</script><b>&\\\"|`#";

fn read(lines: &str) -> (Recording, Explanation) {
    let recording = Recording::read(lines.as_bytes()).expect("a recording");
    let explanation = Explanation::of(&recording);
    (recording, explanation)
}

fn draw(lines: &str, report: Report) -> String {
    let (recording, explanation) = read(lines);
    let mut bytes = Vec::new();
    report.write(&recording, &explanation, &mut bytes).expect("a vector takes everything");
    String::from_utf8(bytes).expect("reports are UTF-8")
}

fn check(actual: &str, expected: &Expect) {
    expected.assert_eq(actual);
}

fn on_terminal(lines: &str, style: Style) -> String {
    let (recording, explanation) = read(lines);
    text(&recording, &explanation, style)
}

/// A task that asks for one key after the other, `count` times.
fn chain(count: usize) -> String {
    let mut lines = PAGE.lines().take(8).map(|line| line.to_owned() + "\n").collect::<String>();
    lines += "{\"task\":{\"t\":1,\"id\":1,\"site\":1}}\n{\"run\":{\"t\":2,\"task\":1}}\n";
    for index in 1..=count {
        let t = index * 1_000_000;
        let answered = t + 900_000;
        let turn = format!(
            r#"{{"load":{{"t":{t},"id":{index},"task":1,"at":2,"source":1,"key":{index}}}}}
{{"wait":{{"t":{t},"task":1,"at":2,"loads":[{index}]}}}}
{{"flush":{{"t":{t},"batch":{index},"source":1,"loads":[{index}],"keys":1}}}}
{{"answer":{{"t":{answered},"batch":{index}}}}}
{{"run":{{"t":{answered},"task":1}}}}
"#
        );
        lines += &turn;
    }
    lines
}

#[test]
fn a_terminal_shows_rounds_and_what_to_change_first() {
    check(
        &draw(PAGE, Report::Text),
        &expect![[r#"
            page.py: 2 rounds, 2 batches, 2 keys, 1 task, 1.81 ms

            round  source  keys  waiting    time  sent because       0                                   1.80 ms
                1  author     1        1  900 µs  no task could run  █████████████████████
                2  albums     1        1  900 µs  no task could run                       ██████████████████████

            What to change first, page.py:11: `page` awaits `author` before it asks for `albums` at line 12
              What is asked for at line 12 does not need the value of `author`, and went out a round late
              Await both together, by `yield (…, …)` or `asynq.gather(…)`: 1 round instead of 2
        "#]],
    );
}

/// The same page, after the change that the finding asks for.
fn together() -> String {
    let definitions = PAGE.lines().take(8).map(|line| line.to_owned() + "\n").collect::<String>();
    definitions
        + r#"{"task":{"t":1000,"id":1,"site":1}}
{"run":{"t":1100,"task":1}}
{"load":{"t":2000,"id":1,"task":1,"at":2,"source":1,"key":1}}
{"load":{"t":2100,"id":2,"task":1,"at":2,"source":2,"key":1}}
{"wait":{"t":2500,"task":1,"at":2,"loads":[1,2]}}
{"flush":{"t":3000,"batch":1,"source":1,"loads":[1],"keys":1}}
{"flush":{"t":4000,"batch":2,"source":2,"loads":[2],"keys":1}}
{"answer":{"t":503000,"batch":1}}
{"answer":{"t":903000,"batch":2}}
{"run":{"t":904000,"task":1}}
{"end":{"t":908000,"task":1}}
"#
}

#[test]
fn a_terminal_tells_the_critical_path_from_other_requests() {
    check(
        &draw(&together(), Report::Text),
        &expect![[r#"
        page.py: 1 round, 2 batches, 2 keys, 1 task, 907 µs

        round  source  keys  waiting    time  sent because       0                                    900 µs
            1  author     1        1  500 µs  no task could run  ▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒
               albums     1        1  899 µs  no task could run  ███████████████████████████████████████████
        █ critical path   ▒ other requests

        Nothing to change: no finding.
    "#]],
    );
}

#[test]
fn long_names_of_sources_keep_their_ends() {
    let lines = PAGE.replace("author", "loader at crates/web/src/pages/author.rs:4:47");
    let shown = draw(&lines, Report::Text);
    assert_eq!(&shown.lines().nth(3).expect("a row")[7..34], "loader a…s/author.rs:4:47");
}

#[test]
fn a_narrow_terminal_leaves_out_the_reason_and_wraps_sentences() {
    check(
        &on_terminal(PAGE, Style { width: 40, ..Style::default() }),
        &expect![[r#"
            page.py: 2 rounds, 2 batches, 2 keys, 1
            task, 1.81 ms

            round  source  keys    time  0   1.80 ms
                1  author     1  900 µs  █████
                2  albums     1  900 µs       ██████

            What to change first, page.py:11: `page`
              awaits `author` before it asks for
              `albums` at line 12
              What is asked for at line 12 does not
              need the value of `author`, and went
              out a round late
              Await both together, by `yield (…, …)`
              or `asynq.gather(…)`: 1 round instead
              of 2
        "#]],
    );
}

#[test]
fn a_terminal_of_ascii_gets_nothing_else() {
    check(
        &on_terminal(PAGE, Style { width: 80, unicode: false, colour: false }),
        &expect![[r#"
            page.py: 2 rounds, 2 batches, 2 keys, 1 task, 1.81 ms

            round  source  keys  waiting    time  sent because       0               1.80 ms
                1  author     1        1  900 us  no task could run  ###########
                2  albums     1        1  900 us  no task could run             ############

            What to change first, page.py:11: `page` awaits `author` before it asks for
              `albums` at line 12
              What is asked for at line 12 does not need the value of `author`, and went out
              a round late
              Await both together, by `yield (..., ...)` or `asynq.gather(...)`: 1 round
              instead of 2
        "#]],
    );
}

#[test]
fn colours_add_nothing_but_control_sequences() {
    let coloured = on_terminal(PAGE, Style { colour: true, ..Style::default() });
    let mut parts = coloured.split("\x1b[");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    plain.extend(parts.map(|part| part.split_once('m').expect("a colour").1));
    assert_eq!(plain, draw(PAGE, Report::Text));
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    for width in [40, 57, 80, 120] {
        let style = Style { width, ..Style::default() };
        let widest = on_terminal(&chain(60), style).lines().map(|line| line.chars().count()).max();
        assert!(widest <= Some(width), "{widest:?} of {width}");
    }
}

#[test]
fn a_terminal_shows_the_first_and_the_last_of_many_rounds() {
    let rows = draw(&chain(1000), Report::Text);
    let rows: Vec<&str> =
        rows.lines().filter(|row| row.contains("author") || row.contains("more")).collect();
    assert_eq!(rows.len(), 41);
}

#[test]
fn names_cannot_control_the_terminal() {
    let shown = draw(&PAGE.replace("author", HOSTILE), Report::Text);
    assert!(!shown.contains('\x1b'), "{shown}");
}

#[test]
fn names_do_not_become_html() {
    let page = draw(&PAGE.replace("author", HOSTILE), Report::Html);
    assert_eq!(page.matches("</script>").count(), 2);
    assert!(!page.contains("<b>"));
}

#[test]
fn the_page_names_no_other_file() {
    let page = draw(PAGE, Report::Html);
    assert!(!page.contains("http://") && !page.contains("https://") && !page.contains("url("));
}

#[test]
fn a_graph_for_a_pull_request_has_the_rounds_and_the_code_between_them() {
    check(
        &draw(PAGE, Report::Mermaid),
        &expect![[r#"
        flowchart LR
          subgraph round1 ["round 1"]
            batch1["author<br/>1 key"]
          end
          subgraph round2 ["round 2"]
            batch2["albums<br/>1 key"]
          end
          batch1 -->|"page.py:12"| batch2
          classDef critical stroke-width:3px
          class batch1,batch2 critical
    "#]],
    );
}

#[test]
fn mermaid_reads_names_as_text() {
    check(
        draw(&PAGE.replace("author", HOSTILE), Report::Mermaid).lines().nth(2).expect("a node"),
        &expect![[
            r#"    batch1[" #91;2J#60;/script#62;#60;b#62;#38;#34;#124;#96;#35;<br/>1 key"]"#
        ]],
    );
}

#[test]
fn a_graph_for_graphviz_has_the_rounds_and_the_code_between_them() {
    check(
        &draw(PAGE, Report::Dot),
        &expect![[r#"
        digraph "page.py" {
          rankdir=LR;
          node [shape=box, style=rounded];
          subgraph cluster_1 {
            label="round 1";
            batch1 [label="author\n1 key", penwidth=2];
          }
          subgraph cluster_2 {
            label="round 2";
            batch2 [label="albums\n1 key", penwidth=2];
          }
          batch1 -> batch2 [label="page.py:12"];
        }
    "#]],
    );
}

#[test]
fn graphviz_reads_names_as_text() {
    check(
        draw(&PAGE.replace("author", HOSTILE), Report::Dot).lines().nth(5).expect("a node"),
        &expect![[r#"    batch1 [label=" [2J</script><b>&\"|`#\n1 key", penwidth=2];"#]],
    );
}

#[test]
fn a_graph_of_many_rounds_counts_those_in_the_middle() {
    let graph = draw(&chain(1000), Report::Dot);
    assert_eq!(graph.matches("subgraph").count(), 41);
    assert!(graph.contains("label=\"rounds 31 to 990\""), "{graph}");
}

#[test]
fn a_trace_has_a_span_for_each_batch_and_task() {
    check(
        &draw(PAGE, Report::ChromeTrace),
        &expect![[r#"
            {"displayTimeUnit":"ms","traceEvents":[
            {"args":{"name":"sources"},"name":"process_name","ph":"M","pid":1,"tid":1},
            {"args":{"sort_index":1},"name":"process_sort_index","ph":"M","pid":1,"tid":1},
            {"args":{"name":"tasks"},"name":"process_name","ph":"M","pid":2,"tid":2},
            {"args":{"sort_index":2},"name":"process_sort_index","ph":"M","pid":2,"tid":2},
            {"args":{"keys":1,"round":1,"sent because":"no task could run","texts of keys":["7"],"waiting":["page"]},"cat":"batch","id":1,"name":"author","ph":"b","pid":1,"tid":1,"ts":3.0},
            {"cat":"batch","id":1,"name":"author","ph":"e","pid":1,"tid":1,"ts":903.0},
            {"args":{"keys":1,"round":2,"sent because":"no task could run","texts of keys":["7"],"waiting":["page"]},"cat":"batch","id":2,"name":"albums","ph":"b","pid":1,"tid":1,"ts":906.0},
            {"cat":"batch","id":2,"name":"albums","ph":"e","pid":1,"tid":1,"ts":1806.0},
            {"args":{"called at":"","contexts":[],"place":"page.py:10"},"cat":"task","id":1,"name":"page","ph":"b","pid":2,"tid":2,"ts":1.0},
            {"cat":"task","id":1,"name":"page","ph":"e","pid":2,"tid":2,"ts":1808.0}
            ]}
        "#]],
    );
}

/// The rules of the Trace Event Format for metadata and nestable asynchronous events.
#[test]
fn a_trace_keeps_the_rules_of_its_format() {
    let trace: serde_json::Value =
        serde_json::from_str(&draw(&chain(1000), Report::ChromeTrace)).expect("JSON");
    let (mut named, mut open, mut ended) = (Vec::new(), HashMap::new(), 0);
    for event in trace["traceEvents"].as_array().unwrap() {
        let pid = event["pid"].as_u64().filter(|&pid| pid > 0).unwrap();
        assert!(event["tid"].as_u64().is_some_and(|tid| tid > 0), "{event}");
        let name = event["name"].as_str().unwrap().to_owned();
        if event["ph"] == "M" {
            named.extend((name == "process_name").then_some(pid));
            continue;
        }
        assert!(named.contains(&pid), "{event}");
        let time = event["ts"].as_f64().unwrap();
        let key = (event["cat"].as_str().unwrap().to_owned(), event["id"].as_u64().unwrap());
        match event["ph"].as_str() {
            Some("b") => {
                assert!(event["args"].as_object().unwrap().values().all(|value| !value.is_null()));
                assert_eq!(open.insert(key, (time, pid, name)), None, "{event}");
            }
            Some("e") => {
                let (start, of, begun) = open.remove(&key).unwrap();
                assert!(start <= time && (of, begun) == (pid, name), "{event}");
                ended += 1;
            }
            _ => panic!("{event}"),
        }
    }
    assert!(open.is_empty() && ended > 1000);
}

#[test]
fn a_trace_is_json_whatever_the_names_are() {
    let trace = draw(&PAGE.replace("author", HOSTILE), Report::ChromeTrace);
    let trace: serde_json::Value = serde_json::from_str(&trace).expect("JSON");
    assert_eq!(trace["traceEvents"][4]["name"], "\u{1b}[2J</script><b>&\"|`#");
}

#[test]
fn a_recording_is_saved_as_it_was_read() {
    let (recording, _) = read(PAGE);
    assert_eq!(
        Recording::read(draw(PAGE, Report::Recording).as_bytes()).expect("a recording"),
        recording
    );
}

#[test]
fn the_extension_of_a_file_says_what_to_save() {
    assert_eq!(Report::of_path(Path::new("out/why.HTML")), Ok(Report::Html));
}

#[test]
fn an_unknown_extension_is_an_error_that_lists_the_known_ones() {
    let error = Report::of_path(Path::new("why.pdf")).expect_err("no such report");
    check(
        &error.to_string(),
        &expect![[
            r#"cannot tell what to save as "why.pdf": its name must end in .html, .json (a trace for Perfetto), .jsonl (the recording), .mmd (Mermaid), .dot (Graphviz) or .txt"#
        ]],
    );
}

const REPORTS: [Report; 6] = [
    Report::Recording,
    Report::Html,
    Report::ChromeTrace,
    Report::Mermaid,
    Report::Dot,
    Report::Text,
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_recording_that_has_lost_lines_can_be_drawn(kept in prop::collection::vec(any::<bool>(), 60)) {
        let whole = PAGE.to_owned() + &chain(3).lines().skip(1).collect::<Vec<_>>().join("\n");
        let (header, lines) = whole.split_once('\n').expect("lines");
        let left = lines.lines().zip(kept).filter(|(_, kept)| *kept).map(|(line, _)| line);
        let lines = [header].into_iter().chain(left).collect::<Vec<_>>().join("\n");
        for report in REPORTS {
            prop_assert!(!draw(&lines, report).is_empty());
        }
    }
}
