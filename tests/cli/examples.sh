#!/bin/bash
# The examples at the end of every help page, and the README's commands, are run in a folder with a recording; those that
# read also find a data folder.
. "$(dirname "$0")/lib.sh"

has() { "$KDP" __complete '' | grep -qx "$1"; }
mkdir -p "$work/bin" with without
ln -s "$KDP" "$work/bin/kdp"
export PATH=$work/bin:$PATH
if has gen && has replay; then
    "$KDP" gen --markets 40 --frames 6000 --seed 7 --output without/session.jsonl 2>gen.err || { cat gen.err; exit 1; }
    cp without/session.jsonl with/
    (cd with && "$KDP" replay --input session.jsonl >replay.out 2>&1) || { cat with/replay.out; exit 1; }
    # tickers in help are real ones; the session's are made up, so the busiest of them takes their place
    ticker=$(tr -d '\\' <without/session.jsonl | grep -o '"market_ticker":"[^"]*"' | sort | uniq -c | sort -rn | sed -n '1s/.*:"\(.*\)"/\1/p')
    [ -n "$ticker" ] || wrong 'the session names no market'
fi
group_of() { # COMMAND: the label of its line in kdp -h
    "$KDP" -h | awk -v c="$1" '/^[a-z]/ { g = $1 } { for (i = 1; i <= NF; i++) if ($i == c && !(i == 1 && /^[a-z]/)) { print g; exit } }'
}
count=0
run_examples() { # FOLDER, then lines of commands
    local folder=$1 line
    while IFS= read -r line; do
        [ -n "$line" ] || continue
        [ -z "${ticker-}" ] || line=$(printf '%s' "$line" | sed "s/\bKX[A-Z0-9]*-[A-Z0-9.-]*/$ticker/g")
        count=$((count + 1)) code=0 last=$line
        (cd "$folder" && timeout 100 bash -o pipefail -c "$line") >"$work/.out" 2>"$work/.err" </dev/null || code=$?
        [ "$code" = 0 ] || wrong "an example of the help fails in $folder/"
        [ -s "$work/.out" ] || wrong 'an example of the help answers nothing'
    done
}
# what asks, and a live run, need an exchange
sim=0
trap '[ $sim = 0 ] || kill $sim; rm -rf "$work"' EXIT
if has sim && has run; then
    "$KDP" sim --dir sim --markets 40 --rate 400 >sim.out 2>&1 </dev/null &
    sim=$!
    for _ in $(seq 600); do
        [ ! -s sim/sim.env ] || break
        sleep 0.05
    done
    cp sim/sim.env with/.env # for what only asks
    cp sim/sim.env without/.env || { cat sim.out; wrong 'the simulator does not start'; }
fi
run_examples with < <("$KDP" -h | sed -n 's/^  \([^ ]\)/\1/p')
# the README's commands, as written, but for where the program is
run_examples with < <(sed -n 's/^    build\/kdp/kdp/p' "$source_dir/README.md")
for command in $("$KDP" __complete '' | grep -vx help); do
    [ "$command" != run ] || has sim || continue
    folder=with
    [ "$(group_of "$command")" != capture ] || folder=without
    run_examples "$folder" < <("$KDP" "$command" -h | sed -n 's/^  \([^ ]\)/\1/p')
done
[ $count -ge 10 ] || wrong "only $count examples were run"
done_testing
