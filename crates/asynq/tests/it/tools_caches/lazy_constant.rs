//! `alazy_constant`: a value that is computed once, or again after a while.

use super::*;

/// A constant with a clock that stands still unless the test moves it.
fn with_hand(ttl: u64) -> (AlazyConstant<u32>, impl Fn(u64)) {
    let now = Rc::new(Cell::new(Instant::now()));
    let constant = {
        let now = Rc::clone(&now);
        alazy_constant(Duration::from_secs(ttl), counting()).with_clock(move || now.get())
    };
    (constant, move |seconds| now.set(now.get() + Duration::from_secs(seconds)))
}

#[test]
fn it_is_computed_once() {
    let constant = alazy_constant(None, counting());
    assert_eq!(all((constant.asynq(), constant.asynq())).value(), (1, 1));
    assert_eq!(constant.call(), 1);
}

#[test]
fn it_takes_what_the_attribute_makes() {
    #[asynq]
    async fn answer() -> u32 {
        42
    }

    assert_eq!(alazy_constant(None, answer::asynq).call(), 42);
}

#[test]
fn after_dirty_it_is_computed_again() {
    let constant = alazy_constant(None, counting());
    constant.call();
    constant.dirty();
    assert_eq!([constant.call(), constant.call()], [2, 2]);
}

#[test]
fn it_is_computed_again_when_its_time_is_over() {
    let (constant, pass) = with_hand(60);
    let mut values = Vec::new();
    for seconds in [0, 59, 1, 59, 1] {
        pass(seconds);
        values.push(constant.call());
    }
    assert_eq!(values, [1, 1, 2, 2, 3]);
}

#[test]
fn its_time_begins_when_it_is_known() {
    let (now, count) = (Rc::new(Cell::new(Instant::now())), counting());
    let takes_a_minute = {
        let now = Rc::clone(&now);
        move || {
            let (now, count) = (Rc::clone(&now), count());
            AsyncTask::new(async move {
                now.set(now.get() + Duration::from_secs(60));
                count.await
            })
        }
    };
    let constant =
        alazy_constant(Duration::from_secs(60), takes_a_minute).with_clock(move || now.get());
    assert_eq!([constant.call(), constant.call()], [1, 1]);
}

#[test]
fn what_was_under_way_when_it_became_dirty_is_not_kept() {
    let count = counting();
    let constant = alazy_constant(None, move || {
        let task = count();
        AsyncTask::new(async move {
            let n = task.await;
            debug::sync().await;
            n
        })
    });
    let (before, dirties) = (constant.asynq(), constant.clone());
    let between = AsyncTask::new(async move { dirties.dirty() });
    assert_eq!(all((before, between)).value(), (1, ()));
    assert_eq!(constant.call(), 2);
}

#[test]
fn only_what_is_to_be_kept_is_kept() {
    let constant = alazy_constant(None, counting()).keep_if(|&n| n > 1);
    assert_eq!([(); 3].map(|()| constant.call()), [1, 2, 2]);
}

#[test]
fn a_panic_is_not_kept() {
    let count = counting();
    let constant = alazy_constant(None, move || {
        let task = count();
        AsyncTask::new(async move {
            let n = task.await;
            assert!(n > 1, "no luck");
            n
        })
    });
    assert!(constant.asynq().outcome().is_err());
    assert_eq!(constant.call(), 2);
}

#[test]
fn the_clock_may_ask_for_the_constant() {
    thread_local! {
        static CONSTANT: RefCell<Option<AlazyConstant<u32>>> = RefCell::default();
    }

    let asks = || {
        if let Some(constant) = CONSTANT.take() {
            constant.dirty();
        }
        Instant::now()
    };
    let constant = alazy_constant(Duration::MAX, counting()).with_clock(asks);
    constant.call();
    CONSTANT.set(Some(constant.clone()));
    assert_eq!([constant.call(), constant.call()], [1, 2]);
}
