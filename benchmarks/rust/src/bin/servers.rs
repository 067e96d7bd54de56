//! A server under load: how long requests take, and how many queries they send, by the policy of the loaders.
//!
//! Clients send one request after the other, with a pause between them. A request asks for ten answers, and then for the
//! names of their authors, so two queries are ideal for one that comes alone. The store takes some time for a query,
//! whatever its size. The runtime has two workers, and all requests share two loaders.
//!
//! `cargo run --release --bin servers -- --seconds 5` prints a row for each number of clients and policy.
#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use async_graphql::dataloader::{self, DataLoader};
use asynq::{Loader, request};
use clap::Parser;
use futures::future::join_all;
use tokio::runtime::Builder;
use tokio::time::sleep;

/// A server under load, by the policy of its loaders.
#[derive(Parser)]
struct Options {
    /// Duration of each measurement.
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// Numbers of clients.
    #[arg(long, num_args = 1.., default_values_t = [1, 8, 50])]
    clients: Vec<usize>,
    /// Time that the store takes for a query, in milliseconds.
    #[arg(long, default_value_t = 2.0)]
    store: f64,
    /// Longest pause between two requests of a client, in milliseconds.
    #[arg(long, default_value_t = 1.0)]
    pause: f64,
    /// Measure only policies with one of these words in their names.
    #[arg(long, num_args = 1..)]
    only: Vec<String>,
}

/// Keys of a request.
const KEYS: u64 = 10;

/// Two tables, which take their time.
#[derive(Clone)]
struct Store {
    time: Duration,
    queries: Arc<AtomicUsize>,
}

impl Store {
    async fn ask(&self, keys: Vec<u64>) -> Vec<u64> {
        self.queries.fetch_add(1, Ordering::Relaxed);
        sleep(self.time).await;
        keys.into_iter().map(|key| key % 997).collect()
    }

    fn loader(&self) -> Loader<u64, u64> {
        let store = self.clone();
        Loader::new(move |keys: Vec<u64>| {
            let store = store.clone();
            async move { store.ask(keys).await }
        })
    }
}

impl dataloader::Loader<u64> for Store {
    type Value = u64;
    type Error = Infallible;

    async fn load(&self, keys: &[u64]) -> Result<HashMap<u64, u64>, Infallible> {
        Ok(keys.iter().copied().zip(self.ask(keys.to_vec()).await).collect())
    }
}

/// The loaders of a server.
trait Server: Send + Sync + 'static {
    /// One request.
    fn serve(&self, first: u64) -> impl Future<Output = u64> + Send;
}

struct Ours([Loader<u64, u64>; 2]);

impl Server for Ours {
    async fn serve(&self, first: u64) -> u64 {
        let Self([authors, names]) = self;
        let name = |answer| async move {
            let author = authors.load(answer).await.expect("the store answers");
            names.load(author).await.expect("the store answers")
        };
        request(join_all((first..first + KEYS).map(name))).await.into_iter().sum()
    }
}

struct Theirs([DataLoader<Store>; 2]);

impl Server for Theirs {
    async fn serve(&self, first: u64) -> u64 {
        let Self([authors, names]) = self;
        let name = |answer| async move {
            let Ok(author) = authors.load_one(answer).await;
            let Ok(name) = names.load_one(author.expect("the store answers")).await;
            name.expect("the store answers")
        };
        join_all((first..first + KEYS).map(name)).await.into_iter().sum()
    }
}

type Policy = fn(Loader<u64, u64>) -> Loader<u64, u64>;

const POLICIES: [(&str, Policy); 8] = [
    ("asynq, default", |loader| loader),
    ("asynq, at once", |loader| loader.settle(0).busy_at(None)),
    ("asynq, settle 2", |loader| loader.busy_at(None)),
    ("asynq, busy at 2, settle 0", |loader| loader.settle(0)),
    ("asynq, hold 1 ms when busy", |loader| {
        loader.busy_at(None).hold_when_busy(Duration::from_millis(1))
    }),
    ("asynq, hold 2 ms when busy", |loader| {
        loader.busy_at(None).hold_when_busy(Duration::from_millis(2))
    }),
    ("asynq, hold 3 ms when busy", |loader| {
        loader.busy_at(None).hold_when_busy(Duration::from_millis(3))
    }),
    ("asynq, max_in_flight 2", |loader| loader.busy_at(None).max_in_flight(2)),
];

fn main() {
    let options = Options::parse();
    println!(
        "{:<40} {:>7} {:>8} {:>8} {:>9} {:>9} {:>9}",
        "policy", "clients", "p50 ms", "p99 ms", "req/s", "queries", "CPU µs"
    );
    let is_selected = |name: &str| {
        options.only.is_empty() || options.only.iter().any(|word| name.contains(word.as_str()))
    };
    for &clients in &options.clients {
        for (name, policy) in POLICIES.into_iter().filter(|(name, _)| is_selected(name)) {
            measure(&options, clients, name, |store| {
                Ours([policy(store.loader()), policy(store.loader())])
            });
        }
        let theirs = "async-graphql's DataLoader (1 ms)";
        if is_selected(theirs) {
            measure(&options, clients, theirs, |store| {
                let loader = || DataLoader::new(store.clone(), tokio::spawn);
                Theirs([loader(), loader()])
            });
        }
    }
}

fn measure<S: Server>(
    options: &Options,
    clients: usize,
    name: &str,
    server: impl FnOnce(&Store) -> S,
) {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let time = Duration::from_secs_f64(options.store / 1000.0);
    let store = Store { time, queries: Arc::default() };
    let server = Arc::new(runtime.block_on(async { server(&store) }));
    let is_over = Arc::new(AtomicBool::new(false));
    let cpu = cpu_time();
    let start = Instant::now();
    let tasks: Vec<_> = (0..clients)
        .map(|number| {
            let (server, is_over) = (Arc::clone(&server), Arc::clone(&is_over));
            runtime.spawn(client(server, is_over, number, options.pause))
        })
        .collect();
    let mut times: Vec<Duration> = runtime.block_on(async {
        sleep(Duration::from_secs_f64(options.seconds)).await;
        is_over.store(true, Ordering::Relaxed);
        let times = join_all(tasks).await;
        times.into_iter().flat_map(|times| times.expect("no panic")).collect()
    });
    let seconds = start.elapsed().as_secs_f64();
    let cpu = cpu_time().zip(cpu).map(|(after, before)| after.saturating_sub(before).as_secs_f64());
    times.sort_unstable();
    #[allow(clippy::cast_precision_loss, reason = "counts of a few seconds")]
    let requests = times.len() as f64;
    let at = |part: usize| times[times.len() * part / 100].as_secs_f64() * 1000.0;
    #[allow(clippy::cast_precision_loss, reason = "counts of a few seconds")]
    let queries = store.queries.load(Ordering::Relaxed) as f64 / requests;
    let cpu = cpu.map_or("-".to_owned(), |cpu| format!("{:.0}", cpu / requests * 1e6));
    println!(
        "{name:<40} {clients:>7} {:>8.2} {:>8.2} {:>9.0} {queries:>9.2} {cpu:>9}",
        at(50),
        at(99),
        requests / seconds,
    );
}

/// Sends requests until the measurement is over. Returns their times.
async fn client<S: Server>(
    server: Arc<S>,
    is_over: Arc<AtomicBool>,
    number: usize,
    pause: f64,
) -> Vec<Duration> {
    let mut random = fastrand::Rng::with_seed(number as u64);
    let mut times = Vec::new();
    while !is_over.load(Ordering::Relaxed) {
        sleep(Duration::from_secs_f64(random.f64() * pause / 1000.0)).await;
        let start = Instant::now();
        std::hint::black_box(server.serve(random.u64(..1_000_000)).await);
        times.push(start.elapsed());
    }
    times
}

/// Returns the time that the process has used its processors, on Linux.
fn cpu_time() -> Option<Duration> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let mut fields = stat.rsplit(')').next()?.split_whitespace().skip(11);
    let ticks = fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?;
    // The kernel counts in hundredths of a second.
    Some(Duration::from_millis(10 * ticks))
}
