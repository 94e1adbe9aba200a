# scripts/lib.sh - what ./run and ./test share: packages, builds, words.  Sourced by bash; needs nothing but a bare Debian 12.
# shellcheck shell=bash

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd) || exit 1
logs=$root/build/log

# Debian packages.  A line is PACKAGE or PACKAGE:COMMAND; with a command, that command being there is enough, wherever it came
# from (npm from elsewhere conflicts with Debian's).
build_packages='gcc libc6-dev cmake ninja-build pkg-config ca-certificates libzstd-dev libxxhash-dev zlib1g-dev libssl-dev libcurl4-openssl-dev'
duckdb_packages='npm:npm'
test_packages='clang-14:clang-14 libclang-rt-14-dev libjansson-dev zstd:zstd python3:python3 python3-venv openssl:openssl'

say() { # WHAT WORDS: a line of conversation, unless --quiet
    [ "${quiet:-0}" = 1 ] || printf '%-10s %s\n' "$1" "$2" >&2
}

fail() { # WHAT [NEXT STEP]
    printf 'kdp: error: %s\n' "$1" >&2
    [ $# -lt 2 ] || printf '  %s\n' "$2" >&2
    exit 1
}

now_ms() { # milliseconds, without date's help where bash can tell
    local t=${EPOCHREALTIME/[.,]/}
    printf '%s' "${t%???}"
}

seconds_since() { # MS: "1.9"
    local ms=$(($(now_ms) - $1))
    printf '%d.%d' $((ms / 1000)) $((ms % 1000 / 100))
}

# Runs a command with its output in a file; only when it fails are the file's name and last lines shown.
logged() { # NAME WHAT COMMAND...
    local file=$logs/$1.log what=$2 rc=0
    shift 2
    mkdir -p "$logs" || fail "cannot make a folder: $logs"
    "$@" >"$file" 2>&1 </dev/null || rc=$?
    if [ $rc -ne 0 ]; then
        [ $rc -lt 128 ] || exit $rc # stopped by a signal: that is no failure to explain
        printf 'kdp: error: %s failed: exit %d; the last lines of %s:\n' "$what" $rc "${file#"$root"/}" >&2
        tail -n 20 "$file" | sed 's/^/  /' >&2
        exit 1
    fi
}

installed() { # PACKAGE[:COMMAND]
    case $1 in
    *:*) command -v "${1#*:}" >/dev/null 2>&1 && return 0 ;;
    esac
    [ "$(dpkg-query -W -f '${db:Status-Status}' "${1%%:*}" 2>/dev/null)" = installed ]
}

# Installs what is missing of the packages named, in one call; says nothing to apt when nothing is missing.
# Sets $packages_words to what happened.
ensure_packages() { # PACKAGE[:COMMAND]...
    local missing=() entry sudo=() brought
    for entry in "$@"; do
        installed "$entry" || missing+=("${entry%%:*}")
    done
    packages_words='packages present'
    [ ${#missing[@]} -gt 0 ] || return 0
    command -v apt-get >/dev/null 2>&1 ||
        fail "missing: ${missing[*]}" "This is not Debian: install what these packages bring, then try again"
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null ||
            fail "packages are missing, and only root can install them" "su -c 'apt-get install -y ${missing[*]}'"
        sudo=(sudo -n)
    fi
    say packages "installing ${#missing[@]}: ${missing[*]}"
    logged apt-update 'apt-get update' "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get -o DPkg::Lock::Timeout=120 update
    logged apt-install 'apt-get install' "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get -o DPkg::Lock::Timeout=120 -o Dpkg::Use-Pty=0 install -y --no-install-recommends "${missing[@]}"
    brought=$(sed -n 's/^Need to get \([^/]*\/\)\{0,1\}\(.*\) of archives\.$/\2/p' "$logs/apt-install.log")
    packages_words="${#missing[@]} packages installed${brought:+ with what they need ($brought)}"
}

# The library behind SQL.  Without it everything but query, ohlc and the lake works, so its absence is a warning.
ensure_duckdb() {
    if [ ! -x "$root/scripts/fetch-duckdb.sh" ]; then
        return 0
    fi
    mkdir -p "$logs"
    if ! "$root/scripts/fetch-duckdb.sh" "$root/build/lib" >"$logs/duckdb.log" 2>&1; then
        printf 'kdp: warning: no DuckDB: %s\n' "$(grep -m 1 . "$logs/duckdb.log")" >&2
        printf '  SQL (query, ohlc, the lake) waits for it; the rest works. Details: build/log/duckdb.log\n' >&2
    fi
}

duckdb_needs() { # the packages for fetching DuckDB, none when the library is here
    [ -s "$root/build/lib/libduckdb.so" ] || printf '%s' "$duckdb_packages"
}

# The Python packages of the tests' own exchange and clients, in build/venv.  Made once for each tests/requirements.txt and then
# used without a look at the network; without them the tests that need them are skipped, visibly.
ensure_venv() {
    local venv=$root/build/venv want python
    want=$(cksum <"$root/tests/requirements.txt") || return 0
    [ "$(cat "$venv/made-from" 2>/dev/null)" != "$want" ] || return 0
    mkdir -p "$logs"
    # Debian's own python3 is the one that python3-venv belongs to
    for python in python3 /usr/bin/python3; do
        rm -rf "$venv"
        if { "$python" -m venv "$venv" && "$venv/bin/python3" -m pip install -q -r "$root/tests/requirements.txt"; } \
            >"$logs/venv.log" 2>&1 </dev/null; then
            printf '%s\n' "$want" >"$venv/made-from"
            return 0
        fi
    done
    printf 'kdp: warning: no Python packages for the tests of the live line: %s\n' "$(tail -n 1 "$logs/venv.log")" >&2
    printf '  Those tests are skipped. Details: build/log/venv.log\n' >&2
}

# The npm package that tests/interop talks to, in build/peers, pinned by its package-lock.json; likewise made once.
ensure_peers() {
    local peers=$root/build/peers want
    want=$(cksum <"$root/tests/interop/package-lock.json") || return 0
    [ "$(cat "$peers/made-from" 2>/dev/null)" != "$want" ] || return 0
    mkdir -p "$logs" "$peers"
    rm -f "$peers/made-from"
    cp "$root/tests/interop/package.json" "$root/tests/interop/package-lock.json" "$peers/"
    if (cd "$peers" && npm ci --fetch-retries=1 --ignore-scripts --no-audit --no-fund --no-update-notifier) >"$logs/peers.log" 2>&1 </dev/null; then
        printf '%s\n' "$want" >"$peers/made-from"
        return 0
    fi
    printf 'kdp: warning: no npm package for the tests of foreign WebSocket programs: %s\n' "$(tail -n 1 "$logs/peers.log")" >&2
    printf '  Those tests are skipped. Details: build/log/peers.log\n' >&2
}

peers_needs() { # the packages for fetching it
    [ -s "$root/build/peers/made-from" ] || printf '%s' "$duckdb_packages"
}

# Configures and builds one preset, or one target of it.
build_preset() { # PRESET [TARGET]
    cd "$root" || exit 1
    logged "cmake-$1" "configuring $1" cmake --preset "$1"
    logged "build-$1" "building $1" cmake --build --preset "$1" -j "$(nproc)" ${2:+--target "$2"}
}
