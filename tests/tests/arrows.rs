//! The arrows of the house run one way: `cli → server → runtime → {orm, cache} → db`.

#![allow(clippy::unwrap_used, reason = "a test speaks by failing")]

use std::process::Command;

/// Each room, and what must not stand below it.
const ABOVE: &[(&str, &[&str])] = &[
    ("covet-db", &["covet-orm", "covet-cache", "covet-runtime", "covet-server", "covet-cli", "wasmtime", "hyper"]),
    ("covet-cache", &["covet-orm", "covet-runtime", "covet-server", "covet-cli", "wasmtime", "hyper"]),
    ("covet-orm", &["covet-cache", "covet-runtime", "covet-server", "covet-cli", "wasmtime", "hyper"]),
    ("covet-runtime", &["covet-server", "covet-cli", "hyper"]),
    ("covet-server", &["covet-cli"]),
    ("covet", &["covet-db", "covet-orm", "covet-cache", "covet-runtime", "covet-server", "covet-cli", "wasmtime"]),
];

#[test]
fn nothing_below_imports_anything_above() {
    for (room, above) in ABOVE {
        let tree = Command::new(env!("CARGO"))
            .args(["tree", "--offline", "-p", room, "-e", "normal,build", "--prefix", "none", "--format", "{p}"])
            .current_dir(covet_tests::checkout())
            .output()
            .unwrap();
        assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
        let tree = String::from_utf8_lossy(&tree.stdout);
        for name in *above {
            let found = tree.lines().any(|line| line.split(' ').next() == Some(name));
            assert!(!found, "{room} depends on {name}, which is above it");
        }
    }
}
