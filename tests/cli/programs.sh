#!/bin/bash
# The programs of examples/, on a made-up session: read_day prints the trades that kdp tap prints; book_top, which sees changes,
# snapshots and states only, arrives at the best prices of the plant's own bbo records.  The library they use takes no name but kdp's.
. "$(dirname "$0")/lib.sh"
read_day=$KDP_BUILD/examples/read_day book_top=$KDP_BUILD/examples/book_top

last="nm libkdp.a"; nm -g --defined-only "$KDP_BUILD/src/libkdp.a" >names 2>.err || wrong 'libkdp.a cannot be read'
grep -q ' T kdp_reader_open' names || wrong 'libkdp.a has no reader'
foreign=$(awk 'NF == 3 && $3 !~ /^(kdpi?_|_)/ { print $3 }' names)
[ -z "$foreign" ] || wrong "names that a program may have itself: $foreign"

kdp gen --frames 20000 --markets 8 --seed 5 --faults gap=0.0005,reconnect=0.0002 --output session.jsonl; exits 0
kdp replay --input session.jsonl --data d --no-lake; exits 0

kdp tap --data d --from oldest --to end --types trade --format csv --columns seq,ticker; exits 0
printf '%s\n' "$out" | tail -n +2 | tr , ' ' >want
last="read_day d"; "$read_day" d >got 2>.err || wrong 'read_day failed'
cut -d' ' -f1,2 got | cmp - want || wrong 'read_day and kdp tap differ'
[ "$(wc -l <got)" -gt 500 ] || wrong 'too few trades to mean anything'
last="read_day nowhere"; "$read_day" nowhere >.out 2>.err && wrong 'read_day took a folder that is not there'

for ticker in $(cut -d' ' -f2 got | sort | uniq -c | sort -rn | awk 'NR <= 3 { print $2 }'); do
    # bid size @ bid | ask @ ask size in the units of the records, -1 for no price; a run of equal lines counts once
    kdp tap --data d --from oldest --to end --types bbo --ticker "$ticker" --format csv \
        --columns yes_bid_size,yes_bid,yes_ask,yes_ask_size; exits 0
    printf '%s\n' "$out" | tail -n +2 | tr -d . | awk -F, '{ print $1 + 0, "@", ($2 == "" ? -1 : $2 + 0), "|",
        ($3 == "" ? -1 : $3 + 0), "@", $4 + 0 }' | uniq >want
    last="book_top d $ticker"; "$book_top" d "$ticker" >all 2>.err || wrong 'book_top failed'
    grep -v stale all | cut -d' ' -f2- | uniq | cmp - want || wrong "book_top and the bbo records of $ticker differ"
    [ "$(wc -l <want)" -gt 100 ] || wrong "too few changes of $ticker to mean anything"
    grep -q stale all || wrong 'no gap reached the book'
done
done_testing
