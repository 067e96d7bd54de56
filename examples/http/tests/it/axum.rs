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
    let mut queries = [server.line(), server.line(), server.line()];
    // The first two run at the same time.
    queries[..2].sort();
    expect_test::expect![[r#"
        [
            "SELECT t.\"AlbumId\", t.\"Title\", k0.rowid FROM rarray(?1) AS k0 CROSS JOIN \"Album\" AS t ON t.\"ArtistId\" = +k0.value ORDER BY t.\"AlbumId\"",
            "SELECT t.\"Name\", k0.rowid FROM rarray(?1) AS k0 CROSS JOIN \"Artist\" AS t ON t.\"ArtistId\" = +k0.value",
            "SELECT t.\"Name\", k0.rowid FROM rarray(?1) AS k0 CROSS JOIN \"Track\" AS t ON t.\"AlbumId\" = +k0.value ORDER BY t.\"TrackId\"",
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
