//! The desired state on disk: which generation of which plugin is to serve.
//!
//! `STATE/desired.json` is replaced atomically (write beside, fsync, rename, fsync of the directory), and every component it
//! names was made durable before: `STATE/plugins/SHA256.wasm`. A host that is killed at any instant therefore comes up with the
//! last published generation, and finds at worst files that nobody names; they are removed at start.

use std::{
    collections::{BTreeMap, HashSet},
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

/// Generations kept for rollback, beside the one that serves.
pub const KEPT: usize = 5;

const FILE: &str = "desired.json";
const FORMAT: u32 = 1;

/// What is to serve.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Desired {
    format: u32,
    pub plugins: BTreeMap<String, DesiredPlugin>,
    /// The last generation of plugins that were removed: numbers are never used twice.
    #[serde(default)]
    pub removed: BTreeMap<String, u64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DesiredPlugin {
    /// The highest number ever given.
    pub last: u64,
    pub current: Artifact,
    /// Newest first, at most [`KEPT`].
    pub previous: Vec<Artifact>,
}

/// One generation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Artifact {
    pub generation: u64,
    /// SHA-256 of the component, hexadecimal.
    pub digest: String,
    pub version: String,
    pub mount: String,
    pub host: Option<String>,
    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub deployed_at: u64,
}

/// The directory.
#[derive(Debug)]
pub struct Store {
    directory: PathBuf,
}

impl Store {
    /// Opens the directory, makes it where it is missing, and removes what an interrupted deploy left behind.
    ///
    /// # Errors
    /// The directory cannot be used, or `desired.json` is not ours.
    pub fn open(directory: &Path) -> io::Result<(Store, Desired)> {
        let store = Store { directory: directory.to_path_buf() };
        fs::create_dir_all(store.components())?;
        let path = directory.join(FILE);
        let desired = match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice::<Desired>(&bytes).map_err(|error| {
                io::Error::other(format!(
                    "{} is damaged: {error}; restore it from a backup, or move it away to start empty",
                    path.display()
                ))
            })?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Desired { format: FORMAT, ..Desired::default() },
            Err(error) => return Err(error),
        };
        if desired.format != FORMAT {
            let found = desired.format;
            return Err(io::Error::other(format!(
                "{} has format {found}, this version of Covet reads {FORMAT}; use the version that wrote it",
                path.display()
            )));
        }
        store.sweep(&desired);
        Ok((store, desired))
    }

    /// Makes a component durable. It may be there already.
    ///
    /// # Errors
    /// The disk refuses it; nothing has changed.
    pub fn keep(&self, digest: &str, wasm: &[u8]) -> io::Result<()> {
        let path = self.component(digest);
        if path.is_file() {
            return Ok(());
        }
        replace(&path, wasm)
    }

    /// # Errors
    /// The component is not there, or cannot be read.
    pub fn read(&self, digest: &str) -> io::Result<Vec<u8>> {
        let path = self.component(digest);
        fs::read(&path).map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
    }

    /// Publishes a desired state. When it returns, it survives.
    ///
    /// # Errors
    /// The disk refuses it; the old state stands.
    pub fn publish(&self, desired: &Desired) -> io::Result<()> {
        let bytes = serde_json::to_vec_pretty(desired).map_err(io::Error::other)?;
        replace(&self.directory.join(FILE), &bytes)
    }

    /// Removes components that nobody names, and unfinished files. Best effort: what stays costs room only.
    pub fn sweep(&self, desired: &Desired) {
        let named: HashSet<PathBuf> = desired
            .plugins
            .values()
            .flat_map(|plugin| std::iter::once(&plugin.current).chain(&plugin.previous))
            .map(|artifact| self.component(&artifact.digest))
            .collect();
        for entry in fs::read_dir(self.components()).into_iter().flatten().flatten() {
            if !named.contains(&entry.path()) {
                let _ = fs::remove_file(entry.path());
            }
        }
        let _ = fs::remove_file(self.directory.join(FILE).with_extension("tmp"));
    }

    fn components(&self) -> PathBuf {
        self.directory.join("plugins")
    }

    fn component(&self, digest: &str) -> PathBuf {
        self.components().join(format!("{digest}.wasm"))
    }
}

/// Writes a file so that after a crash there is the old one or the new one, whole.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
    let beside = path.with_extension("tmp");
    let written = (|| {
        let mut file = File::create(&beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&beside, path)?;
        // The rename is durable once the directory is.
        path.parent().map_or(Ok(()), |parent| File::open(parent)?.sync_all())
    })();
    written.map_err(|error| {
        let _ = fs::remove_file(&beside);
        named(error)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn artifact(generation: u64, digest: &str) -> Artifact {
        Artifact {
            generation,
            digest: digest.into(),
            version: "1".into(),
            mount: "/".into(),
            host: None,
            deployed_at: 0,
        }
    }

    fn desired(digest: &str) -> Desired {
        let plugin = DesiredPlugin { last: 1, current: artifact(1, digest), previous: vec![] };
        Desired { format: FORMAT, plugins: [("blog".to_owned(), plugin)].into(), removed: BTreeMap::new() }
    }

    #[test]
    fn what_was_published_is_there_after_a_restart_and_leftovers_are_not() {
        let directory = tempfile::tempdir().unwrap();
        let (store, empty) = Store::open(directory.path()).unwrap();
        assert!(empty.plugins.is_empty());
        store.keep("aa", b"wasm").unwrap();
        store.publish(&desired("aa")).unwrap();
        // What a killed deploy leaves behind.
        store.keep("bb", b"nobody names me").unwrap();
        fs::write(directory.path().join("plugins/cc.tmp"), b"half").unwrap();
        fs::write(directory.path().join("desired.tmp"), b"{\"format\":1,\"plu").unwrap();

        let (store, found) = Store::open(directory.path()).unwrap();
        assert_eq!(found, desired("aa"));
        assert_eq!(store.read("aa").unwrap(), b"wasm");
        assert!(store.read("bb").is_err());
        assert_eq!(fs::read_dir(directory.path().join("plugins")).unwrap().count(), 1);
    }

    #[test]
    fn a_damaged_or_newer_state_stops_the_start_and_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        for bytes in [&b"{"[..], b"{\"format\":2,\"plugins\":{}}"] {
            fs::write(directory.path().join(FILE), bytes).unwrap();
            assert!(Store::open(directory.path()).is_err());
            assert_eq!(fs::read(directory.path().join(FILE)).unwrap(), bytes);
        }
    }
}
