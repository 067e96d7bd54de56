//! Makes tests of the pages whose examples build on each other, which examples of rustdoc cannot do.
#![forbid(unsafe_code)]

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

fn main() {
    println!("cargo::rerun-if-changed=../../docs/rust");
    println!("cargo::rerun-if-changed=../../README.md");
    let mut tests = String::new();
    for page in ["README", "docs/rust/index"] {
        let text = fs::read_to_string(format!("../../{page}.md")).unwrap();
        let code = blocks(&text).find(Block::is_rust).unwrap().code;
        let name = format!("the_five_lines_of_{}_are_true", page.replace('/', "_").to_lowercase());
        let starts = r#"assert!(pages()[0].as_ref().unwrap().starts_with("AC/DC: "));"#;
        test(&mut tests, &name, &format!("in_checkout();\n{code}\n{starts}"));
    }
    for page in ["tutorial", "testing", "debugging"] {
        let code: String =
            blocks(&read(page)).filter(Block::is_rust).map(|block| block.code).collect();
        test(&mut tests, &format!("the_page_{page}_is_true"), &format!("in_checkout();\n{code}"));
    }
    let mut invalid = String::new();
    mistakes(&mut tests, &mut invalid, &read("common-mistakes"));
    let folder = env::var("OUT_DIR").unwrap();
    fs::write(Path::new(&folder).join("tests.rs"), tests).unwrap();
    fs::write(Path::new(&folder).join("invalid.md"), invalid).unwrap();
}

/// Writes the tests of the page of mistakes, and examples of rustdoc that must not compile. Each section of the page has a
/// mistake, its text, and correct code.
fn mistakes(tests: &mut String, invalid: &mut String, page: &str) {
    let mut sections = page.split("\n## ");
    let setup = blocks(sections.next().unwrap()).next().unwrap().code;
    for section in sections {
        let title = section.lines().next().unwrap();
        let words = title.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
        let name = words.collect::<Vec<_>>().join("_").to_lowercase();
        let parts: Vec<_> = blocks(section).collect();
        let [mistake, text, correct] = &parts[..] else {
            panic!("{title} has {} blocks", parts.len())
        };
        let (mistake_code, text) = (&mistake.code, &text.code);
        if mistake.is_rust() {
            let _ = writeln!(
                tests,
                "#[test] fn {name}() {{\n\
                 fn mistake() -> impl crate::mistakes::Shown {{ {setup}\n{mistake_code} }}\n\
                 crate::mistakes::check(mistake, {text:?});\n}}"
            );
        } else {
            let _ = writeln!(invalid, "```compile_fail\n{setup}\n{mistake_code}\n```");
            let _ = writeln!(
                tests,
                "#[test] fn {name}() {{ crate::mistakes::check_compiler({mistake_code:?}, {text:?}); }}"
            );
        }
        test(tests, &format!("{name}_mended"), &format!("{setup}\n{}", correct.code));
    }
}

fn test(tests: &mut String, name: &str, code: &str) {
    let _ = writeln!(tests, "#[test] fn {name}() {{\n{code}\n}}");
}

fn read(page: &str) -> String {
    fs::read_to_string(format!("../../docs/rust/{page}.md")).unwrap()
}

struct Block {
    language: String,
    code: String,
}

impl Block {
    /// Returns whether it is Rust that compiles.
    fn is_rust(&self) -> bool {
        self.language == "rust"
    }
}

/// Returns the blocks of code in a text.
fn blocks(text: &str) -> impl Iterator<Item = Block> {
    text.split("```").skip(1).step_by(2).map(|block| {
        let (language, code) = block.split_once('\n').unwrap();
        Block { language: language.to_owned(), code: code.to_owned() }
    })
}
