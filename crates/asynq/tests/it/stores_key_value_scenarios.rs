//! The scenarios of `scenarios/key_value.json`, which the Python package is tested by, too.
#![cfg(target_os = "linux")]

use std::rc::Rc;

use asynq::stores::{KeyValue, Memcached, Redis};
use asynq::{AsyncTask, BatchError, FutureBase, all};
use local_servers::memcached::MemcachedServer;
use local_servers::redis::RedisServer;
use redis::Value;
use serde_json::Value as Json;

use crate::key_value::Kind;

const FILE: &str = include_str!("../../scenarios/key_value.json");

type Outcome = Result<Json, BatchError>;

fn text(operation: &Json, index: usize) -> &str {
    operation[index].as_str().unwrap()
}

/// Requests an operation that all stores have, and returns its result as JSON.
fn requested<S: KeyValue + 'static>(store: &S, operation: &Json) -> AsyncTask<Outcome> {
    let key = text(operation, 1).to_owned();
    match text(operation, 0) {
        "get" => {
            let get = store.get(key);
            AsyncTask::new(async move {
                Ok(get.await?.map_or(Json::Null, |value| String::from_utf8(value).unwrap().into()))
            })
        }
        "set" => {
            let set = store.set(key, text(operation, 2));
            AsyncTask::new(async move { set.await.map(|()| Json::Null) })
        }
        "delete" => {
            let delete = store.delete(key);
            AsyncTask::new(async move { delete.await.map(Json::from) })
        }
        other => panic!("{other} is no operation"),
    }
}

fn requested_of_redis(redis: &Redis, operation: &Json) -> AsyncTask<Outcome> {
    if text(operation, 0) != "command" {
        return requested(redis, operation);
    }
    let mut command = redis::cmd(text(operation, 1));
    for argument in &operation.as_array().unwrap()[2..] {
        command.arg(argument.as_str().unwrap());
    }
    let reply = redis.command::<Value>(&command);
    AsyncTask::new(async move {
        match reply.await? {
            Value::Int(integer) => Ok(integer.into()),
            other => panic!("{other:?} in a scenario"),
        }
    })
}

/// Runs the scenarios of a store, each on a server of its own.
fn run<S: Kind>(requested: fn(&S::Store, &Json) -> AsyncTask<Outcome>) {
    let scenarios: Vec<Json> = serde_json::from_str(FILE).unwrap();
    for scenario in scenarios {
        if !scenario["stores"].as_array().unwrap().contains(&S::NAME.into()) {
            continue;
        }
        let Some(server) = S::start() else { return };
        let store = Rc::new(server.store());
        let rounds = scenario["rounds"].as_array().unwrap();
        for (round, expected) in rounds.iter().zip(scenario["results"].as_array().unwrap()) {
            let operations = round.as_array().unwrap().iter();
            let results = all(operations.map(|operation| requested(&store, operation))).value();
            for (result, expected) in results.into_iter().zip(expected.as_array().unwrap()) {
                match (result, expected["error"].as_str()) {
                    (Err(error), Some(expected)) => {
                        let error = error.to_string().to_lowercase();
                        assert!(error.contains(&expected.to_lowercase()), "{error}: {scenario}");
                    }
                    (result, _) => assert_eq!(result.unwrap(), *expected, "{scenario}"),
                }
            }
        }
        assert_eq!(store.stats().batches, rounds.len(), "{scenario}");
    }
}

#[test]
fn scenarios_of_redis() {
    run::<RedisServer>(requested_of_redis);
}

#[test]
fn scenarios_of_memcached() {
    run::<MemcachedServer>(requested::<Memcached>);
}
