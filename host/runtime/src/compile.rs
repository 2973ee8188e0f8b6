//! From bytes to machine code: checked, compiled off to the side, kept on disk.
//!
//! Compiled code is kept as `DIR/<sha256 of the wasm>-<compatibility hash of the engine>.cwasm`, beside it its own SHA-256.
//! Both are written to a temporary name and renamed; whatever does not fit (another version, a torn or damaged file) is
//! compiled anew. The directory belongs to the host (mode 0700): loading from it is running native code.

use std::{
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use sha2::{Digest, Sha256};
use wasmparser::{Encoding, Parser, Payload};
use wasmtime::component::Component;

use crate::{
    engine::Shared,
    error::{LoadError, RuntimeError},
    limits::{COMPILE_DEADLINE, MAX_COMPONENT},
};

/// Bytes of compiled code kept on disk; the oldest goes first.
const MAX_CACHE: u64 = 2 << 30;

/// Exports a plugin must have (a later patch version will do).
const EXPORTS: [&str; 2] = ["covet:plugin/description@0.1.", "covet:http/handler@0.1."];
/// Imports this host offers. Which of WASI it has, the linker knows.
const IMPORTS: [&str; 8] = [
    "covet:http/requests@0.1.",
    "covet:orm/query@0.1.",
    "covet:orm/schema@0.1.",
    "covet:cache/cache@0.1.",
    "covet:config/config@0.1.",
    "covet:log/log@0.1.",
    "covet:http/types@0.1.",
    "wasi:",
];

/// Compiled code, and whether it came from disk.
pub(crate) struct Compiled {
    pub component: Component,
    pub cached: bool,
    pub took: Duration,
}

/// Checks and compiles. The work is done on a thread for blocking work, one component at a time.
///
/// # Errors
/// All of [`LoadError`] up to compiling.
pub(crate) async fn compile(engine: &Arc<Shared>, wasm: &[u8]) -> Result<Compiled, LoadError> {
    if wasm.len() as u64 > MAX_COMPONENT {
        return Err(LoadError::TooLarge { bytes: wasm.len() as u64, limit: MAX_COMPONENT });
    }
    let (engine, wasm) = (Arc::clone(engine), wasm.to_vec());
    let work = async move {
        let turn = Arc::clone(&engine.compiling).acquire_owned().await;
        tokio::task::spawn_blocking(move || {
            // A compilation that outlives its deadline keeps its turn: they do not pile up.
            let _turn = turn;
            check(&wasm)?;
            load_or_compile(&engine, &wasm)
        })
        .await
        .map_err(|error| LoadError::Compile(format!("the compiler failed: {error}")))?
    };
    tokio::time::timeout(COMPILE_DEADLINE, work)
        .await
        .map_err(|_| LoadError::CompileTimeout { limit: COMPILE_DEADLINE })?
}

/// Is it a component, and of our world? By names only; types are checked when it is linked.
fn check(wasm: &[u8]) -> Result<(), LoadError> {
    if !wasm.starts_with(b"\0asm") {
        let found: Vec<String> = wasm.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        let found = if found.is_empty() { "nothing (it is empty)".into() } else { found.join(" ") };
        return Err(LoadError::NotWasm { found });
    }
    let mut exports = Vec::new();
    let mut depth = 0usize;
    for payload in Parser::new(0).parse_all(wasm) {
        match payload.map_err(|error| LoadError::Malformed(error.to_string()))? {
            Payload::Version { encoding: Encoding::Module, .. } if depth == 0 => return Err(LoadError::CoreModule),
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if depth == 0 => {
                for import in section {
                    let import = import.map_err(|error| LoadError::Malformed(error.to_string()))?;
                    let name = import.name.name;
                    if !IMPORTS.iter().any(|known| name.starts_with(known)) {
                        return Err(LoadError::UnknownImport { import: name.into() });
                    }
                }
            }
            Payload::ComponentExportSection(section) if depth == 0 => {
                for export in section {
                    let export = export.map_err(|error| LoadError::Malformed(error.to_string()))?;
                    exports.push(export.name.name);
                }
            }
            _ => {}
        }
    }
    for wanted in EXPORTS {
        if !exports.iter().any(|export| export.starts_with(wanted)) {
            return Err(LoadError::MissingExport { export: format!("{wanted}0") });
        }
    }
    Ok(())
}

fn load_or_compile(engine: &Shared, wasm: &[u8]) -> Result<Compiled, LoadError> {
    let start = std::time::Instant::now();
    let path = engine.cache_dir.as_deref().map(|dir| path_of(dir, engine, wasm));
    if let Some(path) = &path
        && let Some(component) = load(engine, path)
    {
        return Ok(Compiled { component, cached: true, took: start.elapsed() });
    }
    let code = engine.wasmtime.precompile_component(wasm).map_err(|error| LoadError::Compile(format!("{error:#}")))?;
    let stored = path.as_deref().and_then(|path| match store(path, &code) {
        Ok(()) => load(engine, path),
        Err(error) => {
            tracing::warn!(%error, path = %path.display(), "compiled code could not be kept; it will be compiled again");
            None
        }
    });
    let component = match stored {
        Some(component) => component,
        // SAFETY: `code` came from this engine's own compiler a moment ago.
        None => unsafe { Component::deserialize(&engine.wasmtime, &code) }.map_err(|error| {
            let text = format!("{error:#}");
            match text.contains("pooling allocator") {
                true => LoadError::TooManyResources(text),
                false => LoadError::Compile(text),
            }
        })?,
    };
    Ok(Compiled { component, cached: false, took: start.elapsed() })
}

fn path_of(dir: &Path, engine: &Shared, wasm: &[u8]) -> PathBuf {
    let mut hasher = DefaultHasher::new();
    engine.wasmtime.precompile_compatibility_hash().hash(&mut hasher);
    dir.join(format!("{}-{:016x}.cwasm", hex(&Sha256::digest(wasm)), hasher.finish()))
}

/// Maps compiled code, if it is there and whole.
fn load(engine: &Shared, path: &Path) -> Option<Component> {
    let sum = fs::read_to_string(path.with_extension("sha256")).ok()?;
    let code = fs::read(path).ok()?;
    if sum.trim() != hex(&Sha256::digest(&code)) {
        tracing::warn!(path = %path.display(), "compiled code is damaged; compiling again");
        return None;
    }
    // Used now: `prune` takes the oldest.
    if let Ok(file) = fs::File::open(path) {
        let _best_effort = file.set_modified(SystemTime::now());
    }
    // SAFETY: the file was written by `store` below, in a directory that only the host's user can write to (`prepare_dir`),
    // by an engine with the same compatibility hash (in its name), and its checksum says that nothing has happened to it
    // since. Files are replaced by renaming and never changed, so that the mapping stays what it is.
    match unsafe { Component::deserialize_file(&engine.wasmtime, path) } {
        Ok(component) => Some(component),
        Err(error) => {
            tracing::warn!(%error, path = %path.display(), "compiled code does not fit; compiling again");
            None
        }
    }
}

fn store(path: &Path, code: &[u8]) -> io::Result<()> {
    if let Some(dir) = path.parent() {
        prune(dir, code.len() as u64);
    }
    // The sum first: a `.cwasm` without its sum, or with an old one, is compiled anew.
    write(&path.with_extension("sha256"), hex(&Sha256::digest(code)).as_bytes())?;
    write(path, code)
}

fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let temporary = path.with_extension(format!("{}.tmp", std::process::id()));
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&temporary, path)
}

/// Makes room: drops the files used longest ago, until the rest and `coming` fit.
fn prune(dir: &Path, coming: u64) {
    let Ok(entries) = fs::read_dir(dir) else {
        return;
    };
    let mut files: Vec<(SystemTime, u64, PathBuf)> = entries
        .filter_map(Result::ok)
        .filter(|entry| entry.path().extension().is_some_and(|extension| extension == "cwasm" || extension == "tmp"))
        .filter_map(|entry| {
            let metadata = entry.metadata().ok()?;
            Some((metadata.modified().ok()?, metadata.len(), entry.path()))
        })
        .collect();
    files.sort();
    let mut total: u64 = coming + files.iter().map(|(_, bytes, _)| bytes).sum::<u64>();
    for (_, bytes, path) in files {
        if total <= MAX_CACHE {
            return;
        }
        // Mapped code lives on without its name.
        let _best_effort = (fs::remove_file(&path), fs::remove_file(path.with_extension("sha256")));
        total = total.saturating_sub(bytes);
    }
}

/// Makes the directory, or checks that it is nobody else's.
pub(crate) fn prepare_dir(dir: &Path) -> Result<(), RuntimeError> {
    let fail = |reason: String| RuntimeError::CacheDir { path: dir.display().to_string(), reason };
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(|error| fail(error.to_string()))?;
    let metadata = fs::metadata(dir).map_err(|error| fail(error.to_string()))?;
    if metadata.permissions().mode() & 0o022 != 0 {
        return Err(fail("others may write to it, and it holds native code; `chmod 700` it".into()));
    }
    Ok(())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Engine, EngineOptions};

    fn engine(dir: &Path) -> Engine {
        Engine::new(EngineOptions {
            memory_budget: 64 << 20,
            max_memory: 64 << 20,
            cache_dir: Some(dir.join("code")),
            workers: 1,
        })
        .unwrap()
    }

    #[test]
    fn compiled_code_is_kept_and_a_damaged_file_is_compiled_anew() {
        let dir = tempfile::tempdir().unwrap();
        let wasm = wat::parse_str("(component (core module (func (export \"f\") (result i32) i32.const 7)))").unwrap();
        let engine = engine(dir.path());
        assert!(!load_or_compile(&engine.shared, &wasm).unwrap().cached);
        assert!(load_or_compile(&engine.shared, &wasm).unwrap().cached);

        let path = path_of(&dir.path().join("code"), &engine.shared, &wasm);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let whole = fs::read(&path).unwrap();
        let mut flipped = whole.clone();
        flipped[whole.len() / 2] ^= 1;
        for damaged in [&flipped[..], &whole[..whole.len() / 2], &[]] {
            fs::write(&path, damaged).unwrap();
            assert!(!load_or_compile(&engine.shared, &wasm).unwrap().cached);
            assert!(load_or_compile(&engine.shared, &wasm).unwrap().cached);
        }
    }

    #[test]
    fn a_directory_that_others_may_write_to_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let open = dir.path().join("open");
        fs::create_dir(&open).unwrap();
        fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
        assert!(matches!(prepare_dir(&open), Err(RuntimeError::CacheDir { .. })));
        let fresh = dir.path().join("a/b");
        prepare_dir(&fresh).unwrap();
        assert_eq!(fs::metadata(&fresh).unwrap().permissions().mode() & 0o777, 0o700);
    }
}
