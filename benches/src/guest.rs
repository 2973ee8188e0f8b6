//! The plugins that are deployed: built from source, and marked so that two copies of one are two programs.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use anyhow::{Context, Result, bail};

use crate::host::binary;
use crate::process::command;

/// The text in the bench plugin's data that `/marker` answers; [`marked`] writes over its tail.
const MARKER: &[u8] = b"covet-bench-marker-00000000";

static PLUGIN: OnceLock<Vec<u8>> = OnceLock::new();
static HELLO: OnceLock<Vec<u8>> = OnceLock::new();

/// `tests/plugins/bench`, built once a run.
pub fn plugin() -> Result<&'static [u8]> {
    if let Some(bytes) = PLUGIN.get() {
        return Ok(bytes);
    }
    let path = match std::env::var_os("COVET_BENCH_PLUGIN") {
        Some(path) => PathBuf::from(path),
        None => build(&crate::root().join("tests/plugins/bench"))?,
    };
    let bytes = std::fs::read(&path).with_context(|| format!("read {}", path.display()))?;
    Ok(PLUGIN.get_or_init(|| bytes))
}

/// `examples/hello`, built once a run: the smallest plugin there is.
pub fn hello() -> Result<&'static [u8]> {
    if let Some(bytes) = HELLO.get() {
        return Ok(bytes);
    }
    let path = build(&crate::root().join("examples/hello"))?;
    let bytes = std::fs::read(&path).with_context(|| format!("read {}", path.display()))?;
    Ok(HELLO.get_or_init(|| bytes))
}

/// A copy with a custom section more: the same program under another digest, so that it is compiled and kept on its own.
pub fn with_note(wasm: &[u8], note: &str) -> Vec<u8> {
    const NAME: &[u8] = b"bench";
    let mut copy = wasm.to_vec();
    let payload = [&[NAME.len() as u8], NAME, note.as_bytes()].concat();
    // Section 0, length as LEB128 (one byte: notes are short), then name and content.
    copy.extend([0, payload.len().min(127) as u8]);
    copy.extend(&payload[..payload.len().min(127)]);
    copy
}

/// Builds the plugin in `directory` with `covet build` and returns the component's path.
fn build(directory: &Path) -> Result<PathBuf> {
    let output = command(binary()?)
        .args(["build", "--json"])
        .current_dir(directory)
        .output()
        .with_context(|| format!("covet build in {}", directory.display()))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        bail!("covet build in {}:\n{text}{}", directory.display(), String::from_utf8_lossy(&output.stderr));
    }
    let path = text
        .lines()
        .rev()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .find_map(|json| ["artifact", "path", "wasm"].iter().find_map(|key| json.get(key)?.as_str().map(PathBuf::from)))
        .with_context(|| format!("covet build --json names no artifact:\n{text}"))?;
    Ok(directory.join(path))
}

/// A copy whose `/marker` answers `number`: other bytes, another digest, another compilation.
pub fn marked(wasm: &[u8], number: u32) -> Result<Vec<u8>> {
    let at = wasm.windows(MARKER.len()).position(|w| w == MARKER).context("the plugin holds no marker")?;
    let mut copy = wasm.to_vec();
    let digits = format!("{number:08}");
    copy[at + MARKER.len() - 8..at + MARKER.len()].copy_from_slice(digits.as_bytes());
    Ok(copy)
}

/// What `/marker` answers for a copy made by [`marked`].
pub fn marker(number: u32) -> String {
    format!("covet-bench-marker-{number:08}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marked_copy_differs_in_its_marker_only() {
        let wasm = [b"head ".as_slice(), MARKER, b" tail"].concat();
        let copy = marked(&wasm, 42).unwrap();
        assert_eq!(copy.len(), wasm.len());
        assert_eq!(String::from_utf8(copy).unwrap(), format!("head {} tail", marker(42)));
        assert!(marked(b"nothing", 1).is_err());
    }
}
