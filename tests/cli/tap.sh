#!/bin/bash
# kdp tap: places, types, markets, columns and forms, on a folder at rest and beside a running plant.
. "$(dirname "$0")/lib.sh"

"$KDP" gen --markets 20 --frames 3000 --seed 5 --output s.jsonl >gen.out 2>&1 || { cat gen.out; exit 1; }
"$KDP" replay --no-lake --input s.jsonl >replay.out 2>&1 || { cat replay.out; exit 1; }
kdp tap --from oldest --to end --format json; exits 0; silent
cp .out all.json
records=$(wc -l <all.json)
[ "$records" -gt 3000 ] || wrong "only $records records"

# the whole stream, in order, without a hole
[ "$(sed 's/^{"seq":\([0-9]*\),.*/\1/' all.json)" = "$(seq 1 "$records")" ] || wrong 'sequence numbers are not 1 to the last'
python3 -c 'import json, sys
for line in open("all.json"): json.loads(line)' || wrong 'not json'

# places
kdp tap --from oldest --format json; exits 0; [ "$out" = "$(cat all.json)" ] || wrong 'a folder without a plant is read to its end'
kdp tap --from 100 --to 110 --format json; exits 0
[ "$out" = "$(sed -n 100,110p all.json)" ] || wrong 'records 100 to 110'
kdp tap --from seq:100 --to seq:110 --format json; exits 0; [ "$out" = "$(sed -n 100,110p all.json)" ] || wrong 'seq:100'
kdp tap --from seq:5000000000 --to end --format json; exits 0; no_answer
time=$(sed -n 1000p all.json | sed 's/.*"recv_ts":"\([^"]*\)".*/\1/')
kdp tap --from "$time" --limit 1 --format json; exits 0
[[ $out == *"\"recv_ts\":\"$time\""* ]] || wrong 'the first record received at that time'
kdp tap --from oldest --to "$time" --format csv --columns recv_ts; exits 0
[ "$(printf '%s\n' "$out" | tail -n +2 | awk -v t="$time" '$0 >= t' | wc -l)" = 0 ] || wrong 'received at or after --to'
kdp tap --from now --seconds 0 --format csv --columns seq; exits 0; [ "$out" = seq ] || wrong 'now shows what was before'
kdp tap --from 999999 --to end --format json; exits 0; no_answer
kdp tap --from 15:04; exits 2; says '15:04'; no_answer
kdp tap --from oldest --to yesterday; exits 2; says 'yesterday'; no_answer
kdp tap --data none; exits 1; says 'no data folder: none'
# whoever would wait in vain is told so
kdp tap --seconds 0; exits 0; says 'kdp: notice: no plant is running in ./data: waiting for one'; says 'kdp tap --from oldest'
kdp tap --seconds 0 --quiet; exits 0; silent
kdp tap --from oldest --limit 1 --quiet; exits 0; silent

# which records
kdp tap --from oldest --types trade,bbo --format json; exits 0
[ "$out" = "$(grep -E '"type":"(trade|bbo)"' all.json)" ] || wrong 'trades and bbo'
kdp tap --from oldest --types trades --types orderbook_deltas --format json; exits 0
[ "$out" = "$(grep -E '"type":"(trade|level)"' all.json)" ] || wrong 'types by the names of tables'
kdp tap --from oldest --types trade,quotes; exits 2; says 'no record type "quotes"'; says 'book_snapshot'; no_answer
ticker=$(grep -o '"ticker":"[^"]*"' all.json | sort | uniq -c | sort -rn | sed -n '1s/.*:"\(.*\)"/\1/p')
kdp tap --from oldest --ticker "$ticker" --format json; exits 0
[ "$out" = "$(grep -F "\"ticker\":\"$ticker\"" all.json)" ] || wrong 'one market'
kdp tap --from oldest --ticker "${ticker%%-*}-*" --format json; exits 0
[ "$out" = "$(grep -F "\"ticker\":\"${ticker%%-*}-" all.json)" ] || wrong 'markets by glob'
kdp tap --from oldest --ticker 'NONE*' --format json; exits 0; no_answer

# forms
kdp tap --from oldest --types trade; exits 0
[[ $out == '   SEQ  RECEIVED (UTC)      TYPE   MARKET '*'  WHAT'* ]] || wrong 'the heading of the table'
[ "$(printf '%s\n' "$out" | wc -l)" = $(($(grep -c '"type":"trade"' all.json) + 1)) ] || wrong 'one line a record'
says "$(grep -c '"type":"trade"' all.json) of $records records"
prints ', taker '
kdp tap --from oldest --types trade --quiet; exits 0; silent
kdp tap --from oldest --types trade --format csv --columns seq,ticker,price --columns volume; exits 0
[ "$(printf '%s\n' "$out" | head -n 1)" = seq,ticker,price,volume ] || wrong 'csv heading'
printf '%s\n' "$out" | tail -n +2 | grep -Evq '^[0-9]+,[A-Z0-9.-]+,[01]\.[0-9]{4},[0-9]+\.[0-9]{2}$' && wrong 'csv rows'
kdp tap --from oldest --columns seq,prise; exits 2; says 'prise'; no_answer
kdp tap --from oldest --columns seq --format json; exits 2; says 'csv'
kdp tap --from oldest --limit 7 --format json; exits 0; [ "$out" = "$(head -n 7 all.json)" ] || wrong 'a limit'

# a reader that has enough is no error; a full disk is one
"$KDP" tap --from oldest --format csv 2>"$work/.err" | head -n 2 >head.out
codes=("${PIPESTATUS[@]}"); code=${codes[0]} err=$(cat "$work/.err") last='kdp tap | head'; exits 0
[ -z "$err" ] || wrong 'head is told of an error'
code=0; "$KDP" tap --from oldest --format csv >/dev/full 2>"$work/.err" || code=$?
last='kdp tap >/dev/full'; err=$(cat "$work/.err"); exits 1; says 'no space left on device'

# beside a running plant: from now on, until Ctrl-C; what the follower printed is what the tape has
"$KDP" replay --no-lake --input s.jsonl --data live --speed 1 >live.out 2>&1 &
plant=$!
for ((i = 0; i < 500; i++)); do [ ! -e live/tape/00000001.seg ] || break; sleep 0.01; done
"$KDP" tap --data live --format json >follow.json 2>follow.err &
follower=$!
"$KDP" tap --data live --from oldest --follow --format json >oldest.json 2>oldest.err &
oldest=$!
wait "$plant" || { cat live.out; wrong 'the replay failed'; }
for ((i = 0; i < 500; i++)); do [ "$(wc -l <oldest.json)" -lt "$records" ] || break; sleep 0.01; done
kill -INT "$follower" "$oldest"
code=0; wait "$follower" || code=$?; last='kdp tap, Ctrl-C'; err=$(cat follow.err); out=; exits 0
code=0; wait "$oldest" || code=$?; last='kdp tap --from oldest, Ctrl-C'; err=$(cat oldest.err); exits 0
kdp tap --data live --from oldest --to end --format json; exits 0
[ "$out" = "$(cat oldest.json)" ] || wrong 'a follower from the beginning saw another stream'
[ -s follow.json ] || wrong 'a follower from now on saw nothing'
[ "$(tail -n "$(wc -l <follow.json)" oldest.json)" = "$(cat follow.json)" ] || wrong 'a follower from now on saw another stream'

# damage: told, passed over, exit code 1
chmod u+w data/tape/00000001.seg
printf '\377' | dd of=data/tape/00000001.seg bs=1 seek=9000 conv=notrunc 2>/dev/null
kdp tap --from oldest --format csv --columns seq; exits 1
says 'kdp: warning: bad checksum: '; says 'kdp tape repair'
done_testing
