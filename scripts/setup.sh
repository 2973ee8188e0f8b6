#!/usr/bin/env bash
# Finds what Covet needs on this machine and installs what is missing. Says what it did; a second run installs nothing.
#
#   scripts/setup.sh [build|test|bench|fuzz]... [--again]
#
# build (always included): a C compiler, Rust, and the guest target wasm32-wasip2. test, bench, fuzz: what those `make` goals need besides.
# --again: try the guest target through rustup once more, though it failed before.
# No service is ever started, stopped or configured. The list of needs is scripts/needs.txt; `covet doctor` reports the same facts.
# Exit: 0 everything needed is there; 1 something needed is missing and the text says how to get it; 2 wrong usage.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly MIN_RUST=1.95
readonly TARGET=wasm32-wasip2
readonly GUEST_PACKAGES="rustc-web cargo-web rust-web-src rust-web-llvm lld-22 wasi-libc"
readonly RECORD="${CARGO_TARGET_DIR:-target}/.covet-setup"

goals=" build "
again=no
for argument in "$@"; do
    case $argument in
        build) ;;
        test | bench | fuzz) goals+="$argument " ;;
        --again) again=yes ;;
        -h | --help) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0"; exit 0 ;;
        *) echo "setup: unknown goal \`$argument\`: build, test, bench, fuzz or --again" >&2; exit 2 ;;
    esac
done

say() { printf 'setup: %s\n' "$*"; }
missing=()
lacks() { missing+=("$1"); }

# ---------------------------------------------------------------------------------------------- Debian packages

# How this user may install packages: "" (root), "sudo -n", or "none".
privilege() {
    if ! command -v apt-get >/dev/null; then echo none
    elif [ "$(id -u)" = 0 ]; then echo ""
    elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then echo "sudo -n"
    else echo none; fi
}

apt_updated=no
# Installs packages without their recommendations, and keeps their services from starting.
# invoke-rc.d and deb-systemd-invoke both ask policy-rc.d; 101 means "forbidden". A policy that is already there stays.
install_packages() {
    local as policy=/usr/sbin/policy-rc.d ours=no status=0
    as=$(privilege)
    [ "$as" != none ] || return 1
    if [ $apt_updated = no ]; then
        say "apt-get update"
        $as apt-get update -qq </dev/null || say "apt-get update failed; trying with the lists that are there"
        apt_updated=yes
    fi
    say "installing $*"
    if [ ! -e $policy ]; then
        printf '#!/bin/sh\nexit 101\n' | $as tee $policy >/dev/null && $as chmod +x $policy && ours=yes
    fi
    # shellcheck disable=SC2086
    $as env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" </dev/null >"$RECORD.apt.log" 2>&1 || status=$?
    [ $ours = no ] || $as rm -f $policy
    if [ $status != 0 ]; then tail -n 15 "$RECORD.apt.log" >&2; fi
    return $status
}


# ---------------------------------------------------------------------------------------------- programs of needs.txt

# found "cc /usr/lib/*/x": succeeds when one of the programs is there.
found() {
    local program path
    set -f
    for program in $1; do
        case $program in
            /*) set +f; for path in $program; do [ -x "$path" ] && return 0; done; set -f ;;
            *) if command -v "$program" >/dev/null 2>&1; then set +f; return 0; fi ;;
        esac
    done
    set +f
    return 1
}

# "cargo:CRATE" by cargo, all else by apt.
bring() {
    case $1 in
        cargo:*) say "cargo install ${1#cargo:}"; cargo install --quiet --locked "${1#cargo:}" </dev/null ;;
        # shellcheck disable=SC2086
        *) install_packages $1 ;;
    esac
}
how() {
    case $1 in
        cargo:*) echo "cargo install --locked ${1#cargo:}" ;;
        *) echo "as root: apt-get install --no-install-recommends $1" ;;
    esac
}

programs() {
    local name for programs packages why
    while IFS='|' read -r name for programs packages why; do
        case $name in '' | '#'*) continue ;; esac
        name=$(trim "$name") for=$(trim "$for") programs=$(trim "$programs") packages=$(trim "$packages") why=$(trim "$why")
        [[ $goals == *" ${for%\?} "* ]] || continue
        found "$programs" && continue
        if [ -n "$packages" ] && [ "${for%\?}" = "$for" ] && bring "$packages" && found "$programs"; then
            say "$name: installed ($packages)"
        elif [ "${for%\?}" != "$for" ]; then
            say "$name: not here, and not needed: $why"
        else
            lacks "$name ($why)${packages:+: $(how "$packages")}"
        fi
    done <scripts/needs.txt
}
trim() { local s=$1; s=${s#"${s%%[![:space:]]*}"}; printf '%s' "${s%"${s##*[![:space:]]}"}"; }

# ---------------------------------------------------------------------------------------------- Rust

# at_least 1.96.0 1.95
at_least() { [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n1)" = "$2" ]; }

host_toolchain() {
    local version
    if ! command -v cargo >/dev/null && [ -x "$HOME/.cargo/bin/cargo" ]; then PATH="$HOME/.cargo/bin:$PATH"; fi
    # Debian's Rust for the guest target builds the host as well, where it is new enough.
    # shellcheck disable=SC2086
    if ! command -v cargo >/dev/null && [ "$(privilege)" != none ] && install_packages $GUEST_PACKAGES; then
        say "Rust: installed from Debian's packages"
    fi
    if ! command -v cargo >/dev/null; then
        lacks "Rust $MIN_RUST or newer: install rustup from https://rustup.rs, then open a new shell"
        return
    fi
    version=$(rustc --version 2>/dev/null | awk '{print $2}') || true
    if ! at_least "${version:-0}" $MIN_RUST; then
        lacks "Rust $MIN_RUST or newer (here: ${version:-none that runs}): rustup update stable"
    fi
}

# The same two rules as host/cli/src/toolchain.rs.
rustup_target() { local lib; lib=$(rustc --print target-libdir --target $TARGET 2>/dev/null) && compgen -G "$lib/libstd-*.rlib" >/dev/null; }
debian_target() {
    [ -x /usr/bin/cargo ] && [ -x /usr/bin/rustc ] && at_least "$(/usr/bin/rustc --version | awk '{print $2}')" $MIN_RUST \
        && [ -d /usr/lib/rustlib/src/rust/library/std ] && [ -f /usr/lib/wasm32-wasi/libc.a ] \
        && compgen -G '/usr/lib/rustlib/*/bin/wasm-component-ld' >/dev/null
}

guest_target() {
    if rustup_target; then guest=rustup; return; fi
    if command -v rustup >/dev/null && { [ $again = yes ] || ! grep -qs '^rustup=failed' "$RECORD"; }; then
        say "rustup target add $TARGET"
        if timeout 180 rustup target add $TARGET </dev/null >"$RECORD.rustup.log" 2>&1 && rustup_target; then
            say "guest target: $TARGET installed by rustup"
            guest=rustup
            return
        fi
        say "rustup could not bring $TARGET (remembered; --again retries): $(tail -n 1 "$RECORD.rustup.log")"
        rustup_outcome=failed
    elif grep -qs '^rustup=failed' "$RECORD"; then
        rustup_outcome=failed
    fi
    if debian_target; then guest=debian; return; fi
    # shellcheck disable=SC2086
    if [ "$(privilege)" != none ] && install_packages $GUEST_PACKAGES && debian_target; then
        say "guest target: $TARGET from Debian's packages"
        guest=debian
        return
    fi
    lacks "guest target $TARGET: rustup target add $TARGET; or on Debian, as root: apt-get install --no-install-recommends $GUEST_PACKAGES"
}

# ---------------------------------------------------------------------------------------------- all of it

mkdir -p "$(dirname "$RECORD")"
guest=missing
rustup_outcome=untried
host_toolchain
programs
if command -v rustc >/dev/null || [ -x /usr/bin/rustc ]; then guest_target; fi
printf 'guest=%s\nrustup=%s\n' $guest $rustup_outcome >"$RECORD"

if [ ${#missing[@]} -gt 0 ]; then
    printf 'setup: missing: %s\n' "${missing[@]}" >&2
    exit 1
fi
say "ready for:$goals(guest target by $guest)"
