#!/bin/bash
# kdp record: every form of message, mixed; lines that cannot be taken; going on after any end; nothing twice.
. "$(dirname "$0")/lib.sh"
command -v python3 >/dev/null || { echo 'python3 is missing'; exit 77; }
value() { printf '%s' "$out" | python3 -c "import json, sys; s = json.load(sys.stdin); m = {x['ticker']: x for x in s['markets']}; print($1)"; }
same() { [ "$1" = "$2" ] || wrong "got [$1], want [$2]"; }

# a recording in the exchange's form: what replay makes of it, to the hash
kdp gen --frames 30000 --markets 20 --faults gap,resync,dup,malformed=0.002 --output g.jsonl --quiet; exits 0
kdp replay --input g.jsonl --data replayed --no-lake --summary json; exits 0; want=$out
kdp record --feed-file g.jsonl --data whole --no-lake --summary json; exits 0; same "$out" "$want"
rejects=$(echo whole/rejects/record-*.jsonl)
same "$(wc -l <"$rejects")" "$(value "s['malformed']")"
says "are kept, with line and reason, in $rejects"
python3 -c "
import json
for line in open('$rejects', encoding='ascii'):
    r = json.loads(line)
    assert r['file'] == 'g.jsonl' and r['line'] > 0 and r['reason'] and 'text' in r" || wrong 'the side file'

# a second time: nothing; the grown file: the rest
kdp record --feed-file g.jsonl --data whole --no-lake; exits 0; says 'was recorded to its end'; says 'nothing new in it'
kdp tap --data whole --from oldest --to end --format csv; rows=$(wc -l <.out)
kdp record --feed-file g.jsonl --data whole --no-lake --quiet; exits 0; silent
kdp tap --data whole --from oldest --to end --format csv; same "$(wc -l <.out)" "$rows"
head -n 10000 g.jsonl >grown.jsonl
kdp record --feed-file grown.jsonl --data grown --no-lake --summary json; exits 0; first=$(value "s['frames']")
cp g.jsonl grown.jsonl
kdp record --feed-file grown.jsonl --data grown --no-lake --summary json; exits 0; says 'in a new run, since it had ended'
same "$(($(value "s['frames']") + first))" "$(printf '%s' "$want" | python3 -c 'import json, sys; print(json.load(sys.stdin)["frames"])')"

# killed and stopped at random moments: the same stream, the same side file, and the raw tape gives it again
for seed in 1 2 3; do
    rm -rf killed
    out=$(python3 "$here/record_kill.py" "$KDP" g.jsonl killed $seed 7 2>kill.err) || { wrong 'a killed run did not go on'; cat kill.err; }
    # a first process that died before its first input leaves a folder that is not called empty any more
    [[ $(cat kill.err) == *'nothing new in it'* ]] || [ "$out" = "$want" ] ||
        same "$out" "$(printf '%s' "$want" | sed 's/"stream_hash":"[0-9a-f]*"/"stream_hash":null/')"
    cmp -s "$rejects" killed/rejects/record-*.jsonl || wrong 'the side file of a killed run differs'
    kdp replay --input killed --data again --no-lake --quiet --summary json; exits 0
    same "$(value "s['stream_hash'], s['records']")" "$(out=$want; value "s['stream_hash'], s['records']")"
    rm -rf again
done
# another program in between: said, and no line twice
rm -rf between
timeout -s INT 0.15 "$KDP" record --feed-file g.jsonl --data between --no-lake --speed 1 >/dev/null 2>between.err
kdp gen --frames 100 --seed 3 --output other.jsonl --quiet
kdp replay --input other.jsonl --data between --append --no-lake --quiet; exits 0
kdp record --feed-file g.jsonl --data between --no-lake; exits 0
[ ! -s between.err ] || says 'another run came in between'

# all forms in one file; books as the messages say
cat >mixed.jsonl <<'LINES'
{"channel":"orderbook_snapshot","message":{"type":"orderbook_snapshot","ticker":"KXA","bids":[[0.66,100],[0.67,25.5]],"asks":[{"price":0.69,"size":50}],"seq":1,"timestamp":1737064760.5}}
{"channel":"orderbook_delta","message":{"type":"orderbook_delta","ticker":"KXA","side":"yes","price":0.68,"delta":500,"seq":2},"ts":"2025-01-16T21:59:21Z"}
{"channel":"trade","message":{"ticker":"KXA","price":0.68,"size":12.5,"taker_side":"yes","timestamp":"2025-01-16T21:59:22"}}
{"type":"orderbook_snapshot","sid":2,"seq":1,"msg":{"market_ticker":"KXB","yes":[[8,300],[22,333]],"no":[[54,20],[56,146]]}}
{"type":"orderbook_delta","sid":2,"seq":2,"msg":{"market_ticker":"KXB","price":23,"delta":40,"side":"yes"}}
{"type":"orderbook_delta","sid":2,"seq":3,"msg":{"market_ticker":"KXB","price_dollars":"0.5650","delta_fp":"3.25","side":"no"}}
{"recv_ns":1737064769000000000,"raw":"{\"type\":\"trade\",\"sid\":3,\"seq\":1,\"msg\":{\"market_ticker\":\"KXB\",\"yes_price\":36,\"no_price\":64,\"count\":136,\"taker_side\":\"no\",\"ts\":1737064769}}"}
{"type":"ticker","ticker":"KXA","last_price":0.68,"bid":0.68,"ask":0.69,"volume":1000,"timestamp":1737064770123}
{"type":"orderbook_delta","ticker":"KXA","side":"yes","price":0.68000001,"delta":5,"seq":3}
{"channel":"orderbook_delta","message":{"type":"orderbook_delta","ticker":"KXA","side":"no","price":0.30,"seq":4}}
this is no message
{"channel":"orderbook_delta","message":{"type":"orderbook_delta","ticker":"KXC","side":"yes","price":50
{"type":"ticker","sid":1,"msg":{"market_ticker":"KXB","price":25,"yes_bid":24,"yes_ask":25,"volume":196,"ts":1737064763}}
LINES
kdp record --feed-file mixed.jsonl --data mixed --no-lake --summary json; exits 0
same "$(value "s['frames'], s['malformed'], m['KXA']['yes_bid'], m['KXA']['yes_bid_size'], m['KXA']['yes_ask'], m['KXA']['bid_levels'], m['KXA']['trades']")" \
    "13 4 0.6800 500.00 0.6900 3 1"
same "$(value "m['KXB']['yes_bid'], m['KXB']['yes_bid_size'], m['KXB']['yes_ask'], m['KXB']['yes_ask_size'], m['KXB']['trades'], s['gaps']")" \
    "0.2300 40.00 0.4350 3.25 1 0"
python3 -c "
import json
want = {9: 'finer than 0.0001 dollar', 10: 'a member is missing', 11: None, 12: None}
got = {r['line']: r['reason'] for r in map(json.loads, open('$(echo mixed/rejects/*.jsonl)'))}
assert sorted(got) == sorted(want), got
assert all(w is None or w == got[line] for line, w in want.items()), got" || wrong 'the side file of the mixed file'
kdp tap --data mixed --from oldest --to end --types trade,ticker --format csv; exits 0
prints ',0.6800,yes,false,12.50,'; prints ',0.3600,no,false,136.00,'

# what comes later is said now; wrong wishes
kdp record --feed-file mixed.jsonl --data mixed2 --no-lake --questdb-host localhost --questdb-port 9000; exits 0; says 'QuestDB comes later'
kdp record --data x; exits 2; says 'feed-file'
kdp record --feed-file nowhere.jsonl --data x; exits 1; says 'nowhere.jsonl'
kdp record --feed-file mixed.jsonl --data x --speed fast; exits 2
[ ! -e x ] || wrong 'a refused wish made a folder'
code=0; "$KDP" record --feed-file - --data piped --no-lake --summary json <mixed.jsonl >.out 2>.err || code=$?; out=$(cat .out) err=$(cat .err); exits 0
same "$(value "s['frames']")" 13

# recordings of others, when they are here
captures=${KDP_CAPTURES:-$source_dir/../shared/captures}/ws
if [ -d "$captures" ] && command -v zstd >/dev/null; then
    kdp record --feed-file "$captures/old_format_ticker_2025-01-16.json" --data old --no-lake --summary json; exits 0
    same "$(value "s['by_type'], s['malformed'], len(m)")" "{'ticker': 302} 0 301"
    zstd -dcq "$captures"/as_recorded_kxbtc15m_20260515T023653Z/*.ndjson.zst >all.ndjson
    python3 -c "
import json
rows = [json.loads(line) for line in open('all.ndjson')]
rows.sort(key=lambda r: (r['local_recv_ns'], r['sequence_number'] or 0))
open('as.jsonl', 'w').writelines(json.dumps(r) + '\n' for r in rows)"
    kdp record --feed-file as.jsonl --data as --no-lake --summary json; exits 0
    same "$(value "s['malformed'], s['gaps'], s['by_type']['orderbook_delta'], s['by_type']['orderbook_snapshot'], list(m.values())[0]['state']")" \
        "0 0 $(grep -c '"event_type": "orderbook_delta"' as.jsonl) $(grep -c '"event_type": "orderbook_snapshot"' as.jsonl) live"
else
    echo 'SKIPPED: the recordings of others are not here'
fi
done_testing
