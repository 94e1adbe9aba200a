#!/bin/bash
# stdout that cannot be written is an error, a reader that has enough is none; colours, quiet, widths.
. "$(dirname "$0")/lib.sh"

code=0; "$KDP" config --all >/dev/full 2>"$work/.err" || code=$?
last='kdp config --all >/dev/full'; err=$(cat "$work/.err"); out=
exits 1; says 'kdp: error: cannot write the output: no space left on device'
code=0; "$KDP" -h >/dev/full 2>"$work/.err" || code=$?
last='kdp -h >/dev/full'; err=$(cat "$work/.err"); exits 1; says 'no space left on device'

# a closed pipe: the reader got what it wanted
"$KDP" config --all 2>"$work/.err" | true
codes=("${PIPESTATUS[@]}"); code=${codes[0]} err=$(cat "$work/.err") last='kdp config --all | true'
exits 0; [[ $err != *error* ]] || wrong 'a closed pipe is called an error'
mkfifo pipe
( exec 3<pipe; exec 3<&-; : >closed ) &
exec 4>pipe
while [ ! -e closed ]; do sleep 0.01; done
code=0; "$KDP" config --all >&4 2>"$work/.err" || code=$?
exec 4>&-
err=$(cat "$work/.err") last='kdp config --all into a pipe without a reader'; exits 0
[[ $err != *error* ]] || wrong 'a closed pipe is called an error'

# closed stdout is an error too, not a silent success
code=0; "$KDP" config --all >&- 2>"$work/.err" || code=$?
last='kdp config --all >&-'; err=$(cat "$work/.err"); exits 1; says 'cannot write the output'

# --quiet: answers and errors only
kdp config --quiet; exits 0; silent
kdp config --quiet --format xml; exits 2; says 'is not a choice'

# no escape sequences into a pipe, whatever TERM says; NO_COLOR and --color never on a terminal are tested where colours are
for args in '-h' 'config --all' 'help config'; do
    # shellcheck disable=SC2086
    kdp $args
    [[ $out$err != *$'\033'* ]] || wrong 'an escape sequence in a pipe'
done
done_testing
