//! `covet new`: a project that builds, serves and passes its tests from the first minute.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::json;

use crate::args::{New, Template};
use crate::outcome::{Failure, Result};
use crate::output::Output;
use crate::sdk;

/// File name in the project, text with `{{name}}`, `{{crate}}`, `{{covet}}`, `{{covet-test}}` to fill in.
type File = (&'static str, &'static str);

const COMMON: &[File] =
    &[("plugin.toml", include_str!("../../templates/plugin.toml.in")), (".gitignore", "/target\n/data\n")];
const HELLO: &[File] = &[
    ("Cargo.toml", include_str!("../../templates/hello/Cargo.toml.in")),
    ("src/lib.rs", include_str!("../../templates/hello/lib.rs.in")),
    ("tests/app.rs", include_str!("../../templates/hello/app.rs.in")),
];
const BLOG: &[File] = &[
    ("Cargo.toml", include_str!("../../templates/blog/Cargo.toml.in")),
    ("src/lib.rs", include_str!("../../templates/blog/lib.rs.in")),
    ("src/models.rs", include_str!("../../templates/blog/models.rs.in")),
    ("src/pages.rs", include_str!("../../templates/blog/pages.rs.in")),
    ("tests/app.rs", include_str!("../../templates/blog/app.rs.in")),
];

pub fn run(args: &New, output: Output) -> Result<()> {
    check_name(&args.name)?;
    let sdk = sdk::find(args.sdk.as_deref())?;
    let directory = args.path.clone().unwrap_or_else(|| PathBuf::from(&args.name));
    let taken =
        directory.exists() && std::fs::read_dir(&directory).map_or(true, |mut entries| entries.next().is_some());
    if taken {
        return Err(Failure::failed("exists", format!("{} exists already", directory.display()))
            .hint("choose another name, or another place with --path DIR"));
    }
    let template = match args.template {
        Template::Hello => HELLO,
        Template::Blog => BLOG,
    };
    for (name, text) in COMMON.iter().chain(template) {
        write(&directory.join(name), &fill(text, &args.name, &sdk))?;
    }
    settle_workspace(&directory)?;
    start_repository(&directory);

    let files: Vec<&str> = COMMON.iter().chain(template).map(|(name, _)| *name).collect();
    let json = json!({ "plugin": args.name, "path": directory, "files": files });
    output.result(&json, || {
        format!(
            "created {}\n\n  cd {0}\n  covet dev       # open http://127.0.0.1:8000, edit src/lib.rs, save\n  cargo test      # asks the plugin over HTTP, in the real host",
            directory.display()
        )
    });
    Ok(())
}

fn fill(text: &str, name: &str, sdk: &Path) -> String {
    let by_path = |path: &Path| format!("{{ path = {} }}", serde_json::Value::from(path.display().to_string()));
    text.replace("{{name}}", name)
        .replace("{{crate}}", &name.replace('-', "_"))
        .replace("{{covet}}", &by_path(sdk))
        .replace("{{covet-test}}", &by_path(&sdk.join("test")))
}

fn write(path: &Path, text: &str) -> Result<()> {
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory).map_err(Failure::io("creating", directory))?;
    }
    std::fs::write(path, text).map_err(Failure::io("writing", path))
}

/// In a directory under someone's workspace cargo refuses a package that is no member: then the project is a workspace itself.
fn settle_workspace(directory: &Path) -> Result<()> {
    let metadata = Command::new("cargo")
        .args(["metadata", "--no-deps", "--format-version", "1", "--offline"])
        .current_dir(directory)
        .stdout(Stdio::null())
        .output();
    // Without a cargo there is nothing to settle; `covet build` will say so.
    let Ok(answer) = metadata else { return Ok(()) };
    if !answer.status.success() && String::from_utf8_lossy(&answer.stderr).contains("believes it's in a workspace") {
        let path = directory.join("Cargo.toml");
        let text = std::fs::read_to_string(&path).map_err(Failure::io("reading", &path))?;
        write(&path, &format!("{text}\n# Not part of the workspace around it.\n[workspace]\n"))?;
    }
    Ok(())
}

/// A git repository, unless there is one around already, or no git.
fn start_repository(directory: &Path) {
    let git = |args: &[&str]| {
        let run =
            Command::new("git").args(args).current_dir(directory).stdout(Stdio::null()).stderr(Stdio::null()).status();
        run.is_ok_and(|status| status.success())
    };
    if !git(&["rev-parse", "--is-inside-work-tree"]) {
        git(&["init", "--quiet"]);
    }
}

/// What the host says of the name, and what cargo would say.
fn check_name(name: &str) -> Result<()> {
    // Names that cargo refuses, or that would hide a crate the project needs.
    const TAKEN: [&str; 9] = ["test", "core", "std", "alloc", "proc-macro", "covet", "covet-test", "build", "deps"];
    const KEYWORDS: &[&str] = &[
        "as", "async", "await", "become", "box", "break", "const", "continue", "crate", "do", "dyn", "else", "enum",
        "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let", "loop", "macro", "match", "mod",
        "move", "mut", "pub", "ref", "return", "self", "static", "struct", "super", "trait", "true", "try", "type",
        "unsafe", "use", "where", "while", "yield",
    ];
    covet_server::config::check_name(name).map_err(|why| Failure::usage("bad-name", why))?;
    if TAKEN.contains(&name) || KEYWORDS.contains(&name) {
        return Err(Failure::usage(
            "bad-name",
            format!("`{name}` cannot name a plugin: Rust or cargo has taken the word"),
        )
        .hint(format!("choose another, as `my-{name}`")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_cargo_or_a_path_would_refuse_are_refused_with_the_reason() {
        for (name, why) in
            [("Notes", "small letters"), ("1st", "letter first"), ("a/b", "dashes"), ("fn", "taken"), ("test", "taken")]
        {
            let error = check_name(name).unwrap_err().to_string();
            assert!(error.contains(why), "{name}: {error}");
        }
        assert!(check_name(&"a".repeat(64)).is_err());
        assert!(check_name("my-notes-2").is_ok());
    }

    #[test]
    fn no_template_leaves_a_mark_unfilled() {
        for (file, text) in COMMON.iter().chain(HELLO).chain(BLOG) {
            let filled = fill(text, "my-notes", Path::new("/sdk"));
            for mark in ["{{name}}", "{{crate}}", "{{covet}}", "{{covet-test}}"] {
                assert!(!filled.contains(mark), "{file}");
            }
        }
    }
}
