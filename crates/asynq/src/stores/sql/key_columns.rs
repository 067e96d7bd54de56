//! The columns that contain the keys.

/// Kind of keys that are values of one column.
#[derive(Debug)]
pub enum OneColumn {}

/// Kind of keys that are tuples of the values of `N` columns.
#[derive(Debug)]
pub enum Columns<const N: usize> {}

/// Names of the columns that contain the keys: one name, or an array of names. With an array, a key is a
/// tuple of as many values.
pub trait KeyColumns {
    /// [`OneColumn`] or [`Columns`].
    type Kind;
    #[doc(hidden)]
    fn into_names(self) -> Vec<String>;
}

impl KeyColumns for &str {
    type Kind = OneColumn;

    fn into_names(self) -> Vec<String> {
        vec![self.to_owned()]
    }
}

impl KeyColumns for &String {
    type Kind = OneColumn;

    fn into_names(self) -> Vec<String> {
        vec![self.to_owned()]
    }
}

impl<const N: usize> KeyColumns for [&str; N] {
    type Kind = Columns<N>;

    fn into_names(self) -> Vec<String> {
        self.map(str::to_owned).to_vec()
    }
}
