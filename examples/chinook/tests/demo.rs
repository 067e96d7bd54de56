//! The demo as its users meet it: what it prints, and what it says when it cannot go on.
#![forbid(unsafe_code)]

use std::fs;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use expect_test::expect;
use rusqlite::Connection;
use rustix::process::{Pid, Signal, kill_process};

const CHINOOK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../data/chinook.sqlite");

fn chinook(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chinook"));
    command.args(arguments);
    command
}

fn run(arguments: &[&str]) -> Output {
    chinook(arguments).output().expect("the demo starts")
}

/// Output of a run that succeeds, without the line of times and the explanation, which has some, too.
fn stdout(arguments: &[&str]) -> String {
    let Output { status, stdout, stderr } = run(arguments);
    assert!(status.success() && stderr.is_empty(), "{}", String::from_utf8_lossy(&stderr));
    let text = String::from_utf8(stdout).expect("UTF-8");
    let (text, _) = text.split_once("\nexplained").unwrap_or((&text, ""));
    text.split_inclusive('\n').filter(|line| !line.starts_with("time ")).collect()
}

fn queries(arguments: &[&str]) -> String {
    let text = stdout(arguments);
    let line = text.lines().find(|line| line.starts_with("queries")).expect("a line of queries");
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn head(arguments: &[&str]) -> String {
    stdout(arguments).lines().next().expect("a heading").to_owned()
}

/// The one line that a run says which goes wrong.
fn refusal(arguments: &[&str]) -> String {
    let Output { status, stdout, stderr } = run(arguments);
    let text = String::from_utf8(stderr).expect("UTF-8");
    assert_eq!((status.code(), stdout.len(), text.lines().count()), (Some(2), 0, 1), "{text}");
    text.trim_end().replace(env!("CARGO_TARGET_TMPDIR"), "TMP")
}

/// Path of a temporary file for one test.
fn scratch(name: &str) -> String {
    format!("{}/{name}", env!("CARGO_TARGET_TMPDIR"))
}

fn file(name: &str, content: &[u8]) -> String {
    let path = scratch(name);
    fs::write(&path, content).expect("a scratch file");
    path
}

/// A database with the tables of the demo, and what `sql` puts into them.
fn database(name: &str, sql: &str) -> String {
    let path = file(name, b"");
    let tables = "CREATE TABLE Playlist (PlaylistId INTEGER PRIMARY KEY, Name);
        CREATE TABLE PlaylistTrack (PlaylistId, TrackId);
        CREATE TABLE Track (TrackId INTEGER PRIMARY KEY, Name, AlbumId);
        CREATE TABLE Album (AlbumId INTEGER PRIMARY KEY, ArtistId);
        CREATE TABLE Artist (ArtistId INTEGER PRIMARY KEY, Name);";
    let connection = Connection::open(&path).expect("a new database");
    connection.execute_batch(&format!("{tables} BEGIN; {sql}; COMMIT")).expect("good SQL");
    path
}

#[test]
fn the_longest_playlist_takes_three_queries_instead_of_thousands() {
    expect![[r#"
        Playlist 1 (Music): 3,290 tracks

              1  For Those About To Rock (We Salute You)       AC/DC
              2  Balls to the Wall                             Accept
              3  Fast As a Shark                               Accept
                 … and 3,287 more

                   unbatched     batched
        queries        9,870           3

        unbatched: artist_of_track(id) of one track after the other; each key is a query
        batched:   artist_of_track_asynq(id) of all tracks together; each round is a query
    "#]]
    .assert_eq(&stdout(&["--limit", "3", "--store", "memory"]));
}

#[test]
fn each_track_alone_takes_three_queries_too() {
    assert_eq!(queries(&["--tracks", "1"]), "queries 3 3");
}

#[test]
fn the_stores_agree() {
    let arguments = |store| ["--playlist", "Grunge", "--explain", "--store", store];
    let sqlite = stdout(&arguments("sqlite"));
    for store in ["memory", "postgres", "redis", "memcached"] {
        let complaint = String::from_utf8(run(&arguments(store)).stderr).expect("UTF-8");
        if complaint.contains("is not installed") {
            println!("skipped: {complaint}");
            continue;
        }
        assert_eq!(sqlite, stdout(&arguments(store)), "{store}");
    }
}

#[test]
fn a_server_that_is_not_installed_is_named() {
    for (store, program) in [("redis", "redis-server"), ("memcached", "memcached")] {
        let demo = chinook(&["--store", store]).env("PATH", "").output();
        let Output { status, stderr, .. } = demo.expect("the demo starts");
        let complaint = String::from_utf8(stderr).expect("UTF-8");
        assert_eq!(complaint, format!("error: {program} is not installed: make services\n"));
        assert_eq!(status.code(), Some(2));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn ctrl_c_ends_the_server_of_the_demo_too() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut demo = chinook(&["--store", "redis"]);
    let demo = demo.env("TMPDIR", folder.path()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut demo = demo.spawn().expect("the demo starts");
    let is_ready = || {
        let logs = fs::read_dir(folder.path()).expect("it is there").flatten();
        logs.map(|server| fs::read_to_string(server.path().join("log")))
            .any(|log| log.is_ok_and(|log| log.contains("Ready")))
    };
    while !is_ready() {
        if demo.try_wait().expect("our child").is_some() {
            println!("skipped: redis-server is not installed");
            return;
        }
        thread::sleep(Duration::from_millis(10));
    }
    let pid = Pid::from_raw(demo.id().try_into().expect("a process id")).expect("a process id");
    kill_process(pid, Signal::INT).expect("our child");
    let Output { status, stderr, .. } = demo.wait_with_output().expect("it ends");
    assert_eq!((status.code(), stderr.len()), (Some(130), 0));
    // The server's goes when it has ended.
    assert_eq!(fs::read_dir(folder.path()).expect("it is there").count(), 0);
}

#[test]
fn explain_tells_what_was_flushed() {
    let text = stdout(&["--tracks", "1,2,1", "--limit", "0", "--explain"]);
    let (_, flushed) = text.split_once("flushed").expect("an explanation");
    expect![[r#"
        , unbatched:
          round  source     keys  distinct
              1  Track         1         1
              2  Album         1         1
              3  Artist        1         1
              4  Track         1         1
              5  Album         1         1
              6  Artist        1         1
                 … and 3 more

        flushed, batched:
          round  source     keys  distinct
              1  Track         3         2
              2  Album         3         2
              3  Artist        3         2
    "#]]
    .assert_eq(flushed);
}

#[test]
fn explain_ends_with_the_explanation_of_the_batched_run() {
    let Output { stdout, .. } = run(&["--tracks", "1,2,1", "--limit", "0", "--explain"]);
    let text = String::from_utf8(stdout).expect("UTF-8");
    let (_, explanation) = text.split_once("\nexplained, batched:\n").expect("an explanation");
    assert!(explanation.starts_with("chinook: 3 rounds, 3 batches"), "{explanation}");
    assert!(explanation.ends_with("Nothing to change: no finding.\n"), "{explanation}");
}

#[test]
fn a_playlist_is_found_by_its_number() {
    assert_eq!(head(&["--playlist", "16"]), "Playlist 16 (Grunge): 15 tracks");
}

#[test]
fn a_playlist_is_found_by_its_name() {
    assert_eq!(head(&["--playlist", "Grunge"]), "Playlist 16 (Grunge): 15 tracks");
}

#[test]
fn a_name_may_be_typed_without_capitals_and_typographic_signs() {
    assert_eq!(head(&["--playlist", "90's music"]), "Playlist 5 (90’s Music): 1,477 tracks");
}

#[test]
fn of_playlists_with_one_name_the_longest_is_taken() {
    let sql = "INSERT INTO Playlist VALUES (1, 'Mix'), (2, 'Mix');
        INSERT INTO PlaylistTrack VALUES (1, 1), (2, 1), (2, 2);
        INSERT INTO Track VALUES (1, 'A', 1), (2, 'B', 1);
        INSERT INTO Album VALUES (1, 1); INSERT INTO Artist VALUES (1, 'X')";
    let path = database("one_name.sqlite", sql);
    assert_eq!(head(&["--database", &path, "--playlist", "Mix"]), "Playlist 2 (Mix): 2 tracks");
}

#[test]
fn tracks_are_listed_in_the_order_given() {
    let text = stdout(&["--tracks", "3502,1,3502"]);
    let ids = text.lines().skip(2).map_while(|line| line.split_whitespace().next());
    assert_eq!(ids.collect::<Vec<_>>(), ["3502", "1", "3502"]);
}

#[test]
fn a_list_may_be_longer_than_sqlite_has_variables() {
    let sql = "INSERT INTO Playlist VALUES (1, 'All');
        WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n WHERE id < 33000)
        INSERT INTO Track SELECT id, 'T', 1 FROM n;
        INSERT INTO PlaylistTrack SELECT 1, TrackId FROM Track;
        INSERT INTO Album VALUES (1, 1); INSERT INTO Artist VALUES (1, 'X')";
    let path = database("long.sqlite", sql);
    // SQLite is asked for the names of all tracks at once, whatever the store; 99,000 queries for
    // their artists would take seconds.
    let counts = queries(&["--database", &path, "--store", "memory"]);
    assert_eq!(counts, "queries 99,000 3");
}

#[test]
fn the_database_is_found_from_any_directory() {
    let mut demo = chinook(&["--limit", "0", "--store", "memory"]);
    let status = demo.current_dir("/").stdout(Stdio::null()).status().expect("the demo starts");
    assert!(status.success());
}

#[test]
fn help_shows_examples() {
    assert!(stdout(&["--help"]).contains("\nExamples:\n"));
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let mut demo = chinook(&["--limit", "4000", "--store", "memory"]);
    let mut child =
        demo.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the demo starts");
    drop(child.stdout.take());
    let Output { status, stderr, .. } = child.wait_with_output().expect("the demo ends");
    assert_eq!((status.code(), stderr.len()), (Some(0), 0));
}

#[test]
fn an_unknown_playlist_is_answered_with_those_there_are() {
    let line = refusal(&["--playlist", "Grnge"]);
    expect![[r#"error: there is no playlist "Grnge"; there are 1 (Music), 8 (Music), 5 (90’s Music), 3 (TV Shows), 10 (TV Shows), 12 (Classical), 11 (Brazilian Music), 17 (Heavy Metal Classic), 13 (Classical 101 - Deep Cuts), 14 (Classical 101 - Next Steps), 15 (Classical 101 - The Basics), 16 (Grunge), 9 (Music Videos), 18 (On-The-Go 1), 2 (Movies), 4 (Audiobooks), 6 (Audiobooks), 7 (Movies)"#]].assert_eq(&line);
}

#[test]
fn a_playlist_without_tracks_is_refused() {
    let line = refusal(&["--playlist", "Movies"]);
    expect![["error: playlist 2 (Movies) has no tracks"]].assert_eq(&line);
}

#[test]
fn a_database_without_playlists_is_refused() {
    let path = database("no_playlists.sqlite", "");
    let line = refusal(&["--database", &path]);
    expect![["error: there are no playlists in the database"]].assert_eq(&line);
}

#[test]
fn an_unknown_track_is_refused() {
    let line = refusal(&["--tracks", "1,9999"]);
    expect![["error: there is no track 9999"]].assert_eq(&line);
}

#[test]
fn a_track_that_is_not_a_number_is_refused() {
    let line = refusal(&["--tracks", "1,two"]);
    expect![["error: invalid value 'two' for '--tracks <ID,…>': invalid digit found in string"]]
        .assert_eq(&line);
}

#[test]
fn an_empty_list_of_tracks_is_refused() {
    let line = refusal(&["--tracks", ""]);
    expect![[
        "error: invalid value '' for '--tracks <ID,…>': cannot parse integer from empty string"
    ]]
    .assert_eq(&line);
}

#[test]
fn a_playlist_together_with_tracks_is_refused() {
    let line = refusal(&["--playlist", "1", "--tracks", "1"]);
    expect![["error: the argument '--playlist <ID|NAME>' cannot be used with '--tracks <ID,…>'"]]
        .assert_eq(&line);
}

#[test]
fn a_limit_that_is_not_a_number_is_refused() {
    let line = refusal(&["--limit", "ten"]);
    expect![["error: invalid value 'ten' for '--limit <N>': invalid digit found in string"]]
        .assert_eq(&line);
}

#[test]
fn an_unknown_store_is_answered_with_those_there_are() {
    let line = refusal(&["--store", "mysql"]);
    expect![["error: invalid value 'mysql' for '--store <STORE>' [possible values: sqlite, memory, postgres, redis, memcached]; tip: a similar value exists: 'sqlite'"]]
    .assert_eq(&line);
}

#[test]
fn an_unknown_option_is_refused() {
    let line = refusal(&["--plylist", "1"]);
    expect![[
        "error: unexpected argument '--plylist' found; tip: a similar argument exists: '--playlist'"
    ]]
    .assert_eq(&line);
}

#[test]
fn an_option_without_its_value_is_refused() {
    let line = refusal(&["--database"]);
    expect![["error: a value is required for '--database <PATH>' but none was supplied"]]
        .assert_eq(&line);
}

#[test]
fn a_missing_file_is_refused() {
    let path = scratch("missing");
    let line = refusal(&["--database", &path]);
    expect![[r#"error: cannot use "TMP/missing" as the Chinook database: No such file or directory (os error 2)"#]].assert_eq(&line);
}

#[test]
fn a_directory_is_refused() {
    let line = refusal(&["--database", env!("CARGO_TARGET_TMPDIR")]);
    expect![[r#"error: cannot use "TMP" as the Chinook database: not a file"#]].assert_eq(&line);
}

#[test]
fn a_text_file_is_refused() {
    let path = file("text", &b"Track,Artist\n".repeat(100));
    let line = refusal(&["--database", &path]);
    expect![[r#"error: cannot use "TMP/text" as the Chinook database: file is not a database"#]]
        .assert_eq(&line);
}

#[test]
fn a_truncated_database_is_refused() {
    let whole = fs::read(CHINOOK).expect("the database of the checkout");
    let path = file("truncated", &whole[..whole.len() / 2]);
    let line = refusal(&["--database", &path]);
    expect![[r#"error: cannot use "TMP/truncated" as the Chinook database: database disk image is malformed"#]].assert_eq(&line);
}

#[test]
fn a_database_without_the_tables_is_refused() {
    let path = file("empty", b"");
    let line = refusal(&["--database", &path]);
    expect![[r#"error: cannot use "TMP/empty" as the Chinook database: no such table: Playlist"#]]
        .assert_eq(&line);
}

#[test]
fn a_key_that_no_row_has_fails_with_the_name_of_its_batch() {
    let sql = "INSERT INTO Track VALUES (1, 'A', 7)";
    let path = database("no_album.sqlite", sql);
    let line = refusal(&["--database", &path, "--tracks", "1"]);
    expect![["error: batch Album: nothing came back for key 7"]].assert_eq(&line);
}

#[test]
fn a_key_whose_row_has_no_value_fails_with_the_name_of_its_batch() {
    let path = database("no_value.sqlite", "INSERT INTO Track VALUES (1, 'A', NULL)");
    let line = refusal(&["--database", &path, "--tracks", "1"]);
    expect![["error: batch Track: key 1: Invalid column type Null at index: 0, name: AlbumId"]]
        .assert_eq(&line);
}

#[test]
fn an_error_stays_one_line_whatever_the_arguments() {
    let line = refusal(&["--database", "no\nsuch file"]);
    expect![[r#"error: cannot use "no such file" as the Chinook database: No such file or directory (os error 2)"#]].assert_eq(&line);
}
