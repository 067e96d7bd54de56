//! The asynq stack: which function called which, and what carries it.
#![allow(clippy::needless_raw_string_hashes, reason = "as `expect_test` writes them")]

use std::num::ParseIntError;

use asynq::debug::{self, AsynqStack, Traced};
use asynq::{AsyncTask, FutureBase, LocalLoader, all, asynq, try_all};
use expect_test::expect;

use crate::common::{self, Log, store, without_lines};

fn here() -> AsynqStack {
    debug::format_asynq_stack().expect("inside a task")
}

fn functions(stack: &AsynqStack) -> Vec<&'static str> {
    stack.calls().iter().map(|call| call.function).collect()
}

#[asynq]
async fn leaf() -> AsynqStack {
    here()
}

#[asynq]
async fn branch() -> AsynqStack {
    leaf::asynq().await
}

#[asynq]
async fn root() -> AsynqStack {
    branch::asynq().await
}

#[test]
fn there_is_none_outside_of_tasks() {
    assert!(debug::format_asynq_stack().is_none());
}

#[test]
fn in_a_flush_it_is_that_of_the_call_whose_round_it_is() {
    let seen = Log::new();
    let log = seen.clone();
    let numbers = LocalLoader::new(move |keys: Vec<u32>| {
        log.add(functions(&here()).join(" "));
        keys
    });

    #[asynq]
    async fn inner(numbers: LocalLoader<u32, u32>) {
        // Not those of the tasks that it is for, which may be many.
        let asks = |key| AsyncTask::new(numbers.load(key));
        try_all([asks(1), asks(2)]).await.unwrap();
    }

    #[asynq]
    async fn outer(numbers: LocalLoader<u32, u32>) {
        inner(numbers);
    }

    outer(numbers);
    assert_eq!(seen.take(), "it::stack::outer it::stack::inner\n");
}

#[test]
fn it_names_the_functions_the_outermost_first() {
    assert_eq!(functions(&root()), ["it::stack::root", "it::stack::branch", "it::stack::leaf"]);
}

#[test]
fn it_names_the_line_of_each_call() {
    #[asynq]
    async fn calls() -> (AsynqStack, u32) {
        (leaf::asynq().await, line!())
    }

    let ((stack, inner), outer) = (calls(), line!());
    let lines: Vec<_> = stack.calls().iter().map(|call| call.at.line()).collect();
    assert_eq!(lines, [outer, inner]);
    assert!(stack.calls().iter().all(|call| call.at.file().ends_with("stack.rs")));
}

#[test]
fn it_is_printed_a_line_for_each_call() {
    expect![[r#"
        asynq stack (most recent call last):
          it::stack::root, called at crates/asynq/tests/it/stack.rs
          it::stack::branch, called at crates/asynq/tests/it/stack.rs
          it::stack::leaf, called at crates/asynq/tests/it/stack.rs
    "#]]
    .assert_eq(&without_lines(&root().to_string()));
}

#[test]
fn a_function_passed_as_a_value_is_found_in_the_program() {
    #[asynq]
    async fn each(_: u32) -> AsynqStack {
        here()
    }

    for stack in all((1..=2).map(each::asynq)).value() {
        let text = stack.to_string();
        assert!(text.contains("each") && text.contains("stack.rs"), "{text}");
        assert!(!text.contains("/rustc/"), "{text}");
    }
}

#[test]
fn it_goes_through_joins() {
    let root = AsyncTask::new(async { all([branch::asynq(), branch::asynq()]).await });
    for stack in root.value() {
        assert_eq!(functions(&stack), ["async block", "it::stack::branch", "it::stack::leaf"]);
    }
}

#[test]
fn it_goes_through_synchronous_calls() {
    let outer = AsyncTask::new(async { branch() });
    assert_eq!(functions(&outer.value()), ["async block", "it::stack::branch", "it::stack::leaf"]);
}

#[test]
fn it_is_the_same_after_a_wait() {
    let task = AsyncTask::new(async {
        let before = here();
        debug::sync().await;
        (before, here())
    });
    let (before, after) = task.value();
    assert_eq!(before, after);
}

#[test]
fn it_stays_complete_after_the_callers_have_ended() {
    #[asynq]
    async fn makes() -> AsyncTask<AsynqStack> {
        branch::asynq().task()
    }

    let stack = makes().value();
    let names = functions(&stack);
    assert!(names[0].ends_with("makes"), "{names:?}");
    assert_eq!(names[1..], ["it::stack::branch", "it::stack::leaf"]);
}

/// A task that calls others, `depth` deep.
fn dive(depth: usize) -> AsyncTask<AsynqStack> {
    AsyncTask::new(async move { if depth == 1 { here() } else { dive(depth - 1).await } })
}

#[test]
fn a_very_deep_one_is_printed_shortened() {
    let stack = dive(1_000).value();
    assert_eq!(stack.calls().len(), 1_000);
    let text = stack.to_string();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 1 + 25 + 1 + 25);
    assert_eq!(lines[26], "  … 950 more …");
}

#[test]
fn one_that_fits_is_printed_whole() {
    assert_eq!(dive(50).value().to_string().lines().count(), 1 + 50);
}

#[test]
fn one_that_is_a_call_too_long_says_so() {
    let text = dive(51).value().to_string();
    assert_eq!(text.lines().nth(26), Some("  … 1 more …"));
}

#[asynq]
async fn parses(text: &'static str) -> Result<u32, Traced<ParseIntError>> {
    debug::sync().await;
    Ok(text.parse()?)
}

#[asynq]
async fn parses_for_another(text: &'static str) -> Result<u32, Traced<ParseIntError>> {
    parses::asynq(text).await
}

#[test]
fn a_traced_error_keeps_the_stack_of_where_it_arose() {
    let error = parses_for_another("x").unwrap_err();
    assert_eq!(functions(error.stack()), ["it::stack::parses_for_another", "it::stack::parses"]);
    assert_eq!(error.into_error(), "x".parse::<u32>().unwrap_err());
}

#[test]
fn a_traced_error_is_displayed_as_the_error_and_debugged_with_the_stack() {
    let error = parses("x").unwrap_err();
    assert_eq!(error.to_string(), "invalid digit found in string");
    expect![[r#"
        invalid digit found in string
        asynq stack (most recent call last):
          it::stack::parses, called at crates/asynq/tests/it/stack.rs
    "#]]
    .assert_eq(&without_lines(&format!("{error:?}")));
}

#[test]
fn a_traced_error_outside_of_tasks_has_an_empty_stack() {
    let error = Traced::new("x".parse::<u32>().unwrap_err());
    assert!(error.stack().calls().is_empty());
}

#[test]
fn a_batch_error_keeps_the_stack_of_the_one_who_awaited_the_item() {
    #[asynq]
    async fn asks(item: asynq::BatchItem<common::Store>) -> AsynqStack {
        item.await.unwrap_err().stack().clone()
    }

    let item = store(&Log::new(), "numbers").item(1);
    item.batch().cancel();
    let stack = asks(item);
    assert!(functions(&stack)[0].ends_with("asks"));
}

#[test]
fn a_context_that_the_scheduler_resumes_sees_that_of_the_call() {
    #[asynq]
    async fn root(context: Looks) {
        let task = AsyncTask::new(asynq::with_context(context, debug::sync()));
        task.await;
    }

    #[derive(Clone)]
    struct Looks(Log);

    impl asynq::AsyncContext for Looks {
        fn resume(&self) {
            self.0.add(here().calls().len());
        }

        fn pause(&self) {}
    }

    let log = Log::new();
    root(Looks(log.clone()));
    assert_eq!(log.take(), "2\n1\n", "first the task enters it, then the scheduler does");
}
