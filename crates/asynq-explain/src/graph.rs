//! The graph of rounds that Mermaid and DOT draw: batches by round, and the critical path through them.

use std::collections::HashMap;

use crate::explanation::Explanation;
use crate::lookup::{Lookup, number, plural};
use crate::recording::Recording;
use crate::shown_batches::{Shown, ShownBatches};

/// Maximum number of nodes.
const NODES: usize = 40;

pub(crate) struct Graph {
    pub(crate) title: String,
    pub(crate) rounds: Vec<Round>,
    pub(crate) edges: Vec<Edge>,
}

/// A round, or several that are left out.
pub(crate) struct Round {
    pub(crate) label: String,
    pub(crate) nodes: Vec<Node>,
}

pub(crate) struct Node {
    pub(crate) id: usize,
    pub(crate) lines: [String; 2],
    /// True on the critical path.
    pub(crate) critical: bool,
}

/// Step of the critical path.
pub(crate) struct Edge {
    pub(crate) from: usize,
    pub(crate) to: usize,
    /// Place of the code that asked after the first answer.
    pub(crate) place: String,
}

impl Graph {
    pub(crate) fn new(recording: &Recording, explanation: &Explanation) -> Self {
        let lookup = Lookup::new(recording, explanation);
        let mut node_of = HashMap::new();
        let mut rounds: Vec<Round> = Vec::new();
        for (id, shown) in (1..).zip(ShownBatches::new(explanation, NODES).iter()) {
            let (label, batches): (String, &[usize]) = match &shown {
                Shown::Batch(batch) => {
                    let round = explanation.batches[*batch].round;
                    (format!("round {}", number(round.into())), std::slice::from_ref(batch))
                }
                Shown::Gap(batches) => (gap_label(explanation, batches), batches),
            };
            node_of.extend(batches.iter().map(|&batch| (batch, id)));
            let node = node(&lookup, id, shown, batches);
            match rounds.last_mut() {
                Some(round) if round.label == label => round.nodes.push(node),
                _ => rounds.push(Round { label, nodes: vec![node] }),
            }
        }
        Self { title: lookup.title().to_owned(), rounds, edges: edges(&lookup, &node_of) }
    }
}

fn node(lookup: &Lookup<'_>, id: usize, shown: Shown<'_>, batches: &[usize]) -> Node {
    let keys = batches.iter().map(|&batch| lookup.explanation.batches[batch].keys).sum();
    let name = match shown {
        Shown::Batch(batch) => lookup.source_name(batch).to_owned(),
        Shown::Gap(_) => plural(batches.len() as u64, "batch"),
    };
    let critical =
        lookup.explanation.critical_path.iter().any(|link| batches.contains(&link.batch));
    Node { id, lines: [name, plural(keys, "key")], critical }
}

fn gap_label(explanation: &Explanation, batches: &[usize]) -> String {
    let rounds = || batches.iter().map(|&batch| u64::from(explanation.batches[batch].round));
    let (first, last) = (rounds().min().unwrap_or(0), rounds().max().unwrap_or(0));
    format!("rounds {} to {}", number(first), number(last))
}

fn edges(lookup: &Lookup<'_>, node_of: &HashMap<usize, usize>) -> Vec<Edge> {
    let steps = lookup.explanation.critical_path.windows(2);
    steps
        .filter_map(|links| {
            let (from, to) = (*node_of.get(&links[0].batch)?, *node_of.get(&links[1].batch)?);
            (from != to).then(|| Edge { from, to, place: lookup.place(links[1].at) })
        })
        .collect()
}
