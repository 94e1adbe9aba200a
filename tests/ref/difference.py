#!/usr/bin/env python3
"""difference.py KDP.json REFERENCE.json: the two summaries member by member; exit 0 when equal, 1 with a report when not.

records and stream_hash are kdp's own and not compared; everything else must be there on both sides and equal, the
markets must stand in the order of their tickers.
"""
import json
import sys

SHOWN = 20  # differences printed; the rest are counted


def members(value, path=''):
    """Every leaf of a value with its path; markets by ticker."""
    if isinstance(value, dict):
        if not value:
            yield path, '{}'
        for name, inner in value.items():
            yield from members(inner, f'{path}.{name}' if path else name)
    elif isinstance(value, list):
        names = [item.get('ticker', place) if isinstance(item, dict) else place for place, item in enumerate(value)]
        yield f'{path} in order of names, each once', names == sorted(set(names))
        for name, item in zip(names, value):
            yield from members(item, f'{path}[{name}]')
    else:
        yield path, value


def main():
    ours, wanted = (dict(members(json.load(open(path, encoding='utf-8')))) for path in sys.argv[1:3])
    for name in ('records', 'stream_hash'):
        ours.pop(name, None)
    names = list(wanted) + [name for name in ours if name not in wanted]
    wrong = [name for name in names if name not in ours or name not in wanted or ours[name] != wanted[name]
             or type(ours[name]) is not type(wanted[name])]
    differs = bool(wrong)
    for market in [name for name in names if name.endswith('].ticker') and name in wrong]:  # one line for a whole market
        whole = market[:-len('.ticker')]
        print(f'  {whole}: only {"kdp" if market in ours else "the reference"} has it')
        wrong = [name for name in wrong if not name.startswith(whole + '.')]
    for name in wrong[:SHOWN]:
        print(f'  {name}: kdp {json.dumps(ours.get(name, "(absent)"))}, reference {json.dumps(wanted.get(name, "(absent)"))}')
    if len(wrong) > SHOWN:
        print(f'  and {len(wrong) - SHOWN} more')
    print(f'  {sum(ours.get(name, None) == wanted.get(name, 0) for name in names)} of {len(names)} members equal')
    sys.exit(1 if differs else 0)


if __name__ == '__main__':
    main()
