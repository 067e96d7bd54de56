//! Prints what asynq says about each page with a fault.
#![forbid(unsafe_code)]

use asynq::explain::record;
use explain::{duplicate, early_await, loop_of_awaits, own_cache, synchronous_call};

fn main() {
    let show = |page: &dyn Fn()| {
        let why = record();
        page();
        why.print();
    };
    show(&|| drop(loop_of_awaits::page(vec![1, 2, 3, 4])));
    show(&|| drop(synchronous_call::page(vec![1, 2, 3])));
    show(&|| drop(early_await::page(1, 2)));
    own_cache::remember(1);
    own_cache::remember(2);
    show(&|| drop(own_cache::page(vec![1, 2, 3])));
    show(&|| drop(duplicate::page(1)));
}
