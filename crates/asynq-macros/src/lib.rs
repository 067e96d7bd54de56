//! The `#[asynq]` attribute. Use it through the crate `asynq-batch`, as `asynq::asynq`.
#![forbid(unsafe_code)]

mod attributes;
mod call;
mod form;
mod function;
mod methods;
mod refusal;

use proc_macro2::TokenStream;
use syn::spanned::Spanned;
use syn::{Error, Item};

use crate::form::Form;

/// Makes an async function of this library out of an `async fn`.
///
/// # On a function
///
/// `#[asynq] async fn f(a: A) -> T` gives two things of the same name and visibility:
///
/// - a function `f(a: A) -> T`, the plain call: it runs to the value, and may be called from
///   anywhere, also inside other tasks;
/// - a type `f` with the function `f::asynq(a: A) -> AsyncTask<T>`, the asynchronous call: a task
///   that starts when it is awaited. `use module::f` imports both. In documentation, link to the
///   function as `f()`, since `f` could be either.
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
/// Each `async fn m(..) -> T` in it becomes a plain call `m(..) -> T` and an asynchronous one,
/// `m_asynq(..) -> AsyncTask<T>`. Other items are left as they are.
///
/// A task outlives the borrow that it was made from. So a method with `&self` works on a clone,
/// and needs `Self: Clone` (a cheap handle, usually); one with `self: Rc<Self>` or `self` needs
/// nothing.
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
/// Without the `Clone`, the compiler says what to do:
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
/// # Arguments
///
/// `#[asynq(pure)]`: the plain call is the asynchronous one, and gives the task.
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
/// `#[asynq(sync_fn = path)]`: the plain call is that function, which takes the same arguments: for
/// a synchronous version that is written by hand. The asynchronous call is the async function, as
/// ever.
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
/// # What it refuses
///
/// A function that is not `async`; arguments and values that borrow (other than `'static`), since
/// tasks own what they use; `-> impl Trait`, since the type of the task names it; `&mut self`;
/// `const`, `unsafe` and `extern` functions; traits and their implementations: there, write a plain
/// function that returns an `AsyncTask`.
#[proc_macro_attribute]
pub fn asynq(
    arguments: proc_macro::TokenStream,
    item: proc_macro::TokenStream,
) -> proc_macro::TokenStream {
    expand(arguments.into(), item.into()).into()
}

/// Makes the two forms out of a function that returns a future itself, of any kind of asynq's.
///
/// `#[async_proxy] fn f(a: A) -> AsyncTask<T>` gives a function `f(a: A) -> T`, the plain call,
/// which runs that future, and `f::asynq(a: A) -> AsyncTask<T>`, which returns it. No task is made
/// for the function itself. It may return whatever is at hand: a task, an item of a batch, a known
/// value, or an `impl FutureBase<Output = T>`; the last cannot be replaced by a mock.
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
///     double::asynq(2 * n)
/// }
///
/// assert_eq!(quadruple(3), 12);
/// ```
#[proc_macro_attribute]
pub fn async_proxy(
    arguments: proc_macro::TokenStream,
    item: proc_macro::TokenStream,
) -> proc_macro::TokenStream {
    let arguments = TokenStream::from(arguments);
    let item = TokenStream::from(item);
    let mut errors = Vec::new();
    if !arguments.is_empty() {
        errors.push(Error::new(arguments.span(), "`#[async_proxy]` takes no arguments"));
    }
    let output = match syn::parse2(item.clone()) {
        Ok(Item::Fn(function)) => function::expand(&function, &Form::Proxy, &mut errors),
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

fn expand(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Vec::new();
    let span = (!arguments.is_empty()).then(|| arguments.span());
    let form = Form::parse(arguments, &mut errors);
    // What cannot be understood is left to the compiler, with our complaint before it.
    let output = match syn::parse2(item.clone()) {
        Ok(Item::Fn(function)) => function::expand(&function, &form, &mut errors),
        Ok(Item::Impl(block)) if block.trait_.is_none() => {
            if let Some(span) = span {
                let message = "the arguments of `#[asynq]` go on the methods that they are for";
                errors.push(Error::new(span, message));
            }
            methods::expand(block, &mut errors)
        }
        Ok(Item::Impl(block)) => {
            errors.push(Error::new(
                block.impl_token.span,
                "`#[asynq]` does not work on the implementation of a trait: there, write a plain \
                 function that returns an `AsyncTask`",
            ));
            item
        }
        Ok(_) => {
            errors.push(Error::new(
                item.span(),
                "`#[asynq]` goes on an `async fn`, or on an `impl` block with some",
            ));
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
