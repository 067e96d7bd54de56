//! The GraphQL server over HTTP.

use crate::server::Server;

const GRAPHQL: &str = env!("CARGO_BIN_EXE_graphql");

fn query(first: u32) -> String {
    format!(
        "{{ artists(first: {first}) {{ name albums {{ title tracks {{ name genre {{ name }} }} }} }} }}"
    )
}

#[test]
fn a_query_is_answered_as_json() {
    let body = format!("{{\"query\":\"{}\"}}", query(2));
    let (status, body) = Server::start(GRAPHQL).post("/", &body);
    assert_eq!(status, 200, "{body}");
    expect_test::expect![[r#"{"data":{"artists":[{"name":"AC/DC","albums":[{"title":"For Those About To Rock We Salute You","tracks":[{"name":"For Those About To Rock (We Salute You)","genre":{"name":"Rock"}},{"name":"Put The Finger On You","genre":{"name":"Rock"}},{"name":"Let's Get It Up","genre":{"name":"Rock"}},{"name":"Inject The Venom","genre":{"name":"Rock"}},{"name":"Snowballed","genre":{"name":"Rock"}},{"name":"Evil Walks","genre":{"name":"Rock"}},{"name":"C.O.D.","genre":{"name":"Rock"}},{"name":"Breaking The Rules","genre":{"name":"Rock"}},{"name":"Night Of The Long Knives","genre":{"name":"Rock"}},{"name":"Spellbound","genre":{"name":"Rock"}}]},{"title":"Let There Be Rock","tracks":[{"name":"Go Down","genre":{"name":"Rock"}},{"name":"Dog Eat Dog","genre":{"name":"Rock"}},{"name":"Let There Be Rock","genre":{"name":"Rock"}},{"name":"Bad Boy Boogie","genre":{"name":"Rock"}},{"name":"Problem Child","genre":{"name":"Rock"}},{"name":"Overdose","genre":{"name":"Rock"}},{"name":"Hell Ain't A Bad Place To Be","genre":{"name":"Rock"}},{"name":"Whole Lotta Rosie","genre":{"name":"Rock"}}]}]},{"name":"Accept","albums":[{"title":"Balls to the Wall","tracks":[{"name":"Balls to the Wall","genre":{"name":"Rock"}}]},{"title":"Restless and Wild","tracks":[{"name":"Fast As a Shark","genre":{"name":"Rock"}},{"name":"Restless and Wild","genre":{"name":"Rock"}},{"name":"Princess of the Dawn","genre":{"name":"Rock"}}]}]}]}}"#]].assert_eq(&body);
}

#[test]
fn a_query_takes_one_statement_for_each_level() {
    let mut server = Server::start(GRAPHQL);
    let (status, body) = server.post("/", &format!("{{\"query\":\"{}\"}}", query(275)));
    assert_eq!(status, 200, "{body}");
    server.post("/", r#"{"query":"{ artists(first: 1) { name } }"}"#);
    let statements = [(); 5].map(|()| server.line());
    expect_test::expect![[r#"
        [
            "SELECT ArtistId, Name FROM Artist ORDER BY ArtistId LIMIT ?1",
            "SELECT t.\"AlbumId\", t.\"Title\", k0.rowid FROM rarray(?1) AS k0 CROSS JOIN \"Album\" AS t ON t.\"ArtistId\" = +k0.value ORDER BY t.\"AlbumId\"",
            "SELECT t.\"Name\", t.\"GenreId\", k0.rowid FROM rarray(?1) AS k0 CROSS JOIN \"Track\" AS t ON t.\"AlbumId\" = +k0.value ORDER BY t.\"TrackId\"",
            "SELECT t.\"Name\", k0.rowid FROM rarray(?1) AS k0 CROSS JOIN \"Genre\" AS t ON t.\"GenreId\" = +k0.value",
            "SELECT ArtistId, Name FROM Artist ORDER BY ArtistId LIMIT ?1",
        ]
    "#]].assert_debug_eq(&statements);
}

#[test]
fn a_browser_gets_graphiql() {
    let (status, body) = Server::start(GRAPHQL).get("/");
    assert_eq!(status, 200, "{body}");
    assert!(body.contains("GraphiQL"), "{body}");
}
