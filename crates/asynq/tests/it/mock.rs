//! Replacing async functions in tests.

use std::rc::Rc;

use asynq::{AsyncTask, ConstFuture, FutureBase, all, async_proxy, asynq, mock};

#[asynq]
async fn name(id: u32) -> String {
    format!("user {id}")
}

#[asynq]
async fn names(ids: Vec<u32>) -> Vec<String> {
    all(ids.into_iter().map(name::asynq)).await
}

#[asynq]
async fn identity<T: Clone + 'static>(value: T) -> T {
    value
}

#[asynq(pure)]
async fn pure() -> u32 {
    1
}

fn at_once(n: u32) -> u32 {
    n
}

#[asynq(sync_fn = at_once)]
async fn with_sync_fn(n: u32) -> u32 {
    n
}

#[async_proxy]
fn constant() -> ConstFuture<u32> {
    ConstFuture::new(1)
}

#[derive(Clone, Debug, PartialEq)]
struct Scale(u32);

#[asynq]
impl Scale {
    async fn apply(&self, n: u32) -> u32 {
        self.0 * n
    }

    async fn shared(self: Rc<Self>, n: u32) -> u32 {
        self.0 * n
    }

    async fn one() -> u32 {
        1
    }
}

#[test]
fn both_forms_of_a_call_are_replaced() {
    let _mock = mock::replace(name::asynq, |id: u32| format!("mock {id}"));
    assert_eq!(name(1), "mock 1");
    assert_eq!(name::asynq(2).value(), "mock 2");
}

#[test]
fn calls_of_other_functions_reach_the_mock() {
    let _mock = mock::replace(name::asynq, |_: u32| "nobody".to_owned());
    assert_eq!(names(vec![1, 2]), ["nobody", "nobody"]);
}

#[test]
fn a_mock_is_undone_when_it_is_dropped() {
    drop(mock::replace(name::asynq, |_: u32| String::new()));
    assert_eq!(name(1), "user 1");
}

#[test]
fn the_last_mock_counts() {
    let _first = mock::replace(name::asynq, |_: u32| "first".to_owned());
    let second = mock::replace(name::asynq, |_: u32| "second".to_owned());
    assert_eq!(name(1), "second");
    drop(second);
    assert_eq!(name(1), "first");
}

#[test]
fn mocks_can_be_undone_in_any_order() {
    let first = mock::replace(name::asynq, |_: u32| "first".to_owned());
    let _second = mock::replace(name::asynq, |_: u32| "second".to_owned());
    drop(first);
    assert_eq!(name(1), "second");
}

#[test]
fn calls_are_recorded_in_order() {
    let mock = mock::replace(name::asynq, |_: u32| String::new());
    names(vec![3, 1]);
    name(2);
    assert_eq!(mock.calls(), [(3,), (1,), (2,)]);
}

#[test]
#[should_panic(expected = "was called 2 times, not once")]
fn the_only_call_is_the_only_one() {
    let mock = mock::replace(name::asynq, |_: u32| String::new());
    names(vec![3, 1]);
    mock.only_call();
}

#[test]
fn a_replacement_that_panics_fails_the_task() {
    let _mock = mock::replace(name::asynq, |_: u32| -> String { panic!("no database") });
    assert_eq!(name::asynq(1).outcome().unwrap_err().message(), "no database");
}

#[test]
fn a_mock_can_call_what_it_replaces_through_another() {
    let _mock =
        mock::replace(name::asynq, |id: u32| names(vec![]).len().to_string() + &id.to_string());
    assert_eq!(name(1), "01");
}

#[test]
fn a_function_can_be_replaced_by_an_async_one() {
    #[asynq]
    async fn other(id: u32) -> String {
        asynq::debug::sync().await;
        format!("other {id}")
    }
    let _mock = mock::replace_asynq(name::asynq, other::asynq);
    assert_eq!(names(vec![1]), ["other 1"]);
}

#[test]
fn values_are_given_in_the_order_of_the_calls() {
    let _mock = mock::replace_by_values(name::asynq, ["a", "b"].map(str::to_owned));
    let first = name::asynq(1);
    assert_eq!(name(2), "b");
    assert_eq!(first.value(), "a");
}

#[test]
fn a_call_after_the_last_value_fails() {
    let _mock = mock::replace_by_values(name::asynq, []);
    let error = name::asynq(1).outcome().unwrap_err();
    assert!(error.message().ends_with("has no value left"), "{error}");
}

#[test]
fn a_spy_calls_through() {
    let spy = mock::spy(name::asynq);
    assert_eq!(names(vec![5]), ["user 5"]);
    assert_eq!(spy.only_call(), (5,));
}

#[test]
fn a_spy_records_every_call() {
    let spy = mock::spy(name::asynq);
    assert_eq!((name(5), name(6)), ("user 5".to_owned(), "user 6".to_owned()));
    assert_eq!(spy.calls(), [(5,), (6,)]);
}

#[test]
fn each_instance_of_a_generic_function_is_one_of_its_own() {
    let _mock = mock::replace(identity::asynq::<u32>, |_: u32| 7);
    assert_eq!((identity(1_u32), identity("one")), (7, "one"));
}

#[test]
fn a_pure_function_can_be_replaced() {
    let _mock = mock::replace(pure::asynq, || 2);
    assert_eq!(pure().value(), 2);
}

#[test]
fn the_synchronous_function_is_replaced_as_well() {
    let _mock = mock::replace(with_sync_fn::asynq, |n: u32| n + 1);
    assert_eq!((with_sync_fn(1), with_sync_fn::asynq(1).value()), (2, 2));
}

#[test]
fn a_proxy_is_replaced_by_what_returns_the_same_future() {
    let _mock = mock::replace_asynq(constant::asynq, || ConstFuture::new(2));
    assert_eq!((constant(), constant::asynq().value()), (2, 2));
}

#[test]
fn a_method_is_replaced_together_with_its_self() {
    let mock = mock::replace_method(Scale::apply_asynq, |scale: &Scale, n: u32| scale.0 + n);
    assert_eq!((Scale(3).apply(4), Scale(3).apply_asynq(5).value()), (7, 8));
    assert_eq!(mock.calls(), [(Scale(3), 4), (Scale(3), 5)]);
}

#[test]
fn a_spied_method_runs() {
    let spy = mock::spy_method(Scale::apply_asynq);
    assert_eq!(Scale(3).apply(4), 12);
    assert_eq!(spy.only_call(), (Scale(3), 4));
}

#[test]
fn methods_that_own_their_self_are_functions() {
    let _mock = mock::replace(Scale::shared_asynq, |_: Rc<Scale>, n: u32| n);
    assert_eq!(Rc::new(Scale(3)).shared(4), 4);
}

#[test]
fn functions_without_self_are_functions() {
    let _mock = mock::replace(Scale::one_asynq, || 2);
    assert_eq!(Scale::one(), 2);
}

#[test]
fn a_mock_belongs_to_its_thread() {
    let _mock = mock::replace(name::asynq, |_: u32| String::new());
    assert_eq!(std::thread::spawn(|| name(1)).join().unwrap(), "user 1");
}

#[test]
fn a_task_made_before_the_mock_is_the_real_one() {
    let task: AsyncTask<String> = name::asynq(1).task();
    let _mock = mock::replace(name::asynq, |_: u32| String::new());
    assert_eq!(task.value(), "user 1");
}

#[test]
#[should_panic(expected = "use `mock::replace_method`")]
fn a_borrowing_method_that_is_replaced_as_a_function_says_what_to_do() {
    let _mock = mock::replace(Scale::apply_asynq, |_: &'static Scale, n: u32| n);
    Scale(3).apply(4);
}

#[test]
fn a_mock_everywhere_reaches_the_handlers_of_a_runtime() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let named = mock::replace_everywhere(remote_name::asynq, |id: u32| format!("mock {id}"));
    let handler = runtime.spawn(asynq::request(remote_names::asynq(2)));
    assert_eq!(runtime.block_on(handler).unwrap(), ["mock 0", "mock 1"]);
    assert_eq!(named.calls(), [(0,), (1,)]);
}

#[test]
fn a_call_of_a_mock_everywhere_goes_to_another_thread() {
    let named = mock::replace_everywhere(moved_name::asynq, |id: u32| format!("mock {id}"));
    let call = moved_name::asynq(1);
    let other = std::thread::spawn(|| futures::executor::block_on(call));
    assert_eq!(other.join().unwrap(), "mock 1");
    assert_eq!(moved_name(2), "mock 2");
    assert_eq!(named.calls(), [(1,), (2,)]);
}

#[test]
fn a_mock_of_the_thread_comes_before_one_of_all_threads() {
    let _everywhere = mock::replace_everywhere(own_name::asynq, |_: u32| "everywhere".to_owned());
    let own = mock::replace(own_name::asynq, |_: u32| "here".to_owned());
    assert_eq!(own_name(1), "here");
    drop(own);
    assert_eq!(own_name(1), "everywhere");
}

#[test]
fn a_second_mock_everywhere_of_a_thread_is_refused() {
    let _first = mock::replace_everywhere(twice_mocked::asynq, || 1);
    let second = std::panic::catch_unwind(|| mock::replace_everywhere(twice_mocked::asynq, || 2));
    let message = second.unwrap_err().downcast::<String>().unwrap();
    assert!(message.contains("drop the first mock before"), "{message}");
    assert_eq!(twice_mocked(), 1);
}

#[test]
fn a_mock_everywhere_waits_for_that_of_another_thread() {
    let first = mock::replace_everywhere(shared_mock::asynq, || 1);
    let second = std::thread::spawn(|| {
        let _second = mock::replace_everywhere(shared_mock::asynq, || 2);
        shared_mock()
    });
    assert_eq!(shared_mock(), 1);
    drop(first);
    assert_eq!(second.join().unwrap(), 2);
}

#[test]
fn a_mock_everywhere_that_panics_fails_the_call() {
    let _mock = mock::replace_everywhere(failing_mock::asynq, || -> u32 { panic!("no value") });
    let failure = AsyncTask::new(failing_mock::asynq()).outcome().unwrap_err();
    assert_eq!(failure.message(), "no value");
}

#[asynq]
async fn remote_name(id: u32) -> String {
    unreachable!("no store for {id}")
}

#[asynq]
async fn remote_names(count: u32) -> Vec<String> {
    all((0..count).map(remote_name::asynq)).await
}

#[asynq]
async fn moved_name(id: u32) -> String {
    unreachable!("no store for {id}")
}

#[asynq]
async fn own_name(id: u32) -> String {
    unreachable!("no store for {id}")
}

#[asynq]
async fn twice_mocked() -> u32 {
    unreachable!("no store")
}

#[asynq]
async fn shared_mock() -> u32 {
    unreachable!("no store")
}

#[asynq]
async fn failing_mock() -> u32 {
    unreachable!("no store")
}
