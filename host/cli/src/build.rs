//! From a project to a `.wasm` that a host takes: cargo for `wasm32-wasip2` with settings for plugins, or the author's own
//! command; then the manifest inside.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use covet_server::config::BuildCommand;
use serde_json::{Value, json};

use crate::component::{self, MANIFEST_SECTION};
use crate::outcome::{Exit, Failure, Result};
use crate::output::{bytes, seconds};
use crate::project::{Package, Project};
use crate::toolchain::{self, TARGET, Way};

/// The heap that lies in a plugin's memory from the start, bytes. Small requests never grow memory: each growth costs a fresh
/// instance two `mprotect` calls and a TLB shoot-down. Untouched pages cost nothing.
const INITIAL_HEAP: usize = 1 << 20;
/// The shadow stack, bytes. It lies at the bottom of memory (an overflow traps) and holds serde_json's deepest nesting.
const STACK: usize = 128 << 10;

#[derive(Debug)]
pub struct Built {
    pub name: String,
    pub version: String,
    /// `target/covet/NAME.wasm`.
    pub path: PathBuf,
    pub size: u64,
    pub time: Duration,
    /// What built it: a guest toolchain's name, or `command`.
    pub toolchain: &'static str,
    /// Source files outside the project that went into it, as cargo tells; `covet dev` watches them too.
    pub sources: Vec<PathBuf>,
}

impl Built {
    pub fn json(&self) -> Value {
        json!({
            "plugin": self.name, "version": self.version, "path": self.path, "bytes": self.size,
            "ms": self.time.as_millis() as u64, "toolchain": self.toolchain,
        })
    }

    pub fn text(&self) -> String {
        let shown = std::env::current_dir().ok().and_then(|here| self.path.strip_prefix(here).ok().map(Path::to_owned));
        let path = shown.as_deref().unwrap_or(&self.path);
        format!(
            "built {} {}: {} ({}) in {}",
            self.name,
            self.version,
            path.display(),
            bytes(self.size),
            seconds(self.time)
        )
    }
}

/// Builds the project. What cargo and rustc say goes to standard error unchanged; `quiet` keeps all but errors and warnings.
///
/// # Errors
/// `compile` (exit 5) when cargo fails: the reason stands above it, in rustc's words. `no-guest-target`; `not-a-plugin-crate`.
pub fn build(project: &Project, quiet: bool) -> Result<Built> {
    let started = Instant::now();
    let made = match &project.build {
        Some(command) => Made::by_command(project, command)?,
        None => Made::by_cargo(project, quiet)?,
    };
    let mut wasm = std::fs::read(&made.component).map_err(Failure::io("reading", &made.component))?;
    if !component::is_component(&wasm) {
        let message = format!("{} is no WebAssembly component", made.component.display());
        return Err(Failure::new(Exit::Build, "not-a-component", message));
    }
    component::append_section(&mut wasm, MANIFEST_SECTION, project.manifest.as_bytes());
    replace(&made.path, &wasm)?;
    Ok(Built {
        name: project.name.clone(),
        version: project.version.clone(),
        path: made.path,
        size: wasm.len() as u64,
        time: started.elapsed(),
        toolchain: made.toolchain,
        sources: made.sources,
    })
}

/// A component without its manifest, and where it goes with it.
struct Made {
    component: PathBuf,
    path: PathBuf,
    toolchain: &'static str,
    sources: Vec<PathBuf>,
}

impl Made {
    fn by_cargo(project: &Project, quiet: bool) -> Result<Made> {
        let way = toolchain::find(&project.directory)?;
        let package = project.package(way)?;
        let component = compile(project, &package, way, quiet)?;
        let sources = sources(&component);
        Ok(Made { path: package.artifact(&project.name), component, toolchain: way.name(), sources })
    }

    /// What the command says goes to standard error.
    fn by_command(project: &Project, build: &BuildCommand) -> Result<Made> {
        let status = Command::new("sh")
            .args(["-c", &build.command])
            .current_dir(&project.directory)
            .stdin(Stdio::null())
            .stdout(std::io::stderr())
            .status()
            .map_err(|error| Failure::failed("no-shell", format!("sh does not run: {error}")))?;
        if !status.success() {
            let message = format!("`{}` of {}'s plugin.toml failed: {status}", build.command, project.name);
            return Err(Failure::new(Exit::Build, "compile", message));
        }
        Ok(Made {
            component: project.directory.join(&build.component),
            path: project.directory.join("target/covet").join(format!("{}.wasm", project.name)),
            toolchain: "command",
            sources: Vec::new(),
        })
    }
}

fn compile(project: &Project, package: &Package, way: Way, quiet: bool) -> Result<PathBuf> {
    let mut command = way.command(&project.directory);
    command
        .args(["build", "--release", "--target", TARGET, "--message-format", "json-render-diagnostics"])
        .args(["--package", &package.name])
        .args(way.cargo_flags())
        .env("CARGO_TARGET_DIR", package.guest_directory())
        .env("CARGO_ENCODED_RUSTFLAGS", rustc_flags(package, way).join("\u{1f}"))
        // Settings of the release profile by environment: authors need none in their Cargo.toml, and a workspace that holds
        // both host and guests keeps its own profile for the host.
        .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "3")
        .env("CARGO_PROFILE_RELEASE_LTO", "true")
        .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "1")
        .env("CARGO_PROFILE_RELEASE_PANIC", "abort")
        .env("CARGO_PROFILE_RELEASE_DEBUG", "line-tables-only")
        .env("CARGO_PROFILE_RELEASE_STRIP", "none")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit());
    if quiet {
        command.arg("--quiet");
    }
    let mut child = command
        .spawn()
        .map_err(|error| Failure::failed("no-cargo", format!("{} does not run: {error}", way.cargo())))?;
    let mut artifact = None;
    if let Some(messages) = child.stdout.take() {
        for line in BufReader::new(messages).lines().map_while(std::io::Result::ok) {
            if let Some(path) = wasm_of(&line, &package.id) {
                artifact = Some(path);
            }
        }
    }
    let status = child.wait().map_err(|error| Failure::failed("cargo", format!("waiting for cargo: {error}")))?;
    if !status.success() {
        return Err(Failure::new(Exit::Build, "compile", format!("{} does not compile", project.name)));
    }
    artifact.ok_or_else(|| {
        Failure::new(Exit::Build, "no-artifact", format!("cargo built {} but named no .wasm", project.name))
    })
}

/// The `.wasm` that a message of cargo names for this package.
fn wasm_of(message: &str, package: &str) -> Option<PathBuf> {
    let message: Value = serde_json::from_str(message).ok()?;
    if message["reason"] != "compiler-artifact" || message["package_id"] != package {
        return None;
    }
    let files = message["filenames"].as_array()?.iter().filter_map(Value::as_str);
    files.map(PathBuf::from).find(|path| path.extension().is_some_and(|extension| extension == "wasm"))
}

/// All flags in one place: they replace what `RUSTFLAGS` and `.cargo/config.toml` say for other targets.
fn rustc_flags(package: &Package, way: Way) -> Vec<String> {
    let mut flags: Vec<String> = way.rustc_flags().iter().map(|&flag| flag.to_owned()).collect();
    flags.push(format!("-Clink-arg=--initial-heap={INITIAL_HEAP}"));
    flags.push(format!("-Clink-arg=-zstack-size={STACK}"));
    // Backtraces and panics name files as the author knows them: relative to the workspace. rustc takes the last match.
    let mut remap = |from: &Path, to: &str| flags.push(format!("--remap-path-prefix={}={to}", from.display()));
    for (from, to) in toolchain::source_prefixes(way) {
        remap(&from, &to);
    }
    if let Some(sdk) = crate::sdk::checkout() {
        remap(&sdk, "covet");
    }
    remap(&package.workspace_root, "");
    flags
}

/// The files of cargo's dep-info beside the artifact. Paths in it escape blanks with a backslash.
fn sources(artifact: &Path) -> Vec<PathBuf> {
    let Ok(text) = std::fs::read_to_string(artifact.with_extension("d")) else { return Vec::new() };
    let Some((_, files)) = text.split_once(": ") else { return Vec::new() };
    let marked = files.trim().replace("\\ ", "\0");
    marked.split(' ').filter(|file| !file.is_empty()).map(|file| PathBuf::from(file.replace('\0', " "))).collect()
}

/// Writes a file so that readers see the old bytes or the new ones, never half of them.
fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(directory).map_err(Failure::io("creating", directory))?;
    let as_umask_says = std::os::unix::fs::PermissionsExt::from_mode(0o666);
    let mut file = tempfile::Builder::new()
        .permissions(as_umask_says)
        .tempfile_in(directory)
        .map_err(Failure::io("writing in", directory))?;
    std::io::Write::write_all(&mut file, bytes).map_err(Failure::io("writing", path))?;
    file.persist(path).map_err(|error| Failure::io("writing", path)(error.error))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_wasm_of_the_plugin_itself_is_taken() {
        let message = r#"{"reason":"compiler-artifact","package_id":"p","filenames":["/t/libx.rlib","/t/x.wasm"]}"#;
        assert_eq!(wasm_of(message, "p"), Some("/t/x.wasm".into()));
        assert_eq!(wasm_of(message, "other"), None);
        assert_eq!(wasm_of("not json", "p"), None);
    }

    #[test]
    fn dep_info_with_blanks_in_paths_is_read() {
        let directory = tempfile::tempdir().unwrap();
        let artifact = directory.path().join("x.wasm");
        std::fs::write(directory.path().join("x.d"), "/t/x.wasm: /a/lib.rs /b\\ c/page.html\n").unwrap();
        assert_eq!(sources(&artifact), [PathBuf::from("/a/lib.rs"), PathBuf::from("/b c/page.html")]);
    }

    #[test]
    fn a_rebuilt_file_is_readable_by_everyone_the_umask_allows() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.wasm");
        replace(&path, b"abc").unwrap();
        let plain = directory.path().join("plain");
        std::fs::write(&plain, b"").unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&path), mode(&plain));
    }
}
