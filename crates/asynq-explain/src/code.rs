//! The code of a recording: stacks of places, and which statements need which.

use std::collections::HashMap;

use crate::event::Id;
use crate::place::{Flow, Site};
use crate::recording::Recording;

/// Relation of something that was asked for to an await before it in the same task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Relation<'a> {
    /// It needs the value, or nobody knows.
    Needed,
    /// It does not need the value, and comes after the await in the same function.
    Independent {
        /// The await, in that function.
        before: &'a Site,
        /// The statement that asks, in that function.
        after: &'a Site,
    },
    /// Both are in turns of the same loop, of which no turn needs an earlier one.
    Loop {
        /// The statement that asks, in the function of the loop.
        at: &'a Site,
        /// Line of the loop.
        line: u32,
    },
}

/// The code that a recording knows of.
#[derive(Debug, Default)]
pub(crate) struct Code<'a> {
    sites: HashMap<Id, &'a Site>,
    flows: HashMap<&'a str, Vec<&'a Flow>>,
}

impl<'a> Code<'a> {
    pub(crate) fn of(recording: &'a Recording) -> Self {
        let sites = recording.sites.iter().map(|site| (site.id, site)).collect();
        let mut flows: HashMap<&str, Vec<&Flow>> = HashMap::new();
        for flow in &recording.flows {
            flows.entry(&flow.file).or_default().push(flow);
        }
        Self { sites, flows }
    }

    pub(crate) fn site(&self, id: Id) -> Option<&'a Site> {
        self.sites.get(&id).copied()
    }

    /// Returns the places of a site from the function of the task inwards.
    pub(crate) fn stack(&self, site: Id) -> Vec<&'a Site> {
        let mut stack: Vec<&Site> = Vec::new();
        let mut next = self.site(site);
        while let Some(site) = next
            && stack.len() <= self.sites.len()
        {
            stack.push(site);
            next = site.within.and_then(|within| self.site(within));
        }
        stack.reverse();
        stack
    }

    /// Returns the smallest statement around a line.
    fn flow(&self, site: &Site) -> Option<&'a Flow> {
        let flows = self.flows.get(site.file.as_str())?;
        let around = flows.iter().filter(|flow| (flow.line..=flow.end).contains(&site.line));
        around.min_by_key(|flow| flow.end - flow.line).copied()
    }

    /// Returns the site at which a task has asked for something that it awaits at `awaited`. A plain function that has
    /// asked for it is a part of the code that awaits it, and has nothing to change.
    pub(crate) fn asked_at(&self, asked: Id, awaited: Id) -> Id {
        let flow = |site| self.stack(site).first().and_then(|site| self.flow(site));
        match (flow(asked), flow(awaited)) {
            (Some(plain), Some(waiting)) if plain.plain && !waiting.plain => awaited,
            _ => asked,
        }
    }

    /// Returns the relation of what a task has asked for at `then` to its await at `await`.
    pub(crate) fn relation(&self, awaited: Id, then: Id) -> Relation<'a> {
        let (awaited, then) = (self.stack(awaited), self.stack(then));
        for (before, after) in awaited.iter().zip(&then) {
            if (&before.function, &before.file) != (&after.function, &after.file) {
                return Relation::Needed;
            }
            let (Some(first), Some(second)) = (self.flow(before), self.flow(after)) else {
                return Relation::Needed;
            };
            if first.body != second.body {
                return Relation::Needed;
            }
            let loops = (first.in_loop, second.in_loop);
            if first.line == second.line {
                // The same statement: an earlier turn of a loop around it, or the same call of a function,
                // in which the two differ.
                match loops.1 {
                    Some(line) if !second.carried => return Relation::Loop { at: after, line },
                    Some(_) => return Relation::Needed,
                    None => continue,
                }
            }
            if second.needs.contains(&first.line) {
                return Relation::Needed;
            }
            if second.line > first.line {
                return Relation::Independent { before, after };
            }
            return match loops.1 {
                Some(line) if loops.0.is_some_and(|other| other >= line) => {
                    if second.carried {
                        Relation::Needed
                    } else {
                        Relation::Loop { at: after, line }
                    }
                }
                // The later of them was called before the await of the earlier.
                _ => Relation::Independent { before, after },
            };
        }
        Relation::Needed
    }
}
