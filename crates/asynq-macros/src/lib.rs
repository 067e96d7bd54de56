//! The `#[asynq]` attribute. Use it through the crate `asynq-batch`, as `asynq::asynq`.
#![forbid(unsafe_code)]

mod arguments;
mod attributes;
mod call;
mod form;
mod function;
mod methods;
mod opaque;
mod recursion;
mod validate;

use proc_macro2::TokenStream;
use syn::spanned::Spanned;
use syn::{Error, Item, TraitItemFn};

use crate::arguments::Arguments;
use crate::form::Form;

/// Turns an `async fn` into an async function of asynq, with two kinds of calls.
///
/// # On a function
///
/// `#[asynq] async fn f(a: A) -> T` expands to two items of the same name and visibility:
///
/// - a function `f(a: A) -> T`, the plain call: it runs the function to its value, and can be called
///   from anywhere, also inside other tasks;
/// - a type `f` with the function `f::asynq(a: A) -> Call<impl Future<Output = T>>`, the asynchronous call: it
///   returns a future, which starts when it is awaited, and is `Send` if the body is.
///
/// A module beside the function cannot have its name, which the type has: rename the module, or move the function
/// into it. `use module::f` imports both. In documentation, link to the function as `f()`, since `f` is
/// ambiguous.
///
/// ```
/// use asynq::{all, asynq};
///
/// #[asynq]
/// async fn double(n: u32) -> u32 {
///     2 * n
/// }
///
/// #[asynq]
/// async fn doubles(count: u32) -> Vec<u32> {
///     all((0..count).map(double::asynq)).await
/// }
///
/// assert_eq!(double(4), 8);
/// assert_eq!(doubles(3), [0, 2, 4]);
/// ```
///
/// # On an inherent `impl` block
///
/// Each `async fn m(..) -> T` in it becomes a plain call `m(..) -> T` and an asynchronous call
/// `m_asynq(..) -> Call<impl Future<Output = T>>`. Other items are unchanged.
///
/// A call outlives the borrow that it was created from. So a method with `&self` works on a clone, and
/// needs `Self: Clone` (usually a cheap handle). A method with `self: Rc<Self>` or `self` does not.
///
/// ```
/// use asynq::asynq;
///
/// #[derive(Clone)]
/// struct Scale(u32);
///
/// #[asynq]
/// impl Scale {
///     async fn apply(&self, n: u32) -> u32 {
///         self.0 * n
///     }
///
///     async fn twice(&self, n: u32) -> u32 {
///         let once = self.apply_asynq(n).await;
///         self.apply_asynq(once).await
///     }
/// }
///
/// assert_eq!(Scale(3).twice(2), 18);
/// ```
///
/// Without `Clone`, the error says what to do:
///
/// ```compile_fail,E0277
/// struct Scale(u32);
///
/// #[asynq::asynq]
/// impl Scale {
///     async fn apply(&self, n: u32) -> u32 {
///         self.0 * n
///     }
/// }
/// ```
///
/// # Recursion
///
/// The future of a function cannot contain itself. So the asynchronous call of a function that awaits itself
/// returns an `AsyncTask`, which is not `Send`, unless it makes a task of the inner call
/// (`f::asynq(a).task().await`) or pins it in a box (`Box::pin(f::asynq(a)).await`). Of functions that call each
/// other, one has to do either.
///
/// ```
/// use asynq::asynq;
///
/// #[asynq]
/// async fn is_even(n: u32) -> bool {
///     n == 0 || is_odd::asynq(n - 1).task().await
/// }
///
/// #[asynq]
/// async fn is_odd(n: u32) -> bool {
///     n != 0 && is_even::asynq(n - 1).await
/// }
///
/// #[asynq]
/// async fn factorial(n: u64) -> u64 {
///     if n == 0 { 1 } else { n * factorial::asynq(n - 1).await }
/// }
///
/// assert!(is_even(10));
/// assert_eq!(factorial(5), 120);
/// ```
///
/// # Other attributes
///
/// An attribute of another macro below `#[asynq]`, such as `#[tracing::instrument]`, applies to the body, so to both
/// calls. Attributes of the compiler (`#[must_use]`, documentation) and of tests are those of the plain call.
///
/// # Arguments
///
/// `#[asynq(pure)]`: the plain call is the same as the asynchronous call, and returns the future.
///
/// ```
/// use asynq::{FutureBase, asynq};
///
/// #[asynq(pure)]
/// async fn double(n: u32) -> u32 {
///     2 * n
/// }
///
/// assert_eq!(double(4).value(), 8);
/// ```
///
/// `#[asynq(sync_fn = path)]`: the plain call calls the function at that path, a synchronous version
/// with the same arguments. The asynchronous call is that of the async function.
///
/// ```
/// use asynq::{FutureBase, asynq};
///
/// fn double_at_once(n: u32) -> u32 {
///     n << 1
/// }
///
/// #[asynq(sync_fn = double_at_once)]
/// async fn double(n: u32) -> u32 {
///     2 * n
/// }
///
/// assert_eq!(double(4), double::asynq(4).value());
/// ```
///
/// In an `impl` block, methods have these attributes of their own:
///
/// ```
/// use asynq::asynq;
///
/// #[derive(Clone)]
/// struct Scale(u32);
///
/// #[asynq]
/// impl Scale {
///     fn apply_at_once(&self, n: u32) -> u32 {
///         self.0 * n
///     }
///
///     #[asynq(sync_fn = Self::apply_at_once)]
///     async fn apply(&self, n: u32) -> u32 {
///         self.0 * n
///     }
/// }
///
/// assert_eq!(Scale(3).apply(2), 6);
/// ```
///
/// `#[asynq(crate = path)]`: the expansion refers to this library by that path. It is `::asynq` without this
/// argument, which is not right where the dependency has another name, or where another crate exports it. On an
/// `impl` block, it applies to all methods. `#[async_proxy]` takes this argument, too.
///
/// ```
/// mod batching {
///     pub use asynq;
/// }
///
/// #[batching::asynq::asynq(crate = crate::batching::asynq)]
/// async fn double(n: u32) -> u32 {
///     2 * n
/// }
///
/// # fn main() {
/// assert_eq!(double(4), 8);
/// # }
/// ```
///
/// # Limits
///
/// The attribute refuses functions that are not `async`; arguments and values that borrow (other than
/// for `'static`), since a call owns its data; `-> impl Trait`, since the type of the call names the
/// type of the value; `&mut self`; and `const`, `unsafe` and `extern` functions. In traits and their
/// implementations, write a plain function that returns an `AsyncTask`.
#[proc_macro_attribute]
pub fn asynq(
    arguments: proc_macro::TokenStream,
    item: proc_macro::TokenStream,
) -> proc_macro::TokenStream {
    expand(arguments.into(), item.into()).into()
}

/// Gives both kinds of calls to a function that returns a future of asynq itself.
///
/// `#[async_proxy] fn f(a: A) -> AsyncTask<T>` expands to a function `f(a: A) -> T`, the plain call,
/// which runs that future to its value, and `f::asynq(a: A) -> AsyncTask<T>`, which returns it. The
/// function itself gets no task. It may return a task, an item of a batch, a known value, or an
/// `impl FutureBase<Output = T>`; in the last case, a mock cannot replace it.
///
/// In an `impl` block with `#[asynq]`, it marks a method that is not `async`.
///
/// ```
/// use asynq::{AsyncTask, async_proxy, asynq};
///
/// #[asynq]
/// async fn double(n: u32) -> u32 {
///     2 * n
/// }
///
/// #[async_proxy]
/// fn quadruple(n: u32) -> AsyncTask<u32> {
///     double::asynq(2 * n).task()
/// }
///
/// assert_eq!(quadruple(3), 12);
/// ```
#[proc_macro_attribute]
pub fn async_proxy(
    arguments: proc_macro::TokenStream,
    item: proc_macro::TokenStream,
) -> proc_macro::TokenStream {
    let item = TokenStream::from(item);
    let mut errors = Vec::new();
    let arguments = Arguments::parse(arguments.into(), &mut errors);
    let library = arguments.library();
    if let Some(span) = arguments.form_span {
        errors.push(Error::new(span, "`#[async_proxy]` takes no argument but `crate = path`"));
    }
    let output = match syn::parse2(item.clone()) {
        Ok(Item::Fn(function)) => function::expand(&function, &Form::Proxy, &library, &mut errors),
        Ok(_) => {
            let message = "`#[async_proxy]` goes on a function that returns a future";
            errors.push(Error::new(item.span(), message));
            item
        }
        Err(error) => {
            errors.push(error);
            item
        }
    };
    with_errors(output, errors).into()
}

const IN_A_TRAIT: &str = "`#[asynq]` does not work in a trait: there, declare a plain function that returns an \
                          `AsyncTask`, and return `AsyncTask::new(async move { .. })` in its implementations";

fn expand(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Vec::new();
    let arguments = Arguments::parse(arguments, &mut errors);
    let library = arguments.library();
    // Items that cannot be expanded are left to the compiler, together with the error.
    let output = match syn::parse2(item.clone()) {
        Ok(Item::Fn(function)) => {
            function::expand(&function, &arguments.form, &library, &mut errors)
        }
        Ok(Item::Impl(block)) if block.trait_.is_none() => {
            if let Some(span) = arguments.form_span {
                let message = "this argument of `#[asynq]` goes on the methods that it is for";
                errors.push(Error::new(span, message));
            }
            methods::expand(block, &library, &mut errors)
        }
        Ok(Item::Impl(block)) => {
            errors.push(Error::new(
                block.impl_token.span,
                "`#[asynq]` does not work on the implementation of a trait: there, write a plain \
                 function that returns an `AsyncTask`",
            ));
            item
        }
        Ok(Item::Trait(declared)) => {
            errors.push(Error::new(declared.trait_token.span, IN_A_TRAIT));
            item
        }
        Ok(_) => {
            let is_method = syn::parse2::<TraitItemFn>(item.clone())
                .is_ok_and(|method| method.default.is_none());
            let message = if is_method {
                IN_A_TRAIT
            } else {
                "`#[asynq]` goes on an `async fn`, or on an `impl` block with some"
            };
            errors.push(Error::new(item.span(), message));
            item
        }
        Err(error) => {
            errors.push(error);
            item
        }
    };
    with_errors(output, errors)
}

fn with_errors(mut output: TokenStream, errors: Vec<Error>) -> TokenStream {
    if let Some(error) = errors.into_iter().reduce(|mut all, error| {
        all.combine(error);
        all
    }) {
        output.extend(error.into_compile_error());
    }
    output
}
