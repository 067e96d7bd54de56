//! Short names of types, for reports and errors.

/// Shortens the path of a type: `a::b::C<d::E>` becomes `C<E>`.
pub(crate) fn short_name(path: &str) -> String {
    path.split_inclusive(['<', '>', ',', ' ', '(', ')', '[', ']', '&'])
        .map(|part| part.rsplit("::").next().unwrap_or(part))
        .collect()
}
