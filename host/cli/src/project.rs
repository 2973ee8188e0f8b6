//! A plugin's project on disk: where its `plugin.toml` is, which package of which workspace it belongs to, where built things go.

use std::path::{Path, PathBuf};

use covet_server::config::{BuildCommand, Manifest};
use serde_json::Value;

use crate::outcome::{Exit, Failure, Result};
use crate::toolchain::Way;

pub const MANIFEST: &str = "plugin.toml";

#[derive(Debug)]
pub struct Project {
    /// The directory of `plugin.toml` and `Cargo.toml`, absolute.
    pub directory: PathBuf,
    /// The plugin's name, from `plugin.toml`.
    pub name: String,
    pub version: String,
    /// The text of `plugin.toml`; it travels in the `.wasm`.
    pub manifest: String,
    /// How it is built where cargo does not build it.
    pub build: Option<BuildCommand>,
}

/// What cargo knows of the project.
#[derive(Debug)]
pub struct Package {
    pub name: String,
    pub id: String,
    pub workspace_root: PathBuf,
    /// Cargo's own target directory; guests are built in `guests/` under it, so that they never wait for host builds.
    pub target_directory: PathBuf,
}

impl Package {
    pub fn guest_directory(&self) -> PathBuf {
        self.target_directory.join("guests")
    }

    /// Where `covet build` leaves the plugin, ready to deploy.
    pub fn artifact(&self, plugin: &str) -> PathBuf {
        self.target_directory.join("covet").join(format!("{plugin}.wasm"))
    }
}

/// The host's own reading of a manifest: what passes here passes there. `file` is named in errors.
fn parse(file: &Path, manifest: &str) -> Result<Manifest> {
    Manifest::parse(manifest).map_err(|mut error| {
        for problem in &mut error.problems {
            problem.file = file.display().to_string();
        }
        Failure::failed("bad-manifest", error.to_string())
    })
}

/// The name in a manifest.
///
/// # Errors
/// `bad-manifest`.
pub fn manifest_name(file: &Path, manifest: &str) -> Result<String> {
    Ok(parse(file, manifest)?.name)
}

impl Project {
    /// The project at `path`, or around it: the nearest directory upward that holds a `plugin.toml`.
    ///
    /// # Errors
    /// `no-manifest`; `bad-manifest` with the line.
    pub fn find(path: &Path) -> Result<Project> {
        let start = path.canonicalize().map_err(Failure::io("opening", path))?;
        let directory = start.ancestors().find(|directory| directory.join(MANIFEST).is_file()).ok_or_else(|| {
            Failure::failed("no-manifest", format!("no {MANIFEST} in {} or above it", start.display())).hint(
                "`covet new NAME` starts a plugin; in a directory with several plugins, name one: `covet build PATH`",
            )
        })?;
        Project::read(directory)
    }

    fn read(directory: &Path) -> Result<Project> {
        let path = directory.join(MANIFEST);
        let manifest = std::fs::read_to_string(&path).map_err(Failure::io("reading", &path))?;
        let parsed = parse(&path, &manifest)?;
        Ok(Project {
            directory: directory.to_owned(),
            name: parsed.name,
            version: parsed.version,
            manifest,
            build: parsed.build,
        })
    }

    /// Asks cargo for the package of this project.
    ///
    /// # Errors
    /// `not-a-plugin-crate` when the library is not a `cdylib`; else what cargo says.
    pub fn package(&self, way: Way) -> Result<Package> {
        let answer = way
            .command(&self.directory)
            .args(["metadata", "--no-deps", "--format-version", "1"])
            .output()
            .map_err(|error| Failure::failed("no-cargo", format!("{} does not run: {error}", way.cargo())))?;
        if !answer.status.success() {
            let said = String::from_utf8_lossy(&answer.stderr);
            return Err(Failure::new(Exit::Build, "bad-package", said.trim().trim_start_matches("error: ").to_owned()));
        }
        let metadata: Value = serde_json::from_slice(&answer.stdout)
            .map_err(|error| Failure::failed("cargo", format!("cargo metadata: {error}")))?;
        let path = |key: &str| PathBuf::from(metadata[key].as_str().unwrap_or_default());
        let manifest = self.directory.join("Cargo.toml");
        let packages = metadata["packages"].as_array().map(Vec::as_slice).unwrap_or_default();
        let package =
            packages.iter().find(|package| package["manifest_path"].as_str().map(Path::new) == Some(&manifest));
        let Some(package) = package else {
            return Err(Failure::failed(
                "no-package",
                format!("{} is no package of its workspace", manifest.display()),
            )
            .hint("add its directory to `members` in the workspace's Cargo.toml"));
        };
        let text = |key: &str| package[key].as_str().unwrap_or_default().to_owned();
        let targets = package["targets"].as_array().map(Vec::as_slice).unwrap_or_default();
        let is_cdylib = |target: &Value| {
            target["crate_types"].as_array().is_some_and(|kinds| kinds.iter().any(|kind| kind == "cdylib"))
        };
        if !targets.iter().any(is_cdylib) {
            let message = format!("package `{}` has no library of type cdylib, so it makes no plugin", text("name"));
            return Err(Failure::new(Exit::Build, "not-a-plugin-crate", message)
                .hint("add to its Cargo.toml:  [lib]  crate-type = [\"cdylib\"]"));
        }
        Ok(Package {
            name: text("name"),
            id: text("id"),
            workspace_root: path("workspace_root"),
            target_directory: path("target_directory"),
        })
    }
}
