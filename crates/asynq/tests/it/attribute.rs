//! Functions and methods with `#[asynq]`. Correct code gets no warning for the code that the attribute
//! adds.
#![deny(warnings, clippy::pedantic)]

use std::cell::Cell;
use std::rc::Rc;

use asynq::debug::format_asynq_stack;
use asynq::{AsyncTask, FutureBase, all, asynq};

/// Adds one.
#[asynq]
async fn increment(n: u32) -> u32 {
    n + 1
}

#[test]
fn a_plain_call_runs_to_the_value() {
    assert_eq!(increment(1), 2);
}

#[test]
fn an_asynchronous_call_is_a_task() {
    let task: AsyncTask<u32> = increment::asynq(1).task();
    assert!(!task.is_computed());
    assert_eq!(task.value(), 2);
}

#[test]
fn the_asynchronous_form_is_a_function_to_map_with() {
    assert_eq!(all((0..3).map(increment::asynq)).value(), [1, 2, 3]);
}

#[test]
fn a_function_can_call_itself() {
    #[asynq]
    async fn factorial(n: u64) -> u64 {
        if n == 0 { 1 } else { n * factorial::asynq(n - 1).await }
    }
    assert_eq!(factorial(5), 120);
}

#[test]
fn a_plain_call_inside_a_task_is_synchronous() {
    #[asynq]
    async fn outer(n: u32) -> u32 {
        increment(n) + increment::asynq(n).await
    }
    assert_eq!(outer(1), 4);
}

#[test]
fn a_function_without_a_type_returns_nothing() {
    #[asynq]
    async fn set(cell: Rc<Cell<bool>>) {
        cell.set(true);
    }
    let cell = Rc::new(Cell::new(false));
    set(Rc::clone(&cell));
    assert!(cell.get());
}

#[test]
fn arguments_may_be_patterns() {
    #[asynq]
    async fn sum((a, b): (u32, u32), [c, ..]: [u32; 3], mut d: u32, _: u32, _e: u32) -> u32 {
        d += 1;
        a + b + c + d
    }
    assert_eq!(sum((1, 2), [3, 0, 0], 4, 9, 9), 11);
}

#[test]
fn arguments_may_have_any_name() {
    #[derive(Clone)]
    struct Weight(u32);

    #[asynq]
    impl Weight {
        async fn plus(&self, this: u32) -> u32 {
            self.0 + this
        }
    }

    #[asynq]
    async fn sum(argument_1: u32, (a, b): (u32, u32)) -> u32 {
        argument_1 + a + b
    }
    assert_eq!(Weight(1).plus(2), 3);
    assert_eq!(sum(1, (2, 3)), 6);
}

#[test]
fn the_body_sees_the_statics_around_it() {
    static SITE: u32 = 7;

    #[asynq]
    async fn site() -> u32 {
        SITE
    }
    assert_eq!(site(), 7);
}

#[test]
fn arguments_may_have_attributes() {
    #[asynq]
    async fn three(#[allow(unused_variables)] n: u32) -> u32 {
        3
    }
    assert_eq!(three(4), 3);
}

#[test]
fn a_deprecated_function_may_still_be_defined() {
    #[asynq]
    #[deprecated = "use `new`"]
    async fn old() -> u32 {
        1
    }

    struct Page;

    #[asynq]
    impl Page {
        #[deprecated = "use `new`"]
        async fn old(self) -> u32 {
            2
        }
    }
    #[allow(deprecated, reason = "to see whether it works")]
    let values = (old(), Page.old());
    assert_eq!(values, (1, 2));
}

#[test]
fn a_function_may_be_generic() {
    #[asynq]
    async fn repeat<T, const N: usize>(value: T) -> [T; N]
    where
        T: Clone + 'static,
    {
        std::array::from_fn(|_| value.clone())
    }
    assert_eq!(repeat::<_, 2>("a"), ["a", "a"]);
    assert_eq!(repeat::asynq::<&str, 2>("a").value(), ["a", "a"]);
}

#[test]
fn a_type_parameter_may_appear_in_the_body_only() {
    #[asynq]
    async fn size<T: 'static>() -> usize {
        size_of::<T>()
    }
    assert_eq!(size::<u32>(), 4);
}

#[test]
fn an_argument_may_be_of_an_unnamed_type() {
    #[asynq]
    async fn apply(f: impl Fn(&str) -> usize + 'static, text: &'static str) -> usize {
        f(text)
    }
    assert_eq!(apply(str::len, "four"), 4);
}

#[test]
fn question_mark_and_return_work_in_the_body() {
    #[asynq]
    async fn parse(text: &'static str) -> Result<u32, Box<dyn std::error::Error>> {
        if text.is_empty() {
            return Ok(0);
        }
        Ok(text.parse::<u32>()?)
    }
    assert_eq!(parse("").unwrap(), 0);
    assert_eq!(parse("7").unwrap(), 7);
    assert!(parse("x").is_err());
}

mod elsewhere {
    //! A function of another module.

    use asynq::asynq;

    /// The answer.
    #[asynq]
    pub async fn answer() -> u32 {
        42
    }
}

#[test]
fn one_use_imports_both_forms() {
    use elsewhere::answer;
    assert_eq!(answer(), answer::asynq().value());
}

#[test]
fn a_function_that_is_configured_away_leaves_nothing() {
    #[cfg(any())]
    #[asynq]
    async fn gone() -> Missing {}

    #[asynq]
    #[cfg(any())]
    async fn gone() -> Missing {}

    #[asynq]
    async fn gone() -> u32 {
        1
    }
    assert_eq!(gone(), 1);
}

#[test]
fn the_stack_names_the_function_and_the_line_of_the_call() {
    #[asynq]
    async fn here() -> String {
        format_asynq_stack().expect("inside a task").to_string()
    }
    let (stack, line) = (here(), line!());
    let expected = format!("attribute::here, called at {}:{line}:", file!());
    assert!(stack.contains(&expected), "{stack}");
}

/// A type whose methods are asynq functions.
#[derive(Clone)]
struct Counter {
    count: Rc<Cell<u32>>,
}

#[asynq]
impl Counter {
    /// The number of steps, in each of the two forms.
    const STEPS: u32 = 2;

    fn new() -> Self {
        Self { count: Rc::default() }
    }

    /// Counts, and says how far it is.
    async fn step(&self) -> u32 {
        self.count.set(self.count.get() + 1);
        self.count.get()
    }

    async fn steps(self: Rc<Self>, times: u32) -> Vec<u32> {
        all((0..times).map(|_| self.step_asynq())).await
    }

    async fn into_count(mut self) -> u32 {
        self.count = Rc::new(Cell::new(self.count.get() + 100));
        self.count.get()
    }

    async fn fresh() -> Self {
        Self::new()
    }

    async fn map<T: 'static>(&self, (f, offset): (impl Fn(u32) -> T + 'static, u32)) -> T {
        f(self.count.get() + offset)
    }
}

#[test]
fn a_method_has_both_forms() {
    let counter = Counter::new();
    assert_eq!(counter.step(), 1);
    assert_eq!(counter.step_asynq().value(), Counter::STEPS);
}

#[test]
fn a_method_may_take_a_shared_self() {
    assert_eq!(Rc::new(Counter::new()).steps(3), [1, 2, 3]);
}

#[test]
fn a_method_may_consume_self() {
    assert_eq!(Counter::new().into_count(), 100);
}

#[test]
fn an_associated_function_has_both_forms() {
    assert_eq!(Counter::fresh().step(), 1);
    assert_eq!(Counter::fresh_asynq().value().step(), 1);
}

#[test]
fn a_method_may_be_generic() {
    assert_eq!(Counter::new().map((|n| n.to_string(), 5)), "5");
}

#[test]
fn methods_of_a_generic_type_work() {
    #[derive(Clone)]
    struct Holder<T>(T);

    #[asynq]
    impl<T: Clone + 'static> Holder<T> {
        async fn get(&self) -> T {
            self.0.clone()
        }
    }
    assert_eq!(Holder("x").get(), "x");
}

#[test]
fn the_stack_names_the_type_of_a_method() {
    struct Page;

    #[asynq]
    impl Page {
        async fn stack(self) -> String {
            format_asynq_stack().expect("inside a task").to_string()
        }
    }
    assert!(Page.stack().contains("attribute::Page::stack, called at "));
}
