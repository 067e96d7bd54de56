//! The spans that the scheduler gives to `tracing`.

mod common;

use std::fmt::{Debug, Write as _};

use asynq::{FutureBase, all, asynq, debug};
use common::Log;
use expect_test::expect;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::subscriber::with_default;
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{Layer, Registry};

/// Writes spans and events into a log, each as deep as it is nested.
struct Writer;

thread_local! {
    static LOG: Log = Log::new();
}

fn write_line(depth: usize, line: &str) {
    LOG.with(|log| log.add(format_args!("{}{line}", "  ".repeat(depth))));
}

#[derive(Default)]
struct Fields(String);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() != "at" {
            write!(self.0, " {}={value:?}", field.name()).unwrap();
        }
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Writer {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        let span = context.span(id).unwrap();
        let depth = span.scope().skip(1).count();
        write_line(depth, &format!("{}{}", span.name(), fields.0));
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let depth = context.event_scope(event).map_or(0, Iterator::count);
        write_line(depth, &format!("-{}", fields.0));
    }
}

#[asynq]
async fn name(_id: u32) {
    tracing::debug!("asks");
    debug::sync().await;
}

#[asynq]
async fn names() {
    all([name::asynq(1), name::asynq(2)]).await;
}

fn traced(run: impl FnOnce()) -> String {
    with_default(Registry::default().with(Writer), || {
        let tracing = debug::trace();
        run();
        drop(tracing);
    });
    LOG.with(Log::take)
}

#[test]
fn the_spans_nest_as_the_calls_do() {
    let log = traced(names);
    expect![[r#"
        task function="tracing::names"
        call depth=1
          task function="tracing::name"
          task function="tracing::name"
          - message=waits count=2 first=tracing::name #2
            - message=asks
            - message=waits count=1 first=item 0 of sync("default") #1
            - message=asks
            - message=waits count=1 first=item 1 of sync("default") #1
          flush source="sync(\"default\")" items=2
            - message=woken
            - message=woken
          - message=woken
    "#]]
    .assert_eq(&log);
}

#[test]
fn a_call_inside_a_task_is_inside_its_span() {
    let log = traced(|| {
        asynq::AsyncTask::new(async { name(1) }).value();
    });
    expect![[r#"
        task function="async block"
        call depth=1
          task function="tracing::name"
          call depth=2
            - message=asks
            - message=waits count=1 first=item 0 of sync("default") #1
            flush source="sync(\"default\")" items=1
            - message=woken
    "#]]
    .assert_eq(&log);
}

#[test]
fn nothing_is_left_entered() {
    traced(names);
    let log = traced(|| tracing::debug!("outside"));
    assert_eq!(log, "- message=outside\n");
}
