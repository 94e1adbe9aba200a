#!/bin/bash
# run.sh - kdp run: what is wrong with the settings is said before anything is opened; against the simulator it captures, ends in
# order, goes on behind, and its raw tape replays to the same stream.
. "$(dirname "$0")/lib.sh"

# ---- settings: nothing is opened, nothing asked ----
kdp run; exits 2; no_answer
says 'no API key: KALSHI_API_KEY and KALSHI_PRIVATE_KEY_PATH are empty (flags, environment, .env)'; says 'Fill in .env (see env.example)'
kdp run --api-key some-id; exits 2; says 'no API key: KALSHI_PRIVATE_KEY_PATH is empty'
kdp run --api-key some-id --private-key gone.pem; exits 1; says 'gone.pem'; says 'no such file'
[[ $err != *some-id* ]] || wrong 'the key ID was printed'
openssl ecparam -name prime256v1 -genkey -noout -out ec.pem 2>/dev/null
kdp run --api-key some-id --private-key ec.pem; exits 1; says 'not a usable key: ec.pem: '; says 'RSA or Ed25519'
openssl genpkey -algorithm ed25519 -out ed.pem 2>/dev/null
key=(--api-key some-id --private-key ed.pem)
kdp run "${key[@]}" --base-url ftp://example.com/; exits 2; says '--base-url "ftp://example.com/"'
kdp run "${key[@]}" --ws-url wss://; exits 2; says '--ws-url "wss://" is not an address'
printf 'KALSHI_WS_URL=wss://a:b@example.com/x\n' >bad.env
kdp run "${key[@]}" --env-file bad.env; exits 2; says 'ws-url (bad.env line 1, KALSHI_WS_URL) is no address: '
printf 'series=KXA\nvolume=3\n' >rules
kdp run "${key[@]}" --rules rules; exits 2; says 'rules line 2: no rule volume'
kdp run "${key[@]}" --rules gone.rules; exits 2; says 'cannot read the rules: gone.rules: No such file'
printf 'min_volume=many\n' >rules
kdp run "${key[@]}" --rules rules; exits 2; says 'min_volume "many" is not a number of contracts'
kdp run "${key[@]}" --connections 17; exits 2
kdp run "${key[@]}" extra; exits 2
mkdir pem; kdp run --api-key some-id --private-key pem; exits 1; says 'cannot read the private key: pem: is a directory'; says 'KALSHI_PRIVATE_KEY_PATH (--private-key)'
local=(--base-url https://127.0.0.1:9/x --ws-url wss://127.0.0.1:9/x)
[ ! -e data ] || wrong 'a data folder was made before the settings were right'

# ---- folders and files that cannot be used: what, and what to do ----
touch file
kdp run "${key[@]}" "${local[@]}" --data file; exits 1; says 'cannot write in the data folder '; says '/file: not a directory'; says 'another: --data DIR (KDP_DATA)'
kdp run "${key[@]}" "${local[@]}" --data gone/d; exits 1; says 'cannot make the data folder gone/d: no such file'; says 'mkdir -p'
kdp run "${key[@]}" "${local[@]}" --data c --ca-file gone.pem; exits 1; says 'gone.pem: no such file'; says '--ca-file (KALSHI_CA_FILE)'
kdp run "${key[@]}" "${local[@]}" --data c --ca-file ed.pem; exits 1; says 'not a usable CA file: ed.pem: not in PEM form'; says '--ca-file (KALSHI_CA_FILE)'

# ---- a simulated exchange ----
"$KDP" __complete '' | grep -qx sim || { [ $fails = 0 ] || exit 1; echo 'SKIPPED: this build has no simulator'; exit 77; }
sim=0
start_sim() { # OPTIONS: a simulator in ./sim
    rm -rf sim
    "$KDP" sim --dir sim "$@" >sim.out 2>&1 </dev/null &
    sim=$!
    for _ in $(seq 600); do
        [ ! -s sim/sim.env ] || return 0
        kill -0 $sim 2>/dev/null || break
        sleep 0.05
    done
    cat sim.out
    exit 1
}
stop_sim() { kill "$sim"; wait "$sim"; sim=0; }
trap '[ $sim = 0 ] || kill $sim; rm -rf "$work"' EXIT
member() { printf '%s' "$out" | grep -o "\"$1\":[^,}]*" | head -n 1 | cut -d: -f2-; }

start_sim --markets 40 --rate 400 --seed 3
kdp run --env-file sim/sim.env --test-pace 10 --seconds 2 --summary json --data d
exits 0
[ "$(member frames)" -gt 500 ] || wrong 'too few frames'
[ "$(member lost)" = 0 ] || wrong 'something was lost'
[ "$(member malformed)" = 0 ] || wrong 'malformed frames of a simulator'
[ "$(printf '%s' "$out" | grep -o '"state":"live"' | wc -l)" -ge 30 ] || wrong 'few books are live'
live=$(member stream_hash)
[ -e d/plant ] && [ -n "$(ls d/tape/*.seg)" ] || wrong 'no tape'

# its raw tape replays to the same stream
kdp replay --input d/raw --data again --summary json --no-lake; exits 0
[ "$(member stream_hash)" = "$live" ] || wrong "the raw tape replays to $(member stream_hash), the live run gave $live"

# Ctrl-C: in order, 0, and a second run goes on behind the first
for signal in INT TERM; do
    "$KDP" run --env-file sim/sim.env --test-pace 10 --data d >.out 2>.err </dev/null &
    plant=$!
    for _ in $(seq 400); do
        grep -q "pid=$plant" d/plant 2>/dev/null && break # before that a signal may come before its handler, and is lost
        sleep 0.05
    done
    kill -$signal $plant
    code=0; wait $plant || code=$?
    last="kdp run, ended by SIG$signal"; out=$(cat .out) err=$(cat .err)
    if [ $signal = INT ]; then exits 0; else exits 143; fi
    prints 'goes on at sequence '
done
kdp tape verify d; exits 0

# one plant at a time
"$KDP" run --env-file sim/sim.env --test-pace 10 --data d >.out2 2>.err2 </dev/null &
plant=$!
for _ in $(seq 400); do
    grep -q "pid=$plant" d/plant 2>/dev/null && break
    sleep 0.05
done
kdp run --env-file sim/sim.env --data d; exits 1; no_answer
says "/d is in use by another plant: pid $plant, since 20"
kill -INT $plant; wait $plant || wrong 'the other plant did not end well'

# a disk that takes nothing more (here: a limit on the size of a file): told once, ended in order, nothing lost at the next start
(ulimit -f 9000; exec "$KDP" run --env-file sim/sim.env --test-pace 10 --data full --no-lake --ring-size 4M --raw-ring-size 2M \
    >.out2 2>.err2 </dev/null) &
plant=$!
for _ in $(seq 60); do
    "$KDP" sim ctl --dir sim burst 20000 >/dev/null
    grep -q 'capture waits; ' .err2 && break
    sleep 0.2
done
kill -INT $plant
code=0; wait $plant || code=$?
last='kdp run with a full disk'; out=$(cat .out2) err=$(cat .err2)
exits 1
says 'full/tape: '; says 'capture waits; the tape ends whole at sequence'
# Ctrl-C finds it waiting, or, where the ring has room yet, in its last writing
grep -Eq 'stopped while the tape could not be written|cannot write /.*: file too large' .err2 || wrong 'why it ended is not said'
says 'free space, and the next start writes it'
kdp run --env-file sim/sim.env --test-pace 10 --data full --no-lake --seconds 1; exits 0
says 'records taken over from the ring'
kdp tape verify full; exits 0

# a key of somebody else is refused, once, with what to do
kdp run --env-file sim/sim.env --private-key ed.pem --data refused; exits 1
says 'refused the key'
stop_sim
done_testing
