//! The needs of statements in Rust, from their source.
//!
//! Each variable has the lines of the awaits and calls that its value comes from. A statement needs those of the variables in
//! the operands of its awaits, those that decide whether it runs, and awaits without a used value. The body of a loop is
//! read twice: what the second reading finds of the first is carried from turn to turn. When in doubt, a value is needed.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use proc_macro2::{TokenStream, TokenTree};
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{Block, Expr, Pat, Stmt, Token};

use crate::place::Flow;

/// Returns the needs of the statements in a file of Rust. A file that cannot be parsed has none.
#[must_use]
pub fn flows_of_rust(file: &str, source: &str) -> Vec<Flow> {
    let Ok(parsed) = syn::parse_file(source) else { return Vec::new() };
    let mut functions = Functions { file, flows: BTreeMap::new() };
    functions.visit_file(&parsed);
    functions.flows.into_values().collect()
}

/// Finds the functions of a file.
struct Functions<'a> {
    file: &'a str,
    /// By first and last line.
    flows: BTreeMap<(u32, u32), Flow>,
}

impl Functions<'_> {
    fn read(&mut self, block: &Block) {
        let mut body = Body {
            file: self.file,
            line: line(block),
            flows: &mut self.flows,
            loops: Vec::new(),
            effects: Sources::new(),
            mutable: BTreeSet::new(),
        };
        body.block(block, &mut Values::new(), &Sources::new());
    }
}

impl<'ast> Visit<'ast> for Functions<'_> {
    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        self.read(&function.block);
        visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        self.read(&function.block);
        visit::visit_impl_item_fn(self, function);
    }

    fn visit_trait_item_fn(&mut self, function: &'ast syn::TraitItemFn) {
        if let Some(block) = &function.default {
            self.read(block);
        }
        visit::visit_trait_item_fn(self, function);
    }
}

/// Line of a statement from which a value comes, and the loop around which it was carried.
type Origin = (u32, Option<u32>);

type Sources = BTreeSet<Origin>;

/// Origins of the values of variables.
type Values = HashMap<String, Sources>;

/// A loop that is being read.
struct Turn {
    line: u32,
    /// Its turns depend on each other: one may end it, or has effects.
    carried: bool,
}

/// A body of code that is being read.
struct Body<'a> {
    file: &'a str,
    /// Line at which it begins.
    line: u32,
    flows: &'a mut BTreeMap<(u32, u32), Flow>,
    loops: Vec<Turn>,
    /// Awaits whose values are not used.
    effects: Sources,
    /// Variables that were bound as `mut`: only these can change in a call.
    mutable: BTreeSet<String>,
}

impl Body<'_> {
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
            let outer = std::mem::replace(&mut self.line, crate::rust_source::line(block));
            self.block(block, &mut values.clone(), control);
            (self.loops, self.effects, self.line) = (loops, effects, outer);
        }
        let needs = join(&join(&operands, control), &self.effects);
        self.add_flow(lines, &needs);
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

/// Adds the values of another way through the code.
fn merge(values: &mut Values, others: Values) {
    for (name, origins) in others {
        values.entry(name).or_default().extend(origins);
    }
}

fn join(one: &Sources, other: &Sources) -> Sources {
    one.union(other).copied().collect()
}

/// Gives the variable of an assignment its value.
fn assign(expr: &Expr, origins: &Sources, values: &mut Values) {
    let (target, keeps) = match expr {
        Expr::Assign(assign) => (&assign.left, false),
        Expr::Binary(binary) if is_assignment(&binary.op) => (&binary.left, true),
        _ => return,
    };
    if let Expr::Path(path) = &**target
        && let Some(name) = path.path.get_ident()
        && !keeps
    {
        values.insert(name.to_string(), origins.clone());
    } else if let Some(name) = root(target) {
        values.entry(name).or_default().extend(origins);
    }
}

fn is_assignment(operator: &syn::BinOp) -> bool {
    use syn::BinOp::{
        AddAssign, BitAndAssign, BitOrAssign, BitXorAssign, DivAssign, MulAssign, RemAssign,
        ShlAssign, ShrAssign, SubAssign,
    };
    matches!(
        operator,
        AddAssign(_)
            | SubAssign(_)
            | MulAssign(_)
            | DivAssign(_)
            | RemAssign(_)
            | BitXorAssign(_)
            | BitAndAssign(_)
            | BitOrAssign(_)
            | ShlAssign(_)
            | ShrAssign(_)
    )
}

/// Returns the variable that an expression is a part of.
fn root(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Path(path) => path.path.get_ident().map(ToString::to_string),
        Expr::Field(field) => root(&field.base),
        Expr::Index(index) => root(&index.expr),
        Expr::MethodCall(call) => root(&call.receiver),
        Expr::Paren(paren) => root(&paren.expr),
        Expr::Reference(reference) => root(&reference.expr),
        Expr::Unary(unary) => root(&unary.expr),
        _ => None,
    }
}

fn is_compound(expr: &Expr) -> bool {
    match expr {
        Expr::Paren(paren) => is_compound(&paren.expr),
        Expr::Block(_)
        | Expr::Unsafe(_)
        | Expr::If(_)
        | Expr::Match(_)
        | Expr::ForLoop(_)
        | Expr::While(_)
        | Expr::Loop(_) => true,
        _ => false,
    }
}

/// Returns whether an expression is an await whose value is not used.
fn is_discarded_await(expr: &Expr) -> bool {
    match expr {
        Expr::Await(_) => true,
        Expr::Try(tried) => is_discarded_await(&tried.expr),
        Expr::Paren(paren) => is_discarded_await(&paren.expr),
        Expr::MethodCall(call) => {
            // `f().await.unwrap();`
            is_discarded_await(&call.receiver) && call.args.iter().all(|arg| !uses(arg).awaits)
        }
        Expr::Macro(call) => is_waiting_macro(&call.mac),
        _ => false,
    }
}

/// Returns whether an expression ends a turn or the function.
fn exits(expr: &Expr) -> bool {
    matches!(expr, Expr::Return(_) | Expr::Break(_) | Expr::Continue(_))
}

/// Returns whether a block may end a turn or the function.
fn leaves(block: &Block) -> bool {
    block.stmts.iter().any(|statement| matches!(statement, Stmt::Expr(expr, _) if exits(expr)))
}

fn is_waiting_macro(call: &syn::Macro) -> bool {
    let name = call.path.segments.last().map(|segment| segment.ident.to_string());
    matches!(name.as_deref(), Some("join" | "try_join" | "select" | "select_biased"))
}

/// Variables that an expression uses.
#[derive(Default)]
struct Uses {
    all: BTreeSet<String>,
    /// Names in the operands of awaits.
    operands: BTreeSet<String>,
    mutated: BTreeSet<String>,
    awaits: bool,
    /// It awaits, or calls what may be an async function.
    asks: bool,
    /// Blocks of code that run on their own.
    blocks: Vec<Block>,
    depth: usize,
}

fn uses(expr: &Expr) -> Uses {
    let mut uses = Uses::default();
    uses.visit_expr(expr);
    uses
}

impl Uses {
    fn add(&mut self, name: String) {
        if self.depth > 0 {
            self.operands.insert(name.clone());
        }
        self.all.insert(name);
    }

    fn add_tokens(&mut self, tokens: TokenStream) {
        for token in tokens {
            match token {
                TokenTree::Ident(ident) => self.add(ident.to_string()),
                TokenTree::Group(group) => self.add_tokens(group.stream()),
                TokenTree::Punct(_) | TokenTree::Literal(_) => {}
            }
        }
    }
}

impl<'ast> Visit<'ast> for Uses {
    fn visit_expr_path(&mut self, path: &'ast syn::ExprPath) {
        if let Some(name) = path.path.get_ident() {
            self.add(name.to_string());
        }
    }

    fn visit_expr_await(&mut self, awaited: &'ast syn::ExprAwait) {
        self.awaits = true;
        self.asks = true;
        self.depth += 1;
        visit::visit_expr_await(self, awaited);
        self.depth -= 1;
    }

    fn visit_expr_async(&mut self, block: &'ast syn::ExprAsync) {
        self.blocks.push(block.block.clone());
        // What it uses counts, its awaits do not.
        let awaits = self.awaits;
        visit::visit_expr_async(self, block);
        self.awaits = awaits;
    }

    fn visit_expr_closure(&mut self, closure: &'ast syn::ExprClosure) {
        if closure.asyncness.is_some()
            && let Expr::Block(block) = &*closure.body
        {
            self.blocks.push(block.block.clone());
        }
        let awaits = self.awaits;
        visit::visit_expr_closure(self, closure);
        self.awaits = awaits;
    }

    fn visit_expr_call(&mut self, call: &'ast syn::ExprCall) {
        if let Expr::Path(function) = &*call.func
            && let Some(name) = function.path.segments.last().map(|segment| &segment.ident)
        {
            let name = name.to_string();
            let constructs = name.starts_with(char::is_uppercase)
                || matches!(name.as_str(), "new" | "from" | "default" | "with_capacity");
            self.asks |= !constructs;
            self.depth += usize::from(!constructs);
            for argument in &call.args {
                self.visit_expr(argument);
            }
            self.depth -= usize::from(!constructs);
        } else {
            visit::visit_expr_call(self, call);
        }
    }

    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        let on_self = matches!(&*call.receiver, Expr::Path(path) if path.path.is_ident("self"));
        let asks = on_self || call.method == "value" || call.method == "outcome";
        self.asks |= asks;
        self.mutated.extend(root(&call.receiver));
        self.depth += usize::from(asks);
        visit::visit_expr_method_call(self, call);
        self.depth -= usize::from(asks);
    }

    fn visit_expr_reference(&mut self, reference: &'ast syn::ExprReference) {
        if reference.mutability.is_some() {
            self.mutated.extend(root(&reference.expr));
        }
        visit::visit_expr_reference(self, reference);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        let waits = is_waiting_macro(call);
        self.awaits |= waits;
        self.asks |= waits;
        self.depth += usize::from(waits);
        let arguments = Punctuated::<Expr, Token![,]>::parse_terminated;
        match arguments.parse2(call.tokens.clone()) {
            Ok(arguments) => {
                for argument in &arguments {
                    let mut inner = Self { depth: self.depth, ..Self::default() };
                    inner.visit_expr(argument);
                    self.all.extend(inner.all);
                    self.operands.extend(inner.operands);
                    self.mutated.extend(inner.mutated);
                    self.blocks.extend(inner.blocks);
                    self.awaits |= inner.awaits;
                    self.asks |= inner.asks;
                }
            }
            Err(_) => self.add_tokens(call.tokens.clone()),
        }
        self.depth -= usize::from(waits);
    }
}

/// Names that a pattern binds.
#[derive(Default)]
struct Names {
    found: Vec<String>,
    mutable: Vec<String>,
}

impl<'ast> Visit<'ast> for Names {
    fn visit_pat_ident(&mut self, pattern: &'ast syn::PatIdent) {
        self.found.push(pattern.ident.to_string());
        if pattern.mutability.is_some() {
            self.mutable.push(pattern.ident.to_string());
        }
        visit::visit_pat_ident(self, pattern);
    }
}

/// Patterns of `let` in a condition.
struct Lets {
    found: Vec<Pat>,
}

impl<'ast> Visit<'ast> for Lets {
    fn visit_expr_let(&mut self, condition: &'ast syn::ExprLet) {
        self.found.push((*condition.pat).clone());
        visit::visit_expr_let(self, condition);
    }
}

fn line(node: &impl Spanned) -> u32 {
    u32::try_from(node.span().start().line).unwrap_or(u32::MAX)
}

fn end_line(node: &impl Spanned) -> u32 {
    u32::try_from(node.span().end().line).unwrap_or(u32::MAX)
}

fn lines(node: &impl Spanned) -> (u32, u32) {
    (line(node), end_line(node))
}
