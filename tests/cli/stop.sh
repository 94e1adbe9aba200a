#!/bin/bash
# The first signal ends a command cleanly with its summary, whatever it waits for; a job cut short says so in its exit code.
. "$(dirname "$0")/lib.sh"

start() { # DIR: a replay that waits for more on its standard input
    rm -f in; mkfifo in
    "$KDP" replay --input - --data "$1" --no-lake <in >.out 2>.err &
    pid=$!
    exec 5>in
    printf '%s\n' '{"recv_ns":1795183387000000000,"conn":1,"event":"connected"}' \
        '{"recv_ns":1795183387000000001,"conn":1,"raw":"{\"type\":\"orderbook_snapshot\",\"sid\":1,\"seq\":1,\"msg\":{\"market_ticker\":\"KXA-1\",\"yes_dollars_fp\":[[\"0.4200\",\"10.00\"]]}}"}' >&5
    for _ in $(seq 500); do # until it is at work
        [ -s "$1/plant" ] && return
        sleep 0.01
    done
    wrong 'replay does not start'
}
ended() { # sets code; at most 10 s
    local i
    for i in $(seq 1000); do
        kill -0 $pid 2>/dev/null || break
        sleep 0.01
    done
    [ "$i" -lt 1000 ] || { wrong 'it does not end'; kill -KILL $pid; }
    wait $pid; code=$?
    exec 5>&-
    out=$(cat .out) err=$(cat .err)
}

last='kdp replay, SIGINT'
start a; kill -INT $pid; ended
exits 130; prints 'input '
grep -q '^state=closed' a/plant || wrong 'a stopped replay does not say that it ended in order'
last='kdp replay, SIGTERM'
start b; kill -TERM $pid; ended
exits 143; prints 'input '

# what a stopped run left can be gone on with
kdp replay --input /dev/null --data a --no-lake; exits 1; says 'a'
kdp replay --input /dev/null --data a --append --no-lake; exits 0

# the second signal ends at once; the tape opens all the same
last='kdp replay, killed'
start c; kill -KILL $pid; ended
exits 137
kdp replay --input /dev/null --data c --append --no-lake; exits 0
done_testing
