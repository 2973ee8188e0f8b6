#!/usr/bin/env bash
# `make run`: builds all, serves the blog on http://127.0.0.1:8000 with posts to look at, swaps in a new version on each save.
# Data lies under ./data and stays; safe to run again. PLUGIN=examples/hello serves another. Ctrl-C ends.
set -euo pipefail
cd "$(dirname "$0")/.."
PATH="$PATH:$HOME/.cargo/bin"

plugin=${PLUGIN:-examples/blog}
scripts/setup.sh build
cargo build --package covet-cli
# The example brings an operator's file of its own: addresses, database, seed content.
config=$plugin/covet.toml
if [ -f "$config" ]; then set -- --config "$config"; else set --; fi
exec "${CARGO_TARGET_DIR:-target}/debug/covet" dev "$plugin" "$@"
