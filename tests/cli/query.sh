#!/bin/bash
# query.sh - kdp query, ohlc, book and seal on a small session: forms of output, the cut, errors, exit codes.
. "$(dirname "$0")/lib.sh"

kdp query 'SELECT 1' --data .
if [ "$code" = 1 ] && [[ $err == *libduckdb* ]]; then
    echo "SKIPPED: $err"
    exit 77
fi

{ # two markets; trades over three minutes; a gap at the end leaves both books stale
    t=1795183380000
    frame() { printf '{"recv_ns":%s000000,"conn":1,"raw":"%s"}\n' "$t" "$(printf '%s' "$1" | sed "s/'/\\\\\"/g")"; }
    trade() { # SECONDS PRICE COUNT N
        t=$((1795183380000 + $1 * 1000))
        frame "{'type':'trade','sid':2,'seq':$4,'msg':{'trade_id':'5b0e7c1e-8a5e-4a7e-9a51-0c2b7a6f9d$4','market_ticker':'KXA-1','yes_price_dollars':'$2','count_fp':'$3','taker_outcome_side':'yes','ts_ms':$t}}"
    }
    echo '{"recv_ns":1795183380000000000,"conn":1,"event":"connected"}'
    frame "{'id':1,'type':'subscribed','msg':{'channel':'orderbook_delta','sid':1}}"
    frame "{'id':2,'type':'subscribed','msg':{'channel':'trade','sid':2}}"
    frame "{'type':'orderbook_snapshot','sid':1,'seq':1,'msg':{'market_ticker':'KXA-1','yes_dollars_fp':[['0.4200','1240.00'],['0.0010','3.50']],'no_dollars_fp':[['0.5600','5.25']]}}"
    frame "{'type':'orderbook_snapshot','sid':1,'seq':2,'msg':{'market_ticker':'KXB-1','yes_dollars_fp':[['0.1000','1.00']]}}"
    trade 1 0.4300 10.00 10
    trade 2 0.4500 2.50 11
    trade 3 0.4150 1000.00 12
    trade 61 0.4400 1.00 13
    t=$((t + 9))
    frame "{'type':'orderbook_delta','sid':1,'seq':3,'msg':{'market_ticker':'KXA-1','price_dollars':'0.4300','delta_fp':'7.00','side':'yes','ts_ms':$t}}"
    trade 200 0.8815 0.01 14
    t=$((t + 1000))
    frame "{'type':'orderbook_delta','sid':1,'seq':9,'msg':{'market_ticker':'KXB-1','price_dollars':'0.1000','delta_fp':'1.25','side':'yes','ts_ms':$t}}"
} >s.jsonl
kdp replay --input s.jsonl --data d --no-lake
exits 0

equal() { [ "$out" = "$1" ] || wrong "stdout is not as expected: $1"; }
both() { # CHECK: run on the tape and on the sealed lake
    "$1"
    kdp seal --data d --summary json
    exits 0
    prints '"trades": 5'
    "$1"
}
answers() {
    kdp query 'SELECT price, volume, taker_side, is_block FROM trades ORDER BY seq LIMIT 2' --data d --format csv
    exits 0
    equal 'price,volume,taker_side,is_block
0.4300,10.00,yes,false
0.4500,2.50,yes,false'
    says '2 rows in '
    says '; again: --at-seq '
    cut=${err##*--at-seq }
    kdp query 'SELECT ticker, sum(volume) AS v, NULL AS n FROM trades GROUP BY 1' --data d
    equal 'ticker        v     n
------  -------  ----
KXA-1   1013.51  NULL'
    kdp query 'SELECT price, origin, seq IS NULL AS b, [1.5] AS l FROM trades LIMIT 1' --data d --format json
    equal '[
  {"price": 0.4300, "origin": "ws", "b": false, "l": [1.5]}
]'
    kdp query 'FROM gaps LIMIT 0' --data d --format json
    equal '[]'
    kdp query "SELECT timestamp FROM trades LIMIT 1" --data d --format csv
    prints '2026-11-20T14:03:01.000000000Z'
    kdp query "SELECT E'a,\"b\nc' AS x" --data d --format csv
    equal 'x
"a,""b
c"'
    last='kdp query -'
    out=$(echo 'SELECT 7 AS x' | "$KDP" query - --data d --format csv --quiet 2>"$work/.err") err=$(cat "$work/.err")
    equal 'x
7'
    silent

    kdp ohlc --ticker KXA-1 --interval 1m --data d
    exits 0
    equal 'START (UTC)         OPEN    HIGH     LOW   CLOSE    VOLUME  TRADES  
2026-11-20 14:03  0.43    0.45    0.415   0.415   1,012.50       3  
2026-11-20 14:04  0.44    0.44    0.44    0.44        1          1  
2026-11-20 14:06  0.8815  0.8815  0.8815  0.8815      0.01       1  not closed'
    says '3 bars of 5 trades in '
    says '; minutes without a trade are left out'
    kdp ohlc --ticker KXA-1 --interval 1h --data d --format csv --end 2026-11-20T14:04:00Z
    equal 'start,open,high,low,close,volume,trades,closed
2026-11-20T14:00:00.000000000Z,0.4300,0.4500,0.4150,0.4150,1012.50,3,false'
    kdp ohlc --ticker KXA-1 --data d --start 2027-01-01
    exits 0

    kdp book --ticker KXA-1 --at 2026-11-20T14:05:00Z --data d
    exits 0
    equal 'KXA-1  received by 2026-11-20 14:05:00 UTC  live
                 NO BIDS  YES    NO     YES BIDS
              ▕     5.25  0.44   0.56   buy YES at 0.44
                          -----  -----  spread 0.01, mid 0.435
                          0.43   0.57       7     ▏  buy NO at 0.57
                          0.42   0.58   1,240     ▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆
                          0.001  0.999      3.50  ▏'
    says 'last change 2026-11-20T14:04:01.009000000 UTC'
    kdp book --ticker KXA-1 --at 2026-11-20T14:04:00Z --data d --format csv
    equal 'side,price,size
yes,0.4200,1240.00
yes,0.0010,3.50
no,0.4400,5.25'
    kdp book --ticker KXA-1 --data d # after the gap
    exits 0
    prints 'KXA-1  STALE'
    prints 'no prices: not known to be right since 2026-11-20 14:06:21.000000 UTC, reason: gap'
    kdp book --ticker KXA-1 --data d --format json
    prints '"state": "stale", "reason": "gap"'
    prints '"book_hash": null'
    prints '"yes_bids": []'
}
both answers

# the tape is gone: the lake alone gives the same book and the same rows
mv d/tape tape.away
kdp book --ticker KXA-1 --at 2026-11-20T14:04:00Z --data d --format csv
prints 'no,0.4400,5.25'
kdp query 'SELECT count(*) AS n FROM trades' --data d --format csv --at-seq "$cut"
equal 'n
5'
mv tape.away d/tape

# compression is a setting, also of the sealer that replay starts
compression_of() { kdp query "SELECT DISTINCT compression AS c FROM parquet_metadata('$PWD/$1/trades/date=2026-11-20/day.parquet')" --data "$1" --format csv; }
compression_of d
equal 'c
SNAPPY'
export KDP_LAKE_COMPRESSION=zstd
kdp replay --input s.jsonl --data z; exits 0
unset KDP_LAKE_COMPRESSION
compression_of z
equal 'c
ZSTD'
kdp seal --data d --lake-compression brotli; exits 2

# beside a running plant: every cut holds every record up to it, once, and can be had again afterwards
# the tables of the stream: those that only history has come last in the list, and have no seq
all=$(kdp query 'FROM trades LIMIT 0' --data d; "$KDP" schema --format csv | sed '1d;s/,.*//;/^candles$/,$d' | sed 's/.*/SELECT seq FROM &/' | paste -sd'|' | sed 's/|/ UNION ALL /g')
"$KDP" replay --input s.jsonl --data live --speed 60 >/dev/null 2>&1 &
plant=$!
for ((i = 0; i < 200; i++)); do [ ! -e live/plant ] || break; sleep 0.02; done
cuts=()
while kill -0 $plant 2>/dev/null; do
    kdp query "SELECT count(DISTINCT seq) AS n, coalesce(max(seq), 0) AS m FROM ($all)" --data live --format csv
    exits 0
    n=$(printf '%s' "$out" | tail -n 1)
    [ "${n%,*}" = "${n#*,}" ] || wrong 'a cut with a hole, or a row twice'
    [[ $err != *--at-seq* ]] || { cut=${err##*--at-seq }; [ "$cut" = "${n%,*}" ] || wrong "the cut is $cut"; cuts+=("$cut"); }
done
wait $plant || wrong 'the paced replay failed'
[ ${#cuts[@]} -ge 5 ] || wrong "only ${#cuts[@]} queries beside the plant"
[ "$(printf '%s\n' "${cuts[@]}" | sort -un | wc -l)" -ge 3 ] || wrong "the plant did not move: ${cuts[*]}"
for cut in $(printf '%s\n' "${cuts[@]}" | sort -un); do
    kdp query "SELECT count(DISTINCT seq) AS n FROM ($all)" --data live --format csv --at-seq "$cut"
    [ "$out" = "n
$cut" ] || wrong "cut $cut cannot be had again"
done

# the sealer outlives a Ctrl-C that was meant for the plant, and ends in order when its stdin is closed
kdp replay --input s.jsonl --data f --no-lake; exits 0
mkfifo pipe
"$KDP" seal --follow --data f --summary json <pipe >seal.out 2>&1 &
sealer=$!
exec 9>pipe
for ((i = 0; i < 100; i++)); do [ ! -s f/lake.lock ] || break; sleep 0.02; done
sleep 0.3
kill -INT $sealer
sleep 0.5
kill -0 $sealer 2>/dev/null || wrong 'the sealer ended at a signal'
exec 9>&-
wait $sealer || wrong "the sealer failed: $(cat seal.out)"
grep -q '"trades": 5' seal.out || wrong "the sealer did not seal: $(cat seal.out)"

# what goes wrong
kdp query 'selec 1' --data d; exits 1; says 'kdp: error: Parser Error: syntax error at or near "selec"'; no_answer
kdp query 'SELECT nope FROM trades' --data d; exits 1; says 'nope'; says 'Candidate bindings'
kdp query 'SELECT 1' --data nowhere; exits 1; says 'nowhere'
kdp query 'SELECT 1' --data d --at-seq 999999; exits 1; says 'ends at'
kdp query --data d; exits 2
kdp query "SELECT * FROM read_text('d/lake.lock')" --data d; exits 1; says 'Permission Error'
kdp query "COPY (SELECT 1) TO 'x.csv'" --data d; exits 1; no_answer
[ ! -e x.csv ] || wrong 'a query wrote a file'
kdp ohlc --data d; exits 2; says '--ticker'
kdp ohlc --ticker 'KX*' --data d; exits 2
kdp ohlc --ticker KXA-1 --interval 7m --data d; exits 2; says 'divide a day'
kdp ohlc --ticker KXA-2 --data d; exits 1; says 'no market KXA-2 in d'; says 'KXA-1'
kdp book --ticker KXB-2 --data d; exits 1; says 'no market KXB-2 in d'; says 'KXB-1'
kdp book --ticker KXA-1 --at 2026-11-20T14:02:00Z --data d; exits 1; says 'no book of KXA-1 received by 2026-11-20T14:02:00'
kdp book --ticker KXA-1 --at 15:04 --data d; exits 2
mkdir empty; kdp query 'FROM trades' --data empty; exits 0
says 'kdp: notice: no data in empty: its tables are empty'; says '--data DIR'; says '0 rows in '
kdp query 'FROM trades' --data empty --quiet; exits 0; silent

# a file of the lake that is damaged is named, with what to do; what does not need it goes on
cp -r d bad
file=bad/trades/date=2026-11-20/day.parquet size=$(stat -c %s d/trades/date=2026-11-20/day.parquet)
chmod -R u+w bad
blamed() { # WHY
    kdp query 'SELECT count(*) AS n FROM trades' --data bad --format csv; exits 1; no_answer
    says "kdp: error: damaged lake file: $PWD/$file: $1"
    says "move the folder $PWD/bad/trades aside: kdp seal then makes it anew"
    [[ $err != *'CREATE OR REPLACE'* ]] || wrong "statements that nobody typed are shown"
}
truncate -s 100 $file; blamed "100 bytes, its manifest says $size"
head -c "$size" /dev/zero >$file; blamed 'not Parquet'
rm $file; blamed 'no such file or directory'
cp d/trades/date=2026-11-20/day.parquet $file; chmod u+w $file
head -c 16 /dev/zero | tr '\0' '\377' | dd of=$file bs=1 seek=$((size - 60)) conv=notrunc 2>/dev/null
kdp query 'SELECT count(*) AS n FROM trades WHERE price > 0' --data bad --format csv; exits 1; says 'kdp: error: damaged lake file: '; says 'aside: kdp seal'
kdp query 'SELECT nope FROM bbo' --data bad; exits 1; says 'nope'; says 'Candidate bindings'
mv bad/trades trades.away; kdp seal --data bad; exits 0
kdp query 'SELECT count(*) AS n FROM trades' --data bad --format csv; exits 0; equal 'n
5'

export KDP_DUCKDB_LIB=/nonexistent.so
kdp query 'SELECT 1' --data d; exits 1; says 'DuckDB'
kdp book --ticker KXA-1 --at 2026-11-20T14:04:00Z --data d --format csv; exits 0; prints 'no,0.4400,5.25'
kdp replay --input s.jsonl --data no-lake; prints 'records'
done_testing
