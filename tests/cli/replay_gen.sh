#!/bin/bash
# replay_gen.sh - made-up sessions through kdp gen and kdp replay: every book in the end as the generator says a client must
# have it, in every form of the lines, on both scales of NO prices, and with every fault.
. "$(dirname "$0")/lib.sh"

cat >compare.py <<'END'
import gzip, json, sys
want = {m["ticker"]: m for m in json.load((gzip.open if sys.argv[1].endswith(".gz") else open)(sys.argv[1]))["markets"]}
summary = json.load(open(sys.argv[2]))
got = {m["ticker"]: m for m in summary["markets"]}
wrong = []
for ticker in sorted(want.keys() | got.keys()):
    if ticker not in want or ticker not in got:
        wrong.append(f"{ticker}: only in {'the replay' if ticker in got else 'the books'}")
        continue
    for member, value in want[ticker].items():
        if got[ticker].get(member) != value:
            wrong.append(f"{ticker}: {member}: want {value}, got {got[ticker].get(member)}")
print("\n".join(wrong[:5]))
live = sum(m["state"] == "live" for m in want.values())
print(f"{len(want)} markets, {live} live, {len(wrong)} members differ; gaps {summary['gaps']}, "
      f"malformed {summary['malformed']}, connections {summary['connections']}")
sys.exit(len(wrong) != 0 or len(want) < 10)
END
turn=0
round_trip() { # REPLAY OPTIONS, then GEN OPTIONS
    local options=$1 file=session.jsonl
    shift
    turn=$((turn + 1))
    case " $* " in *' --pack '*) set -- "${@/--pack/}"; file=session.jsonl.zst ;; esac
    # shellcheck disable=SC2068
    kdp gen --quiet --seed $turn --books books.json --output $file $@
    exits 0; silent; no_answer
    # shellcheck disable=SC2086
    kdp replay --input $file --data d$turn --no-lake --no-raw --summary json --quiet $options
    exits 0
    printf '%s' "$out" >summary.json
    python3 compare.py books.json summary.json >compared || wrong "gen $*: $(cat compared)"
    compared=$(cat compared)
    rm -rf d$turn
}
has() { [[ $compared == *"$1"* ]] || wrong "the session has no $1: $compared"; }
lacks() { [[ $compared != *"$1"* ]] || wrong "the session has $1: $compared"; }
all=gap,dup,reconnect=0.0003,malformed,negative,reorder-ack,unknown

round_trip '' --frames 40000
has 'gaps 0, malformed 0, connections 2'
round_trip '--leg yes' --frames 30000 --leg yes --connections 1
# on the YES scale by the recording's own commands
round_trip '' --frames 30000 --leg yes --commands --connections 3
has 'connections 3'
round_trip '' --frames 30000 --form bare --markets 80
round_trip '--leg yes' --frames 20000 --form blueprint --markets 50 --leg yes
round_trip '' --frames 20000 --form recv_ms --no-created --pack
round_trip '' --seconds 15 --markets 2000 --rate 2000 --connections 7
# many lives of few markets
round_trip '' --frames 60000 --markets 12 --rate 50

round_trip '' --frames 50000 --faults gap=0.001
lacks 'gaps 0,'
round_trip '' --frames 50000 --faults gap,resync,dup --markets 200
round_trip '' --frames 50000 --faults negative=0.001 --markets 60
round_trip '' --frames 50000 --faults negative,resync,malformed=0.001 --markets 60
lacks 'malformed 0,'
round_trip '' --frames 50000 --faults $all,resync
lacks 'connections 2'
round_trip '' --frames 50000 --faults $all --markets 100
round_trip '' --frames 40000 --faults $all,resync --form bare
round_trip '' --frames 40000 --faults $all --form blueprint
round_trip '' --frames 30000 --faults $all,resync --leg yes --commands

# sessions kept in the tree: they stay the same when the generator changes
for file in session.jsonl.zst faults.jsonl.zst bare.jsonl.gz; do
    kdp replay --input "$source_dir/tests/data/$file" --data kept --no-lake --no-raw --summary json --quiet; exits 0
    printf '%s' "$out" >summary.json
    python3 compare.py "$source_dir/tests/data/${file%%.*}.books.json.gz" summary.json >compared || wrong "$file: $(cat compared)"
    rm -rf kept
done

# the same seed, the same session; packed as its name says
kdp gen --frames 2000 --seed 5 --output a.jsonl; exits 0; prints 'next       kdp replay --input a.jsonl'
"$KDP" gen --frames 2000 --seed 5 >b.jsonl 2>gen.err || wrong 'gen to standard output'
cmp -s a.jsonl b.jsonl || wrong 'another session from the same seed'
[ "$(head -c 3 gen.err)" = ses ] || wrong 'no summary on standard error'
kdp gen --frames 2000 --seed 5 --output a.gz; exits 0
gzip -dc a.gz | cmp -s - a.jsonl || wrong 'another session in gzip'
kdp gen --frames 10 --seed 6 --quiet; exits 0
[ "$(printf '%s\n' "$out" | grep -c '"raw"')" = 10 ] || wrong 'not 10 frames'
kdp gen --frames 10 --start 2024-02-29T00:00:00Z --seed 6 --quiet; prints '{"recv_ns":17091648000'

# what cannot be
kdp gen --form bare --connections 2 --frames 10; exits 2; says 'do not say to which connection'
kdp gen --form blueprint --commands --frames 10; exits 2; says 'frames only'
kdp gen --faults gap,flood; exits 2; says 'no such fault: flood'; says 'reorder-ack'
kdp gen --faults gap=1.5; exits 2; says 'not a chance: gap=1.5'
kdp gen --start 1999-01-01 --frames 10; exits 2; says 'start out of range'
kdp gen --frames 10 --output nowhere/s.jsonl; exits 1; says 'cannot write: nowhere/s.jsonl'
kdp gen --frames 10 --output s.jsonl --books nowhere/b.json; exits 1; says 'cannot write: nowhere/b.json'
if [ -e /dev/full ]; then
    kdp gen --frames 10000 --output /dev/full; exits 1; says 'no space left on device'
fi
last='kdp gen | head' code=0
"$KDP" gen --quiet --frames 200000 2>err.txt | head -n 1 >/dev/null || true
[ "${PIPESTATUS[0]}" = 0 ] || wrong 'a closed pipe is an error'
[ ! -s err.txt ] || wrong "a closed pipe says $(cat err.txt)"
done_testing
