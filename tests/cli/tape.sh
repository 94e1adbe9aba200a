#!/bin/bash
# kdp tape: verify, info and repair on a clean tape, a damaged one and a mended one.
. "$(dirname "$0")/lib.sh"

"$KDP" gen --markets 20 --frames 20000 --seed 5 --output s.jsonl >gen.out 2>&1 || { cat gen.out; exit 1; }
"$KDP" replay --no-lake --input s.jsonl >replay.out 2>&1 || { cat replay.out; exit 1; }
segment=data/tape/00000001.seg
records=$("$KDP" tap --from oldest --to end --format json | wc -l)

kdp tape verify; exits 0; prints 'no damage'; says "records, sequences 1 to $records, damage 0"
kdp tape verify data --quiet; exits 0; silent
kdp tape verify data/tape; exits 0
kdp tape verify --format csv; exits 0; [ "$out" = kind,file,byte,first_seq,last_seq,what ] || wrong 'csv without rows is a heading'
kdp tape info --format csv; exits 0
[[ $'\n'$out$'\n' == *$'\n'"records,$records"$'\n'* ]] || wrong 'the number of records'
[[ $'\n'$out$'\n' == *$'\n'"last_seq,$records"$'\n'* ]] || wrong 'the last sequence'
trades=$("$KDP" tap --from oldest --to end --types trade --format json | wc -l)
[[ $'\n'$out$'\n' == *$'\n'"trades,$trades"$'\n'* ]] || wrong 'the number of trades'
kdp tape info; exits 0; prints 'orderbook_deltas'
kdp tape repair; exits 0; prints 'nothing to repair'; [ ! -e $segment.damaged ] || wrong 'a clean tape was written anew'

kdp tape; exits 2
kdp tape mend; exits 2; says 'verify, info or repair'
kdp tape verify --data none; exits 1; says 'no tape: none/tape'
kdp tape verify data --data data; exits 2; says 'twice'

flip() { # FILE OFFSET: another byte stands there, whatever it was
    python3 -c 'import sys
with open(sys.argv[1], "r+b") as file:
    file.seek(int(sys.argv[2]))
    byte = file.read(1)[0] ^ 0xff
    file.seek(int(sys.argv[2]))
    file.write(bytes([byte]))' "$1" "$2"
}
# damage: named by file, byte and sequences; repair without a yes writes nothing
chmod u+w $segment
flip $segment $(($(stat -c %s $segment) * 6 / 10))
before=$(cksum <$segment)
kdp tape verify; exits 1; prints 'DAMAGE'; prints "$segment"; says 'kdp tape repair'
kdp tape verify --format json; exits 1; python3 -c 'import json, sys
rows = json.load(open(sys.argv[1]))
assert any(r["kind"] == "damage" and r["file"].endswith("00000001.seg") for r in rows), rows' "$work/.out" || wrong 'json of findings'
kdp tape repair; exits 1; prints "$segment"; says 'nothing was written'
[ "$(cksum <$segment)" = "$before" ] || wrong 'repair wrote without asking'
[ ! -e $segment.damaged ] || wrong 'repair wrote without asking'
kdp tape repair --yes --format csv; exits 0
lost=$(printf '%s\n' "$out" | sed -n 2p | cut -d, -f4)
if [ "$lost" -le 0 ] || [ "$lost" -ge "$records" ]; then wrong 'not a part was lost'; fi
[ "$(cksum <$segment.damaged)" = "$before" ] || wrong 'the damaged file is not kept as it was'
kdp tape verify; exits 0; prints 'lost, as kdp tape repair noted'
kdp tap --from oldest --to end --format json; exits 1
[ "$(wc -l <"$work/.out")" = $((records - lost)) ] || wrong 'records after the repair'
says 'as kdp tape repair noted'
kdp tape repair --yes; exits 0; prints 'nothing to repair'

# on a terminal it asks: no leaves all as it was, yes repairs
cat >ask.py <<'END'
import os, pty, subprocess, sys
master, slave = pty.openpty()
os.write(master, sys.argv[1].encode() + b"\n")
sys.exit(subprocess.call([os.environ["KDP"], "tape", "repair", "--data", sys.argv[2]], stdin=slave, stderr=open("ask.err", "w")))
END
cp -r data asked; chmod u+w asked/tape/00000001.seg
flip asked/tape/00000001.seg 5000
code=0; python3 ask.py n asked >/dev/null || code=$?
last='kdp tape repair, n'; out=; err=$(cat ask.err); exits 1; says '[y/N]'; says 'nothing was written'
kdp tape verify asked; exits 1
code=0; python3 ask.py y asked >/dev/null || code=$?
last='kdp tape repair, y'; out=; err=$(cat ask.err); exits 0; says '1 written'
kdp tape verify asked; exits 0

# the raw tape is looked through as well
cp -r data raw_damaged; chmod u+w raw_damaged/raw/00000001.raw
printf '\377\377\377\377' | dd of=raw_damaged/raw/00000001.raw bs=1 seek=$(($(stat -c %s raw_damaged/raw/00000001.raw) / 2)) conv=notrunc 2>/dev/null
kdp tape verify raw_damaged; exits 1; prints 'DAMAGE'; prints 'raw_damaged/raw/00000001.raw'; says 'only needed to replay it'

# another version: named, nothing touched
cp -r data newer; chmod u+w newer/tape/00000001.seg
printf '\003' | dd of=newer/tape/00000001.seg bs=1 seek=8 conv=notrunc 2>/dev/null
before=$(cksum <newer/tape/00000001.seg)
for command in 'tape verify newer' 'tape repair --yes newer' 'tap --from oldest --data newer'; do
    # shellcheck disable=SC2086
    kdp $command; exits 1; says 'tape format 3: newer/tape/00000001.seg: kdp '; says 'Use a later kdp. Nothing was changed'
done
[ "$(cksum <newer/tape/00000001.seg)" = "$before" ] || wrong 'a newer tape was changed'

# a plant that runs: looking is allowed, mending is not
"$KDP" replay --no-lake --input s.jsonl --data live --speed 4 >live.out 2>&1 &
plant=$!
for ((i = 0; i < 500; i++)); do [ ! -e live/tape/00000001.seg ] || break; sleep 0.01; done
kdp tape verify live; exits 0
kdp tape repair --yes live; exits 1; says 'in use'
kill -INT $plant; wait $plant
done_testing
