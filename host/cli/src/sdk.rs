//! Where new plugins find the SDK: in the checkout that this binary was built from, or where the author says.
//!
//! Never on a registry: the name `covet` there belongs to someone else's crate.

use std::path::{Path, PathBuf};

use crate::outcome::{Failure, Result};

/// `guest-sdk` of the checkout that this binary comes from, when it is still there.
pub fn checkout() -> Option<PathBuf> {
    real(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../guest-sdk")))
}

/// The SDK that a new plugin depends on.
///
/// # Errors
/// `no-sdk` when `chosen` is none, or there is neither a choice nor a checkout.
pub fn find(chosen: Option<&Path>) -> Result<PathBuf> {
    let (found, looked) = match chosen {
        Some(path) => (real(path), format!("{} holds no Cargo.toml", path.display())),
        None => (checkout(), "the checkout that this `covet` was built from is gone".to_owned()),
    };
    found.ok_or_else(|| {
        Failure::failed("no-sdk", looked).hint("name the directory guest-sdk of a checkout of Covet: --sdk DIR")
    })
}

fn real(sdk: &Path) -> Option<PathBuf> {
    let sdk = sdk.canonicalize().ok()?;
    sdk.join("Cargo.toml").is_file().then_some(sdk)
}
