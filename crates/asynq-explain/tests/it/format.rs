//! The format of recordings: JSON Lines that every version reads.

use asynq_explain::{Header, Keys, Reason, Recording};
use expect_test::expect;

use crate::common::Script;

fn recording() -> Recording {
    let mut script = Script::new();
    script.flow(2, &[]);
    let page = script.task("page", 1, None);
    let at = script.site("page", 2);
    let load = script.load(Some(page), Some(at), "author", 7);
    script.wait(page, at, &[], &[load]);
    script.request("author", &[load]);
    script.run(page);
    script.end(page);
    script.recording()
}

#[test]
fn each_line_is_an_object_with_the_name_of_its_kind() {
    expect![[r#"
        {"recording":{"version":1,"language":"","program":"","keys":"count","sampling":1.0,"started":0,"dropped":0}}
        {"site":{"id":1,"function":"page","file":"page.py","line":1}}
        {"site":{"id":2,"function":"page","file":"page.py","line":2}}
        {"source":{"id":1,"name":"author"}}
        {"flow":{"file":"page.py","line":2,"end":2}}
        {"task":{"t":1000,"id":1,"thread":1,"site":1}}
        {"run":{"t":2000,"task":1}}
        {"load":{"t":3000,"id":2,"task":1,"at":2,"source":1,"key":1,"how":"new","thread":1}}
        {"wait":{"t":4000,"task":1,"at":2,"loads":[2]}}
        {"flush":{"t":5000,"batch":3,"thread":1,"source":1,"loads":[2],"keys":1,"reason":"idle"}}
        {"answer":{"t":6000,"batch":3}}
        {"run":{"t":7000,"task":1}}
        {"end":{"t":8000,"task":1}}
    "#]]
    .assert_eq(&recording().to_json_lines());
}

#[test]
fn a_recording_is_read_as_it_was_written() {
    let recording = recording();
    let text = recording.to_json_lines();
    assert_eq!(Recording::read(text.as_bytes()).unwrap(), recording);
}

#[test]
fn unknown_lines_and_members_are_skipped() {
    let text = concat!(
        r#"{"recording":{"version":1,"colour":"red"}}"#,
        "\n\n",
        r#"{"weather":{"t":1}}"#,
        "\n",
        r#"{"flush":{"t":5,"batch":3,"source":1,"reason":"delay","wind":3}}"#,
    );
    let recording = Recording::read(text.as_bytes()).unwrap();
    assert_eq!(recording.header, Header::default());
    let [asynq_explain::Event::Flush(sent)] = &recording.events[..] else { panic!() };
    assert_eq!((sent.batch, sent.reason), (3, Reason::Delay));
}

#[test]
fn errors_name_the_line() {
    let error = |text: &str| Recording::read(text.as_bytes()).unwrap_err().to_string();
    expect!["not a recording of asynq: its first line has to be {\"recording\":{…}}"]
        .assert_eq(&error("{}"));
    expect!["not a recording of asynq: its first line has to be {\"recording\":{…}}"]
        .assert_eq(&error(""));
    expect![
        "the recording has version 9 of the format, and this asynq reads up to 1: use a later asynq"
    ]
    .assert_eq(&error(r#"{"recording":{"version":9}}"#));
    let text = "{\"recording\":{\"version\":1}}\n{\"run\":{\"t\":1}}";
    expect!["line 2 of the recording: missing field `task` at line 1 column 14"]
        .assert_eq(&error(text));
}

#[test]
fn keys_are_shown_as_far_as_the_options_say() {
    let text = |keys: Keys| keys.text(|| "'ann@example.org'".to_owned());
    assert_eq!(text(Keys::Count), None);
    assert_eq!(text(Keys::Hash).as_deref(), Some("e1db724653cd7528"));
    assert_eq!(text(Keys::Repr).as_deref(), Some("'ann@example.org'"));
    assert_eq!(Keys::Repr.text(|| "é".repeat(200)), Some("é".repeat(100) + "…"));
    let error = "all".parse::<Keys>().unwrap_err().to_string();
    expect![[r#"keys must be "count", "hash" or "repr", got "all""#]].assert_eq(&error);
}
