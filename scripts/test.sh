#!/usr/bin/env bash
# `make test`: every test of the workspace. Arguments go to the test runner, as in `make test ARGS=router`.
set -euo pipefail
cd "$(dirname "$0")/.."
PATH="$PATH:$HOME/.cargo/bin"
# Tests measure and compare what users get: no backtrace of the host's own panics unless asked for.
unset RUST_BACKTRACE

scripts/setup.sh test
# One build for all: `covet` itself is among it, and the end-to-end tests find it beside them.
if command -v cargo-nextest >/dev/null; then
    build=(cargo nextest run --workspace --no-run) run=(cargo nextest run --workspace --no-fail-fast)
else
    build=(cargo test --workspace --lib --bins --tests --no-run) run=(cargo test --workspace --lib --bins --tests --no-fail-fast)
fi
"${build[@]}"
# Plugins before tests: a test that has a minute must not spend it on building the SDK.
for manifest in examples/*/plugin.toml tests/plugins/*/plugin.toml; do
    "${CARGO_TARGET_DIR:-target}/debug/covet" build "$(dirname "$manifest")"
done
# One PostgreSQL, MariaDB and Redis for the whole run. Where only some tests run, those that need one start it themselves.
servers=()
[ $# -gt 0 ] || servers=("${CARGO_TARGET_DIR:-target}/debug/covet-test-servers" run)
"${servers[@]}" "${run[@]}" "$@"
[ $# -gt 0 ] || cargo test --workspace --doc
