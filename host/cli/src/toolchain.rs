//! What builds a plugin here: which cargo, and how it reaches the target `wasm32-wasip2`.
//!
//! There are two ways, and authors choose neither: the target as rustup installs it, or Debian's packages with the standard
//! library built from source (docs: `covet doctor` names the one that is used). `scripts/setup.sh` installs by the same rules.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::outcome::{Failure, Result};

pub const TARGET: &str = "wasm32-wasip2";
/// The oldest Rust that builds Covet and its plugins.
pub const MIN_RUST: (u32, u32) = (1, 95);
pub const DEBIAN_PACKAGES: &str = "rustc-web cargo-web rust-web-src rust-web-llvm lld-22 wasi-libc";
/// Set to `rustup` or `debian` to insist on one way.
pub const CHOICE: &str = "COVET_GUEST_TOOLCHAIN";

const DEBIAN_CARGO: &str = "/usr/bin/cargo";
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_LIBRARY: &str = "/usr/lib/rustlib/src/rust/library";
const DEBIAN_LIBC: &str = "/usr/lib/wasm32-wasi";
const DEBIAN_RUSTLIB: &str = "/usr/lib/rustlib";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// `cargo` from `PATH`, its target installed by rustup (or by whoever installed that Rust).
    Rustup,
    /// Debian's cargo and rustc; the standard library is compiled along, once a target directory.
    Debian,
}

impl Way {
    pub fn name(self) -> &'static str {
        match self {
            Way::Rustup => "rustup",
            Way::Debian => "debian",
        }
    }

    pub fn cargo(self) -> &'static str {
        match self {
            Way::Rustup => "cargo",
            Way::Debian => DEBIAN_CARGO,
        }
    }

    /// What rustc needs besides the plugin's own flags.
    pub fn rustc_flags(self) -> &'static [&'static str] {
        match self {
            Way::Rustup => &[],
            Way::Debian => &["-Clink-self-contained=no", "-L/usr/lib/wasm32-wasi"],
        }
    }

    pub fn cargo_flags(self) -> &'static [&'static str] {
        match self {
            Way::Rustup => &[],
            Way::Debian => &["-Zbuild-std=std,panic_abort"],
        }
    }

    /// A command for this way's cargo, free of what an outer cargo (a test run, a build script) left in the environment.
    pub fn command(self, directory: &Path) -> Command {
        let mut command = Command::new(self.cargo());
        command.current_dir(directory);
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(left_by_cargo) {
                command.env_remove(name);
            }
        }
        if self == Way::Debian {
            // Debian's rustc is stable; `build-std` is not. Its libraries are its own.
            command.env("RUSTC_BOOTSTRAP", "1").env("RUSTC", DEBIAN_RUSTC).env_remove("LD_LIBRARY_PATH");
            let path = std::env::var_os("PATH").unwrap_or_default();
            let first = std::iter::once(PathBuf::from("/usr/bin"));
            if let Ok(joined) = std::env::join_paths(first.chain(std::env::split_paths(&path))) {
                command.env("PATH", joined);
            }
        }
        command
    }
}

/// Variables that cargo sets for the programs it runs, and flags meant for host code: none may leak into a guest's build.
fn left_by_cargo(name: &str) -> bool {
    const PREFIXES: [&str; 6] =
        ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_", "CARGO_PROFILE_", "CARGO_TARGET_WASM32_"];
    const NAMES: [&str; 11] = [
        "CARGO",
        "CARGO_BUILD_TARGET",
        "CARGO_BUILD_RUSTFLAGS",
        "CARGO_ENCODED_RUSTFLAGS",
        "CARGO_PRIMARY_PACKAGE",
        "CARGO_TARGET_TMPDIR",
        "RUSTC",
        "RUSTC_BOOTSTRAP",
        "RUSTC_WORKSPACE_WRAPPER",
        "RUSTFLAGS",
        "RUSTDOC",
    ];
    NAMES.contains(&name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// Why a way is closed; `covet doctor` prints both.
#[derive(Debug)]
pub struct Closed(pub String);

/// The way to build in `directory` (a `rust-toolchain.toml` there is heeded).
///
/// # Errors
/// `no-guest-target`, with both ways to get one.
pub fn find(directory: &Path) -> Result<Way> {
    let choice = std::env::var(CHOICE).unwrap_or_default();
    let ways: &[Way] = match choice.as_str() {
        "rustup" => &[Way::Rustup],
        "debian" => &[Way::Debian],
        "" => &[Way::Rustup, Way::Debian],
        other => return Err(Failure::usage("bad-toolchain", format!("{CHOICE}={other}: it is `rustup` or `debian`"))),
    };
    let mut reasons = Vec::new();
    for &way in ways {
        match open(way, directory) {
            Ok(()) => return Ok(way),
            Err(Closed(reason)) => reasons.push(format!("{}: {reason}", way.name())),
        }
    }
    Err(Failure::failed("no-guest-target", format!("nothing here builds for {TARGET} ({})", reasons.join("; ")))
        .hint(way_out()))
}

pub fn way_out() -> String {
    format!(
        "run `rustup target add {TARGET}`; or on Debian, as root: `apt-get install --no-install-recommends {DEBIAN_PACKAGES}`"
    )
}

pub fn open(way: Way, directory: &Path) -> std::result::Result<(), Closed> {
    match way {
        Way::Rustup => rustup(directory),
        Way::Debian => debian(),
    }
}

fn rustup(directory: &Path) -> std::result::Result<(), Closed> {
    let answer = Command::new("rustc")
        .args(["--print", "target-libdir", "--target", TARGET])
        .current_dir(directory)
        .output()
        .map_err(|error| Closed(format!("rustc does not run: {error}")))?;
    let library = PathBuf::from(String::from_utf8_lossy(&answer.stdout).trim());
    let has_std = entries(&library).any(|name| name.starts_with("libstd-"));
    if has_std { Ok(()) } else { Err(Closed(format!("target {TARGET} is not installed"))) }
}

fn debian() -> std::result::Result<(), Closed> {
    let component_linker = entries(Path::new(DEBIAN_RUSTLIB))
        .any(|host| Path::new(DEBIAN_RUSTLIB).join(host).join("bin/wasm-component-ld").exists());
    let parts = [
        (Path::new(DEBIAN_CARGO).exists(), "cargo-web"),
        (Path::new(DEBIAN_RUSTC).exists(), "rustc-web"),
        (Path::new(DEBIAN_LIBRARY).join("std").is_dir(), "rust-web-src"),
        (Path::new(DEBIAN_LIBC).join("libc.a").exists(), "wasi-libc"),
        (component_linker, "rust-web-llvm"),
    ];
    let lacking: Vec<&str> = parts.iter().filter(|(there, _)| !there).map(|(_, package)| *package).collect();
    if !lacking.is_empty() {
        return Err(Closed(format!("packages missing: {}", lacking.join(" "))));
    }
    match version(DEBIAN_RUSTC, Path::new("/")) {
        Some(found) if found >= MIN_RUST => Ok(()),
        found => Err(Closed(format!("{DEBIAN_RUSTC} is {}, needed is {}", show(found), show(Some(MIN_RUST))))),
    }
}

/// The version of a rustc, as (major, minor); none when it does not run.
pub fn version(rustc: &str, directory: &Path) -> Option<(u32, u32)> {
    let answer = Command::new(rustc).arg("--version").current_dir(directory).output().ok()?;
    let text = String::from_utf8(answer.stdout).ok()?;
    let mut numbers = text.split_whitespace().nth(1)?.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

pub fn show(version: Option<(u32, u32)>) -> String {
    version.map_or_else(|| "not there".to_owned(), |(major, minor)| format!("{major}.{minor}"))
}

fn entries(directory: &Path) -> impl Iterator<Item = String> {
    std::fs::read_dir(directory)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
}

/// Directories of crate sources, longest first, with what a backtrace shall show for each.
pub fn source_prefixes(way: Way) -> Vec<(PathBuf, String)> {
    let mut prefixes = Vec::new();
    let cargo_home = std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(".cargo")));
    if let Some(home) = cargo_home {
        let sources = home.join("registry/src");
        for index in entries(&sources) {
            prefixes.push((sources.join(index), "crates".to_owned()));
        }
        prefixes.push((home.join("git/checkouts"), "git".to_owned()));
    }
    if way == Way::Debian {
        // The same name that rustup's precompiled standard library carries, whatever the commit.
        for library in [PathBuf::from(DEBIAN_LIBRARY), real(Path::new(DEBIAN_LIBRARY))] {
            prefixes.push((library, "rust/library".to_owned()));
        }
    }
    prefixes
}

fn real(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_outer_cargo_left_behind_is_dropped_and_what_the_author_set_stays() {
        for name in
            ["CARGO_PKG_NAME", "CARGO_MANIFEST_DIR", "RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "RUSTC_WORKSPACE_WRAPPER"]
        {
            assert!(left_by_cargo(name), "{name}");
        }
        for name in ["CARGO_HOME", "CARGO_TARGET_DIR", "CARGO_NET_OFFLINE", "RUSTC_WRAPPER", "RUSTUP_TOOLCHAIN", "PATH"]
        {
            assert!(!left_by_cargo(name), "{name}");
        }
    }
}
