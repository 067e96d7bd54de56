//! Results: text for the terminal, or lines of JSON for the table.

use std::fmt;

use serde::Serialize;

use crate::peers::{Peer, Role};

/// A line of JSON.
#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Record {
    /// One of the implementations.
    Peer { name: &'static str, package: Option<&'static str>, role: Role, about: &'static str },
    /// Nanoseconds on one thread.
    Time(Results),
    /// Nanoseconds on two threads.
    Threads(Results),
    /// Bytes at the peak.
    Memory(Results),
    /// Allocations.
    #[cfg(feature = "count")]
    Allocations(Results),
    /// Polls of a task.
    #[cfg(feature = "count")]
    Polls(Results),
}

/// Costs of one workload, by implementation.
#[derive(Serialize)]
pub(crate) struct Results {
    pub(crate) title: String,
    pub(crate) about: String,
    /// Unit of the costs.
    pub(crate) unit: &'static str,
    pub(crate) ideal_batches: u64,
    /// Set if fewer batches are possible.
    pub(crate) depends_on_order: bool,
    pub(crate) peers: Vec<Costs>,
}

#[derive(Serialize)]
pub(crate) struct Costs {
    pub(crate) peer: &'static str,
    pub(crate) of_rounds: Vec<f64>,
    /// In a run of each round, on average. Empty where they are not counted.
    pub(crate) batches: Vec<f64>,
}

impl Costs {
    pub(crate) fn new(peer: &Peer) -> Self {
        Self { peer: peer.name, of_rounds: Vec::new(), batches: Vec::new() }
    }
}

impl Record {
    pub(crate) fn of_peer(peer: &Peer) -> Self {
        Self::Peer { name: peer.name, package: peer.package, role: peer.role, about: peer.about }
    }

    pub(crate) fn json(&self) -> String {
        serde_json::to_string(self).expect("plain data")
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Peer { name, about, .. } => writeln!(f, "{name}: {about}"),
            Self::Time(results) | Self::Threads(results) => results.write(f, "ns"),
            Self::Memory(results) => results.write(f, "B"),
            #[cfg(feature = "count")]
            Self::Allocations(results) => results.write(f, "allocations"),
            #[cfg(feature = "count")]
            Self::Polls(results) => results.write(f, "polls"),
        }
    }
}

impl Results {
    fn write(&self, f: &mut fmt::Formatter<'_>, measure: &str) -> fmt::Result {
        writeln!(f, "{}, {measure} for one {}", self.title, self.unit)?;
        let first = &self.peers[0].of_rounds;
        for peer in &self.peers {
            let [_, cost, _] = quartiles(peer.of_rounds.iter().copied());
            let ratios = peer.of_rounds.iter().zip(first).map(|(cost, first)| cost / first);
            let [low, ratio, high] = quartiles(ratios);
            write!(f, "  {:18} {cost:>15.1}   {ratio:8.2} × ({low:.2} to {high:.2})", peer.peer)?;
            let batches = sorted(peer.batches.iter().copied());
            if let (Some(least), Some(most)) = (batches.first(), batches.last()) {
                write!(f, "   {least:.0} to {most:.0} batches of {}", self.ideal_batches)?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

/// The lower quartile, the median, and the upper quartile.
fn quartiles(values: impl Iterator<Item = f64>) -> [f64; 3] {
    let values = sorted(values);
    [1, 2, 3].map(|quarter| values[(values.len() - 1) * quarter / 4])
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}
