#!/usr/bin/env python3
"""rest_sums.py CAPTURES: counts and sums of the recorded REST answers, one line a file, for tests/data/rest_sums.txt.

It knows nothing of kdp: json, decimal and the zstd program read the files.  A sum of prices is in 1/10,000 dollar, of sizes in
1/100 contract, of means and multipliers in 1/1,000,000; null adds nothing."""
import csv
import decimal
import io
import json
import os
import subprocess
import sys


def number(value, scale):
    if value is None or value == "":
        return 0
    scaled = decimal.Decimal(value).scaleb(scale)
    assert scaled == scaled.to_integral_value(), value
    return int(scaled)


def first(thing, *names):
    return next((thing[name] for name in names if thing.get(name) is not None), None)


def market(add, m):
    add("markets", 1)
    add("volume_e2", number(first(m, "volume_fp", "volume"), 2))
    add("bid_e4", number(m.get("yes_bid_dollars"), 4))
    add("ranges", len(m.get("price_ranges") or []))
    add("terms", sum(len((m.get(name) or "").encode()) for name in ("rules_primary", "rules_secondary")))


def trade(add, t):
    add("trades", 1)
    add("count_e2", number(first(t, "count_fp", "count"), 2))
    add("price_e4", number(t["yes_price_dollars"], 4))


def book(add, b):
    add("books", 1)
    for side in ("yes_dollars", "no_dollars"):
        for price, size in b.get(side) or []:
            add("levels", 1)
            add("level_e4", number(price, 4))
            add("size_e2", number(size, 2))


def candle(add, c):
    price = c.get("price") or {}
    add("candles", 1)
    add("end_s", int(c["end_period_ts"]))
    add("traded_e2", number(first(c, "volume_fp", "volume"), 2))
    add("interest_e2", number(first(c, "open_interest_fp", "open_interest"), 2))
    add("mean_e6", number(price.get("mean_dollars"), 6))
    for side in (c.get("yes_bid"), c.get("yes_ask"), price):
        for name in ("open", "high", "low", "close"):
            add("ohlc_e4", number((side or {}).get(name + "_dollars"), 4))
    for name in ("previous", "min", "max"):
        add("other_e4", number(price.get(name + "_dollars"), 4))


def event(add, e):
    add("events", 1)
    add("exclusive", 1 if e.get("mutually_exclusive") else 0)
    add("words", sum(len((e.get(name) or "").encode()) for name in ("title", "sub_title", "category")))


def series(add, s):
    add("series", 1)
    add("multiplier_e6", number(s.get("fee_multiplier"), 6))
    add("words", sum(len((s.get(name) or "").encode()) for name in ("title", "contract_url", "fee_type")))
    add("tagged", 1 if s.get("tags") is not None else 0)


def walk(add, thing):
    """Finds the objects of the exchange in what a recorder put around them."""
    if isinstance(thing, list):
        for each in thing:
            walk(add, each)
    elif not isinstance(thing, dict):
        pass
    elif "response_body" in thing:
        walk(add, load(thing["response_body"]))
    elif "_metadata" in thing:
        walk(add, thing["response"])
    elif "orderbook_fp" in thing or ("orderbook" in thing and "nested" not in thing):
        book(add, thing.get("orderbook_fp") or thing.get("orderbook") or {})
    elif "yes_bids" in thing:
        book(add, {"yes_dollars": thing["yes_bids"], "no_dollars": thing["no_bids"]})
    elif "candlesticks" in thing or "market_candlesticks" in thing:
        for each in thing.get("candlesticks") or sum(thing.get("market_candlesticks") or [], []):
            candle(add, each)
    elif "ticker" in thing and "trade_id" in thing:
        trade(add, thing)
    elif "ticker" in thing and "open_time" in thing:
        market(add, thing)
    elif "ticker" in thing and "frequency" in thing:
        series(add, thing)
    else:
        if "event_ticker" in thing and "series_ticker" in thing:
            event(add, thing)
        for each in thing.values():
            walk(add, each)


def load(text):
    return json.loads(text, parse_float=decimal.Decimal, parse_int=decimal.Decimal)


def things(path):
    if path.endswith(".zst"):
        data = subprocess.run(["zstd", "-dcq", path], check=True, stdout=subprocess.PIPE).stdout.decode()
    else:
        data = open(path, encoding="utf-8").read()
    if ".jsonl" in path:
        return [load(line) for line in data.splitlines() if line]
    if ".csv" in path:
        return [dict(row, yes_price_dollars=row["price"]) for row in csv.DictReader(io.StringIO(data))]
    return [load(data)]


def main():
    root = sys.argv[1]
    files = [
        os.path.relpath(os.path.join(folder, name), root)
        for part in ("rest", "trades")
        for folder, _, names in os.walk(os.path.join(root, part))
        for name in names
    ]
    for name in sorted(files):
        sums = {}

        def add(what, value, sums=sums):
            sums[what] = sums.get(what, 0) + value

        for thing in things(os.path.join(root, name)):
            walk(add, thing)
        print(name, *(f"{what}={value}" for what, value in sorted(sums.items()) if value != 0))


main()
