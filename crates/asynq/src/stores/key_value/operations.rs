//! The operations of a key-value store, which leave together.

use std::cell::RefCell;
use std::collections::HashMap;
use std::future::Future;
use std::rc::Rc;

use super::operation::{Action, Operation, Replies, Reply};
use super::operation_future::{Asked, Read};
use crate::batch::BoxError;
use crate::loader::Loader;

/// Says why a store takes no such key, if it does not.
pub(super) type Refusal = fn(&[u8]) -> Option<String>;

/// Those of a round are one batch, in the order of the program.
#[derive(Clone)]
pub struct Operations {
    pub(super) loader: Loader<Operation, Reply>,
    /// The gets that have not gone out, and after which nothing is written to their keys: equal ones
    /// are the same.
    gets: Rc<RefCell<HashMap<Vec<u8>, Operation>>>,
    refusal: Refusal,
}

impl Operations {
    /// Those of the store that does them by `run`.
    pub(super) fn new<F>(
        name: &str,
        refusal: Refusal,
        run: impl Fn(Vec<Operation>) -> F + 'static,
    ) -> Self
    where
        F: Future<Output = Result<Replies, BoxError>> + 'static,
    {
        let gets: Rc<RefCell<HashMap<Vec<u8>, Operation>>> = Rc::default();
        // One batch at a time, for the later of two could be the first to arrive.
        let loader = Loader::try_new(move |operations| taken(operations, &run))
            .name(name)
            .max_in_flight(1)
            .before_flush({
                let gets = Rc::clone(&gets);
                move |_| gets.borrow_mut().clear()
            });
        Self { loader, gets, refusal }
    }

    pub(super) fn get<T>(&self, key: Vec<u8>, read: Read<T>) -> Asked<T> {
        let known = self.gets.borrow().get(&key).cloned();
        let get = known.unwrap_or_else(|| {
            let get = self.operation(key.clone(), Action::Get);
            self.gets.borrow_mut().insert(key, get.clone());
            get
        });
        Asked::new(self.loader.load(get.clone()), get, read)
    }

    /// Asks for something that may write to `key`.
    pub(super) fn write<T>(&self, key: Vec<u8>, action: Action, read: Read<T>) -> Asked<T> {
        self.gets.borrow_mut().remove(&key);
        let write = self.operation(key, action);
        Asked::new(self.loader.load(write.clone()), write, read)
    }

    /// Asks for something that may write to any key; errors call it `name`.
    #[cfg(feature = "redis")]
    pub(super) fn write_any<T>(&self, name: Vec<u8>, action: Action, read: Read<T>) -> Asked<T> {
        self.gets.borrow_mut().clear();
        self.write(name, action, read)
    }

    fn operation(&self, key: Vec<u8>, action: Action) -> Operation {
        let action = (self.refusal)(&key).map_or(action, Action::Refused);
        Operation::new(key, action)
    }
}

/// Has those done that the store takes; the others fail.
fn taken<R, F>(
    operations: Vec<Operation>,
    run: &R,
) -> impl Future<Output = Result<Replies, BoxError>> + use<R, F>
where
    R: Fn(Vec<Operation>) -> F + 'static,
    F: Future<Output = Result<Replies, BoxError>> + 'static,
{
    let taken: Vec<_> = operations.iter().filter(|one| one.refusal().is_none()).cloned().collect();
    let replies = (!taken.is_empty()).then(|| run(taken));
    async move {
        let replies = match replies {
            Some(replies) => replies.await?,
            None => Vec::new(),
        };
        let mut replies = replies.into_iter();
        let reply = |operation: &Operation| match operation.refusal() {
            Some(reason) => Err(reason.into()),
            None => replies.next().expect("a store replies to each operation"),
        };
        Ok(operations.iter().map(reply).collect())
    }
}
