#!/bin/bash
# keyless_kill.sh - kdp run --keyless and kdp run in turn on one folder, each killed at a random moment while trades go on, also in
# bursts of more than a page: in the end every trade of the simulator's own list since the first run is there, and none twice.
. "$(dirname "$0")/lib.sh"
"$KDP" __complete '' | grep -qx sim || { echo 'SKIPPED: this build has no simulator'; exit 77; }
seed=${1:-7}
echo "seed $seed" # another one: as the argument
RANDOM=$seed
sim=0 plant=0
trap '[ $plant = 0 ] || kill -KILL $plant 2>/dev/null; [ $sim = 0 ] || kill $sim; rm -rf "$work"' EXIT
"$KDP" sim --dir sim --markets 100 --rate 400 --seed 5 >sim.out 2>&1 </dev/null &
sim=$!
for _ in $(seq 600); do
    [ ! -s sim/sim.env ] || break
    kill -0 $sim 2>/dev/null || { cat sim.out; exit 1; }
    sleep 0.05
done
grep -vE 'API_KEY|PRIVATE_KEY' sim/sim.env >nokey.env
tell() { "$KDP" sim ctl --dir sim "$@" >/dev/null || wrong "the simulator refused: $*"; }
trades() { "$KDP" tap --data d --from oldest --to end --types trade --format json 2>/dev/null | sed 's/.*"trade_id":"\([^"]*\)".*/\1/' | sort; }
member() { printf '%s' "$out" | grep -o "\"$1\":[^,}]*" | head -n 1 | cut -d: -f2- | tr -d '"'; }

for round in 1 2 3 4; do
    way=(--keyless --env-file nokey.env)
    [ $((round % 3)) != 0 ] || way=(--env-file sim/sim.env)
    case $((RANDOM % 4)) in
    0) tell rest-cut count=3 ;;
    1) tell rest-error status=429 count=4 ;;
    2) tell rest-error status=503 seconds=0.2 path=/markets/trades ;;
    esac
    before=$(trades | wc -l)
    "$KDP" run "${way[@]}" --test-pace 5 --data d --no-lake >.out2 2>.err2 </dev/null &
    plant=$!
    for _ in $(seq 100); do # until it has read something
        [ "$(trades | wc -l)" -le "$before" ] || break
        sleep 0.05
    done
    tell tail count=$((300 + RANDOM % 1200))
    sleep 0.$((RANDOM % 4))
    kill -KILL $plant
    wait $plant 2>/dev/null
    plant=0
    [ $((RANDOM % 2)) = 0 ] || tell tail count=150 # that nobody sees
done
# the last one verifies all of them
kdp run --keyless --env-file nokey.env --test-pace 5 --seconds 4 --summary json --data d --no-lake; exits 0
to=$(printf '%s' "$out" | sed -n 's/.*"complete_to":"\([^"]*\)".*/\1/p')
[ -n "$to" ] || wrong 'the pauses are not verified'
[ "$(member lost)" = 0 ] || wrong 'something was lost'
from=$("$KDP" tap --data d --from oldest --to end --types state --format json 2>/dev/null | head -n 1 | sed 's/.*"recv_ts":"\([^"]*\)".*/\1/')
from=$(($(date -u -d "$from" +%s) + 1))000000000
tell trades "$work/truth.csv"
awk -F, -v from="$from" -v to="$(date -u -d "$to" +%s)000000000" 'NR > 1 && $7 >= from && $7 < to { print $1 }' truth.csv | sort >want
trades >have
[ "$(wc -l <want)" -ge 800 ] || wrong "the simulator made $(wc -l <want) trades only"
[ -z "$(uniq -d have)" ] || wrong "twice: $(uniq -d have | wc -l) trades"
[ -z "$(comm -23 want have)" ] || wrong "missing: $(comm -23 want have | wc -l) of $(wc -l <want) trades"
kdp tape verify d; exits 0
kill $sim; wait $sim; sim=0
done_testing
