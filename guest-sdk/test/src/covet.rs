//! Finding the `covet` command, and building plugins with it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};

use serde_json::Value;

use crate::Error;

/// Names the command, when it is not where [`binary`] looks.
pub const BINARY: &str = "COVET_BIN";

/// The `covet` command: `$COVET_BIN`; else `target/debug/covet` or `target/release/covet` (whichever is newer) of a checkout of
/// Covet around this test or its crate; else `covet` in `PATH`.
///
/// # Errors
/// Names every place that was looked at.
pub fn binary() -> Result<PathBuf, Error> {
    if let Some(path) = std::env::var_os(BINARY).map(PathBuf::from) {
        let there = path.is_file();
        return if there { Ok(path) } else { Err(Error::new(format!("{BINARY}={}: no such file", path.display()))) };
    }
    let directories = target_directories();
    let built =
        directories.iter().flat_map(|target| ["debug", "release"].map(|profile| target.join(profile).join("covet")));
    let newest = built.filter_map(|path| Some((path.metadata().ok()?.modified().ok()?, path))).max();
    if let Some((_, path)) = newest {
        return Ok(path);
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).map(|directory| directory.join("covet")).find(|file| file.is_file());
    on_path.ok_or_else(|| {
        let looked: Vec<String> = directories.iter().map(|directory| directory.display().to_string()).collect();
        let looked = if looked.is_empty() { "no checkout around this crate".to_owned() } else { looked.join(", ") };
        Error::new(format!(
            "the `covet` command is not here. Looked at {BINARY} (unset), {looked}, and PATH.\n  In a checkout of Covet: cargo build -p covet-cli"
        ))
    })
}

/// Where cargo may have put `covet`: the target directory that this very test runs from, `CARGO_TARGET_DIR`, and `target` of
/// each directory upward that looks like a checkout.
fn target_directories() -> Vec<PathBuf> {
    let mut found = Vec::new();
    if let Ok(test) = std::env::current_exe() {
        // target/debug/deps/this-test
        found.extend(test.ancestors().nth(3).map(Path::to_owned));
    }
    found.extend(std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from));
    let sdk = Path::new(env!("CARGO_MANIFEST_DIR"));
    for start in [crate_directory().unwrap_or_default(), sdk.to_owned()] {
        let checkout = start.ancestors().find(|directory| directory.join("host/cli/Cargo.toml").is_file());
        found.extend(checkout.map(|directory| directory.join("target")));
    }
    found.dedup();
    found
}

/// The crate whose tests run.
pub(crate) fn crate_directory() -> Result<PathBuf, Error> {
    match std::env::var_os("CARGO_MANIFEST_DIR") {
        Some(directory) => Ok(directory.into()),
        None => std::env::current_dir().map_err(Error::doing("finding the current directory")),
    }
}

/// Builds the plugin in a directory with `covet build`, once a test process; answers the `.wasm`.
///
/// # Errors
/// What the compiler said has gone to standard error already; the error says which plugin it was.
pub fn build(directory: &Path) -> Result<PathBuf, Error> {
    type Built = HashMap<PathBuf, Result<PathBuf, String>>;
    static BUILT: OnceLock<Mutex<Built>> = OnceLock::new();
    // Held while cargo runs: tests of one process wait for the one build instead of queueing for cargo's lock.
    let mut built = BUILT.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
    let outcome =
        built.entry(directory.to_owned()).or_insert_with(|| run_build(directory).map_err(|error| error.to_string()));
    outcome.clone().map_err(Error::new)
}

fn run_build(directory: &Path) -> Result<PathBuf, Error> {
    let covet = binary()?;
    let answer = Command::new(&covet)
        .args(["--json", "build", "--quiet"])
        .arg(directory)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(Error::doing(format!("running {}", covet.display())))?;
    let said: Value = serde_json::from_slice(&answer.stdout).unwrap_or_default();
    match said["path"].as_str() {
        Some(path) if answer.status.success() => Ok(path.into()),
        _ => {
            let message = said["error"]["message"].as_str().unwrap_or("`covet build` failed");
            let hint = said["error"]["hint"].as_str().unwrap_or_default();
            Err(Error::new(format!("{}: {message}\n  {hint}", directory.display())))
        }
    }
}
