//! Lists the public API of a crate, an item a line.
#![forbid(unsafe_code)]

use std::env;
use std::process::ExitCode;

use public_api::Builder;

fn main() -> ExitCode {
    let mut arguments = env::args_os().skip(1);
    let (Some(json), None) = (arguments.next(), arguments.next()) else {
        eprintln!("usage: list-public-api <the JSON of rustdoc>");
        return ExitCode::from(2);
    };
    // What every type has or derives would hide what is its own.
    let api = Builder::from_rustdoc_json(json)
        .omit_blanket_impls(true)
        .omit_auto_trait_impls(true)
        .omit_auto_derived_impls(true)
        .build();
    match api {
        Ok(api) => {
            for item in api.items() {
                println!("{item}");
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
