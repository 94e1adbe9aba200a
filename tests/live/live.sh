#!/bin/bash
# live.sh PROGRAM [OPTIONS] - a Python program of this folder, with the packages of tests/requirements.txt; $KDP is the program
# under test.
set -u
: "${KDP:?the path of kdp}"
here=$(cd "$(dirname "$0")" && pwd)
python=
for candidate in "$here/../../build/venv/bin/python3" python3; do
    if "$candidate" -c 'import websockets.asyncio.server, cryptography' 2>/dev/null; then
        python=$candidate
        break
    fi
done
[ -n "$python" ] || { echo 'SKIPPED: no python3 with websockets and cryptography; ./test brings them'; exit 77; }
command -v openssl >/dev/null || { echo 'SKIPPED: no openssl'; exit 77; }
program=$1
shift
exec "$python" -B "$here/$program" "$@"
