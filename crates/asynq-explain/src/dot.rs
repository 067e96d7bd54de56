//! The rounds in the language of Graphviz.

use std::fmt::Write as _;

use crate::explanation::Explanation;
use crate::graph::Graph;
use crate::recording::Recording;

/// Returns a DOT graph of the rounds, with the critical path and the code that made it.
///
/// It has no times, so it is the same for each run that sends the same requests.
pub(crate) fn dot(recording: &Recording, explanation: &Explanation) -> String {
    let graph = Graph::new(recording, explanation);
    let mut out = format!("digraph {} {{\n", quoted(&[&graph.title]));
    out.push_str("  rankdir=LR;\n  node [shape=box, style=rounded];\n");
    for (index, round) in (1..).zip(&graph.rounds) {
        let _ =
            writeln!(out, "  subgraph cluster_{index} {{\n    label={};", quoted(&[&round.label]));
        for node in &round.nodes {
            let label = quoted(&node.lines);
            let width = if node.critical { ", penwidth=2" } else { "" };
            let _ = writeln!(out, "    batch{} [label={label}{width}];", node.id);
        }
        out.push_str("  }\n");
    }
    for edge in &graph.edges {
        let _ = writeln!(
            out,
            "  batch{} -> batch{} [label={}];",
            edge.from,
            edge.to,
            quoted(&[&edge.place])
        );
    }
    out + "}\n"
}

/// Returns lines as one quoted string.
fn quoted<T: AsRef<str>>(lines: &[T]) -> String {
    let escape = |line: &T| {
        line.as_ref().replace('\\', "\\\\").replace('"', "\\\"").replace(char::is_control, " ")
    };
    format!("\"{}\"", lines.iter().map(escape).collect::<Vec<_>>().join("\\n"))
}
