#!/bin/bash
# kdp gen: the same seed gives the same bytes, in every form and compression; sizes as asked; wrong wishes are refused.
. "$(dirname "$0")/lib.sh"

kdp gen --frames 2000 --markets 20 --seed 3 --output a.jsonl; exits 0
kdp gen --frames 2000 --markets 20 --seed 3 --output b.jsonl; exits 0
cmp a.jsonl b.jsonl || wrong 'the same seed gave other bytes'
kdp gen --frames 2000 --markets 20 --seed 4 --output c.jsonl; exits 0
! cmp -s a.jsonl c.jsonl || wrong 'another seed gave the same bytes'
[ "$(grep -c '"raw"' a.jsonl)" = 2000 ] || wrong "not 2000 frames but $(grep -c '"raw"' a.jsonl)"

# standard output is the same file, and the conversation stays off it
kdp gen --frames 2000 --markets 20 --seed 3 --output - --quiet; exits 0; silent
cmp a.jsonl .out || wrong 'standard output differs from the file'
kdp gen --frames 2000 --markets 20 --seed 3 --output a.jsonl.gz; exits 0
gzip -dc a.jsonl.gz | cmp - a.jsonl || wrong 'the gzip file differs'

kdp gen --frames 10 --faults nonsense --output x; exits 2; no_answer
kdp gen --frames ten --output x; exits 2; says '--frames "ten" is not a whole number'
kdp gen --frames 10 --output /nonexistent/x; exits 1; says '/nonexistent/x'
kdp gen --frames 10 --form xml --output x; exits 2
[ ! -e x ] || wrong 'a refused wish left a file'

# a day's bulk file: the same seed, the same bytes; rows and day as asked
kdp gen --bulk trades --rows 3000 --date 2026-11-01 --output t.json --quiet; exits 0; silent; no_answer
kdp gen --bulk trades --rows 3000 --date 2026-11-01 --output t.json.gz --quiet; exits 0
gzip -dc t.json.gz | cmp - t.json || wrong 'the compressed bulk file differs'
[ "$(python3 -c 'import json; r = json.load(open("t.json")); print(len(r), r[-1]["date"])')" = '3000 2026-11-01' ] || wrong 'rows or day of the bulk file'
kdp gen --bulk markets --rows 0 --output -; exits 0
[ "$out" = '[]' ] || wrong 'a bulk file without rows'
done_testing
