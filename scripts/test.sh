#!/usr/bin/env bash
# `make test`: every test of the workspace. Arguments go to the test runner, as in `make test ARGS=router`.
set -euo pipefail
cd "$(dirname "$0")/.."
PATH="$PATH:$HOME/.cargo/bin"
# Tests measure and compare what users get: no backtrace of the host's own panics unless asked for.
unset RUST_BACKTRACE

scripts/setup.sh test
if command -v cargo-nextest >/dev/null; then
    # One build for all: `covet` itself is among it, and the end-to-end tests find it beside them.
    cargo nextest run --workspace --no-tests warn "$@"
else
    cargo test --workspace --lib --bins --tests --no-fail-fast "$@"
fi
[ $# -gt 0 ] || cargo test --workspace --doc
