//! Batch functions: what they may be, borrow and return.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::{Arc, Mutex};

use asynq::{FutureBase, Loader, LocalLoader, all, asynq};

use crate::common::{Log, later, yield_now};

/// A pool of connections, as an example of what functions capture.
struct Pool(Log);

impl Pool {
    async fn query(&self, keys: &[u32]) -> Result<HashMap<u32, String>, std::io::Error> {
        self.0.add(format_args!("query {keys:?}"));
        later(1).await;
        Ok(keys.iter().map(|key| (*key, format!("row {key}"))).collect())
    }
}

#[test]
fn an_async_closure_may_borrow_what_it_captures() {
    let log = Log::new();
    let pool = Pool(log.clone());
    let row = LocalLoader::new(async move |keys: Vec<u32>| pool.query(&keys).await);
    assert_eq!(row.load_many([1, 2]).value().unwrap(), ["row 1", "row 2"]);
    assert_eq!(row.load(3).value().unwrap(), "row 3");
    assert_eq!(log.take(), "query [1, 2]\nquery [3]\n");
}

/// A pool for all threads.
#[derive(Clone)]
struct Rows(Arc<Mutex<Vec<Vec<u32>>>>);

impl Rows {
    async fn query(&self, keys: &[u32]) -> Vec<u32> {
        self.0.lock().unwrap().push(keys.to_vec());
        yield_now().await;
        keys.iter().map(|key| key * 10).collect()
    }
}

#[test]
fn an_async_closure_for_all_threads_may_borrow_a_pool_that_it_captures() {
    let rows = Rows(Arc::default());
    let queries = Arc::clone(&rows.0);
    let tens = Loader::new(async move |keys: Vec<u32>| rows.query(&keys).await);
    assert_eq!(tens.load_many([1, 2]).value().unwrap(), [10, 20]);
    assert_eq!(tens.load(3).value().unwrap(), 30);
    assert_eq!(*queries.lock().unwrap(), [vec![1, 2], vec![3]]);
}

#[test]
fn the_calls_of_an_async_closure_may_overlap() {
    let log = Log::new();
    let pool = Pool(log.clone());
    let row =
        LocalLoader::new(async move |keys: Vec<u32>| pool.query(&keys).await).max_batch_size(1);
    row.load_many([1, 2]).value().unwrap();
    assert_eq!(log.take(), "query [1]\nquery [2]\n");
}

#[test]
fn an_async_closure_may_change_what_it_captures_behind_a_cell() {
    let calls = Rc::new(RefCell::new(Vec::new()));
    let number = {
        let calls = Rc::clone(&calls);
        LocalLoader::new(async move |keys: Vec<u32>| {
            calls.borrow_mut().push(keys.clone());
            later(1).await;
            let number = calls.borrow().len();
            vec![number; keys.len()]
        })
    };
    assert_eq!(number.load(1).value().unwrap(), 1);
    assert_eq!(number.load(1).value().unwrap(), 2);
}

#[test]
fn an_async_closure_may_return_a_result_for_each_key() {
    let even = LocalLoader::try_new(async |keys: Vec<u32>| {
        let check = |key| if key % 2 == 0 { Ok(key) } else { Err(format!("{key} is odd")) };
        keys.into_iter().map(check).collect::<Vec<_>>()
    });
    let even = even.name("even");
    let (two, three) = all((even.load(2), even.load(3))).value();
    assert_eq!(two.unwrap(), 2);
    assert_eq!(three.unwrap_err().to_string(), "batch even: key 3: 3 is odd");
}

#[asynq]
async fn rows(keys: Vec<u32>) -> Vec<u32> {
    later(1).await;
    keys.into_iter().map(|key| key * 10).collect()
}

#[test]
fn an_asynq_function_may_be_a_batch_function() {
    assert_eq!(LocalLoader::new(rows::asynq).load(1).value().unwrap(), 10);
    assert_eq!(LocalLoader::new(rows).load(1).value().unwrap(), 10);
}

#[test]
fn the_function_is_called_in_the_flush_and_its_future_later() {
    let log = Log::new();
    let loader = {
        let log = log.clone();
        LocalLoader::new(move |keys: Vec<u32>| {
            log.add("called");
            let log = log.clone();
            async move {
                log.add("polled");
                keys
            }
        })
    };
    let load = loader.load(1);
    load.batch().flush();
    assert_eq!(log.take(), "called\n");
    assert_eq!(load.value().unwrap(), 1);
    assert_eq!(log.take(), "polled\n");
}

#[test]
fn a_function_that_panics_before_its_first_await_fails_its_keys() {
    let loader = LocalLoader::new(|keys: Vec<u32>| {
        assert!(keys.is_empty(), "no keys, please");
        async { keys }
    });
    let task = asynq::AsyncTask::new(loader.load(1));
    assert!(task.outcome().unwrap_err().to_string().contains("no keys, please"));
}
