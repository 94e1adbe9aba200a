#!/bin/bash
# kdp market: asks for what is not here, keeps it, shows it offline; usage, unknown tickers, an exchange that is away.
. "$(dirname "$0")/lib.sh"
kdp query --data . 'SELECT 1'
[ $code = 0 ] || { echo "skipped: no libduckdb.so"; exit 77; }

sim_pid=
end_sim() { [ -z "$sim_pid" ] || kill -KILL "$sim_pid" 2>/dev/null; rm -rf "$work"; }
trap end_sim EXIT
"$KDP" sim --markets 40 --dir s >sim.out 2>sim.err </dev/null &
sim_pid=$!
for _ in $(seq 1000); do
    [ ! -s s/sim.env ] || break
    sleep 0.01
done
cp s/sim.env .env || { cat sim.err; exit 1; }
ticker=$("$KDP" sim ctl --dir s books | sed -n 's/^"\([^"]*\)":{"status":"active".*/\1/p' | sed -n 1p)
[ -n "$ticker" ] || wrong 'the simulator has no active market'

# not known here, and not to be asked for
kdp market --ticker "$ticker" --data d --no-fetch; exits 1; no_answer; says "no market $ticker in d"
# asked for, kept, shown
kdp market --ticker "$ticker" --data d; exits 0; says 'asked the exchange: '; says 'filed in d'
prints "$ticker"; prints 'rules      If '; prints 'ticks      0.0'; prints 'fees       '; prints ', of the series'; prints 'series     '
[ "$(printf '%s\n' "$out" | awk 'length($0) > 80' | wc -l)" = 0 ] || wrong 'a line is wider than 80 columns'
# the second time it is here
kdp market --ticker "$ticker" --data d; exits 0; prints 'asked over REST'
[[ $err != *asked* ]] || wrong 'it asks again for what it has'
# asked again, the same is no new version and no new text
count() { "$KDP" query --data d --format csv "SELECT (SELECT count(*) FROM market_terms) m, (SELECT count(*) FROM event_terms) e, (SELECT count(*) FROM series_terms) s, (SELECT count(*) FROM texts) t" 2>/dev/null | tail -n 1; }
before=$(count)
kdp market --ticker "$ticker" --data d --refresh; exits 0; says 'asked the exchange: '
[ "$(count)" = "$before" ] || wrong "the same terms again make rows: $before then $(count)"
[[ $before =~ ^1,1,1,[1-9]$ ]] || wrong "one market is not one row each: $before"
kdp market --ticker "$ticker" --data d --format json --no-fetch; exits 0; silent
printf '%s' "$out" | python3 -c 'import json, sys; m = json.load(sys.stdin); assert m["market"]["status"] == "active" and m["rules_primary"] and m["series"]["fee_type"], m' || wrong 'the json is not what it should be'
kdp market --ticker "$ticker" --data d --format csv --no-fetch; exits 0
printf '%s\n' "$out" | python3 -c 'import csv, sys; rows = list(csv.DictReader(sys.stdin)); assert len(rows) == 1 and rows[0]["status"] == "active" and rows[0]["valid_to"] == "" and rows[0]["rules_primary"], rows' || wrong 'csv is not a header and a row'
kdp market --ticker "$ticker" --data d --versions --no-fetch; exits 0; prints 'WHAT CHANGED'; prints 'initialized to active'
# before it was there
kdp market --ticker "$ticker" --data d --at 2021-01-01 --no-fetch; exits 1; no_answer; says 'was not there yet'; says '--at 20'

# the exchange words its rules anew: a version more, and what was in force before is still there
rules() { "$KDP" market --ticker "$ticker" --data d --no-fetch --format json "$@" 2>/dev/null | python3 -c 'import json, sys; m = json.load(sys.stdin); print(m["versions"], m["rules_primary"], m["rules_secondary"])'; }
old=$(rules) before=$(date -u +%Y-%m-%dT%H:%M:%S.%NZ)
"$KDP" sim ctl --dir s terms "$ticker" >/dev/null || wrong 'the simulator changes no terms'
[ "$(rules)" = "$old" ] || wrong 'it knows what it was not told'
kdp market --ticker "$ticker" --data d --refresh; exits 0; says 'asked the exchange'; prints 'changed    rules_'
new=$(rules) then=$(rules --at "$before")
[ "${new#* }" != "${old#* }" ] || wrong 'the new rules are not shown'
[ "${then#* }" = "${old#* }" ] || wrong "the old rules are not shown for a time before: $then"
[ "${new%% *}" = $((${old%% *} + 1)) ] || wrong "not one version more: $new after $old"

kdp market --ticker "${ticker}X" --data d; exits 1; says 'neither in d nor on the exchange'; says "Nearest: $ticker"
kdp market --ticker 'KX*' --data d; exits 2
kdp market --data d; exits 2
kdp market --ticker "$ticker" --data d --refresh --no-fetch; exits 2

# another process files history: a short wait, which is said, and it goes on when that has ended
exec 9>>d/history.lock
flock 9
"$KDP" market --ticker "$ticker" --data d --refresh >waited.out 2>waited.err </dev/null 9>&- &
waiting=$!
for _ in $(seq 800); do
    ! grep -q 'is being filled with history by another process' waited.err || break
    kill -0 $waiting 2>/dev/null || break
    sleep 0.01
done
exec 9>&-
wait $waiting; code=$? out=$(cat waited.out) err=$(cat waited.err) last='kdp market while history is filed'
exits 0; says 'is being filled with history by another process'; says 'asked the exchange'

# an exchange that is away: what is here is still answered
kill -KILL $sim_pid; wait $sim_pid 2>/dev/null; sim_pid=
kdp market --ticker "$ticker" --data d; exits 0; silent_but_versions=$err
[[ $silent_but_versions != *error* ]] || wrong 'it asked without need'
kdp market --ticker "$ticker" --data d --refresh --test-pace 1; exits 0; says 'warning: '; says 'Shown is what is here'; prints 'rules      '
kdp market --ticker "$ticker" --data other --test-pace 1; exits 1; no_answer; says 'error: '
done_testing
