//! What decides which variant of a loader a caller uses.

/// What decides which variant of a loader a caller uses; see
/// [`variant`](crate::loader::variant).
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Varies {
    #[default]
    ByRequest,
    /// By values of `per`, and by the request.
    ByValues,
    /// It is a variant itself, or the same in all requests.
    Never,
}
