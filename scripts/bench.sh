#!/usr/bin/env bash
# `make bench [ONLY=group]`: measures, prints a table, writes benches/results/GROUP.json. Needs a quiet machine.
set -euo pipefail
cd "$(dirname "$0")/.."
PATH="$PATH:$HOME/.cargo/bin"
# A backtrace on each guest trap costs 14 µs a fresh request.
unset RUST_BACKTRACE

scripts/setup.sh bench
cargo build --release --package covet-cli --package covet-bench
exec "${CARGO_TARGET_DIR:-target}/release/covet-bench" "$@"
