"""past.py - the past of an exchange that shares no code with kdp: trades in two tiers, and what can be said of them.

Written from the exchange's documented behaviour (docs/exchange.md 2 and 3) only.  Prices are integers of 1e-4 dollar, sizes of
1e-2 contract, times microseconds.  Trades are made up from a seed, or read from recorded files."""
import array
import bisect
import csv
import io
import json
import random
import subprocess
import time

DAY = 86400 * 1000000
HOUR = 3600 * 1000000


def rfc3339(us):
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(us // 1000000))
    return f"{whole}.{us % 1000000:06d}".rstrip("0").rstrip(".") + "Z"


def micros(text):
    whole, _, fraction = text.rstrip("Z").partition(".")
    seconds = int(__import__("calendar").timegm(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")))
    return seconds * 1000000 + int((fraction + "000000")[:6])


def units(text, digits):
    """A decimal as an integer of 10**-digits."""
    whole, _, fraction = text.partition(".")
    assert len(fraction.rstrip("0")) <= digits, text
    return int(whole) * 10**digits + int((fraction + "0" * digits)[:digits] or 0)


class Tape:
    """The trades of one market, oldest first."""

    def __init__(self, ticker):
        self.ticker = ticker
        self.us, self.price, self.count = array.array("q"), array.array("H"), array.array("q")
        self.flags = array.array("B")  # 1: the taker bought NO, 2: a block trade
        self.ids = []

    def add(self, us, price, count, no, block, id_):
        self.us.append(us)
        self.price.append(price)
        self.count.append(count)
        self.flags.append((1 if no else 0) | (2 if block else 0))
        self.ids.append(id_)

    def sort(self):
        order = sorted(range(len(self.us)), key=self.us.__getitem__)
        for name in ("us", "price", "count", "flags"):
            old = getattr(self, name)
            setattr(self, name, array.array(old.typecode, (old[i] for i in order)))
        self.ids = [self.ids[i] for i in order]

    def rest(self, i):
        price, count, no = self.price[i], self.count[i], self.flags[i] & 1
        return ('{"trade_id":"%s","ticker":"%s","count_fp":"%d.%02d","yes_price_dollars":"%d.%04d","no_price_dollars":"%d.%04d",'
                '"taker_outcome_side":"%s","taker_book_side":"%s","created_time":"%s","is_block_trade":%s}' % (
                    self.ids[i], self.ticker, count // 100, count % 100, price // 10000, price % 10000,
                    (10000 - price) // 10000, (10000 - price) % 10000, "no" if no else "yes", "ask" if no else "bid",
                    rfc3339(self.us[i]), "true" if self.flags[i] & 2 else "false"))


class Past:
    def __init__(self, tapes, cutoff_us, now_us):
        self.tapes = {t.ticker: t for t in tapes}
        self.cutoff_us, self.now_us = cutoff_us, now_us
        for tape in tapes:
            tape.sort()
        self.everything = sorted((us, t.ticker, i) for t in tapes for i, us in enumerate(t.us))
        self.times = array.array("q", (e[0] for e in self.everything))
        self.terms = {t.ticker: self.market_of(t) for t in tapes}

    def market_of(self, tape):
        opened = tape.us[0] // HOUR * HOUR - HOUR
        closed = (tape.us[-1] // HOUR + 1) * HOUR
        event = tape.ticker.rpartition("-")[0]
        return {"open": opened, "close": closed, "settled": closed + HOUR, "event": event, "series": event.partition("-")[0]}

    # ---- what REST says ----

    def market(self, ticker):
        terms, tape = self.terms[ticker], self.tapes[ticker]
        volume = sum(tape.count)
        return {"ticker": ticker, "event_ticker": terms["event"], "market_type": "binary", "title": "t", "subtitle": "",
                "yes_sub_title": "y", "no_sub_title": "n", "created_time": rfc3339(terms["open"]),
                "updated_time": rfc3339(terms["open"]), "open_time": rfc3339(terms["open"]),
                "close_time": rfc3339(terms["close"]), "latest_expiration_time": rfc3339(terms["close"]),
                "settlement_timer_seconds": 60, "status": "finalized", "result": "yes", "settlement_ts": rfc3339(terms["settled"]),
                "settlement_value_dollars": "1.0000", "notional_value_dollars": "1.0000", "yes_bid_dollars": "0.0000",
                "yes_ask_dollars": "1.0000", "no_bid_dollars": "0.0000", "no_ask_dollars": "1.0000",
                "last_price_dollars": "%d.%04d" % divmod(tape.price[-1], 10000), "volume_fp": "%d.%02d" % divmod(volume, 100),
                "volume_24h_fp": "0.00", "open_interest_fp": "0.00", "can_close_early": True, "expiration_value": "",
                "rules_primary": "If it is so.", "rules_secondary": "", "price_level_structure": "center_centi_edge_centi_cent",
                "price_ranges": [{"start": "0.0000", "end": "1.0000", "step": "0.0001"}], "unheard_of": {"a": [1]}}

    def old(self, ticker):
        return self.terms[ticker]["settled"] < self.cutoff_us

    def trades(self, ticker, historical, low_us, high_us, below, limit):
        """A page: (texts newest first, place of the next page or None)."""
        texts = []
        if ticker is not None and ticker not in self.tapes:
            return texts, None
        times = self.tapes[ticker].us if ticker else self.times
        top = bisect.bisect_right(times, high_us) if high_us is not None else len(times)
        floor = bisect.bisect_left(times, low_us) if low_us is not None else 0
        edge = bisect.bisect_left(times, self.cutoff_us)
        if historical:
            top = min(top, edge)
        else:
            floor = max(floor, edge)
        if below is not None:
            top = min(top, below)
        at = top
        while at > floor and len(texts) < limit:
            at -= 1
            if ticker:
                texts.append(self.tapes[ticker].rest(at))
            else:
                _, name, i = self.everything[at]
                texts.append(self.tapes[name].rest(i))
        return texts, at if at > floor else None

    def candles(self, ticker, start_s, end_s, minutes, historical):
        tape, period = self.tapes[ticker], minutes * 60 * 1000000
        words = ("", "") if historical else ("_dollars", "_fp")
        rows, by_end = [], {}
        for i in range(bisect.bisect_left(tape.us, start_s * 1000000 - period), len(tape.us)):
            end = (tape.us[i] // period + 1) * period
            if end > end_s * 1000000:
                break
            if end >= start_s * 1000000:
                by_end.setdefault(end, []).append(i)
        for end, indexes in by_end.items():
            prices = [tape.price[i] for i in indexes]
            ohlc = {"open": prices[0], "high": max(prices), "low": min(prices), "close": prices[-1]}
            rows.append({"end_period_ts": end // 1000000,
                         "price": {k + words[0]: "%d.%04d" % divmod(v, 10000) for k, v in ohlc.items()},
                         "yes_bid": {k + words[0]: None for k in ohlc}, "yes_ask": {k + words[0]: None for k in ohlc},
                         "volume" + words[1]: "%d.%02d" % divmod(sum(tape.count[i] for i in indexes), 100),
                         "open_interest" + words[1]: "0.00"})
        return rows

    # ---- the truth ----

    def rows(self, start_us, end_us, tickers=None):
        """{trade id: (ticker, time, price, count, taker, block)}"""
        found = {}
        for us, ticker, i in self.everything:
            if start_us <= us < end_us and (tickers is None or ticker in tickers):
                tape = self.tapes[ticker]
                assert tape.ids[i] not in found
                found[tape.ids[i]] = (ticker, us, tape.price[i], tape.count[i], "no" if tape.flags[i] & 1 else "yes",
                                      bool(tape.flags[i] & 2))
        return found


def made_up(seed, markets, trades, days, end_us, cutoff_share=0.5):
    """A heavy-tailed past with ties of one microsecond, within pages and at their borders."""
    rng = random.Random(seed)
    start_us = end_us - days * DAY
    weights = [1 / (k + 1) ** 0.8 for k in range(markets)]
    tapes = []
    for k in range(markets):
        tape = Tape(f"KXPAST{k % 7}-26MAY{k // 7:02d}-T{k}.5")
        n = max(3, int(trades * weights[k] / sum(weights)))
        low = start_us + int((end_us - start_us) * rng.random() * 0.6)
        high = low + int((end_us - low) * (0.2 + 0.8 * rng.random()))
        us = low
        for i in range(n):
            if rng.random() > 0.06:  # else: the same microsecond as the one before
                us = low + (high - low) * i // n + rng.randrange(1 + (high - low) // n)
            tape.add(us, rng.randrange(1, 10000), rng.choice((100, 200, 1250, 1, 987654)), rng.random() < 0.5,
                     rng.random() < 0.01, "%08x-%04x-4%03x-8%03x-%012x" % (k, i >> 16 & 0xFFFF, seed & 0xFFF, 0, i))
        tapes.append(tape)
    return Past(tapes, start_us + int((end_us - start_us) * cutoff_share), end_us)


def recorded(path, cutoff_share=0.5):
    """The files of recorded trades: a trade object a line, or a CSV of six columns with old, whole counts."""
    text = subprocess.run(["zstd", "-dc", path], check=True, capture_output=True).stdout.decode()
    tapes, first, last = {}, None, None
    if ".csv" in path:
        rows = ((r["ticker"], r["created_time"], r["price"], r["count"], r["taker_side"], r["trade_id"])
                for r in csv.DictReader(io.StringIO(text)))
    else:
        rows = ((r["ticker"], r["created_time"], r["yes_price_dollars"], r["count_fp"], r["taker_outcome_side"], r["trade_id"])
                for r in map(json.loads, text.splitlines()))
    for ticker, when, price, count, taker, id_ in rows:
        us = micros(when)
        tapes.setdefault(ticker, Tape(ticker)).add(us, units(price, 4), units(count, 2), taker == "no", False, id_)
        first, last = min(first or us, us), max(last or us, us)
    return Past(list(tapes.values()), first + int((last - first) * cutoff_share), last + HOUR)
