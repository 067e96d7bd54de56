//! The source of the functions in a recording.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use asynq_explain::{Flow, Site, flows_of_rust};

/// Returns the needs of the statements in the files of some places, as far as these files are there.
pub(super) fn flows(sites: &[Site]) -> Vec<Flow> {
    let files: BTreeSet<&str> = sites.iter().map(|site| site.file.as_str()).collect();
    let roots = roots();
    let flows =
        files.into_iter().filter_map(|file| Some(flows_of_rust(file, &read(file, &roots)?)));
    flows.flatten().collect()
}

fn read(file: &str, roots: &[PathBuf]) -> Option<String> {
    roots.iter().find_map(|root| fs::read_to_string(root.join(file)).ok())
}

/// Returns the folders that paths of the compiler may be relative to: the workspace, of which a test knows only the
/// package, and a program the folder that it was built in.
fn roots() -> Vec<PathBuf> {
    let package = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let folders = env::current_dir().ok().into_iter().chain(package).chain(env::current_exe().ok());
    folders.flat_map(|folder| folder.ancestors().map(Path::to_owned).collect::<Vec<_>>()).collect()
}
