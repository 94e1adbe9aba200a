#!/bin/bash
# kdp status: every state of exchange, key, plant and stores in words, in json and csv, and in the exit code.
. "$(dirname "$0")/lib.sh"
command -v python3 >/dev/null || { echo 'SKIPPED: no python3'; exit 77; }

server=0 slow=0 sim=0
trap 'for p in $server $slow $sim; do [ $p = 0 ] || kill -9 $p 2>/dev/null; done; rm -rf "$work"' EXIT
mkdir www
answer() { printf '%s\n%s' "$2" "$3" >"www/$1.new"; mv "www/$1.new" "www/$1"; } # NAME STATUS BODY
fact() { # PART NAME: its value, of the last json
    local object=${out#*\"$1\": \{}
    object=${object%%\}*}
    [[ $object =~ \"$2\":\ (\"[^\"]*\"|[^,]*) ]] && printf '%s' "${BASH_REMATCH[1]}"
}
is() { [ "$(fact "$1" "$2")" = "$3" ] || wrong "$1.$2 is $(fact "$1" "$2"), not $3"; }

echo 0 >www/offset
echo key-1 >www/id
python3 "$here/exchange.py" www >server.out 2>&1 &
server=$!
for _ in $(seq 200); do
    [ ! -e www/port ] || break
    sleep 0.05
done
port=$(cat www/port) || { cat server.out; exit 1; }
export KALSHI_BASE_URL=http://127.0.0.1:$port/x
open='"exchange_active":true,"trading_active":true,"exchange_estimated_resume_time":null'
shards='"exchange_index_statuses":[{"exchange_active":true,"trading_active":true},{"exchange_active":true,"trading_active":true}]'
day='[{"open_time":"00:00","close_time":"00:00"}]'
always="{\"schedule\":{\"maintenance_windows\":[],\"standard_hours\":[{\"monday\":$day,\"sunday\":$day}]}}"
answer status 200 "{$open,$shards}"
answer schedule 200 "$always"
answer limits 200 '{"usage_tier":"basic","read":{"refill_rate":200,"bucket_capacity":600}}'

# one that never answers is given five seconds, beside the rest of this test
mkdir silent
echo 0 >silent/offset
: >silent/status; : >silent/schedule; echo x >silent/id
python3 "$here/exchange.py" silent >silent.out 2>&1 &
slow=$!
disown $slow
for _ in $(seq 200); do
    [ ! -e silent/port ] || break
    sleep 0.05
done
began=$(date +%s)
("$KDP" status --base-url "http://127.0.0.1:$(cat silent/port)/x" >silent.out 2>&1; echo "exit $? after $(($(date +%s) - began))" >silent.end) &
waiting=$!

# ---- without a key, all well ----
kdp status; exits 0; silent
prints 'exchange   open         2 of 2 shards trade; answered in '
prints '; clock here right to 1 s'
prints 'key        not set up   KALSHI_API_KEY and KALSHI_PRIVATE_KEY_PATH are empty'
prints 'plant      not running  ./data'
prints 'stores     none yet     ./data is not there; kdp run makes it'
prints 'questdb    not set up   QUESTDB_RDB_HOST is empty'
grep -q limits www/log && wrong 'limits were asked for without a key'
grep -q signed www/log && wrong 'a request was signed without a key'
kdp status --format json; exits 0; silent
python3 -c 'import json, sys; json.load(sys.stdin)' <.out || wrong 'not JSON'
is exchange state '"open"'; is exchange shards_trading 2; is exchange clock_off_s 0.0; is exchange next_pause_start null
is key state '"not set up"'; is plant state '"not running"'; is stores state '"none yet"'
[[ $out == *'"exit": 0}' ]] || wrong 'json has no exit'
kdp status --format csv; exits 0
[ "$(head -n 1 .out)" = part,name,value ] || wrong 'csv has no heading'
prints 'exchange,state,open'
kdp status --format xml; exits 2; no_answer
kdp status extra; exits 2; no_answer

# ---- the next pause, in both times ----
start=$(date -u -d '+3 days' +%Y-%m-%d)
answer schedule 200 "{\"schedule\":{\"maintenance_windows\":[{\"start_datetime\":\"${start}T08:00:00Z\",\"end_datetime\":\"${start}T10:00:00Z\"}],\"standard_hours\":[]}}"
export TZ=XST-3
kdp status; exits 0
prints "           next pause   $(date -u -d "$start" '+%a %-d %b') 08:00 to 10:00 UTC (here 11:00 to 13:00 XST), maintenance"
export TZ=XST-20 # the day begins before ours
kdp status
prints "$(date -u -d "$start" '+%a %-d %b') 08:00 to 10:00 UTC (here $(date -u -d "$start + 1 day" '+%a %-d %b') 04:00 to 06:00 XST), maintenance"
unset TZ
kdp status --format json; is exchange next_pause_start "\"${start}T08:00:00Z\""; is exchange next_pause_kind '"maintenance"'
half='[{"open_time":"01:00","close_time":"00:00"}]'
answer schedule 200 "{\"schedule\":{\"standard_hours\":[{\"monday\":$half,\"tuesday\":$half,\"wednesday\":$half,\"thursday\":$half,\"friday\":$half,\"saturday\":$half,\"sunday\":$half}]}}"
kdp status --format json; is exchange next_pause_kind '"weekly"'
python3 -c 'import json, sys; p = json.load(sys.stdin)["exchange"]["pauses"]; sys.exit(not (8 <= len(p) <= 10 and all(x["kind"] == "weekly" for x in p)))' <.out ||
    wrong 'the pauses of a week are not listed'
kdp status; prints '           then         '; prints '           next pause   '; [[ $out =~ 'and '[45]' more: --format json' ]] || wrong 'the rest is not counted'

# ---- each maintenance window, in order, and what is further away than the standard hours are told ----
windows= months=$(date -u -d '+20 days' +%Y-%m-%d)
for day in "$start" "$months"; do
    windows+=${windows:+,}"{\"start_datetime\":\"${day}T08:00:00Z\",\"end_datetime\":\"${day}T10:30:00Z\"}"
done
answer schedule 200 "{\"schedule\":{\"maintenance_windows\":[$windows],\"standard_hours\":[]}}"
export TZ=XST-3
kdp status; exits 0
prints "           then         $(date -u -d "$months" '+%a %-d %b') 08:00 to 10:30 UTC (here 11:00 to 13:30 XST), maintenance"
kdp status --format json
[[ $out == *"\"pauses\": [{\"start\": \"${start}T08:00:00Z\", \"end\": \"${start}T10:30:00Z\", \"start_local\": \"${start}T11:00:00+03:00\", \"end_local\": \"${start}T13:30:00+03:00\", \"kind\": \"maintenance\"}, {\"start\": \"${months}T08"* ]] ||
    wrong 'the windows are not listed'
kdp status --format csv; prints "exchange,pauses.2.start_local,${months}T11:00:00+03:00"
unset TZ
many=
for i in $(seq 1 200); do
    many+=${many:+,}"{\"start_datetime\":\"$(printf '%sT%02d:%02d:00Z' "$start" $((i / 12)) $((i % 12 * 5)))\",\"end_datetime\":\"$(printf '%sT%02d:%02d:00Z' "$start" $((i / 12)) $((i % 12 * 5 + 2)))\"}"
done
answer schedule 200 "{\"schedule\":{\"maintenance_windows\":[$many],\"standard_hours\":[]}}"
kdp status --format json; exits 0 # an absurd schedule is no harm
python3 -c 'import json, sys; sys.exit(len(json.load(sys.stdin)["exchange"]["pauses"]) != 40)' <.out || wrong 'not 40 pauses'
answer schedule 200 "$always"

# ---- shards, each with its state ----
shard() { printf '{"exchange_index":%s,"description":"%s","exchange_active":%s,"trading_active":%s}' "$@"; }
answer status 200 "{$open,\"exchange_index_statuses\":[$(shard 0 Default true true),$(shard 1 Combos true true),$(shard 3 Sports true true)]}"
kdp status; exits 0
prints 'exchange   open         3 of 3 shards trade; '
prints '           trading      0 Default, 1 Combos, 3 Sports'
answer status 200 "{$open,\"exchange_index_statuses\":[$(shard 0 Default true true),$(shard 2 'Cry\u001bpto' true false),$(shard 3 Sports false false)]}"
kdp status; exits 1
prints 'exchange   partly open  1 of 3 shards trade; '
prints '           trading      0 Default'; prints '           no trading   2 Cry\x1bpto'; prints '           closed       3 Sports'
kdp status --format json; exits 1
[[ $out == *'"shard_states": [{"index": 0, "description": "Default", "state": "open", "exchange_active": true, "trading_active": true}, {"index": 2, '*'"state": "no trading", "exchange_active": true, "trading_active": false}, {"index": 3, "description": "Sports", "state": "closed", '* ]] ||
    wrong 'the shards are not listed'
kdp status --format csv; prints 'exchange,shard_states.3.description,Sports'; prints 'exchange,shard_states.3.state,closed'
answer status 200 "{$open}"
kdp status --format json; exits 0; is exchange shards 0; [[ $out == *'"shard_states": []'* ]] || wrong 'shards out of nothing'
answer status 200 "{$open,$shards}"

# ---- the exchange pauses: by its schedule, or not ----
now=$(date -u -d '-1 hour' +%Y-%m-%dT%H:%M:%SZ) later=$(date -u -d '+1 hour' +%Y-%m-%dT%H:%M:00Z)
pausing="{\"schedule\":{\"maintenance_windows\":[{\"start_datetime\":\"$now\",\"end_datetime\":\"$later\"}],\"standard_hours\":[]}}"
closed='"exchange_active":true,"trading_active":false,"exchange_estimated_resume_time":null'
answer schedule 200 "$pausing"
answer status 503 "{$closed}" # with the body of an answer
kdp status; exits 3
prints "exchange   paused       by its schedule until $(date -u -d "$later" '+%a %-d %b %H:%M') UTC"
answer status 503 "{\"exchange_active\":true,\"trading_active\":false,\"exchange_estimated_resume_time\":\"$later\",\"exchange_index_statuses\":[$(shard 0 Default true false)]}"
kdp status; exits 3
prints "until $(date -u -d "$later" '+%a %-d %b %H:%M') UTC; expected back $(date -u -d "$later" '+%a %-d %b %H:%M') UTC"
prints '           no trading   0 Default'
kdp status --format json; exits 3; is exchange estimated_resume "\"$later\""
answer status 503 "{$closed}"
kdp status --format json; exits 3; is exchange state '"paused"'; is exchange trading false; is exchange pause_end "\"$later\""
answer schedule 200 "$always"
kdp status; exits 1; prints 'exchange   no trading   not by its schedule; it does not say until when'
answer status 200 "{\"exchange_active\":false,\"trading_active\":false,\"exchange_estimated_resume_time\":\"$later\"}"
kdp status; exits 1; prints "exchange   closed       not by its schedule; expected back $(date -u -d "$later" '+%a %-d %b %H:%M') UTC"
answer status 200 "{\"exchange_active\":false,\"trading_active\":false,\"exchange_estimated_resume_time\":\"$now\"}"
kdp status; exits 1; prints "exchange   closed       not by its schedule; was expected back $(date -u -d "$now" '+%a %-d %b %H:%M') UTC"
answer status 200 "{$open,\"exchange_index_statuses\":[{\"trading_active\":true},{\"trading_active\":false}]}"
kdp status; exits 1; prints 'exchange   partly open  1 of 2 shards trade; '
answer status 500 '<html>'
kdp status; exits 1; prints 'exchange   not known    127.0.0.1 answered 500 to /exchange/status'
answer status 200 '{"code":"odd","message":"an \u001b[31modd\u001b day"}'
kdp status; exits 1; prints 'answered 200 "an \x1b[31modd\x1b day" to'
answer status 200 "{$open,$shards}"

# ---- the key ----
openssl genpkey -algorithm ed25519 -out ed.pem 2>/dev/null
openssl ecparam -name prime256v1 -genkey -noout -out ec.pem 2>/dev/null
key=(--api-key key-1 --private-key ed.pem)
kdp status "${key[@]}"; exits 0; prints 'key        accepted     Ed25519, basic tier, 200 tokens/s'
kdp status "${key[@]}" --format json; is key tier '"basic"'; is key tokens_per_s 200; is key kind '"Ed25519"'
kdp status --api-key other --private-key ed.pem; exits 1
prints 'key        refused      Ed25519: 127.0.0.1: 401 "invalid signature"'
prints '                        Do ID and file belong together, and to this environment (KALSHI_BASE_URL)?'
[[ $out$err != *other* ]] || wrong 'the key ID was printed'
rm www/limits
kdp status "${key[@]}"; exits 0; prints 'key        set up       Ed25519; not checked: 127.0.0.1 answered 404 "not found"'
answer limits 200 '{"usage_tier":"basic","read":{"refill_rate":200,"bucket_capacity":600}}'
kdp status --api-key key-1 --private-key ec.pem; exits 1
prints 'key        unusable     not a usable key: ec.pem: EC P-256 private key'
prints '                        The exchange takes RSA or Ed25519 private keys in PEM form'
kdp status --api-key key-1; exits 1; prints 'key        unusable     KALSHI_PRIVATE_KEY_PATH is empty'
kdp status --ws-auth-token abc; exits 0; prints 'key        token only   KALSHI_WS_AUTH_TOKEN (--ws-auth-token) is sent, but the exchange wants a signature'
[[ $out$err != *abc* ]] || wrong 'the token was printed'

# ---- this clock is wrong: said, and the key is tried with the exchange's time ----
echo 3600 >www/offset
kdp status "${key[@]}"; exits 1
[[ $out =~ 'clock        this clock is '('1 h 0 min'|'59 min 59 s')" behind the exchange's" ]] || wrong 'the clock is not told'
prints 'key        accepted     Ed25519'
echo -86400 >www/offset
kdp status "${key[@]}"; exits 1; prints "ahead of the exchange's"; prints 'key        accepted'
kdp status --format json; [ "$(fact exchange clock_off_s | cut -d. -f1)" = 86400 ] || [ "$(fact exchange clock_off_s | cut -d. -f1)" = 86399 ] || wrong 'clock_off_s'
echo 0 >www/offset

# ---- nobody there ----
kdp status --base-url "https://127.0.0.1:$port/x"; exits 1; prints 'exchange   no answer    TLS handshake failed: 127.0.0.1 does not speak TLS at that port'
mv www/status status.away
kdp status; exits 1; prints '127.0.0.1 answered 404'; prints "Is it the address of the exchange's API? See --base-url (KALSHI_BASE_URL)"
mv status.away www/status
kill $server; wait $server 2>/dev/null; server=0
kdp status; exits 1
prints "exchange   no answer    cannot connect: 127.0.0.1: connection refused (environment, KALSHI_BASE_URL)"
kdp status "${key[@]}"; exits 1; prints 'key        set up       Ed25519; not asked for, the exchange does not answer'
kdp status --base-url https://no-such-host.invalid/x; exits 1
[[ $out == *'no such host: no-such-host.invalid (--base-url'* || $out == *'no answer in time'* ]] || wrong 'a name that does not exist'
kdp status --base-url wss://a/x; exits 2

# ---- stores ----
unset KALSHI_BASE_URL
nobody=(--base-url http://127.0.0.1:9/x)
"$KDP" gen --markets 20 --seconds 120 --rate 150 --output s.jsonl --quiet && "$KDP" replay --input s.jsonl --data d --no-lake --quiet >/dev/null || wrong 'replay'
kdp status --data d "${nobody[@]}"
prints 'plant      not running  d'
prints 'stores     ok           tape '; prints ' free, '; prints ' a day, at most '; prints ' by age; no lake'
kdp status --data d "${nobody[@]}" --format json
bytes=$(cat d/tape/*.seg d/raw/*.raw | wc -c)
[ $(($(fact stores tape_bytes) + $(fact stores raw_bytes))) = "$bytes" ] || wrong "the tapes have $bytes bytes"
day=$(fact stores bytes_per_day)
[ "$day" -gt $((bytes * 700)) ] && [ "$day" -lt $((bytes * 740)) ] || wrong "$bytes bytes in two minutes are not $day a day"
is stores sealed_seq null; is stores days_until_full null
kdp status --data d "${nobody[@]}" --tape-quota 100M --format json
is stores limit_bytes 104857600; is stores quota true
days=$(fact stores days_until_full)
python3 -c "import sys; b, day, d = map(float, sys.argv[1:]); sys.exit(abs((104857600 - b) / day - d) > 0.01)" "$bytes" "$day" "$days" || wrong "full in $days days"
kdp status --data d "${nobody[@]}" --tape-quota 100M; prints ' of 104.9 MB, '; prints ' a day: full in '
kdp status --data d "${nobody[@]}" --tape-quota 100M --tape-keep 60s --raw-keep 60s; prints ' a day, and as much goes by age'
kdp status --data d "${nobody[@]}" --tape-quota $((bytes / 2 + 1048576))
[ "$bytes" -gt 2200000 ] || wrong "the tapes have only $bytes bytes"; prints 'stores     full'; prints 'A larger --tape-quota, or a shorter --tape-keep'
kdp status --data d "${nobody[@]}" --tape-quota $((bytes + bytes / 200)) # where a plant with a quota stays: all is well
prints 'stores     ok           tape '; prints ', at its quota: the oldest goes; '
kdp status --data d "${nobody[@]}" --ca-file s.jsonl; exits 1; prints 's.jsonl: not in PEM form'; prints '--ca-file (KALSHI_CA_FILE)'
if "$KDP" seal --data d --quiet >/dev/null 2>&1; then
    kdp status --data d "${nobody[@]}"; prints '; lake complete'
    kdp status --data d "${nobody[@]}" --format json; is stores lake_behind_s 0.000; is stores sealed_seq "$(fact stores last_seq)"
else
    echo 'not looked at: a lake (no libduckdb.so)'
fi
dd if=/dev/urandom of=d/tape/00000001.seg bs=1 seek=64 count=16 conv=notrunc 2>/dev/null || { chmod u+w d/tape/00000001.seg; dd if=/dev/urandom of=d/tape/00000001.seg bs=1 seek=64 count=16 conv=notrunc 2>/dev/null; }
kdp status --data d "${nobody[@]}"; exits 1
kdp status --data d "${nobody[@]}" --questdb-rdb-host h; prints 'questdb    not used     QUESTDB_RDB_HOST is set'

# ---- a plant: live, then dead ----
if "$KDP" __complete '' | grep -qx sim; then
    "$KDP" sim --dir sim --markets 20 --rate 200 >sim.out 2>&1 </dev/null &
    sim=$!
    for _ in $(seq 600); do
        [ ! -s sim/sim.env ] || break
        sleep 0.05
    done
    "$KDP" run --env-file sim/sim.env --data r --no-lake >run.out 2>&1 </dev/null &
    plant=$!
    for _ in $(seq 200); do
        kdp status --env-file sim/sim.env --data r
        [ "$code" != 0 ] || [[ $out != *'plant      live '* ]] || [[ $out == *'p99 not'* ]] || break
        sleep 0.1
    done
    exits 0
    prints "plant      live         r, pid $plant, up "; [[ $out =~ simulated,\ ([0-9]+)\ of\ ([0-9]+)\ books\ live ]] && [ "${BASH_REMATCH[1]}" = "${BASH_REMATCH[2]}" ] && [ "${BASH_REMATCH[1]}" -ge 15 ] ||
        wrong 'not all books are live' # a market or two may close meanwhile
    prints 'key        accepted     RSA 2048, '
    kdp status --env-file sim/sim.env --data r --format json
    is plant state '"live"'; is plant pid "$plant"; is plant books_live "$(fact plant books_planned)"; is plant lines_up 2; is plant lost 0; is plant simulated true
    [ "$(fact plant frames)" -gt 0 ] || wrong 'no frames counted'
    kill -9 "$plant"; wait "$plant" 2>/dev/null
    kdp status --env-file sim/sim.env --data r; exits 1
    prints "plant      dead         r, pid $plant of "; prints ' was killed; the next kdp run takes over what it left'
    kill "$sim"; wait "$sim" 2>/dev/null; sim=0
    "$KDP" replay --input s.jsonl --data r --append --no-lake --quiet >/dev/null 2>&1 # gives the ring of the killed one back
fi

wait $waiting
out=$(cat silent.out) err='' code=$(sed -n 's/exit \([0-9]*\) .*/\1/p' silent.end) last='kdp status of a silent exchange'
exits 1; prints 'exchange   no answer    no answer in time: 127.0.0.1: waited 5 s'
[ "$(sed 's/.* //' silent.end)" -le 8 ] || wrong "it took $(sed 's/.* //' silent.end) s"
done_testing
