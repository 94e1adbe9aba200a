#!/bin/bash
# kdp preview: what a bulk file holds, from file, pipe and network, in constant memory; damage is told with its place; the pager.
. "$(dirname "$0")/lib.sh"
command -v python3 >/dev/null || { echo 'python3 is missing'; exit 77; }

kdp gen --bulk trades --rows 5000 --output trades.json --quiet; exits 0
kdp gen --bulk trades --rows 5000 --output trades.json.gz --quiet; exits 0
kdp gen --bulk trades --rows 5000 --output trades.json.zst --quiet; exits 0
kdp gen --bulk markets --rows 4000 --output markets.json --quiet; exits 0

# every sum against Python's decimals, in each compression
expected() { # FILE PROGRAM: what Python says of the rows
    python3 -c "
import json, sys
from decimal import Decimal as D
rows = json.load(open('$1'), parse_float=D, parse_int=D)
$2"
}
summary() { # PROGRAM: of the summary in \$out
    printf '%s' "$out" | python3 -c "
import json, sys
s = json.load(sys.stdin)
c = {x['name']: x for x in s['columns']}
$1"
}
same() { [ "$1" = "$2" ] || wrong "got [$1], want [$2]"; }
want=$(expected trades.json "print(len(rows), len({r['ticker_name'] for r in rows}), (sum(D(r['contracts_traded']) for r in rows)).normalize(), min(r['price'] for r in rows).normalize())")
for file in trades.json trades.json.gz trades.json.zst; do
    kdp preview --file $file --summary json; exits 0
    same "$(summary "from decimal import Decimal as D; print(s['rows'], s['markets'], D(c['contracts_traded']['sum']).normalize(), D(c['price']['least']).normalize())")" "$want"
    same "$(summary "print(s['complete'], s['error'], s['first'])")" 'True None 2026-09-19T00:00:00.000000000Z'
done
code=0; "$KDP" preview --file - --summary json <trades.json.gz >.out 2>.err || code=$?; out=$(cat .out); exits 0
same "$(summary "print(s['rows'], s['file'])")" '5000 standard input'
kdp preview --file markets.json --summary json; exits 0
same "$(summary "print(c['daily_volume']['sum'], c['high']['nulls'], c['open_interest']['number_texts'], sorted(c['status']['values'].items()))")" \
    "$(expected markets.json "
from collections import Counter
total = str(sum(D(r['daily_volume']) for r in rows))
print(total, sum(r['high'] is None for r in rows), sum(isinstance(r['open_interest'], str) for r in rows), sorted(Counter(r['status'] for r in rows).items()))")"

# for a person: members, first rows, sums; a filter counts what is left
kdp preview --file trades.json; exits 0
prints 'trades.json: trades, '; prints 'contracts_traded  number, number in text'; prints 'rows             5,000'
kdp preview --file trades.json.gz --ticker 'KXHIGHNY-*' --where 'price >= 90' --where 'contracts_traded > 100' --summary json; exits 0
same "$(summary "print(s['rows'], s['rows_read'])")" \
    "$(expected trades.json "print(sum(r['ticker_name'].startswith('KXHIGHNY-') and r['price'] >= 90 and D(r['contracts_traded']) > 100 for r in rows), len(rows))")"
kdp preview --file trades.json --series KXETHD --series KXBTCD --start 2026-09-19T06:00:00Z --end 2026-09-19T12:00:00Z --summary json; exits 0
same "$(summary "print(s['rows'])")" \
    "$(expected trades.json "print(sum(r['report_ticker'] in ('KXETHD', 'KXBTCD') and '2026-09-19T06' <= r['create_ts'] < '2026-09-19T12' for r in rows))")"
kdp preview --file trades.json --date 2026-09-18 --summary json; exits 0; same "$(summary "print(s['rows'])")" 0
kdp preview --file markets.json --where 'high = null' --where 'status != active' --where 'ticker_name ~ *-B1?' --summary json; exits 0
same "$(summary "print(s['rows'])")" \
    "$(expected markets.json "
import fnmatch
print(sum(r['high'] is None and r['status'] != 'active' and fnmatch.fnmatchcase(r['ticker_name'], '*-B1?') for r in rows))")"
kdp preview --file markets.json --where 'colour = red'; exits 1; says 'no row has a member colour'
kdp preview --file markets.json --where 'price'; exits 2; says 'is no comparison'

# csv and json are the rows, exactly
kdp preview --file trades.json --format csv; exits 0
[ "$(python3 -c "
import csv, json
from decimal import Decimal as D
rows = json.load(open('trades.json'), parse_float=str, parse_int=str)
print(list(csv.DictReader(open('.out'))) == [{k: '' if v is None else v for k, v in r.items()} for r in rows])")" = True ] || wrong 'csv differs from the file'
kdp preview --file markets.json --format json; exits 0
[ "$(python3 -c "import json; print(json.load(open('.out')) == json.load(open('markets.json')))")" = True ] || wrong 'json differs from the file'
kdp preview --file trades.json --format csv --limit 3 --columns price,ticker_name; exits 0
[ "$(head -n 1 .out) $(wc -l <.out)" = 'price,ticker_name 4' ] || wrong 'columns and limit'
kdp preview --file trades.json --columns prize; exits 1; says 'no column prize'

# any array of objects, and an object a line
printf '{"a":1,"b":{"c":[1,2]}}\n{"b":"x,\\"y\\"","d":true}\n' >lines.jsonl
kdp preview --file lines.jsonl --format csv; exits 0
same "$out" $'a,b,d\n1,"{""c"":[1,2]}",\n,"x,""y""",true'
printf '[]' >none.json; kdp preview --file none.json --summary json; exits 0; same "$(summary "print(s['rows'], s['complete'])")" '0 True'

# damage: what was whole is shown, then where it ends, and exit 1
head -c 100000 trades.json >cut.json
kdp preview --file cut.json; exits 1; prints 'INCOMPLETE'; says 'the file is cut: cut.json: ends at byte 100000, in row'
head -c 100000 trades.json.gz | head -c 60000 >cut.json.gz
kdp preview --file cut.json.gz; exits 1; prints 'INCOMPLETE'; says 'the compressed data end too early: cut.json.gz'; says 'from its 60000 bytes'
python3 - <<'PY'
whole = bytearray(open("trades.json.gz", "rb").read())
whole[-6] ^= 1  # the checksum
open("sum.json.gz", "wb").write(whole)
text = bytearray(open("trades.json", "rb").read())
text[300000:300001] = b"\x01"
open("bad.json", "wb").write(text)
open("tail.json", "wb").write(open("trades.json", "rb").read() + b"and more")
PY
kdp preview --file sum.json.gz --summary json; exits 1; says 'the compressed data are damaged: sum.json.gz: near byte'; says 'incorrect data check'
same "$(summary "print(s['rows'], s['complete'])")" '5000 False'
kdp preview --file bad.json; exits 1; says 'bad.json: byte 300000, in row'; prints 'INCOMPLETE'
kdp preview --file tail.json; exits 1; says 'text behind the end of the array'; prints 'rows             5,000'
: >empty.json; kdp preview --file empty.json; exits 1; says 'nothing in it: empty.json: 0 bytes'
: | gzip >empty.json.gz; kdp preview --file empty.json.gz; exits 1; says 'nothing in it'
kdp preview --file bad.json --format csv; exits 1; says 'byte 300000'
[ "$(wc -l <.out)" -gt 1000 ] || wrong 'the rows before the damage are missing'
kdp preview --file nowhere.json; exits 1; says 'nowhere.json'
kdp preview --file .; exits 1; says 'it is a folder'
kdp preview; exits 2; says 'no file'
kdp preview --file a --url b; exits 2
kdp preview --file trades.json --interactive; exits 2; says 'stdout is not a terminal'

# over the network: cuts are mended, other files are not mixed, days that are not there have their words
mkdir day; cp trades.json.gz day/trade_data_2026-09-19.json.gz; cp markets.json day/market_data_2026-09-19.json; cp trades.json day/
coproc server { exec python3 "$here/bulk_server.py" day; }
read -r port <&"${server[0]}"
base=http://127.0.0.1:$port
kdp preview --date 2026-09-19 --bulk-url "$base" --summary json; exits 0
same "$(summary "print(s['rows'], s['file'].split('/')[-1])")" '5000 trade_data_2026-09-19.json.gz'
kdp preview --date 2026-09-19 --what markets --bulk-url "$base/" --summary json; exits 0
same "$(summary "print(s['rows'], s['file'].split('/')[-1])")" '4000 market_data_2026-09-19.json'
kdp preview --url "$base/old/trades.json" --summary json; exits 0; same "$(summary "print(s['rows'])")" 5000
kdp preview --url "$base/cut/trades.json" --summary json; exits 0; says 'the download was cut'
same "$(summary "print(s['rows'], s['resumed'] > 3, s['bytes'])")" "5000 True $(stat -c %s trades.json)"
kdp preview --url "$base/norange/trades.json" --summary json; exits 0; same "$(summary "print(s['rows'], s['resumed'])")" '5000 1'
kdp preview --url "$base/changed/trades.json" --summary json; exits 1; says 'the file changed on the server'
same "$(summary "print(s['complete'], 0 < s['rows'] < 5000)")" 'False True'
kdp preview --date 2026-09-20 --bulk-url "$base"; exits 1; says 'no file for that day'; says 'Tried with .json.gz and .json'
kdp preview --url "$base/trade_data_2026-09-21.json.gz"; exits 1; says 'no file for that day'; says 'Older days are plain'
kdp preview --url "$base/forbidden/trade_data_2026-09-21.json"; exits 1; says 'no file for that day'
kdp preview --url "file://$work/trades.json" --summary json; exits 0; same "$(summary "print(s['rows'])")" 5000
kdp preview --url ftp://host/x; exits 2; says 'is not an address'
eval "exec ${server[1]}>&-"; wait "$server_PID" 2>/dev/null

# the simulated exchange's own files, over TLS: the day's trades add up to its markets' volumes
"$KDP" sim --markets 20 --history 3d --history-trades 20000 --dir simulated >sim.out 2>&1 &
sim=$!
for _ in $(seq 100); do [ ! -s simulated/sim.env ] || break; read -rt 0.1 <> <(:) || :; done
day=$(date -u -d '2 days ago' +%F)
kdp preview --env-file simulated/sim.env --date "$day" --summary json; exits 0
want=$(summary "print(s['rows'] > 1000, c['contracts_traded']['sum'])")
kdp preview --env-file simulated/sim.env --date "$day" --what markets --summary json; exits 0
same "$(summary "print(s['rows'] > 100, c['daily_volume']['sum'])")" "$want"
kdp preview --url "$(sed -n 's/^KALSHI_BULK_URL=//p' simulated/sim.env)/trade_data_$day"; exits 1; says 'certificate not trusted'
kill "$sim"; wait "$sim" 2>/dev/null

# memory: many times what it may take, nearly all rows with a market of their own
kdp gen --bulk markets --rows 280000 --output large.json --quiet; exits 0
peak=$(python3 -c "
import resource, subprocess
subprocess.run(['$KDP', 'preview', '--file', 'large.json'], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)")
[ "$(stat -c %s large.json)" -gt 60000000 ] || wrong 'the large file is small'
case $("$KDP" version) in *address* | *thread*) ;; *) [ "$peak" -lt 60000 ] || wrong "took $peak kB" ;; esac

# into the lake: exact, once, also after a kill in the middle
if "$KDP" query 'SELECT 1' --data nowhere >/dev/null 2>&1 || [ -n "${KDP_DUCKDB_LIB-}" ] || [ -e "$(dirname "$KDP")/lib/libduckdb.so" ]; then
    ask() { kdp query "$1" --data lake --format csv; exits 0; out=$(tail -n 1 .out); }
    kdp preview --file trades.json --to-lake --data lake --summary json; exits 0; says '5,000 rows of trades.json filed'
    ask "SELECT count(*), CAST(sum(volume) AS VARCHAR), CAST(sum(price) * 100 AS VARCHAR), max(number) FROM bulk_trades"
    want=$(expected trades.json "print(len(rows), '%.2f' % sum(D(r['contracts_traded']) for r in rows), '%.4f' % sum(r['price'] for r in rows), len(rows), sep=',')")
    same "$out" "$want"
    kdp preview --file trades.json.gz --to-lake --data lake; exits 0; says 'has that day already'
    kdp preview --file markets.json --to-lake --data lake --where 'status = active'; exits 0
    kdp preview --file markets.json --to-lake --data lake; exits 0
    ask "SELECT count(*), CAST(sum(daily_volume) AS VARCHAR), count(high) FROM bulk_markets"
    same "$out" "$(expected markets.json "print(len(rows), '%.2f' % sum(D(r['daily_volume']) for r in rows), sum(r['high'] is not None for r in rows), sep=',')")"
    kdp gen --bulk trades --rows 60000 --date 2026-09-21 --output more.json --quiet; exits 0
    for at in 0.15 0.3 0.45; do timeout -s KILL $at "$KDP" preview --file more.json --to-lake --data lake >/dev/null 2>&1; done 2>/dev/null
    kdp preview --file more.json --to-lake --data lake; exits 0
    ask "SELECT count(*) FROM bulk_trades"; same "$out" 65000
    printf '[{"ticker_name":"A","contracts_traded":1.005,"price":50,"create_ts":"2026-01-01T00:00:00Z"},{"ticker_name":"A","contracts_traded":"2","price":50.25,"create_ts":"2026-01-01 00:00:01+00"}]' >fine.json
    kdp preview --file fine.json --to-lake --data lake; exits 1; says 'contracts_traded: finer than 0.01 contract'; says '1 rows of fine.json filed'
    ask "SELECT price, volume FROM bulk_trades WHERE ticker = 'A'"; same "$out" 0.5025,2.00
    kdp preview --file lines.jsonl --to-lake --data lake; exits 1; says 'not a bulk file of the exchange'
else
    echo 'SKIPPED: libduckdb.so is not here'
fi

# the pager, on a terminal
python3 "$here/preview_tty.py" "$KDP" trades.json trades.json.gz >tty.out 2>&1 || { wrong 'the pager'; cat tty.out; }
done_testing
