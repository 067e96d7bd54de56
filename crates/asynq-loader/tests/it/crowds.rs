//! Simulated servers, whose requests load from one loader and then from another, beside loaders with a fixed delay.
//!
//! Clients send one request after the other, with a pause between them. Timers fire at whole milliseconds, as those of
//! tokio do.

use std::collections::{BTreeMap, BTreeSet};

use asynq_loader::{Busy, Loader, Output, PartId, Settings, SlotId, Time};

const MILLISECOND: Time = 1_000;
const END: Time = 500 * MILLISECOND;

#[derive(Clone, Copy)]
enum Policy {
    Asynq(Settings),
    /// A round is sent one millisecond after its first key.
    Delay,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Load { client: usize, loader: usize },
    Settle { loader: usize },
    Timer { loader: usize },
    Answer { loader: usize, part: PartId },
}

struct Server {
    loaders: [Loader; 2],
    policy: Policy,
    store: Time,
    now: Time,
    events: BTreeSet<(Time, u64, Event)>,
    count: u64,
    timers: BTreeSet<(Time, usize)>,
    waiting: BTreeMap<(usize, SlotId), usize>,
    begun: Vec<Time>,
    random: Random,
    times: Vec<Time>,
}

/// A generator of pseudo-random numbers.
struct Random(u64);

impl Random {
    /// Returns a number below `end`.
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33) % end
    }
}

/// Result of a simulation.
#[derive(Debug)]
struct Outcome {
    median: Time,
    /// 99th percentile.
    slow: Time,
    requests: usize,
    queries_per_request: f64,
}

impl Server {
    fn add(&mut self, time: Time, event: Event) {
        self.count += 1;
        self.events.insert((time, self.count, event));
    }

    fn load(&mut self, client: usize, loader: usize) {
        let slot = self.loaders[loader].load(self.now);
        self.waiting.insert((loader, slot), client);
        match self.policy {
            Policy::Asynq(_) => self.add(self.now + 8, Event::Settle { loader }),
            Policy::Delay if self.loaders[loader].unsent() == 1 => {
                self.add(tick_after(self.now + MILLISECOND), Event::Timer { loader });
            }
            Policy::Delay => {}
        }
    }

    fn answer(&mut self, loader: usize, part: PartId) {
        let slots = self.loaders[loader].slots_of(part).unwrap().to_vec();
        for (index, slot) in slots.into_iter().enumerate() {
            self.loaders[loader].answered(part, index).unwrap();
            let client = self.waiting.remove(&(loader, slot)).unwrap();
            let woken = self.now + 5 + self.random.below(10);
            if loader == 0 {
                self.add(woken, Event::Load { client, loader: 1 });
                continue;
            }
            self.times.push(woken - self.begun[client]);
            let pause = self.random.below(MILLISECOND);
            self.begun[client] = tick_after(woken + pause);
            self.add(self.begun[client], Event::Load { client, loader: 0 });
        }
        self.loaders[loader].ended(part, self.now);
    }

    fn follow(&mut self, loader: usize) {
        while let Some(output) = self.loaders[loader].next_output() {
            let Output::Claim(part) = output else { panic!("{output:?}") };
            if self.loaders[loader].permit(part, self.now) {
                let noise = self.random.below(self.store / 2);
                self.add(self.now + self.store + noise, Event::Answer { loader, part });
            }
        }
        if let Some(deadline) = self.loaders[loader].round_deadline()
            && self.timers.insert((tick_after(deadline), loader))
        {
            self.add(tick_after(deadline), Event::Timer { loader });
        }
    }
}

fn tick_after(time: Time) -> Time {
    (time / MILLISECOND + 1) * MILLISECOND
}

fn run(policy: Policy, clients: usize, store: Time) -> Outcome {
    let settings = match policy {
        Policy::Asynq(settings) => settings,
        Policy::Delay => Settings::default(),
    };
    let mut server = Server {
        loaders: [Loader::new(settings), Loader::new(settings)],
        policy,
        store,
        now: 0,
        events: BTreeSet::new(),
        count: 0,
        timers: BTreeSet::new(),
        waiting: BTreeMap::new(),
        begun: vec![0; clients],
        random: Random(1),
        times: Vec::new(),
    };
    for client in 0..clients {
        let start = server.random.below(2 * MILLISECOND);
        server.begun[client] = start;
        server.add(start, Event::Load { client, loader: 0 });
    }
    while let Some((time, _, event)) = server.events.pop_first()
        && time < END
    {
        server.now = time;
        let loader = match event {
            Event::Load { client, loader } => {
                server.load(client, loader);
                loader
            }
            Event::Settle { loader } => {
                server.loaders[loader].round_settled(time);
                loader
            }
            Event::Timer { loader } => {
                match policy {
                    Policy::Asynq(_) => server.loaders[loader].round_late(time),
                    Policy::Delay => server.loaders[loader].round_ready(time),
                }
                loader
            }
            Event::Answer { loader, part } => {
                server.answer(loader, part);
                loader
            }
        };
        server.follow(loader);
    }
    let queries: usize = server.loaders.iter().map(|loader| loader.stats().batches).sum();
    let mut times = server.times;
    times.sort_unstable();
    let requests = times.len();
    #[expect(clippy::cast_precision_loss, reason = "small counts")]
    let queries_per_request = queries as f64 / requests as f64;
    let (median, slow) = (times[requests / 2], times[requests * 99 / 100]);
    Outcome { median, slow, requests, queries_per_request }
}

/// The settings of a loader of all threads in the Rust library.
fn default() -> Policy {
    Policy::Asynq(Settings {
        settle: 2,
        busy: Some(Busy { in_flight: 2, patience: 5 * MILLISECOND }),
        hold: 2 * MILLISECOND,
        holds_alone: false,
        ..Settings::default()
    })
}

#[test]
fn clients_together_send_about_as_few_queries_as_with_a_delay_and_wait_less() {
    for (store, ratio) in [(300, 1.2), (900, 1.25), (2_000, 1.3)] {
        for clients in [8, 50] {
            let (ours, delay) =
                (run(default(), clients, store), run(Policy::Delay, clients, store));
            let case = format!("{clients} clients, {store} µs: {ours:?} {delay:?}");
            assert!(ours.queries_per_request <= ratio * delay.queries_per_request, "{case}");
            assert!(ours.median < delay.median && ours.requests > delay.requests, "{case}");
            // Some wait in vain for others, twice for at most 6 ms, where with a delay all wait for one or two.
            assert!(ours.slow <= delay.slow + 8 * MILLISECOND, "{case}");
        }
    }
}

#[test]
fn a_client_alone_waits_for_nobody() {
    for store in [300, 2_000] {
        let outcome = run(default(), 1, store);
        assert!((1.9..2.1).contains(&outcome.queries_per_request), "{outcome:?}");
        // Two queries, which are answered without delay.
        assert!(outcome.slow <= 2 * (store + store / 2) + 50, "{outcome:?}");
    }
}
