#!/bin/bash
# What is wrong with a command is said in two lines, with the nearest right word, exit 2, before anything is opened.
. "$(dirname "$0")/lib.sh"

kdp; exits 2; no_answer; says 'usage: kdp COMMAND'
kdp -h; exits 0; silent; prints 'usage: kdp COMMAND'
kdp --help; exits 0
kdp help; exits 0; prints 'tend     '
kdp help config; exits 0; prints 'usage: kdp config'
kdp help nonsense; exits 2; says 'no command nonsense'

kdp confg; exits 2; no_answer
says 'kdp: error: no command confg'
says '  Did you mean kdp config?'
kdp xyzzyx; exits 2; says 'kdp -h lists the commands'
kdp $'\033[2Jx'; exits 2; says '\x1b[2Jx'
# the tools before had other names: the new one is named, whether this version has it or not
has() { "$KDP" __complete '' | grep -qx "$1"; }
while read -r old now; do
    kdp "$old"; exits 2; no_answer
    says "no command ${old#tools.}"
    if has "$now"; then says "Did you mean kdp $now?"; else says "kdp $now comes with a later version"; fi
done <<'names'
public_demo demo
tools.public_demo demo
market_data_recorder record
historical_fetcher backfill
market_data_preview preview
candles ohlc
orderbook book
names
kdp --frob; exits 2; says 'no option --frob before the command'

kdp config --formt json; exits 2; no_answer
says 'kdp: error: no option --formt in kdp config'
says '  Did you mean --format? kdp help config'
kdp config --json; exits 2; says 'Did you mean --format json?'
kdp config --xyzzyx=1; exits 2; says 'no option --xyzzyx in kdp config'; says 'kdp help config lists its options'
kdp config -x; exits 2; says 'no option -x in kdp config'
kdp config --format; exits 2; says '--format needs a value: --format F'
kdp config --format xml; exits 2; says '--format "xml" is not a choice'; says 'table|csv|json'
kdp config --all=yes; exits 2; says '--all takes no value'
kdp config --all extra; exits 2; says 'one argument too many: "extra"'
kdp config --no-format; exits 2; says 'no option --no-format'
kdp config --all --check; exits 2; says 'exclude each other'
kdp completion; exits 2; says 'too few arguments: kdp completion bash|zsh|fish'
kdp completion tcsh; exits 2; says 'Choose one of bash, zsh, fish'

# --opt=value and --opt value are the same; -h wins over everything; -- ends the options
kdp config --format=json; exits 0; prints '['
kdp config --format json; exits 0; prints '['
kdp config --frob -h; exits 0; prints 'usage: kdp config'
kdp config -- --all; exits 2; says 'one argument too many: "--all"'
kdp config --no-all; exits 0

# nothing is opened or made by a wrong command
kdp config --data "$work/never" --frob; exits 2
[ ! -e "$work/never" ] || wrong 'a wrong command made a folder'
# a wrong option is told before a bad settings file is even read
printf 'nonsense\n' >.env
kdp config --frob; exits 2; says 'no option --frob'
rm .env

# the answers of help, usage errors and completion take under 50 ms (the best of five, so that a busy machine does not decide)
best=1000000
for _ in 1 2 3 4 5; do
    t=${EPOCHREALTIME/[.,]/}
    "$KDP" -h >/dev/null; "$KDP" config --frob 2>/dev/null; "$KDP" __complete con >/dev/null
    t=$((${EPOCHREALTIME/[.,]/} - t))
    [ $t -ge $best ] || best=$t
done
limit=150000
case $("$KDP" version) in *address* | *thread*) limit=1500000 ;; esac
[ $best -lt $limit ] || wrong "help, a usage error and a completion took $best us together"
done_testing
