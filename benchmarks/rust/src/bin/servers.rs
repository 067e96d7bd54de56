//! A server under load: how long requests take, and how many queries they send, by the policy of the loaders.
//!
//! Clients send one request after the other, with a pause between them. A request asks for the authors of ten answers, and
//! then for their names, so two queries are ideal for one that comes alone. The runtime has two workers, and all requests
//! share two loaders. The store is PostgreSQL, or one that takes some time for a query, whatever its size.
//!
//! `cargo run --release --bin servers -- --postgres` prints a table of Markdown, with a row for each number of clients and
//! policy. Each is measured several times, in turns with all others.
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
use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod, Runtime as PoolRuntime};
use futures::future::join_all;
use local_servers::postgres::PostgresServer;
use tokio::runtime::{Builder, Runtime};
use tokio::time::sleep;
use tokio_postgres::NoTls;

/// A server under load, by the policy of its loaders.
#[derive(Parser)]
struct Options {
    /// Duration of each measurement.
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// Number of measurements of each row.
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// Numbers of clients.
    #[arg(long, num_args = 1.., default_values_t = [1, 8, 50])]
    clients: Vec<usize>,
    /// Asks a PostgreSQL server, which it starts, instead of the simulated store.
    #[arg(long)]
    postgres: bool,
    /// Time that the simulated store takes for a query, in milliseconds.
    #[arg(long, default_value_t = 2.0)]
    store: f64,
    /// Longest pause between two requests of a client, in milliseconds.
    #[arg(long, default_value_t = 1.0)]
    pause: f64,
    /// Measures only policies with one of these words in their names.
    #[arg(long, num_args = 1..)]
    only: Vec<String>,
}

/// Keys of a request.
const KEYS: i32 = 10;

/// Answers and authors that there are.
const ANSWERS: i32 = 100_000;
const AUTHORS: i32 = 997;

/// Connections to PostgreSQL.
const CONNECTIONS: usize = 8;

/// The table of a query.
#[derive(Clone, Copy)]
enum Table {
    Answer,
    Author,
}

/// Two tables.
#[derive(Clone)]
struct Store {
    source: Source,
    queries: Arc<AtomicUsize>,
}

#[derive(Clone)]
enum Source {
    Simulated(Duration),
    Postgres(Pool),
}

impl Store {
    /// Returns the value of each key: the author of an answer, or the length of the name of an author.
    async fn ask(&self, table: Table, keys: &[i32]) -> Vec<(i32, i32)> {
        self.queries.fetch_add(1, Ordering::Relaxed);
        match &self.source {
            Source::Simulated(time) => {
                sleep(*time).await;
                keys.iter().map(|&key| (key, key % AUTHORS)).collect()
            }
            Source::Postgres(pool) => {
                let client = pool.get().await.expect("PostgreSQL runs");
                let sql = match table {
                    Table::Answer => "SELECT id, author FROM answer WHERE id = ANY($1)",
                    Table::Author => "SELECT id, length(name) FROM author WHERE id = ANY($1)",
                };
                let statement = client.prepare_cached(sql).await.expect("the tables are there");
                let rows = client.query(&statement, &[&keys]).await.expect("PostgreSQL answers");
                rows.into_iter().map(|row| (row.get(0), row.get(1))).collect()
            }
        }
    }

    fn loader(&self, table: Table) -> Loader<i32, i32> {
        let store = self.clone();
        Loader::new(async move |keys: Vec<i32>| {
            store.ask(table, &keys).await.into_iter().collect::<HashMap<_, _>>()
        })
    }
}

struct TableLoader(Store, Table);

impl dataloader::Loader<i32> for TableLoader {
    type Value = i32;
    type Error = Infallible;

    async fn load(&self, keys: &[i32]) -> Result<HashMap<i32, i32>, Infallible> {
        Ok(self.0.ask(self.1, keys).await.into_iter().collect())
    }
}

/// The loaders of a server.
trait Server: Send + Sync + 'static {
    /// One request.
    fn serve(&self, first: i32) -> impl Future<Output = i32> + Send;
}

struct Ours([Loader<i32, i32>; 2]);

impl Server for Ours {
    async fn serve(&self, first: i32) -> i32 {
        let Self([authors, names]) = self;
        let name = |answer| async move {
            let author = authors.load(answer).await.expect("the store answers");
            names.load(author).await.expect("the store answers")
        };
        request(join_all((first..first + KEYS).map(name))).await.into_iter().sum()
    }
}

struct Theirs([DataLoader<TableLoader>; 2]);

impl Server for Theirs {
    async fn serve(&self, first: i32) -> i32 {
        let Self([authors, names]) = self;
        let name = |answer| async move {
            let Ok(author) = authors.load_one(answer).await;
            let Ok(name) = names.load_one(author.expect("the store answers")).await;
            name.expect("the store answers")
        };
        join_all((first..first + KEYS).map(name)).await.into_iter().sum()
    }
}

type Policy = fn(Loader<i32, i32>) -> Loader<i32, i32>;

const POLICIES: [(&str, Policy); 6] = [
    ("asynq, default", |loader| loader),
    ("asynq, at once", |loader| loader.settle(0).busy_at(None).hold_when_busy(Duration::ZERO)),
    ("asynq, waits for no requests", |loader| loader.hold_when_busy(Duration::ZERO)),
    ("asynq, hold 4 ms when busy", |loader| loader.hold_when_busy(Duration::from_millis(4))),
    ("asynq, hold 1 ms", |loader| loader.hold(Duration::from_millis(1))),
    ("asynq, max_in_flight 2", |loader| {
        loader.busy_at(None).hold_when_busy(Duration::ZERO).max_in_flight(2)
    }),
];

const THEIRS: &str = "async-graphql's DataLoader, 1 ms";

/// Measurements of one policy with one number of clients.
#[derive(Default)]
struct Row {
    times: Vec<Duration>,
    queries: usize,
    seconds: f64,
    cpu: Option<f64>,
}

fn main() {
    let options = Options::parse();
    let server = options.postgres.then(|| {
        let server = PostgresServer::start().unwrap_or_else(|missing| panic!("{missing}"));
        server.run(&format!(
            "CREATE TABLE author (id integer PRIMARY KEY, name text NOT NULL);
             INSERT INTO author SELECT id, 'author ' || id FROM generate_series(0, {AUTHORS}) AS id;
             CREATE TABLE answer (id integer PRIMARY KEY, author integer NOT NULL);
             INSERT INTO answer SELECT id, id % {AUTHORS} FROM generate_series(0, {ANSWERS}) AS id;
             ANALYZE"
        ));
        server
    });
    let names = POLICIES.iter().map(|policy| policy.0).chain([THEIRS]);
    let is_selected = |name: &&str| {
        options.only.is_empty() || options.only.iter().any(|word| name.contains(word.as_str()))
    };
    let names: Vec<_> = names.filter(is_selected).collect();
    println!(
        "| clients | policy | p50 ms | p99 ms | requests/s | queries/request | CPU µs/request |"
    );
    println!("|---:|---|---:|---:|---:|---:|---:|");
    for &clients in &options.clients {
        let mut rows: Vec<_> = names.iter().map(|_| Row::default()).collect();
        for _ in 0..options.rounds {
            for (name, row) in names.iter().zip(&mut rows) {
                measure(&options, server.as_ref(), clients, name, row);
            }
        }
        for (name, row) in names.iter().zip(rows) {
            print(clients, name, row);
        }
    }
}

/// Measures one policy once.
fn measure(
    options: &Options,
    server: Option<&PostgresServer>,
    clients: usize,
    name: &str,
    row: &mut Row,
) {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let source = match server {
        Some(server) => Source::Postgres(pool(server)),
        None => Source::Simulated(Duration::from_secs_f64(options.store / 1000.0)),
    };
    let store = Store { source, queries: Arc::default() };
    let tables = [Table::Answer, Table::Author];
    if let Some((_, policy)) = POLICIES.iter().find(|policy| policy.0 == name) {
        let ours = Ours(tables.map(|table| policy(store.loader(table))));
        run(options, &runtime, clients, ours, &store, row);
    } else {
        let _inside = runtime.enter();
        let loader = |table| DataLoader::new(TableLoader(store.clone(), table), tokio::spawn);
        run(options, &runtime, clients, Theirs(tables.map(loader)), &store, row);
    }
}

fn pool(server: &PostgresServer) -> Pool {
    let config = server.config().parse().expect("a configuration");
    let manager = ManagerConfig { recycling_method: RecyclingMethod::Fast };
    let manager = Manager::from_config(config, NoTls, manager);
    let pool = Pool::builder(manager).max_size(CONNECTIONS).runtime(PoolRuntime::Tokio1);
    pool.build().expect("a pool")
}

/// Puts a server under load, and adds what that took.
fn run<S: Server>(
    options: &Options,
    runtime: &Runtime,
    clients: usize,
    server: S,
    store: &Store,
    row: &mut Row,
) {
    let server = Arc::new(server);
    // Connections, prepared statements, and whatever else is made once.
    let warm = (0..CONNECTIONS).map(|_| server.serve(0));
    runtime.block_on(join_all(warm));
    store.queries.store(0, Ordering::Relaxed);
    let is_over = Arc::new(AtomicBool::new(false));
    let cpu = cpu_time();
    let start = Instant::now();
    let tasks: Vec<_> = (0..clients)
        .map(|number| {
            let (server, is_over) = (Arc::clone(&server), Arc::clone(&is_over));
            runtime.spawn(client(server, is_over, number, options.pause))
        })
        .collect();
    runtime.block_on(async {
        sleep(Duration::from_secs_f64(options.seconds)).await;
        is_over.store(true, Ordering::Relaxed);
        for times in join_all(tasks).await {
            row.times.extend(times.expect("no panic"));
        }
    });
    row.seconds += start.elapsed().as_secs_f64();
    row.queries += store.queries.load(Ordering::Relaxed);
    let cpu = cpu_time().zip(cpu).map(|(after, before)| after.saturating_sub(before).as_secs_f64());
    row.cpu = cpu.map(|cpu| cpu + row.cpu.unwrap_or_default());
}

#[expect(clippy::cast_precision_loss, reason = "counts of some seconds")]
fn print(clients: usize, name: &str, row: Row) {
    let Row { mut times, queries, seconds, cpu } = row;
    times.sort_unstable();
    let requests = times.len() as f64;
    let at = |part: usize| times[times.len() * part / 100].as_secs_f64() * 1000.0;
    let cpu = cpu.map_or("–".to_owned(), |cpu| format!("{:.0}", cpu / requests * 1e6));
    println!(
        "| {clients} | {name} | {:.2} | {:.2} | {:.0} | {:.2} | {cpu} |",
        at(50),
        at(99),
        requests / seconds,
        queries as f64 / requests,
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
        std::hint::black_box(server.serve(random.i32(0..ANSWERS - KEYS)).await);
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
