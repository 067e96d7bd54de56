//! The server of artists as JSON over HTTP.

use crate::server::Server;

const AXUM: &str = env!("CARGO_BIN_EXE_axum");

#[test]
fn an_artist_is_served_as_json() {
    let (status, body) = Server::start(AXUM).get("/artists/2");
    assert_eq!(status, 200, "{body}");
    expect_test::expect![[r#"{"name":"Accept","albums":[{"title":"Balls to the Wall","tracks":["Balls to the Wall"]},{"title":"Restless and Wild","tracks":["Fast As a Shark","Restless and Wild","Princess of the Dawn"]}]}"#]].assert_eq(&body);
}

#[test]
fn an_artist_with_many_albums_takes_three_queries() {
    let mut server = Server::start(AXUM);
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
    assert_eq!(
        Server::start(AXUM).get("/artists/9999"),
        (404, "there is no artist 9999".to_owned())
    );
}
