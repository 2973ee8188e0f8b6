#!/usr/bin/env bash
# `make fuzz [ONLY=target]`: every cargo-fuzz target under host/ and tests/, a minute each (SECONDS_EACH=n for longer).
# Exit: 0 nothing found; else the first target that crashed, with the input that did it.
set -euo pipefail
cd "$(dirname "$0")/.."
PATH="$PATH:$HOME/.cargo/bin"

scripts/setup.sh fuzz
# libFuzzer needs unstable flags: a nightly Rust, or the stable one told to take them.
cargo=(cargo)
if rustc +nightly --version >/dev/null 2>&1; then cargo=(cargo +nightly); else export RUSTC_BOOTSTRAP=1; fi
count=0
while read -r manifest; do
    directory=$(dirname "$manifest")
    for target in $(cd "$directory" && "${cargo[@]}" fuzz list --fuzz-dir .); do
        [ $# = 0 ] || [ "$1" = "$target" ] || continue
        echo "fuzz: $directory $target, ${SECONDS_EACH:-60} s"
        (cd "$directory" && "${cargo[@]}" fuzz run --fuzz-dir . "$target" -- -max_total_time="${SECONDS_EACH:-60}" -print_final_stats=1)
        count=$((count + 1))
    done
done < <(find . -path ./target -prune -o -path '*/fuzz/Cargo.toml' -print | sort)
echo "fuzz: $count targets, nothing found"
