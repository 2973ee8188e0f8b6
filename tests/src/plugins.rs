//! Plugins of this repository as `.wasm`, each built once a test run.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use covet_test::{Error, build};

/// The root of the repository.
pub fn checkout() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().unwrap_or(tests).to_owned()
}

/// `tests/plugins/NAME`, built.
pub fn plugin(name: &str) -> Result<PathBuf, Error> {
    wasm_of(&checkout().join("tests/plugins").join(name))
}

/// `examples/NAME`, built.
pub fn example(name: &str) -> Result<PathBuf, Error> {
    wasm_of(&checkout().join("examples").join(name))
}

/// The `.wasm` of the plugin in a directory. nextest runs each test in a process of its own: the first one builds, the others of
/// the same run wait for it and take what it built. Elsewhere once a process.
pub fn wasm_of(directory: &Path) -> Result<PathBuf, Error> {
    let Ok(run) = std::env::var("NEXTEST_RUN_ID") else { return build(directory) };
    let name = directory.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let marks = covet_test::binary()?.with_file_name("covet-tests");
    std::fs::create_dir_all(&marks).map_err(|error| broken(&marks, &error))?;
    let path = marks.join(format!("{name}.built"));
    let mut mark = File::options()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(&path)
        .map_err(|error| broken(&path, &error))?;
    mark.lock().map_err(|error| broken(&path, &error))?;
    let text = std::fs::read_to_string(&path).unwrap_or_default();
    if let Some((built_by, wasm)) = text.split_once('\n')
        && built_by == run
        && Path::new(wasm).is_file()
    {
        return Ok(wasm.into());
    }
    let wasm = build(directory)?;
    mark.set_len(0).and_then(|()| write!(mark, "{run}\n{}", wasm.display())).map_err(|error| broken(&path, &error))?;
    Ok(wasm)
}

fn broken(path: &Path, error: &std::io::Error) -> Error {
    Error::from(format!("{}: {error}", path.display()))
}
