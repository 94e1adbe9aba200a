# lib.sh - for tests of the command line: run kdp, look at what it printed.  Sourced; $KDP is the program.
# shellcheck shell=bash
set -u
: "${KDP:?the path of kdp}"
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source_dir=$(cd "$here/../.." && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/kdp-cli.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
# nothing of the person who runs the tests may reach kdp
for name in $(compgen -e | grep -E '^(KALSHI_|QUESTDB_|KDP_|LOG_LEVEL$|NO_COLOR$|COLUMNS$)'); do
    case $name in KDP_DUCKDB_LIB | KDP_BUILD) ;; *) unset "$name" ;; esac
done
export LC_ALL=C.UTF-8 TERM=xterm-256color

fails=0
wrong() {
    fails=$((fails + 1))
    printf 'WRONG: %s\n' "$*"
    printf '  last: %s\n  exit %s\n' "${last-}" "${code-}"
    [ ! -s "$work/.out" ] || head -n 20 "$work/.out" | sed 's/^/  out: /'
    [ ! -s "$work/.err" ] || head -n 20 "$work/.err" | sed 's/^/  err: /'
}

kdp() { # ARGS: runs kdp; sets code, out, err
    last="kdp $*"
    code=0
    "$KDP" "$@" >"$work/.out" 2>"$work/.err" </dev/null || code=$?
    out=$(cat "$work/.out") err=$(cat "$work/.err")
}

exits() { [ "$code" = "$1" ] || wrong "exit code is not $1"; }
says() { [[ $err == *"$1"* ]] || wrong "stderr lacks: $1"; }
prints() { [[ $out == *"$1"* ]] || wrong "stdout lacks: $1"; }
silent() { [ -z "$err" ] || wrong "stderr is not empty"; }
no_answer() { [ -z "$out" ] || wrong "stdout is not empty"; }

done_testing() {
    [ $fails = 0 ] || { printf '%d wrong\n' $fails; exit 1; }
    exit 0
}
