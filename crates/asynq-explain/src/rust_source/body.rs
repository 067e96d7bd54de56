//! The reading of a body of code, statement by statement.

use std::collections::{BTreeMap, BTreeSet};

use syn::visit::Visit;
use syn::{Block, Expr, Pat, Stmt};

use super::expression::{end_line, exits, is_compound, leaves, line, lines};
use super::uses::{Lets, Names, is_discarded_await, uses};
use super::values::{Sources, Values, assign, join, merge};
use crate::place::Flow;

/// A loop that is being read.
struct Turn {
    line: u32,
    /// Its turns depend on each other: one may end it, or has effects.
    carried: bool,
}

/// A body of code that is being read.
pub(super) struct Body<'a> {
    file: &'a str,
    /// Line at which it begins.
    line: u32,
    /// Its code is not async.
    is_plain: bool,
    flows: &'a mut BTreeMap<(u32, u32), Flow>,
    loops: Vec<Turn>,
    /// Awaits whose values are not used.
    effects: Sources,
    /// Variables that were bound as `mut`: only these can change in a call.
    mutable: BTreeSet<String>,
}

impl<'a> Body<'a> {
    /// Reads a body of code, and adds the needs of its statements.
    pub(super) fn read(
        file: &'a str,
        block: &Block,
        is_plain: bool,
        flows: &'a mut BTreeMap<(u32, u32), Flow>,
    ) {
        let mut body = Body {
            file,
            line: line(block),
            is_plain,
            flows,
            loops: Vec::new(),
            effects: Sources::new(),
            mutable: BTreeSet::new(),
        };
        body.block(block, &mut Values::new(), &Sources::new());
    }

    /// Reads a block that runs if `control` says so. Returns what decides about everything after it.
    fn block(&mut self, block: &Block, values: &mut Values, control: &Sources) -> Sources {
        let mut control = control.clone();
        for statement in &block.stmts {
            let exits = self.statement(statement, values, &control);
            control.extend(exits);
        }
        control
    }

    fn statement(&mut self, statement: &Stmt, values: &mut Values, control: &Sources) -> Sources {
        match statement {
            Stmt::Local(local) => {
                let Some(init) = &local.init else { return Sources::new() };
                if is_compound(&init.expr) {
                    let (origins, exits) = self.compound(&init.expr, values, control);
                    self.bind(&local.pat, &origins, values);
                    return exits;
                }
                let lines = lines(statement);
                let origins = self.simple(&init.expr, lines, values, control);
                self.bind(&local.pat, &origins, values);
                if matches!(local.pat, Pat::Wild(_)) && uses(&init.expr).awaits {
                    self.add_effect(lines.0);
                }
                match &init.diverge {
                    Some((_, otherwise)) => {
                        let _ = self.compound(otherwise, values, &join(control, &origins));
                        self.exit(&origins);
                        origins
                    }
                    None => Sources::new(),
                }
            }
            Stmt::Expr(expr, _) if is_compound(expr) => self.compound(expr, values, control).1,
            Stmt::Expr(expr, semicolon) => {
                let lines = lines(statement);
                let origins = self.simple(expr, lines, values, control);
                assign(expr, &origins, values);
                if semicolon.is_some() && is_discarded_await(expr) {
                    self.add_effect(lines.0);
                }
                let exits = exits(expr);
                if exits {
                    self.exit(control);
                    return control.clone();
                }
                Sources::new()
            }
            Stmt::Macro(statement_macro) => {
                let expr = Expr::Macro(syn::ExprMacro {
                    attrs: Vec::new(),
                    mac: statement_macro.mac.clone(),
                });
                let lines = lines(statement);
                let awaits = uses(&expr).awaits;
                self.simple(&expr, lines, values, control);
                if awaits {
                    self.add_effect(lines.0);
                }
                Sources::new()
            }
            Stmt::Item(_) => Sources::new(),
        }
    }

    /// Reads a statement or head without a block of its own. Returns the origins of its value.
    fn simple(
        &mut self,
        expr: &Expr,
        lines: (u32, u32),
        values: &mut Values,
        control: &Sources,
    ) -> Sources {
        let uses = uses(expr);
        let of = |names: &BTreeSet<String>| {
            let known = names.iter().filter_map(|name| values.get(name));
            known.flatten().copied().collect::<Sources>()
        };
        let all = of(&uses.all);
        let operands = if uses.asks { of(&uses.operands) } else { all.clone() };
        for block in &uses.blocks {
            // Code that runs on its own, with what it uses.
            let loops = std::mem::take(&mut self.loops);
            let effects = self.effects.clone();
            let outer = (
                std::mem::replace(&mut self.line, line(block)),
                std::mem::replace(&mut self.is_plain, false),
            );
            self.block(block, &mut values.clone(), control);
            (self.loops, self.effects, (self.line, self.is_plain)) = (loops, effects, outer);
        }
        let needs = join(&join(&operands, control), &self.effects);
        if uses.calls_in_turns() {
            self.loops.push(Turn { line: lines.0, carried: false });
            self.add_flow(lines, &needs);
            self.loops.pop();
        } else {
            self.add_flow(lines, &needs);
        }
        for name in uses.mutated.intersection(&self.mutable) {
            let known = values.entry(name.clone()).or_default();
            known.extend(join(&all, control));
            known.extend(uses.asks.then_some((lines.0, None)));
        }
        let mut origins = join(&all, control);
        if uses.asks {
            origins.insert((lines.0, None));
        }
        origins
    }

    fn add_flow(&mut self, (line, end): (u32, u32), needs: &Sources) {
        let innermost = self.loops.last();
        let in_loop = innermost.map(|turn| turn.line);
        let carried = innermost.is_some_and(|turn| turn.carried)
            || needs.iter().any(|(_, around)| around.is_some() && *around == in_loop);
        let flow = self.flows.entry((line, end)).or_insert_with(|| Flow {
            file: self.file.to_owned(),
            line,
            end,
            body: Some(self.line),
            plain: self.is_plain,
            ..Flow::default()
        });
        flow.in_loop = in_loop;
        flow.carried |= carried;
        let mut lines: BTreeSet<u32> = flow.needs.iter().copied().collect();
        let own = needs.iter().filter(|(_, around)| around.is_none()).map(|&(line, _)| line);
        lines.extend(own.filter(|&other| other != line));
        flow.needs = lines.into_iter().collect();
    }

    fn add_effect(&mut self, line: u32) {
        self.effects.insert((line, None));
        for turn in &mut self.loops {
            turn.carried = true;
        }
    }

    /// Notes that the loops may end here, which `control` decides.
    fn exit(&mut self, control: &Sources) {
        for turn in &mut self.loops {
            // Of a loop over other values, each turn decides for itself, but the next one has to know.
            turn.carried |= control.iter().any(|&(line, _)| line >= turn.line);
        }
    }

    /// Gives the variables of a pattern their value.
    fn bind(&mut self, pattern: &Pat, origins: &Sources, values: &mut Values) {
        let mut names = Names::default();
        names.visit_pat(pattern);
        self.mutable.extend(names.mutable);
        for name in names.found {
            values.insert(name, origins.clone());
        }
    }

    /// Reads an expression with blocks. Returns the origins of its value, and what decides about everything after it.
    fn compound(
        &mut self,
        expr: &Expr,
        values: &mut Values,
        control: &Sources,
    ) -> (Sources, Sources) {
        match expr {
            Expr::Paren(paren) => self.compound(&paren.expr, values, control),
            Expr::Block(block) => self.branch(&block.block, values, control),
            Expr::Unsafe(block) => self.branch(&block.block, values, control),
            Expr::If(conditional) => {
                let lines = (line(&conditional.if_token), end_line(&*conditional.cond));
                let decides = self.head(&conditional.cond, lines, values, control);
                let inner = join(control, &decides);
                let mut then = values.clone();
                let (mut origins, mut exits) =
                    self.branch(&conditional.then_branch, &mut then, &inner);
                let mut otherwise = values.clone();
                if let Some((_, block)) = &conditional.else_branch {
                    let (more, others) = self.compound(block, &mut otherwise, &inner);
                    origins.extend(more);
                    exits.extend(others);
                }
                merge(values, then);
                merge(values, otherwise);
                (join(&origins, &decides), exits)
            }
            Expr::Match(matching) => {
                let lines = (line(&matching.match_token), end_line(&*matching.expr));
                let decides = self.head(&matching.expr, lines, values, control);
                let inner = join(control, &decides);
                let (mut origins, mut exits) = (decides.clone(), Sources::new());
                let before = values.clone();
                for arm in &matching.arms {
                    let mut branch = before.clone();
                    self.bind(&arm.pat, &decides, &mut branch);
                    let (more, others) = self.arm(&arm.body, &mut branch, &inner);
                    origins.extend(more);
                    exits.extend(others);
                    merge(values, branch);
                }
                (origins, exits)
            }
            Expr::ForLoop(each) => {
                let lines = (line(&each.for_token), end_line(&*each.expr));
                let origins = self.simple(&each.expr, lines, values, control);
                let items = origins;
                self.turns(lines.0, values, |body, values| {
                    body.bind(&each.pat, &items, values);
                    body.block(&each.body, values, control)
                })
            }
            Expr::While(repeated) => {
                let lines = (line(&repeated.while_token), end_line(&*repeated.cond));
                self.turns(lines.0, values, |body, values| {
                    let decides = body.head(&repeated.cond, lines, values, control);
                    body.exit(&decides);
                    body.block(&repeated.body, values, &join(control, &decides))
                })
            }
            Expr::Loop(repeated) => {
                let head = line(&repeated.loop_token);
                self.turns(head, values, |body, values| body.block(&repeated.body, values, control))
            }
            other => (
                self.simple(other, (line(other), end_line(other)), values, control),
                Sources::new(),
            ),
        }
    }

    /// Reads a block. Returns the origins of its value, and what decides about everything after it.
    fn branch(
        &mut self,
        block: &Block,
        values: &mut Values,
        control: &Sources,
    ) -> (Sources, Sources) {
        let after = self.block(block, values, control);
        let exits = after.difference(control).copied().collect::<Sources>();
        let exits = if leaves(block) { join(&exits, control) } else { exits };
        // The value is that of the last expression; those of the others do no harm.
        let mut origins = Sources::new();
        if let Some(Stmt::Expr(expr, None)) = block.stmts.last() {
            let names = uses(expr).all;
            origins.extend(names.iter().filter_map(|name| values.get(name)).flatten());
            origins.extend(uses(expr).asks.then(|| (line(expr), None)));
        }
        (origins, exits)
    }

    fn arm(&mut self, body: &Expr, values: &mut Values, control: &Sources) -> (Sources, Sources) {
        if is_compound(body) {
            return self.compound(body, values, control);
        }
        let origins = self.simple(body, (line(body), end_line(body)), values, control);
        assign(body, &origins, values);
        if exits(body) {
            self.exit(control);
            return (origins, control.clone());
        }
        (origins, Sources::new())
    }

    /// Reads a condition, which may bind variables.
    fn head(
        &mut self,
        condition: &Expr,
        lines: (u32, u32),
        values: &mut Values,
        control: &Sources,
    ) -> Sources {
        let origins = self.simple(condition, lines, values, control);
        let mut lets = Lets { found: Vec::new() };
        lets.visit_expr(condition);
        for pattern in lets.found {
            self.bind(&pattern, &origins, values);
        }
        origins
    }

    /// Reads the turns of a loop.
    fn turns(
        &mut self,
        head: u32,
        values: &mut Values,
        mut turn: impl FnMut(&mut Self, &mut Values) -> Sources,
    ) -> (Sources, Sources) {
        let mut carried = false;
        for _ in 0..2 {
            self.loops.push(Turn { line: head, carried });
            let mut after = values.clone();
            let _ = turn(self, &mut after);
            carried = self.loops.pop().is_some_and(|turn| turn.carried);
            // What the turn has found is carried into the next.
            for (name, origins) in after {
                let known = values.entry(name).or_default();
                for (line, around) in origins {
                    let is_of_turn = line >= head && around.is_none();
                    known.insert((line, if is_of_turn { Some(head) } else { around }));
                }
            }
        }
        // After the loop, each of its statements is an ordinary one before.
        let mut origins = Sources::new();
        for known in values.values_mut() {
            let all: Sources = known
                .iter()
                .map(|&(line, around)| (line, around.filter(|&around| around != head)))
                .collect();
            *known = all;
        }
        origins.insert((head, None));
        (origins, Sources::new())
    }
}
