#!/bin/bash
# Completion: commands, options, choices; the shells' scripts work as far as the shells are here.
. "$(dirname "$0")/lib.sh"

words() { "$KDP" __complete "$@" | sort | tr '\n' ' '; }
is() { last="kdp __complete"; [ "$1" = "$2" ] || wrong "[$1] is not [$2]"; }
has() { last="kdp __complete"; [[ " $1" == *" $2 "* ]] || wrong "[$1] lacks $2"; }

is "$(words con)" 'config '
has "$(words '')" 'help'
[[ $(words '') != *__complete* ]] || wrong 'the internal command is offered'
is "$(words help conf)" 'config '
is "$(words config --env)" '--env-example --env-file '
has "$(words config --)" '--format'
[[ $(words version --) != *--format* ]] || wrong 'an option that the command does not take is offered'
is "$(words config --format '')" 'csv json table '
is "$(words config --format c)" 'csv '
is "$(words completion '')" 'bash fish zsh '
is "$(words nonsense --)" ''

is "$(words backfill --what '')" 'candles markets trades '
is "$(words preview --what '')" 'markets trades '
has "$(words schema o)" 'orderbook_deltas'
has "$(words schema ca)" 'candles'
if [[ $(words '') == *' tap '* && $(words '') == *' replay '* ]]; then
    printf '%s\n' '{"type":"orderbook_snapshot","sid":1,"seq":1,"msg":{"market_ticker":"KXDEMO-26DEC01-T3","yes_dollars":[["0.4000","10.00"]]}}' >one.jsonl
    "$KDP" replay --input one.jsonl --data there --no-lake >/dev/null 2>&1 || wrong 'replay failed'
    is "$(words tap --data there --ticker KX)" 'KXDEMO-26DEC01-T3 '
    is "$(words tap --data=there --ticker KX)" 'KXDEMO-26DEC01-T3 '
    is "$(KDP_DATA=there words tap --ticker KXN)" ''
    has "$(words tap --types '')" 'bbo'
    is "$(words backfill --data there --series '')" 'KXDEMO '
    is "$(words tap --data absent --ticker K)" ''
fi

# bash itself: complete "kdp config --form"
mkdir bin; ln -s "$KDP" bin/kdp
reply=$(PATH=$PWD/bin:$PATH bash -c 'eval "$(kdp completion bash)"; COMP_WORDS=(kdp config --form); COMP_CWORD=2; _kdp; echo "${COMPREPLY[*]}"')
is "$reply" '--format'
reply=$(PATH=$PWD/bin:$PATH bash -c 'eval "$(kdp completion bash)"; COMP_WORDS=(kdp ""); COMP_CWORD=1; _kdp; echo "${COMPREPLY[*]}"')
has "$reply " 'config'
for shell in zsh fish; do
    if command -v $shell >/dev/null; then
        "$KDP" completion $shell >script.$shell; $shell -n script.$shell || wrong "$shell does not take its script"
    fi
done
kdp completion zsh; exits 0; prints 'compdef'
kdp completion fish; exits 0; prints 'complete -c kdp'
done_testing
