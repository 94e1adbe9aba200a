#!/bin/bash
# No key and no token in anything kdp writes, whatever goes wrong: words, log, data folder, a process that is killed.
. "$(dirname "$0")/lib.sh"
command -v python3 >/dev/null || { echo 'SKIPPED: no python3'; exit 77; }

server=0 plant=0
trap 'for p in $server $plant; do [ $p = 0 ] || kill -9 $p 2>/dev/null; done; rm -rf "$work"' EXIT
id=0b0e9c5e-6a1f-4d0b-9b6d-5a1c0f3e2d7b token=t0ken-of-old-setups
mkdir www keys
openssl genpkey -algorithm ed25519 -out keys/ed.pem 2>/dev/null
openssl genrsa -traditional -out keys/rsa.pem 2048 2>/dev/null || openssl genrsa -out keys/rsa.pem 2048 2>/dev/null
openssl ecparam -name prime256v1 -genkey -noout -out keys/ec.pem 2>/dev/null
head -c 700 keys/rsa.pem >keys/cut.pem
openssl pkey -in keys/ed.pem -aes256 -passout pass:abcd -out keys/locked.pem 2>/dev/null
openssl pkey -in keys/ed.pem -pubout -out keys/public.pem 2>/dev/null
echo "password = hunter2hunter2" >keys/other.pem
printf '%s\n' "$id" "$token" hunter2hunter2 >needles
grep -hv -e '-----' keys/*.pem | grep -E '^[A-Za-z0-9+/=]{24,}$' >>needles # each line of each key
[ "$(wc -l <needles)" -gt 30 ] || { echo 'no keys'; exit 1; }

clean() { # FILE...: none of it is in there
    local found
    found=$(grep -rlaF -f needles -- "$@" 2>/dev/null) && wrong "a secret is in: $found"
}
looks() { clean .out .err; [ -n "$out$err" ] || wrong 'it said nothing'; }

# an exchange that refuses, and says to everybody what it was told
echo 0 >www/offset
echo "$id" >www/id
answer() { printf '%s\n%s' "$2" "$3" >"www/$1.new"; mv "www/$1.new" "www/$1"; } # NAME STATUS BODY
answer status 200 '{"exchange_active":true,"trading_active":true}'
answer schedule 200 '{"schedule":{"standard_hours":[],"maintenance_windows":[]}}'
python3 "$here/exchange.py" www >server.out 2>&1 &
server=$!
for _ in $(seq 200); do
    [ ! -e www/port ] || break
    sleep 0.05
done
export KALSHI_BASE_URL=http://127.0.0.1:$(cat www/port)/x KALSHI_WS_URL=ws://127.0.0.1:$(cat www/port)/x/ws
export KDP_LOG_FILE=$work/kdp.log LOG_LEVEL=debug KALSHI_API_KEY=$id KALSHI_PRIVATE_KEY_PATH=keys/ed.pem KALSHI_WS_AUTH_TOKEN=$token

for status in 200 400 401 403 404 429 500; do
    answer limits $status "{\"error\":{\"code\":\"$id\",\"message\":\"no $id, Bearer $token\"}}"
    kdp status; looks
    kdp status --format json; looks
    kdp status --format csv; looks
done
answer limits 403 "{\"code\":\"forbidden\",\"message\":\"key $id may not\"}"
kdp status; exits 1; prints '403 "key ************************************ may not"'
answer status 500 "{\"code\":\"odd\",\"message\":\"$id $token\"}"
kdp status; looks
answer status 200 '{"exchange_active":true,"trading_active":true}'
rm www/limits

# keys that cannot be used, and those put where the name of a file belongs
for file in ec cut locked public other missing; do
    kdp status --private-key keys/$file.pem; exits 1; looks
    kdp run --private-key keys/$file.pem --data d; looks; [ "$code" != 0 ] || wrong 'it ran'
done
for text in "$(cat keys/ed.pem)" "$(cat keys/rsa.pem)" "$(sed -n 2p keys/ed.pem)" "$(grep -v -e ----- keys/rsa.pem | tr -d '\n')"; do
    kdp status --private-key "$text"; exits 1; looks
    prints 'key        unusable     not the name of a file: KALSHI_PRIVATE_KEY_PATH has the key itself in it'
    kdp run --private-key "$text" --data d; exits 2; looks
    says 'Put the key into a file, chmod 600 it'
    kdp config --all --private-key "$text"; looks
    kdp config --check --private-key "$text"; clean .out .err
done

# words of the command line, and settings that do not fit
kdp config; looks; kdp config --all --format json; looks
for wrong_word in "--apikey=$id" "--api-keys $id" "--api-key=$id --ws-auth-tokens=$token" "--ws-auth-token=$token --limt 3"; do
    # shellcheck disable=SC2086 # they are several words
    kdp status $wrong_word; exits 2; looks
done
kdp status --api-key "$id with blanks"; looks
printf 'KALSHI_API_KEY=%s\nKALSHI_WS_AUTH_TOKEN=%s\nKALSHI_PRIVATE_KEY_PATH="%s"\n' "$id" "$token" "$(cat keys/ed.pem)" >bad.env
(unset KALSHI_API_KEY KALSHI_PRIVATE_KEY_PATH KALSHI_WS_AUTH_TOKEN; kdp status --env-file bad.env; exits 2; looks; exit $fails) || fails=$((fails + 1))

# every command that can ask, with a wrong key, a refusal that repeats it, and nobody there
echo other >www/id
for command in 'status' 'demo --series KXA' 'market --ticker KXA-1' 'backfill --ticker KXA-1 --start 2026-11-01 --end 2026-11-02 --data d' \
    'run --ticker KXA-1 --seconds 1 --test-pace 1 --data d'; do
    "$KDP" __complete '' | grep -qx "${command%% *}" || continue
    # shellcheck disable=SC2086
    kdp $command; looks
    case $command in run* | market* | backfill*) continue ;; esac # they ask as demo does, and kdp run goes on for half a minute
    # shellcheck disable=SC2086
    KALSHI_BASE_URL=http://127.0.0.1:9/x KALSHI_WS_URL=ws://127.0.0.1:9/x kdp $command; looks
done
echo "$id" >www/id

# a run that has the key in memory: no core file may be written, and what it says when it dies has nothing of it
ulimit -c unlimited 2>/dev/null
"$KDP" run --data killed --no-lake >run.out 2>run.err </dev/null &
plant=$!
for _ in $(seq 200); do # until it has read the key
    ! grep -q '^Max core file size  *0 ' /proc/$plant/limits 2>/dev/null || break
    kill -0 $plant 2>/dev/null || break
    sleep 0.05
done
grep -q '^Max core file size  *0 ' /proc/$plant/limits || wrong 'a core file may be written'
{ kill -ABRT $plant; wait $plant; } 2>/dev/null
plant=0
last='a run killed by SIGABRT' code=-
ls core* killed/core* >/dev/null 2>&1 && wrong 'there is a core file'
rm -rf keys bad.env www needles.all
clean run.out run.err
cp needles ../needles.$$ && mv needles "../needles.$$" # all that is left here was written by kdp
found=$(grep -rlaF -f "../needles.$$" . 2>/dev/null) && wrong "a secret is in: $found"
rm -f "../needles.$$"
[ -s kdp.log ] || wrong 'there is no log to look at'
done_testing
