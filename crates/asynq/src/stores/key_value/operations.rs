//! The loader of operations, which sends those of a batch together.

use std::cell::RefCell;
use std::collections::HashMap;
use std::future::Future;
use std::rc::Rc;

use super::operation::{Action, Operation, Replies, Reply};
use super::operation_future::{OperationFuture, Read};
use crate::batch::BoxError;
use crate::loader::LocalLoader;

/// Returns the reason why a store refuses a key, if it does.
pub(super) type Refusal = fn(&[u8]) -> Option<String>;

/// Loader of operations: a batch has them in the order in which they were requested.
#[derive(Clone)]
pub struct Operations {
    pub(super) loader: LocalLoader<Operation, Reply>,
    /// Gets of the open batch that no write of the same key follows, so that equal gets share one.
    gets: Rc<RefCell<HashMap<Vec<u8>, Operation>>>,
    refusal: Refusal,
}

impl Operations {
    /// Creates the loader of a store that performs operations by `run`.
    #[track_caller]
    pub(super) fn new<F>(
        name: &str,
        refusal: Refusal,
        run: impl Fn(Vec<Operation>) -> F + 'static,
    ) -> Self
    where
        F: Future<Output = Result<Replies, BoxError>> + 'static,
    {
        let gets: Rc<RefCell<HashMap<Vec<u8>, Operation>>> = Rc::default();
        // One batch at a time: of two, the later could be the first to arrive.
        let loader = LocalLoader::try_new(move |operations| run_accepted(operations, &run))
            .name(name)
            .max_in_flight(1)
            .sends_dropped()
            .before_flush({
                let gets = Rc::clone(&gets);
                move |_| gets.borrow_mut().clear()
            });
        Self { loader, gets, refusal }
    }

    pub(super) fn get<T>(&self, key: Vec<u8>, read: Read<T>) -> OperationFuture<T> {
        let open = self.gets.borrow().get(&key).cloned();
        let get = open.unwrap_or_else(|| {
            let get = self.operation(key.clone(), Action::Get);
            self.gets.borrow_mut().insert(key, get.clone());
            get
        });
        OperationFuture::new(self.loader.load(get.clone()), get, read)
    }

    /// Requests an operation that may write to `key`.
    pub(super) fn write<T>(
        &self,
        key: Vec<u8>,
        action: Action,
        read: Read<T>,
    ) -> OperationFuture<T> {
        self.gets.borrow_mut().remove(&key);
        let write = self.operation(key, action);
        OperationFuture::new(self.loader.load(write.clone()), write, read)
    }

    /// Requests an operation that may write to any key, and is called `name` in errors.
    #[cfg(feature = "redis")]
    pub(super) fn write_any<T>(
        &self,
        name: Vec<u8>,
        action: Action,
        read: Read<T>,
    ) -> OperationFuture<T> {
        self.gets.borrow_mut().clear();
        self.write(name, action, read)
    }

    fn operation(&self, key: Vec<u8>, action: Action) -> Operation {
        let action = (self.refusal)(&key).map_or(action, Action::Refused);
        Operation::new(key, action)
    }
}

/// Runs the operations that the store accepts; the others fail.
fn run_accepted<R, F>(
    operations: Vec<Operation>,
    run: &R,
) -> impl Future<Output = Result<Replies, BoxError>> + use<R, F>
where
    R: Fn(Vec<Operation>) -> F + 'static,
    F: Future<Output = Result<Replies, BoxError>> + 'static,
{
    let accepted: Vec<_> =
        operations.iter().filter(|operation| operation.refusal().is_none()).cloned().collect();
    let (accepted, replies) = (accepted.len(), (!accepted.is_empty()).then(|| run(accepted)));
    async move {
        let replies = match replies {
            Some(replies) => replies.await?,
            None => Vec::new(),
        };
        if replies.len() != accepted {
            let replies = replies.len();
            return Err(format!("the store sent {replies} replies to {accepted} operations").into());
        }
        let mut replies = replies.into_iter();
        let reply = |operation: &Operation| match operation.refusal() {
            Some(reason) => Err(reason.into()),
            None => replies.next().expect("their number was checked"),
        };
        Ok(operations.iter().map(reply).collect())
    }
}
