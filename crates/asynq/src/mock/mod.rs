//! Mocks of async functions, for tests.
//!
//! With the feature `mock`, a test can replace every function and method with `#[asynq]` or
//! `#[async_proxy]` on its thread, until a guard is dropped ([`replace_everywhere`]: on all threads). The mock gets both kinds of calls, and
//! records their arguments. Without the feature, calls do not check for mocks, so enable it only in
//! `[dev-dependencies]`:
//!
//! ```toml
//! [dev-dependencies]
//! asynq-batch = { version = "0.1", features = ["mock"] }
//! ```
//!
//! ```
//! use asynq::{asynq, mock};
//!
//! #[asynq]
//! async fn name(id: u32) -> String {
//!     panic!("there is no database here, to ask for {id}")
//! }
//!
//! #[asynq]
//! async fn greeting(id: u32) -> String {
//!     format!("Hello, {}!", name::asynq(id).await)
//! }
//!
//! let named = mock::replace(name::asynq, |id: u32| format!("user {id}"));
//! assert_eq!(greeting(7), "Hello, user 7!");
//! assert_eq!(named.calls(), [(7,)]);
//! ```
//!
//! Name a function by its asynchronous call: `f::asynq`, or `Type::m_asynq` for a method. Name a generic
//! function with its arguments; each instance is a function of its own. Mocks nest: the last one is
//! called. Use [`replace_method`] for a method with `&self`. An `#[async_proxy]` with `&self` cannot be
//! replaced, nor can a function with an `impl Trait` parameter, which has no name.

mod everywhere;

use std::any::{Any, TypeId, type_name};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

pub use self::everywhere::{MockEverywhere, replace_everywhere};
use crate::futures::FutureBase;
use crate::task::AsyncTask;

/// Function that can be called with the tuple `Args`: any function of up to eight arguments.
pub trait Function<Args> {
    /// Return type.
    type Output;
    #[doc(hidden)]
    fn call(&self, arguments: Args) -> Self::Output;
}

/// Method with `&self` that can be called with the tuple `Args`, whose first element is a clone of `self`.
pub trait Method<Args> {
    /// Return type.
    type Output;
    #[doc(hidden)]
    fn call(&self, arguments: Args) -> Self::Output;
}

macro_rules! functions {
    ($($argument:ident $value:ident),*) => {
        impl<F, R, $($argument),*> Function<($($argument,)*)> for F
        where
            F: Fn($($argument),*) -> R,
        {
            type Output = R;

            fn call(&self, ($($value,)*): ($($argument,)*)) -> R {
                self($($value),*)
            }
        }

        impl<F, R, This, $($argument),*> Method<(This, $($argument,)*)> for F
        where
            F: Fn(&This, $($argument),*) -> R,
        {
            type Output = R;

            fn call(&self, (this, $($value,)*): (This, $($argument,)*)) -> R {
                self(&this, $($value),*)
            }
        }
    };
}

functions!();
functions!(A a);
functions!(A a, B b);
functions!(A a, B b, C c);
functions!(A a, B b, C c, D d);
functions!(A a, B b, C c, D d, E e);
functions!(A a, B b, C c, D d, E e, G g);
functions!(A a, B b, C c, D d, E e, G g, H h);
functions!(A a, B b, C c, D d, E e, G g, H h, I i);

/// Replacement of a function.
struct Replacement<Args, Out>(Box<dyn Fn(Args) -> Out>);

/// Mock and its number.
type Numbered = (u64, Rc<dyn Any>);

#[derive(Default)]
struct Mocks {
    last: u64,
    /// Mocks of each function. The last one is called.
    of: HashMap<TypeId, Vec<Numbered>>,
}

thread_local! {
    static MOCKS: RefCell<Mocks> = RefCell::default();
    /// Function that a spy is about to call.
    static CALLED_THROUGH: Cell<Option<TypeId>> = const { Cell::new(None) };
}

/// Call of a mock.
#[doc(hidden)]
pub enum MockedCall<Out> {
    /// Result of a mock of the thread.
    Local(Out),
    /// Call of a mock of all threads: a `ValueOf` its value.
    Everywhere(Box<dyn Any + Send>),
}

/// The mock that a call finds.
#[doc(hidden)]
pub struct Found<Args, Out>(Place<Args, Out>);

enum Place<Args, Out> {
    Local(Rc<Replacement<Args, Out>>),
    Everywhere(Arc<everywhere::Replacement<Args>>),
}

impl<Args, Out> Found<Args, Out> {
    /// Calls the mock.
    pub fn call(&self, arguments: Args) -> MockedCall<Out> {
        match &self.0 {
            Place::Local(replacement) => MockedCall::Local(replacement.0(arguments)),
            Place::Everywhere(replacement) => MockedCall::Everywhere(replacement(arguments)),
        }
    }
}

/// Returns the mock of a function for the next call, if there is one.
#[doc(hidden)]
pub fn find<F: 'static, Args: 'static, Out: 'static>(_: &F) -> Option<Found<Args, Out>> {
    let function = TypeId::of::<F>();
    if CALLED_THROUGH.get() == Some(function) {
        CALLED_THROUGH.set(None);
        return None;
    }
    let last = |mocks: &RefCell<Mocks>| {
        mocks.borrow().of.get(&function)?.last().map(|(_, mock)| Rc::clone(mock))
    };
    let Ok(Some(replacement)) = MOCKS.try_with(last) else {
        return everywhere::find(function).map(Place::Everywhere).map(Found);
    };
    let replacement = replacement.downcast().unwrap_or_else(|_| {
        panic!(
            "{} has `&self`: use `mock::replace_method` or `mock::spy_method` to mock it",
            type_name::<F>()
        )
    });
    Some(Found(Place::Local(replacement)))
}

/// Guard of a mock: dropping it restores the function.
#[must_use = "the function is replaced until this is dropped"]
pub struct Mock<Args> {
    function: TypeId,
    number: u64,
    name: &'static str,
    calls: Rc<RefCell<Vec<Args>>>,
}

impl<Args: Clone + 'static> Mock<Args> {
    fn new<F: 'static, Out: 'static>(_: F, replacement: impl Fn(Args) -> Out + 'static) -> Self {
        let calls = Rc::new(RefCell::new(Vec::new()));
        let record = Rc::clone(&calls);
        let replacement = Replacement(Box::new(move |arguments: Args| {
            let recorded = arguments.clone();
            record.borrow_mut().push(recorded);
            replacement(arguments)
        }));
        let function = TypeId::of::<F>();
        let number = MOCKS.with(|mocks| {
            let mut mocks = mocks.borrow_mut();
            mocks.last += 1;
            let number = mocks.last;
            mocks.of.entry(function).or_default().push((number, Rc::new(replacement)));
            number
        });
        Self { function, number, name: type_name::<F>(), calls }
    }

    /// Returns the arguments of each call so far, as tuples that begin with `self` for methods.
    pub fn calls(&self) -> Vec<Args> {
        self.calls.borrow().clone()
    }

    /// Returns the arguments of the only call.
    ///
    /// # Panics
    ///
    /// If there was no call, or more than one.
    #[track_caller]
    pub fn only_call(&self) -> Args {
        let mut calls = self.calls();
        assert!(calls.len() == 1, "{} was called {} times, not once", self.name, calls.len());
        calls.remove(0)
    }
}

impl<Args> Drop for Mock<Args> {
    fn drop(&mut self) {
        // Dropped after the borrow has ended, since it owns values of users.
        let _removed = MOCKS.try_with(|mocks| {
            let mut mocks = mocks.borrow_mut();
            let of_function = mocks.of.get_mut(&self.function)?;
            let place = of_function.iter().position(|&(number, _)| number == self.number)?;
            let removed = of_function.remove(place);
            if of_function.is_empty() {
                mocks.of.remove(&self.function);
            }
            Some(removed)
        });
    }
}

impl<Args> fmt::Debug for Mock<Args> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mock({}, {} calls)", self.name, self.calls.borrow().len())
    }
}

/// Replaces an async function by a plain one. If that panics, the call panics.
///
/// The replacement needs the types of its arguments: `|id: u32| ..`.
pub fn replace<F, Args, T>(
    function: F,
    replacement: impl Function<Args, Output = T> + 'static,
) -> Mock<Args>
where
    F: Function<Args, Output: FutureBase<Mocked = AsyncTask<T>>> + 'static,
    Args: Clone + 'static,
    T: 'static,
{
    let replacement = Rc::new(replacement);
    Mock::new(function, move |arguments| run(Rc::clone(&replacement), arguments))
}

/// Replaces a function by another that returns the same type of future, such as another `f::asynq`.
///
/// ```
/// use asynq::{asynq, mock};
///
/// #[asynq]
/// async fn price(_item: u32) -> u32 {
///     unimplemented!("asks a shop")
/// }
///
/// #[asynq]
/// async fn fixed(item: u32) -> u32 {
///     item + 100
/// }
///
/// let _mock = mock::replace_asynq(price::asynq, fixed::asynq);
/// assert_eq!(price(1), 101);
/// ```
pub fn replace_asynq<F, Args, Out>(
    function: F,
    replacement: impl Function<Args, Output: FutureBase<Mocked = Out>> + 'static,
) -> Mock<Args>
where
    F: Function<Args, Output: FutureBase<Mocked = Out>> + 'static,
    Args: Clone + 'static,
    Out: 'static,
{
    Mock::new(function, move |arguments| replacement.call(arguments).into_mocked())
}

/// Replaces an async function by values: each call returns the next.
///
/// # Panics
///
/// The call after the last value panics.
///
/// ```
/// use asynq::{asynq, mock};
///
/// #[asynq]
/// async fn roll() -> u32 {
///     unimplemented!("rolls a die")
/// }
///
/// let _mock = mock::replace_by_values(roll::asynq, [6, 1]);
/// assert_eq!((roll(), roll()), (6, 1));
/// ```
pub fn replace_by_values<F, Args, T>(
    function: F,
    values: impl IntoIterator<Item = T, IntoIter: 'static>,
) -> Mock<Args>
where
    F: Function<Args, Output: FutureBase<Mocked = AsyncTask<T>>> + 'static,
    Args: Clone + 'static,
    T: 'static,
{
    let values = Rc::new(RefCell::new(values.into_iter()));
    Mock::new(function, move |_| {
        // At the call, so that the order of the calls counts, not that of the tasks.
        let value = values.borrow_mut().next();
        AsyncTask::new(async move {
            value.unwrap_or_else(|| panic!("the mock of {} has no value left", type_name::<F>()))
        })
    })
}

/// Records the calls of a function, which still runs.
///
/// ```
/// use asynq::{asynq, mock};
///
/// #[asynq]
/// async fn double(n: u32) -> u32 {
///     2 * n
/// }
///
/// let spy = mock::spy(double::asynq);
/// assert_eq!(double(4), 8);
/// assert_eq!(spy.only_call(), (4,));
/// ```
pub fn spy<F, Args>(function: F) -> Mock<Args>
where
    F: Function<Args, Output: FutureBase<Mocked: 'static>> + Copy + 'static,
    Args: Clone + 'static,
{
    let call = move |arguments| call_through::<F, _>(|| function.call(arguments)).into_mocked();
    Mock::new(function, call)
}

/// Replaces a method with `&self`, as [`replace`] does: the replacement gets a clone of `self`.
///
/// ```
/// use asynq::{asynq, mock};
///
/// #[derive(Clone)]
/// struct Shop(u32);
///
/// #[asynq]
/// impl Shop {
///     async fn price(&self, item: u32) -> u32 {
///         unimplemented!("asks the shop for {item}")
///     }
/// }
///
/// let _mock = mock::replace_method(Shop::price_asynq, |shop: &Shop, item: u32| shop.0 + item);
/// assert_eq!(Shop(100).price(1), 101);
/// ```
pub fn replace_method<F, Args, T>(
    method: F,
    replacement: impl Method<Args, Output = T> + 'static,
) -> Mock<Args>
where
    F: Method<Args, Output: FutureBase<Mocked = AsyncTask<T>>> + 'static,
    Args: Clone + 'static,
    T: 'static,
{
    let replacement = Rc::new(replacement);
    Mock::new(method, move |arguments| {
        let replacement = Rc::clone(&replacement);
        AsyncTask::new(async move { replacement.call(arguments) })
    })
}

/// Records the calls of a method with `&self`, as [`spy`] does.
pub fn spy_method<F, Args>(method: F) -> Mock<Args>
where
    F: Method<Args, Output: FutureBase<Mocked: 'static>> + Copy + 'static,
    Args: Clone + 'static,
{
    let call = move |arguments| call_through::<F, _>(|| method.call(arguments)).into_mocked();
    Mock::new(method, call)
}

fn run<Args: 'static, T: 'static>(
    replacement: Rc<impl Function<Args, Output = T> + 'static>,
    arguments: Args,
) -> AsyncTask<T> {
    AsyncTask::new(async move { replacement.call(arguments) })
}

/// Calls the function `F` itself instead of its mock.
fn call_through<F: 'static, R>(call: impl FnOnce() -> R) -> R {
    // The call first checks for a mock, which resets this.
    CALLED_THROUGH.set(Some(TypeId::of::<F>()));
    call()
}
