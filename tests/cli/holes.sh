#!/bin/bash
# holes.sh - part of the stream is gone before it was sealed: who asks is told, who seals goes on, and the lake says it for ever.
. "$(dirname "$0")/lib.sh"

kdp query 'SELECT 1' --data .
if [ "$code" = 1 ] && [[ $err == *libduckdb* ]]; then
    echo "SKIPPED: $err"
    exit 77
fi
for seed in 1 2 3; do
    kdp gen --frames 2000 --seed $seed --quiet --output s.jsonl; exits 0
    kdp replay --input s.jsonl --data d --append --no-lake --quiet; exits 0
    kdp tape info --data d --format csv; exits 0
    ends[seed]=$(printf '%s' "$out" | sed -n 's/^last_seq,//p')
done
[ "${ends[3]:-0}" -gt "${ends[2]:-0}" ] || wrong "no last_seq: ${ends[*]}"

# retention, or somebody, took the first segment
rm -f d/tape/00000001.seg
kdp query 'SELECT min(seq) FROM (SELECT seq FROM states UNION ALL SELECT seq FROM trades)' --data d --format csv
exits 0
says "warning: sequences 1 to ${ends[1]} are neither in the lake nor on the tape"
prints "$((ends[1] + 1))"
kdp seal --data d; exits 0
says "warning: sequences 1 to ${ends[1]} cannot be had"
kdp seal --data d; exits 0; silent
kdp query "SELECT seq, expected, seen, status FROM gaps WHERE kind = 'retention'" --data d --format csv
exits 0
[ "$out" = "seq,expected,seen,status
${ends[1]},1,$((ends[1] + 1)),lost" ] || wrong 'the lake does not say what it lacks'
[[ $err != *warning* ]] || wrong 'said again when sealed'

# damage is an error until it is repaired, then a hole with a name
kdp gen --frames 4000 --seed 4 --quiet --output s.jsonl; exits 0
kdp replay --input s.jsonl --data d --append --no-lake --quiet --speed 4; exits 0 # in many blocks
python3 - d/tape/00000004.seg <<'END'
import os, sys
os.chmod(sys.argv[1], 0o644)
with open(sys.argv[1], "r+b") as file:
    file.seek(os.path.getsize(sys.argv[1]) * 3 // 4)
    byte = file.read(1)[0]
    file.seek(-1, 1)
    file.write(bytes([byte ^ 0x10]))
END
kdp query 'SELECT count(*) FROM orderbook_deltas' --data d; exits 1; no_answer
says 'bad checksum'; says 'kdp tape repair'
kdp seal --data d; exits 1; says 'bad checksum'
kdp tape repair --data d --yes; exits 0
kdp query 'SELECT count(*) > 0 AS some FROM orderbook_deltas' --data d --format csv; exits 0; prints true
says 'are neither in the lake nor on the tape'
# shellcheck disable=SC2207
hole=($(printf '%s' "$err" | sed -n 's/.*sequences \([0-9]*\) to \([0-9]*\) are.*/\1 \2/p'))
# a book of before the hole is not known to be right behind it, from the tape and from the lake
kdp query "SELECT ticker FROM orderbook_snapshots WHERE seq > ${ends[3]} GROUP BY ticker HAVING max(seq) < ${hole[0]} LIMIT 1" \
    --data d --format csv --quiet; exits 0
ticker=${out##*$'\n'}
kdp book --ticker "$ticker" --data d --format json; exits 0
prints '"state": "stale", "reason": "gap"'
kdp seal --data d; exits 0; says 'lost, as kdp tape repair noted'
mv d/tape tape.away
kdp book --ticker "$ticker" --data d --format json; exits 0
prints '"state": "stale", "reason": "gap"'
mv tape.away d/tape
kdp seal --data d; exits 0; silent
kdp query "SELECT count(*) FROM gaps WHERE kind = 'retention'" --data d --format csv; exits 0; prints 2
[[ $err != *warning* ]] || wrong 'said again when sealed'

# a lost manifest takes no file with it
mv d/trades/manifest.json away.json
kdp seal --data d; exits 1; says 'the manifest is gone: d/trades/manifest.json'; says 'Put back a copy'
[ -n "$(find d/trades -name '*.parquet')" ] || wrong 'the files of a table without a manifest were removed'
mv away.json d/trades/manifest.json
kdp seal --data d; exits 0; silent
done_testing
