//! The shapes that can be joined: tuples, arrays, maps, …
//!
//! Users meet these traits only in signatures and error messages; see [`all`](crate::all).

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, Hash};
use std::mem;
use std::rc::Rc;

use super::base::FutureBase;
use super::parts::Parts;
use crate::scheduler::{Request, Requester};

/// Argument of [`all`](crate::all).
///
/// `Kind` is inferred. It separates iterators from the types with an implementation of their own.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be joined",
    note = "give an iterator, Vec, array, Option, tuple or map of futures of asynq; make a task of \
            any other future: `AsyncTask::new(future)`"
)]
pub trait Joinable<Kind> {
    /// The futures, in their shape.
    type Parts: Parts;
    #[doc(hidden)]
    fn into_parts(self) -> Self::Parts;
}

/// `Result`s in a shape, which become the `Result` of a shape.
pub trait Transpose {
    /// All the values, or the first error.
    type Output;
    #[doc(hidden)]
    fn transpose(self) -> Self::Output;
}

/// Kind of iterators.
#[derive(Debug)]
pub enum Iterating {}

/// Kind of all other shapes.
#[derive(Debug)]
pub enum Shape {}

impl<I> Joinable<Iterating> for I
where
    I: Iterator<Item: FutureBase>,
{
    type Parts = <I::Item as FutureBase>::JoinedAll;

    fn into_parts(self) -> Self::Parts {
        FutureBase::join_all(self)
    }
}

/// Callback that runs when all futures of a join are computed.
pub(crate) struct Countdown(RefCell<Option<Box<dyn FnOnce()>>>);

impl Countdown {
    pub(crate) fn new(callback: Box<dyn FnOnce()>) -> Rc<Self> {
        Rc::new(Self(RefCell::new(Some(callback))))
    }

    fn subscribe(self: &Rc<Self>, future: &(impl FutureBase + Request)) {
        let handle = Rc::clone(self);
        future.on_computed(move || handle.done());
    }

    pub(crate) fn done(self: Rc<Self>) {
        if let Some(last) = Rc::into_inner(self)
            && let Some(callback) = last.0.take()
        {
            callback();
        }
    }
}

/// Implements `Joinable` and `Parts` for a type whose futures can be iterated. `$joined` is the type with the
/// joined form of these.
macro_rules! shapes_by_iteration {
    ([$($generics:tt)*] $type:ty => $joined:ty => $output:ty,
     |$parts:ident| join: $join:expr, iter_mut: $iter_mut:expr, iter: $iter:expr, take: $take:expr) => {
        impl<F: FutureBase, $($generics)*> Joinable<Shape> for $type {
            type Parts = $joined;

            fn into_parts(self) -> $joined {
                let $parts = self;
                $join
            }
        }

        parts_by_iteration!([$($generics)*] $type => $output,
            |$parts| iter_mut: $iter_mut, iter: $iter, take: $take);
    };
}

/// Implements `Parts` for a type whose futures can be iterated.
macro_rules! parts_by_iteration {
    ([$($generics:tt)*] $type:ty => $output:ty,
     |$parts:ident| iter_mut: $iter_mut:expr, iter: $iter:expr, take: $take:expr) => {
        impl<F: FutureBase + Request, $($generics)*> Parts for $type {
            type Output = $output;

            fn request(&mut self, requester: &Requester<'_>) -> bool {
                let $parts = self;
                // Requests every one, not only those up to the first that is pending.
                $iter_mut.fold(false, |pending, future| future.request(requester) | pending)
            }

            fn is_computed(&self) -> bool {
                let $parts = self;
                $iter.all(FutureBase::is_computed)
            }

            fn take(&mut self) -> $output {
                let $parts = self;
                $take
            }

            fn on_computed(&self, callback: Box<dyn FnOnce()>) {
                let $parts = self;
                let countdown = Countdown::new(callback);
                for future in $iter {
                    countdown.subscribe(future);
                }
                countdown.done();
            }
        }
    };
}

impl<F: FutureBase> Joinable<Shape> for Vec<F> {
    type Parts = F::JoinedAll;

    fn into_parts(self) -> F::JoinedAll {
        F::join_all(self.into_iter())
    }
}

parts_by_iteration!([] Vec<F> => Vec<F::Output>, |parts|
    iter_mut: parts.iter_mut(),
    iter: parts.iter(),
    take: mem::take(parts).iter_mut().map(F::take).collect());

shapes_by_iteration!([] Option<F> => Option<F::Joined> => Option<F::Output>, |parts|
    join: parts.map(F::into_joined),
    iter_mut: parts.iter_mut(),
    iter: parts.iter(),
    take: parts.as_mut().map(F::take));

shapes_by_iteration!([const N: usize] [F; N] => [F::Joined; N] => [F::Output; N], |parts|
    join: parts.map(F::into_joined),
    iter_mut: parts.iter_mut(),
    iter: parts.iter(),
    take: parts.each_mut().map(F::take));

shapes_by_iteration!(
    [K: Eq + Hash + Unpin, S: BuildHasher + Default + Unpin]
    HashMap<K, F, S> => HashMap<K, F::Joined, S> => HashMap<K, F::Output, S>, |parts|
    join: parts.into_iter().map(|(key, future)| (key, future.into_joined())).collect(),
    iter_mut: parts.values_mut(),
    iter: parts.values(),
    take: parts.drain().map(|(key, mut future)| (key, future.take())).collect());

shapes_by_iteration!(
    [K: Ord + Unpin] BTreeMap<K, F> => BTreeMap<K, F::Joined> => BTreeMap<K, F::Output>, |parts|
    join: parts.into_iter().map(|(key, future)| (key, future.into_joined())).collect(),
    iter_mut: parts.values_mut(),
    iter: parts.values(),
    take: mem::take(parts).into_iter().map(|(key, mut future)| (key, future.take())).collect());

macro_rules! tuples {
    ($($name:ident $value:ident $index:tt),+) => {
        impl<$($name: FutureBase),+> Joinable<Shape> for ($($name,)+) {
            type Parts = ($($name::Joined,)+);

            fn into_parts(self) -> Self::Parts {
                let ($($value,)+) = self;
                ($($value.into_joined(),)+)
            }
        }

        impl<$($name: FutureBase + Request),+> Parts for ($($name,)+) {
            type Output = ($($name::Output,)+);

            fn request(&mut self, requester: &Requester<'_>) -> bool {
                let mut pending = false;
                $(pending |= self.$index.request(requester);)+
                pending
            }

            fn is_computed(&self) -> bool {
                $(self.$index.is_computed())&&+
            }

            fn take(&mut self) -> Self::Output {
                ($(self.$index.take(),)+)
            }

            fn on_computed(&self, callback: Box<dyn FnOnce()>) {
                let countdown = Countdown::new(callback);
                $(countdown.subscribe(&self.$index);)+
                countdown.done();
            }
        }

        impl<Failure, $($name),+> Transpose for ($(Result<$name, Failure>,)+) {
            type Output = Result<($($name,)+), Failure>;

            fn transpose(self) -> Self::Output {
                let ($($value,)+) = self;
                Ok(($($value?,)+))
            }
        }
    };
}

tuples!(A a 0);
tuples!(A a 0, B b 1);
tuples!(A a 0, B b 1, C c 2);
tuples!(A a 0, B b 1, C c 2, D d 3);
tuples!(A a 0, B b 1, C c 2, D d 3, E e 4);
tuples!(A a 0, B b 1, C c 2, D d 3, E e 4, F f 5);
tuples!(A a 0, B b 1, C c 2, D d 3, E e 4, F f 5, G g 6);
tuples!(A a 0, B b 1, C c 2, D d 3, E e 4, F f 5, G g 6, H h 7);
tuples!(A a 0, B b 1, C c 2, D d 3, E e 4, F f 5, G g 6, H h 7, I i 8);
tuples!(A a 0, B b 1, C c 2, D d 3, E e 4, F f 5, G g 6, H h 7, I i 8, J j 9);
tuples!(A a 0, B b 1, C c 2, D d 3, E e 4, F f 5, G g 6, H h 7, I i 8, J j 9, K k 10);
tuples!(A a 0, B b 1, C c 2, D d 3, E e 4, F f 5, G g 6, H h 7, I i 8, J j 9, K k 10, L l 11);

impl<T, E> Transpose for Vec<Result<T, E>> {
    type Output = Result<Vec<T>, E>;

    fn transpose(self) -> Self::Output {
        self.into_iter().collect()
    }
}

impl<T, E> Transpose for Option<Result<T, E>> {
    type Output = Result<Option<T>, E>;

    fn transpose(self) -> Self::Output {
        Option::transpose(self)
    }
}

impl<T, E, const N: usize> Transpose for [Result<T, E>; N] {
    type Output = Result<[T; N], E>;

    fn transpose(self) -> Self::Output {
        let mut values = Vec::with_capacity(N);
        for result in self {
            values.push(result?);
        }
        Ok(values.try_into().unwrap_or_else(|_| unreachable!("one value for each result")))
    }
}

impl<K: Eq + Hash, T, E, S: BuildHasher + Default> Transpose for HashMap<K, Result<T, E>, S> {
    type Output = Result<HashMap<K, T, S>, E>;

    fn transpose(self) -> Self::Output {
        self.into_iter().map(|(key, result)| Ok((key, result?))).collect()
    }
}

impl<K: Ord, T, E> Transpose for BTreeMap<K, Result<T, E>> {
    type Output = Result<BTreeMap<K, T>, E>;

    fn transpose(self) -> Self::Output {
        self.into_iter().map(|(key, result)| Ok((key, result?))).collect()
    }
}
