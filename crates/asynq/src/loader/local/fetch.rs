//! The batch function of a loader of one thread, whatever it returns.

use std::rc::Rc;

use super::function::{Called, LocalBatchFunction};
use crate::loader::fetch::fetch;

fetch!(LocalBatchFunction, owned by: Rc::new, functions: [], futures: []);
