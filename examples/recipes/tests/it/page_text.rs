//! The code of each page stands in its program.

use std::fs;
use std::path::PathBuf;

/// Asserts that the source of the recipes has each Rust example of the page `name`, in one of `programs`.
fn check(name: &str, programs: &[&str]) {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| fs::read_to_string(root.join(path)).unwrap();
    let page = read(&format!("../../docs/rust/howto/{name}.md"));
    let source: String = programs.iter().map(|program| read(program)).collect();
    let examples: Vec<_> = page.split("```rust\n").skip(1).collect();
    assert!(!examples.is_empty(), "{name}.md has no example");
    for example in examples {
        let code = example.split("```").next().unwrap();
        for part in code.split("\n\n") {
            assert!(
                source.contains(part.trim_end()),
                "{name}.md differs from {programs:?}:\n{part}"
            );
        }
    }
}

#[test]
fn the_page_about_axum_shows_its_program() {
    check("axum", &["src/axum.rs", "src/music.rs"]);
}

#[test]
fn the_page_about_async_graphql_shows_its_program() {
    check("async-graphql", &["src/async_graphql.rs"]);
}

#[test]
fn the_page_about_tonic_shows_its_program() {
    check("tonic", &["src/tonic.rs", "build.rs"]);
}

#[test]
fn the_page_about_databases_shows_its_programs() {
    check("databases", &["src/sqlx.rs", "src/sea_orm.rs", "src/diesel.rs", "src/music.rs"]);
}

#[test]
fn the_page_about_http_apis_shows_its_program() {
    check("http-api", &["src/http_api.rs"]);
}
