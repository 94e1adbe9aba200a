#!/bin/bash
# replay.sh - kdp replay: the same stream at any speed, batch and set-up; refused lines kept; clear errors.
. "$(dirname "$0")/lib.sh"

make_session() { # FILE: two markets, a gap and its healing, a trade twice, a close
    local f=$1 t=1795183387000
    {
        echo '{"recv_ns":1795183387000000000,"conn":1,"event":"connected"}'
        frame() { t=$((t + 7)); printf '{"recv_ns":%s000000,"conn":1,"raw":"%s"}\n' $t "$(printf '%s' "$1" | sed "s/'/\\\\\"/g")"; }
        frame "{'id':1,'type':'subscribed','msg':{'channel':'orderbook_delta','sid':1}}"
        frame "{'type':'orderbook_snapshot','sid':1,'seq':1,'msg':{'market_ticker':'KXA-1','yes_dollars_fp':[['0.4200','10.00'],['0.0010','3.50']],'no_dollars_fp':[['0.5600','5.00']]}}"
        frame "{'type':'orderbook_snapshot','sid':1,'seq':2,'msg':{'market_ticker':'KXB-1','yes_dollars_fp':[['0.1000','1.00']]}}"
        for i in 3 4 5 6; do
            frame "{'type':'orderbook_delta','sid':1,'seq':$i,'msg':{'market_ticker':'KXA-1','price_dollars':'0.4${i}00','delta_fp':'1.25','side':'yes','ts_ms':$t}}"
        done
        frame "{'type':'trade','sid':2,'seq':1,'msg':{'trade_id':'5b0e7c1e-8a5e-4a7e-9a51-0c2b7a6f9d10','market_ticker':'KXA-1','yes_price_dollars':'0.4350','no_price_dollars':'0.5650','count_fp':'12.50','taker_outcome_side':'yes','taker_book_side':'bid','is_block_trade':false,'ts_ms':$t}}"
        frame "{'type':'orderbook_delta','sid':1,'seq':9,'msg':{'market_ticker':'KXB-1','price_dollars':'0.1000','delta_fp':'1.25','side':'yes','ts_ms':$t}}"
        frame "{'type':'orderbook_snapshot','sid':1,'seq':10,'id':4,'msg':{'market_ticker':'KXA-1','yes_dollars_fp':[['0.4200','10.00']],'no_dollars_fp':[['0.5600','5.00']]}}"
        frame "{'type':'orderbook_snapshot','sid':1,'seq':11,'id':4,'msg':{'market_ticker':'KXB-1','yes_dollars_fp':[['0.1000','2.25']]}}"
        frame "{'type':'orderbook_snapshot','sid':1,'seq':12,'msg':{'market_ticker':'KXB-1'}}"
    } >"$f"
}
hash_of() { printf '%s' "$out" | sed -n 's/.*"stream_hash":"\([0-9a-f]*\)".*/\1/p'; }

make_session s.jsonl
kdp replay --input s.jsonl --data d1 --summary json
exits 0
prints '"frames":12'
prints '"malformed":0,"gaps":1,"connections":1'
prints '{"ticker":"KXA-1","state":"live","yes_bid":"0.4200","yes_bid_size":"10.00","yes_ask":"0.4400","yes_ask_size":"5.00","bid_levels":1,"ask_levels":1,"bid_size_total":"10.00","ask_size_total":"5.00"'
prints '{"ticker":"KXB-1","state":"closed","yes_bid":null,"yes_bid_size":null'
want=$(hash_of)
[ ${#want} = 32 ] || wrong "no stream hash"

# any set-up, the same stream
n=2
for options in '--speed 2' '--no-lake' '--no-tape' '--no-raw' '--ring-size 64K --raw-ring-size 64K'; do
    # shellcheck disable=SC2086
    kdp replay --input s.jsonl --data d$n --summary json $options
    exits 0
    [ "$(hash_of)" = "$want" ] || wrong "another hash with $options"
    n=$((n + 1))
done
gzip -k s.jsonl
kdp replay --input s.jsonl.gz --data d10 --summary json
[ "$(hash_of)" = "$want" ] || wrong "another hash from gzip"
if command -v zstd >/dev/null; then
    zstd -q s.jsonl
    kdp replay --input s.jsonl.zst --data d11 --summary json
    [ "$(hash_of)" = "$want" ] || wrong "another hash from zstd"
fi
last='kdp replay --input -'
out=$("$KDP" replay --input - --data d12 --summary json <s.jsonl 2>/dev/null)
[ "$(hash_of)" = "$want" ] || wrong "another hash from standard input"

# our own raw tape, as a folder and as a file
kdp replay --input d1 --data d13 --summary json
exits 0
[ "$(hash_of)" = "$want" ] || wrong "another hash from the raw tape"
kdp replay --input d13/raw/00000001.raw --data d14 --summary json
[ "$(hash_of)" = "$want" ] || wrong "another hash from the raw tape of a raw tape"
# a raw tape of several runs makes several runs: the same records with the same numbers
kdp replay --input s.jsonl --data d13 --append --summary json; exits 0
kdp tap --from oldest --to end --format csv --data d13; exits 0
printf '%s' "$out" >first.csv
kdp replay --input d13 --data d15b --summary json; exits 0
twice=$out
kdp tap --from oldest --to end --format csv --data d15b; exits 0
printf '%s' "$out" | cmp - first.csv || wrong 'other records from a raw tape of two runs'
[ "$(grep -c ',plant,live,0,' first.csv)" = 2 ] || wrong 'not two runs'
python3 - "$twice" <<'END' || wrong 'the summary of two runs is not that of both'
import json, sys
two = json.loads(sys.argv[1])
assert two["frames"] == 2 * sum(1 for line in open("s.jsonl") if '"raw"' in line), two["frames"]
assert two["stream_hash"] is not None and two["records"] == sum(1 for _ in open("first.csv")) - 1, two["records"]
END

# a folder that has a tape is refused, or gone on in
kdp replay --input s.jsonl --data d1
exits 1
says 'd1 has a tape already'
says '--append'
kdp replay --input s.jsonl --data d1 --append --summary json
exits 0
prints '"stream_hash":null'
prints '"trades":0' # it stands in the stream already

# two inputs: new connections, the books of the first go stale
kdp replay --input s.jsonl --input s.jsonl --data d15 --summary json
exits 0
prints '"connections":2'
kdp replay --input s.jsonl --input d1 --data d16 --summary json
exits 0

# refused lines are counted, kept, and never fatal
{ head -3 s.jsonl; echo '{"recv_ns":1,"conn":1,"raw":"{\"type\":"}'; echo 'not json'; tail -n +4 s.jsonl; } >bad.jsonl
kdp replay --input bad.jsonl --data d17 --summary json
exits 0
prints '"malformed":2'
says 'bad.jsonl line 5'
[ "$(cat d17/rejects/*.jsonl | wc -l)" = 2 ] || wrong "not two rejects"
head -c 300 s.jsonl.gz >cut.gz
kdp replay --input cut.gz --data d18 --summary json
exits 1
says 'cut.gz'
kdp replay --input nothing.jsonl --data d19
exits 1
says 'nothing.jsonl'
[ ! -e d19 ] || wrong "a folder was made for nothing"
kdp replay --input s.jsonl --data d20 --speed fast
exits 2
kdp replay --data d20
exits 2
: >empty.jsonl
kdp replay --input empty.jsonl --data d21 --summary json
exits 0
prints '"frames":0'

# the screen
kdp replay --input s.jsonl --data d22
exits 0
prints 'MARKET'
prints 'the input alone decides it'
prints 'closed'
done_testing
