//! All unsafe code of the crate.

pub(crate) mod arguments;
pub(crate) mod await_iterator;
mod bound_method;
pub(crate) mod call_form;
pub(crate) mod cell_lock;
pub(crate) mod class_flags;
pub(crate) mod context_vars;
pub(crate) mod deferred_drop;
pub(crate) mod fast_method;
pub(crate) mod frames;
pub(crate) mod gc_tracking;
pub(crate) mod gil_cell;
pub(crate) mod init_method;
pub(crate) mod interpreter;
pub(crate) mod kind_cast;

pub(crate) mod method_descriptor;
pub(crate) mod object_memory;
pub(crate) mod raised_error;
pub(crate) mod resume;
pub(crate) mod sequence_items;
pub(crate) mod small_cell;
pub(crate) mod thread_exit;
pub(crate) mod type_version;
pub(crate) mod unowned;
pub(crate) mod vectorcall;
pub(crate) mod weak_reference;
