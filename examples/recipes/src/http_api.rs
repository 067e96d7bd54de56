//! A loader over an HTTP API, by reqwest, with retries and a deadline.

use std::collections::HashMap;
use std::time::Duration;

use asynq::loader::{Per, per};
use asynq::{BatchError, Loader, request};
use reqwest::{Client, RequestBuilder, StatusCode, retry};
use serde::Deserialize;

#[derive(Deserialize)]
struct Artist {
    id: i64,
    name: String,
}

pub async fn slow_names(api: &Client, url: &str, ids: &[i64]) -> reqwest::Result<Vec<String>> {
    let mut names = Vec::new();
    for &id in ids {
        let answer = api.get(address(url, &[id])).send().await?; // a request for each artist
        names.extend(answer.json::<Vec<Artist>>().await?.into_iter().map(|artist| artist.name));
    }
    Ok(names)
}

/// A client that asks `host` again, at most twice, when it is too busy to answer.
pub fn client(host: &'static str) -> reqwest::Result<Client> {
    let busy = retry::for_host(host).max_retries_per_request(2).classify_fn(|answer| {
        if answer.status() == Some(StatusCode::SERVICE_UNAVAILABLE) {
            answer.retryable()
        } else {
            answer.success()
        }
    });
    Client::builder().retry(busy).build()
}

async fn artists(select: RequestBuilder) -> reqwest::Result<HashMap<i64, String>> {
    let artists: Vec<Artist> = select.send().await?.error_for_status()?.json().await?;
    Ok(artists.into_iter().map(|artist| (artist.id, artist.name)).collect())
}

/// The names of artists, with a request for at most 100 keys. A load takes at most `deadline`.
pub fn name(api: Client, url: String, deadline: Duration) -> Loader<i64, String> {
    Loader::new(move |ids: Vec<i64>| artists(api.get(address(&url, &ids))))
        .name("name")
        .max_batch_size(100)
        .timeout(deadline)
}

fn address(url: &str, ids: &[i64]) -> String {
    let ids: Vec<String> = ids.iter().map(i64::to_string).collect();
    format!("{url}/artists?ids={}", ids.join(","))
}

pub async fn names(name: &Loader<i64, String>, ids: &[i64]) -> Result<Vec<String>, BatchError> {
    request(name.load_many(ids.iter().copied())).await
}

/// The names that the owner of a token can see.
pub fn name_per_token(api: Client, url: String) -> Per<String, i64, String> {
    per(move |token: &String| {
        let (api, url, token) = (api.clone(), url.clone(), token.clone());
        Loader::new(move |ids: Vec<i64>| artists(api.get(address(&url, &ids)).bearer_auth(&token)))
    })
}
