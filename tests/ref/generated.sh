#!/bin/bash
# generated.sh KDP: made-up sessions with every fault and line form, compared with the reference; KDP_SEED moves them.
set -u
here=$(cd "$(dirname "$0")" && pwd)
kdp=$1 seed=${KDP_SEED:-20261122}
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
faults=gap=0.002,resync,dup=0.002,reconnect=0.0005,malformed=0.001,negative=0.001,reorder-ack,unknown
n=0
for options in '--form wrapped' '--form wrapped --commands --leg yes' '--form bare' '--form blueprint' '--form recv_ms'; do
    n=$((n + 1))
    # shellcheck disable=SC2086
    "$kdp" gen --frames 6000 --markets 60 --seed $((seed + n)) $options --faults $faults --output "$scratch/$n.jsonl" --quiet || exit 1
done
echo "KDP_SEED=$seed"
"$here/compare.sh" "$kdp" "$scratch"/*.jsonl
