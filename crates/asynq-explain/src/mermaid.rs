//! The rounds as a Mermaid flowchart, which pull requests show.

use std::fmt::Write as _;

use crate::explanation::Explanation;
use crate::graph::{Graph, Round};
use crate::recording::Recording;

/// Returns a Mermaid flowchart of the rounds, with the critical path and the code that made it.
///
/// It has no times, so it is the same for each run that sends the same requests.
pub(crate) fn mermaid(recording: &Recording, explanation: &Explanation) -> String {
    let graph = Graph::new(recording, explanation);
    let mut out = "flowchart LR\n".to_owned();
    for (index, round) in (1..).zip(&graph.rounds) {
        let _ = writeln!(out, "  subgraph round{index} [\"{}\"]", escape(&round.label));
        for node in &round.nodes {
            let [name, keys] = node.lines.each_ref().map(|line| escape(line));
            let _ = writeln!(out, "    batch{}[\"{name}<br/>{keys}\"]", node.id);
        }
        out.push_str("  end\n");
    }
    for edge in &graph.edges {
        let label = if edge.place.is_empty() {
            String::new()
        } else {
            format!("|\"{}\"|", escape(&edge.place))
        };
        let _ = writeln!(out, "  batch{} -->{label} batch{}", edge.from, edge.to);
    }
    out + &critical(&graph.rounds)
}

fn critical(rounds: &[Round]) -> String {
    let nodes = rounds.iter().flat_map(|round| &round.nodes).filter(|node| node.critical);
    let ids: Vec<String> = nodes.map(|node| format!("batch{}", node.id)).collect();
    if ids.is_empty() {
        return String::new();
    }
    format!("  classDef critical stroke-width:3px\n  class {} critical\n", ids.join(","))
}

/// Writes everything that Mermaid or HTML could read as more than a letter as the code of the character.
fn escape(text: &str) -> String {
    let mut out = String::new();
    for character in text.chars() {
        match character {
            _ if character.is_control() => out.push(' '),
            _ if character.is_alphanumeric() || " ._-/:,()".contains(character) => {
                out.push(character);
            }
            _ => {
                let _ = write!(out, "#{};", u32::from(character));
            }
        }
    }
    out
}
