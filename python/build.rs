//! Tells the crate which version of Python it is built for (`cfg(Py_3_10)`).

fn main() {
    pyo3_build_config::use_pyo3_cfgs();
}
