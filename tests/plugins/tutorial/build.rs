//! Takes the code out of the book.
//!
//! A block opened by three backticks and `rust` is code of a plugin; `rust,tests` is code of its tests. In the tutorial a
//! step adds its blocks to those before it, and a new `covet::plugin!` replaces the old one. On the other pages each block
//! is on its own, but sees what the first one of its page defines.

use std::path::{Path, PathBuf};
use std::{env, fs};

/// What a README reader can imagine: the snippet's `Author`.
const AUTHOR: &str = "#[derive(Model, Clone, Debug)] pub struct Author { pub id: Id<Author>, pub name: String }\n";

const STEPS: usize = 6;

fn main() {
    let out = PathBuf::from(env::var("OUT_DIR").expect("cargo sets OUT_DIR"));
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
    let page = |name: &str| {
        let path = root.join(name);
        println!("cargo::rerun-if-changed={}", path.display());
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };
    let write = |name: String, text: &str| fs::write(out.join(name), text).expect("OUT_DIR can be written");

    let tutorial = page("docs/tutorial.md");
    let (mut code, mut table) = (String::new(), String::new());
    let mut steps = 0;
    for step in tutorial.split("\n## ").skip(1) {
        let added = blocks(step, "rust");
        if added.is_empty() {
            continue;
        }
        for block in added {
            let (items, new_table) = split_table(&block);
            code.push_str(&items);
            if !new_table.is_empty() {
                table = new_table;
            }
        }
        steps += 1;
        write(format!("step_{steps}.rs"), &format!("{code}{table}"));
    }
    assert_eq!(
        steps, STEPS,
        "docs/tutorial.md has another number of steps with code: adjust STEPS, Cargo.toml and src/lib.rs"
    );

    let mut book = String::new();
    for name in ["README.md", "docs/handlers.md", "docs/models.md", "docs/cache.md"] {
        let module = name.trim_start_matches("docs/").trim_end_matches(".md").to_lowercase();
        for (number, block) in (1..).zip(blocks(&page(name), "rust")) {
            let block = split_table(&block).0;
            let prelude = if block.contains("use covet::prelude::*;") { "" } else { "use covet::prelude::*;\n" };
            let cast = match (name, number) {
                ("README.md", _) => AUTHOR.to_owned(),
                (_, 1) => String::new(),
                _ => format!("use super::{module}_1::*;\n"),
            };
            book.push_str(&format!("mod {module}_{number} {{\n{prelude}{cast}{block}}}\n"));
        }
    }
    write("book.rs".to_owned(), &book);

    let mut tests = String::new();
    for name in ["docs/tutorial.md", "docs/testing.md"] {
        let module = name.trim_start_matches("docs/").trim_end_matches(".md");
        for (number, block) in (1..).zip(blocks(&page(name), "rust,tests")) {
            tests.push_str(&format!("mod {module}_{number} {{\n{block}}}\n"));
        }
    }
    write("tests.rs".to_owned(), &tests);
}

/// The fenced blocks of this kind.
fn blocks(text: &str, kind: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let Some(found) = line.strip_prefix("```") else {
            continue;
        };
        let block: String =
            lines.by_ref().take_while(|line| !line.starts_with("```")).map(|line| format!("{line}\n")).collect();
        if found == kind {
            blocks.push(block);
        }
    }
    blocks
}

/// What comes before `covet::plugin!`, and that macro.
fn split_table(code: &str) -> (String, String) {
    match code.find("covet::plugin!") {
        Some(at) => (code[..at].to_owned(), code[at..].to_owned()),
        None => (code.to_owned(), String::new()),
    }
}
