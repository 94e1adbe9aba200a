#!/bin/sh
# fetch-duckdb.sh [DIR]: puts DuckDB's shared library into DIR (default build/lib), checked by its SHA-256.
#
# It comes from npm's official binding package, pinned by scripts/duckdb/package-lock.json (no addresses in it: the registry
# is the one npm is set up for).  Nothing of npm stays behind but its own cache.  A library that is already right is left
# alone, without npm and without a network, so that a second build works offline.  Without DuckDB kdp builds and captures;
# query, ohlc and the lake say what is missing.
set -eu

sha256=3f4962cdd266eab2b479a5b5a4a6d063d279b2954ae814ed00385d553b747633
here=$(cd "$(dirname "$0")" && pwd)
lib=${1:-$here/../build/lib}
name=libduckdb.so

is_right() {
    [ -f "$1" ] && [ "$(sha256sum "$1" | cut -d' ' -f1)" = "$sha256" ]
}

if is_right "$lib/$name"; then
    exit 0
fi
if [ "$(uname -sm)" != "Linux x86_64" ]; then
    echo "fetch-duckdb: no library is pinned for $(uname -sm); set KDP_DUCKDB_LIB to one of DuckDB 1.5" >&2
    exit 1
fi
if ! command -v npm >/dev/null 2>&1; then
    echo "fetch-duckdb: npm is not installed (apt-get install npm)" >&2
    exit 1
fi

work=$(mktemp -d "${TMPDIR:-/tmp}/kdp-duckdb.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
cp "$here/duckdb/package.json" "$here/duckdb/package-lock.json" "$work/"
# --ignore-scripts: a package's scripts have no business here; the library is a plain file in it.
if ! (cd "$work" && npm ci --ignore-scripts --no-audit --no-fund --no-update-notifier >npm.log 2>&1); then
    echo "fetch-duckdb: npm ci failed; its last lines:" >&2
    tail -n 20 "$work/npm.log" >&2
    exit 1
fi
got=$work/node_modules/@duckdb/node-bindings-linux-x64/$name
if ! is_right "$got"; then
    echo "fetch-duckdb: $name of the package has another SHA-256 than the one pinned here: not used" >&2
    exit 1
fi
mkdir -p "$lib"
# beside its place first, then renamed: a build or a query beside us never sees half a library
cp "$got" "$lib/.$name.$$"
chmod 755 "$lib/.$name.$$"
mv -f "$lib/.$name.$$" "$lib/$name"
