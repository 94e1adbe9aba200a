#!/bin/bash
# Flags over environment over .env over defaults; kdp config says which; bad values name their place; secrets stay unseen.
. "$(dirname "$0")/lib.sh"

from() { # SETTING: its row of kdp config, blanks folded
    "$KDP" config --all --format csv "${@:2}" 2>/dev/null | grep "^$1,"
}
is() { [ "$1" = "$2" ] || { last="kdp config"; wrong "row is [$1], not [$2]"; }; }

is "$(from log-level)" 'log-level,warning,default'
printf '# mine\n\nLOG_LEVEL=error\nKALSHI_API_KEY="abc-secret-1"\nexport KDP_DATA=from-file\r\n' >.env
is "$(from log-level)" 'log-level,error,".env line 3, LOG_LEVEL"'
is "$(from data)" 'data,from-file,".env line 5, KDP_DATA"'
is "$(LOG_LEVEL=info from log-level)" 'log-level,info,"environment, LOG_LEVEL, over .env line 3, LOG_LEVEL"'
is "$(LOG_LEVEL=info from log-level --log-level debug)" 'log-level,debug,"--log-level, over environment, LOG_LEVEL"'
is "$(from log-level --log-level=debug)" 'log-level,debug,"--log-level, over .env line 3, LOG_LEVEL"'
is "$(LOG_LEVEL= from log-level)" 'log-level,error,".env line 3, LOG_LEVEL"'

# levels in any case
kdp config --log-level DEBUG; exits 0
kdp config --log-level loud; exits 2; says '--log-level "loud" is not a choice'

# another file, a missing one, a folder, an unreadable line
printf 'LOG_LEVEL=info\n' >other.env
is "$(from log-level --env-file other.env)" 'log-level,info,"other.env line 1, LOG_LEVEL"'
kdp config --env-file missing.env; exits 2; says 'cannot read the settings file: missing.env: no such file or directory'
kdp config --env-file .; exits 2; says 'it is a folder'
printf 'A=1\nKDP_DATA "x"\n' >bad.env
kdp config --env-file bad.env; exits 2; no_answer; says 'bad line: bad.env line 2: there is no = behind the name'
printf 'KDP_RING_SIZE=lots\n' >bad.env
kdp config --check --env-file bad.env; exits 2; says 'KDP_RING_SIZE (bad.env line 1) "lots" is not a size'
QUESTDB_RDB_PORT=99999 kdp config --check; exits 2; says 'QUESTDB_RDB_PORT (environment) "99999" is not in range'
# a command that does not take a setting does not judge it
QUESTDB_RDB_PORT=99999 kdp version; exits 0; silent

# a slip in a variable's name is found by --check
printf 'KALSHI_APIKEY=abc-secret-2\nUNRELATED=1\n' >slip.env
kdp config --check --env-file slip.env; exits 0
says 'slip.env line 1: no setting KALSHI_APIKEY'; says 'Did you mean KALSHI_API_KEY?'
[[ $err != *UNRELATED* ]] || wrong 'a variable of another program was called a slip'
kdp config --check --env-file other.env; exits 0; silent; prints 'all fit'

# secrets: never in any form of output, whatever their source
printf 'KALSHI_API_KEY=abc-secret-3\nKALSHI_WS_AUTH_TOKEN=abc-secret-4\nKALSHI_BASE_URL=https://me:abc-secret-5@example.com/x\n' >.env
for form in table csv json; do
    kdp config --all --format $form --log-level debug; exits 0; prints 'set, not shown'
    [[ $out$err != *abc-secret* ]] || wrong 'a secret was printed'
done
kdp config --api-key abc-secret-6 --format json; exits 0
[[ $out$err != *abc-secret* ]] || wrong 'a secret was printed'
rm .env

# key files are shown as paths with their mode
: >key.pem; chmod 600 key.pem
KALSHI_PRIVATE_KEY_PATH=key.pem kdp config; prints 'key.pem (0600)'
KALSHI_PRIVATE_KEY_PATH=gone.pem kdp config; prints 'gone.pem (no such file)'

# the defaults are the table's own, whatever the environment says
LOG_LEVEL=error kdp config --defaults; exits 0; prints 'LOG_LEVEL'; [[ $out != *error* ]] || wrong '--defaults shows the environment'

# env.example is fresh, and a copy of it changes nothing
kdp config --env-example; exits 0; silent
diff -u "$source_dir/env.example" "$work/.out" || wrong 'env.example is stale: build/kdp config --env-example >env.example'
cp "$work/.out" .env
kdp config --format csv; exits 0
[ "$out" = 'setting,value,from' ] || wrong 'a fresh copy of env.example sets something'
done_testing
