//! The server, `examples/axum.rs`, over HTTP.
#![forbid(unsafe_code)]

use std::env;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdout, Command, Stdio};

struct Server {
    process: Child,
    output: BufReader<ChildStdout>,
    address: String,
}

impl Server {
    fn start() -> Self {
        let test = env::current_exe().expect("the path of this test");
        let target = test.ancestors().nth(2).expect("target/PROFILE, of target/PROFILE/deps/TEST");
        let server = target.join("examples").join(format!("axum{}", env::consts::EXE_SUFFIX));
        assert!(
            server.exists(),
            "first: cargo build -p asynq-batch --features tokio --example axum"
        );
        let mut process =
            Command::new(server).arg("127.0.0.1:0").stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        let mut server = Self { process, output, address: String::new() };
        server.address = server.line().replace("http://", "");
        server
    }

    /// The next line that it prints.
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line.trim().to_owned()
    }

    /// The status and the body of the answer.
    fn get(&self, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        let status = head.split(' ').nth(1).expect("a status");
        (status.parse().unwrap(), body.to_owned())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

#[test]
fn an_artist_is_served_as_json() {
    let (status, body) = Server::start().get("/artists/2");
    assert_eq!(status, 200, "{body}");
    expect_test::expect![[r#"{"name":"Accept","albums":[{"title":"Balls to the Wall","tracks":["Balls to the Wall"]},{"title":"Restless and Wild","tracks":["Fast As a Shark","Restless and Wild","Princess of the Dawn"]}]}"#]].assert_eq(&body);
}

#[test]
fn an_artist_with_many_albums_takes_three_queries() {
    let mut server = Server::start();
    let (status, body) = server.get("/artists/90");
    assert_eq!(status, 200, "{body}");
    let queries = [server.line(), server.line(), server.line()];
    expect_test::expect![[r#"
        [
            "1 keys: SELECT ArtistId, ArtistId, Name FROM Artist WHERE ArtistId IN rarray(?)",
            "1 keys: SELECT ArtistId, AlbumId, Title FROM Album WHERE ArtistId IN rarray(?)",
            "21 keys: SELECT AlbumId, TrackId, Name FROM Track WHERE AlbumId IN rarray(?)",
        ]
    "#]]
    .assert_debug_eq(&queries);
}

#[test]
fn an_artist_that_is_not_there_is_not_found() {
    assert_eq!(Server::start().get("/artists/9999"), (404, "there is no artist 9999".to_owned()));
}
