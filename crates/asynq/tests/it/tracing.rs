//! The spans that the scheduler gives to `tracing`.

use std::fmt::{Debug, Write as _};

use asynq::{AsyncTask, FutureBase, all, asynq, debug, promise};
use expect_test::expect;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::subscriber::with_default;
use tracing::{Event, Instrument as _, Subscriber};
use tracing_subscriber::layer::{Context, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{Layer, Registry};

use crate::common::{Later, Log, knowing_itself, source};

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
            let value = format!("{value:?}");
            // Places in the source change.
            let (value, more) = match value.split_once(", called at") {
                Some((value, _)) => (value, " …"),
                None => (&*value, ""),
            };
            write!(self.0, " {}={value}{more}", field.name()).unwrap();
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

    fn on_follows_from(&self, span: &Id, follows: &Id, context: Context<'_, S>) {
        let name = |id| context.span(id).unwrap().name();
        write_line(0, &format!("({} follows from a {})", name(span), name(follows)));
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
        call function="it::tracing::names" depth=1
          task function="it::tracing::names"
            - message=waits count=2 first=it::tracing::name #2
            task function="it::tracing::name"
              - message=asks
              - message=waits count=1 first=item 0 of sync("default") #1
            task function="it::tracing::name"
              - message=asks
              - message=waits count=1 first=item 1 of sync("default") #1
        flush source="sync(\"default\")" items=2
        (flush follows from a task)
        (flush follows from a task)
              - message=woken
              - message=woken
            - message=woken
    "#]]
    .assert_eq(&log);
}

#[test]
fn a_call_inside_a_task_is_inside_its_span() {
    let log = traced(|| {
        AsyncTask::new(async { name(1) }).value();
    });
    expect![[r#"
        call function="async block" depth=1
          task function="async block"
            call function="it::tracing::name" depth=2
              task function="it::tracing::name"
                - message=asks
                - message=waits count=1 first=item 0 of sync("default") #1
        flush source="sync(\"default\")" items=1
        (flush follows from a task)
                - message=woken
    "#]]
    .assert_eq(&log);
}

#[test]
fn what_is_asked_for_in_a_span_of_the_task_is_inside_that() {
    let log = traced(|| {
        AsyncTask::new(async {
            let own = tracing::debug_span!("own");
            async { name::asynq(1).await }.instrument(own).await;
        })
        .value();
    });
    expect![[r#"
        call function="async block" depth=1
          task function="async block"
            own
            - message=waits count=1 first=it::tracing::name #2
              task function="it::tracing::name"
                - message=asks
                - message=waits count=1 first=item 0 of sync("default") #1
        flush source="sync(\"default\")" items=1
        (flush follows from a task)
                - message=woken
            - message=woken
    "#]]
    .assert_eq(&log);
}

#[test]
fn a_flush_in_flight_is_a_task_inside_the_flush() {
    let log = traced(|| {
        let source = source("remote", |items| -> Later {
            Box::pin(async move {
                tracing::debug!("sends");
                debug::sync().await;
                items.set_values(|&key| Some(key));
            })
        });
        source.item(1).value().unwrap();
    });
    expect![[r#"
        call function="async block" depth=1
          task function="async block"
            - message=waits count=1 first=item 0 of remote #1
        flush source="remote" items=1
        (flush follows from a task)
          task function="flush of a source"
            - message=sends
            - message=waits count=1 first=item 0 of sync("default") #2
        flush source="sync(\"default\")" items=1
        (flush follows from a task)
            - message=woken
            - message=woken
    "#]]
    .assert_eq(&log);
}

#[test]
fn a_failure_is_an_event_of_the_task() {
    let log = traced(|| {
        AsyncTask::new(async { panic!("no luck") }).outcome().unwrap_err();
    });
    expect![[r#"
        call function="async block" depth=1
          task function="async block"
            - message=fails error="no luck"
    "#]]
    .assert_eq(&log);
}

#[test]
fn a_deadlock_is_an_error() {
    let (never, future) = promise::<()>();
    let log = traced(|| {
        AsyncTask::new(future).outcome().unwrap_err();
    });
    drop(never);
    expect![[r#"
        call function="async block" depth=1
          task function="async block"
            - message=waits count=1 first=promise #2
          - message=deadlock count=1
            - message=woken
            - message=fails error="deadlock: these tasks can never go on:\n  async block …
    "#]]
    .assert_eq(&log);
}

/// The task ends before the call that it made does.
#[test]
fn a_task_that_a_call_of_its_own_cancels_is_not_left_entered() {
    let log = traced(|| {
        let task = knowing_itself(|this: AsyncTask<()>| async move {
            AsyncTask::new(async move {
                this.cancel();
                tracing::debug!("has cancelled");
            })
            .value();
            tracing::debug!("goes on to the end of its step");
        });
        task.outcome().unwrap_err();
        tracing::debug!("outside");
    });
    expect![[r#"
        call function="async block" depth=1
          task function="async block"
            call function="async block" depth=2
              task function="async block"
            - message=fails error="async block …
                - message=has cancelled
          - message=goes on to the end of its step
        - message=outside
    "#]]
    .assert_eq(&log);
}

#[test]
fn tracing_may_begin_in_the_middle() {
    let log = Log::new();
    with_default(Registry::default().with(Writer), || {
        AsyncTask::new(async {
            let _tracing = debug::trace();
            name::asynq(1).await;
            tracing::debug!("goes on");
        })
        .value();
        tracing::debug!("outside");
    });
    LOG.with(|lines| log.add(lines.take()));
    expect![[r#"
        task function="it::tracing::name"
          - message=asks
          - message=waits count=1 first=item 0 of sync("default") #1
        flush source="sync(\"default\")" items=1
        (flush follows from a task)
          - message=woken
        task function="async block"
          - message=goes on
        - message=outside

    "#]]
    .assert_eq(&log.take());
}

#[test]
fn without_a_subscriber_nothing_happens() {
    let _tracing = debug::trace();
    names();
    assert_eq!(LOG.with(Log::take), "");
}

#[test]
fn nothing_is_left_entered() {
    traced(names);
    let log = traced(|| tracing::debug!("outside"));
    assert_eq!(log, "- message=outside\n");
}

#[asynq]
#[::tracing::instrument]
async fn span_name() -> Option<&'static str> {
    debug::sync().await;
    ::tracing::Span::current().metadata().map(::tracing::Metadata::name)
}

#[asynq]
#[::tracing::instrument(name = "other", skip_all)]
async fn name_of_named_span() -> Option<&'static str> {
    debug::sync().await;
    ::tracing::Span::current().metadata().map(::tracing::Metadata::name)
}

#[test]
fn an_attribute_of_another_macro_applies_to_both_calls() {
    with_default(Registry::default(), || {
        assert_eq!(span_name(), Some("span_name"));
        let both = all((span_name::asynq(), name_of_named_span::asynq())).value();
        assert_eq!(both, (Some("span_name"), Some("other")));
    });
}
