//! Blocking functions of loaders in an executor of the user.

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use asynq::loader::Job;
use asynq::{AsyncTask, FutureBase, LocalLoader, all, debug};

/// An executor of one thread, whose name is `executor`.
fn one_thread() -> impl Fn(Job) {
    let (jobs, received): (Sender<Job>, Receiver<Job>) = channel();
    let run = move || received.into_iter().for_each(|job| job());
    thread::Builder::new().name("executor".to_owned()).spawn(run).unwrap();
    move |job| jobs.send(job).unwrap()
}

fn names_of_threads(keys: Vec<u32>) -> Vec<String> {
    let name = |_| thread::current().name().unwrap_or_default().to_owned();
    keys.into_iter().map(name).collect()
}

#[test]
fn the_function_runs_in_the_executor() {
    let thread = LocalLoader::blocking_on(one_thread(), names_of_threads);
    assert_eq!(thread.load(1).value().unwrap(), "executor");
}

#[test]
fn the_function_may_return_a_result_for_each_key() {
    let number = LocalLoader::try_blocking_on(one_thread(), |texts: Vec<&str>| {
        texts.into_iter().map(str::parse::<u32>).collect::<Vec<_>>()
    });
    let (seven, error) = all((number.load("7"), number.load("x"))).value();
    assert_eq!(seven.unwrap(), 7);
    assert!(error.is_err());
}

#[test]
fn tasks_run_while_the_executor_works() {
    let (proceed, proceeds) = channel();
    let proceeds = Mutex::new(proceeds);
    let waits = LocalLoader::blocking_on(one_thread(), move |keys: Vec<u32>| {
        proceeds.lock().unwrap().recv().unwrap();
        keys
    });
    let proceed = AsyncTask::new(async move {
        debug::sync().await;
        proceed.send(()).unwrap();
    });
    assert_eq!(all((waits.load(1), proceed)).value().0.unwrap(), 1);
}

#[test]
fn a_panic_of_the_function_reaches_its_loads_and_not_the_executor() {
    let executor = one_thread();
    let loader = LocalLoader::blocking_on(executor, |keys: Vec<u32>| {
        assert_ne!(keys, [1], "not 1");
        keys
    });
    let error = AsyncTask::new(loader.load(1)).outcome().unwrap_err();
    assert!(error.to_string().contains("not 1"), "{error}");
    assert_eq!(loader.load(2).value().unwrap(), 2);
}

#[test]
fn an_executor_that_drops_the_job_fails_the_batch() {
    let loader = LocalLoader::blocking_on(drop, names_of_threads).name("dropped");
    let error = loader.load(1).value().unwrap_err();
    let expected = "batch dropped: key 1: the executor dropped the batch before it had run";
    assert_eq!(error.to_string(), expected);
}

#[test]
fn a_panic_of_the_executor_fails_the_batch() {
    let loader = LocalLoader::blocking_on(|_: Job| panic!("shut down"), names_of_threads);
    let error = AsyncTask::new(loader.load(1)).outcome().unwrap_err();
    assert!(error.to_string().contains("shut down"), "{error}");
}

#[test]
fn the_asynq_stack_of_the_function_is_the_one_of_the_flush() {
    let stack = LocalLoader::blocking_on(one_thread(), |keys: Vec<u32>| {
        let stack = debug::format_asynq_stack().map(|stack| stack.to_string());
        vec![stack.unwrap_or_default(); keys.len()]
    });
    let load = AsyncTask::new(async move { stack.load(1).await.unwrap() });
    assert!(load.value().contains("loader_executor"), "it names a place of this file");
}

#[test]
fn a_blocking_loader_in_the_function_runs_on_the_same_thread() {
    let outer = LocalLoader::blocking_on(one_thread(), |keys: Vec<u32>| {
        let inner = LocalLoader::blocking(names_of_threads);
        inner.load_many(keys).value().unwrap()
    });
    assert_eq!(outer.load(1).value().unwrap(), "executor");
}

#[test]
fn the_time_of_a_batch_is_the_time_of_the_call() {
    // The executor begins late.
    let executor = |job: Job| {
        let delay = Duration::from_millis(50);
        let run = move || {
            thread::sleep(delay);
            job();
        };
        drop(thread::spawn(run));
    };
    let loader = LocalLoader::blocking_on(executor, |keys: Vec<u32>| keys);
    let began = Instant::now();
    loader.load(1).value().unwrap();
    let (whole, call) = (began.elapsed(), loader.stats().time);
    assert!(call + Duration::from_millis(50) <= whole, "{call:?} of {whole:?}");
}
