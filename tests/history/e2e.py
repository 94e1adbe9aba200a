"""e2e.py - kdp backfill against an exchange of our own making: every trade once, whatever is wrong with its answers.

    e2e.py [--but NAME ...] [--kills N] [--trades N] [--markets N] [--seed N] [--captures DIR] [--list] [NAME ...]

A round: an exchange with a past in two tiers; kdp backfill fills an empty data folder; the rows SQL gives are the exchange's
own, id for id, and the report says so.  $KDP is the program.  The folder of a round that goes wrong is kept and named."""
import argparse
import csv
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from exchange import Bucket, Exchange
from past import DAY, HOUR, made_up, micros, recorded, rfc3339, units

KDP = os.environ["KDP"]
END = micros("2026-06-20T00:00:00Z")
SKIP = 77


class Wrong(Exception):
    pass


def check(good, words):
    if not good:
        raise Wrong(words)


def plain_env():
    return {k: v for k, v in os.environ.items() if not k.startswith(("KALSHI_", "KDP_", "QUESTDB_"))}


class Round:
    def __init__(self, args, past, seed):
        self.args, self.past = args, past
        self.folder = tempfile.mkdtemp(prefix="kdp-history.")
        self.data = os.path.join(self.folder, "data")
        self.exchange = Exchange(past, seed)
        self.rng = random.Random(seed)
        self.exchange.start()

    def command(self, *more, scope=("--all",), start=None, end=None):
        return [KDP, "backfill", *scope, "--start", rfc3339(start), "--end", rfc3339(end), "--data", self.data, "--base-url",
                self.exchange.url, "--env-file", "/dev/null", "--format", "json", "--log-file", os.path.join(self.folder, "log"),
                *more]

    def backfill(self, *more, expect=0, timeout=300, **range_):
        command = self.command(*more, **range_)
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, env=plain_env())
        with open(os.path.join(self.folder, "stderr"), "a") as out:
            out.write(" ".join(command) + "\n" + done.stderr)
        check(done.returncode == expect, f"exit {done.returncode}, not {expect}: {done.stderr[-600:]} {done.stdout[-400:]}")
        if not done.stdout and expect != 0:
            return None
        return json.loads(done.stdout)

    def rows(self):
        """What SQL says: {id: row}; an id twice is wrong."""
        done = subprocess.run([KDP, "query", "SELECT trade_id, ticker, timestamp, price, volume, taker_side, is_block, origin, seq "
                               "FROM trades", "--data", self.data, "--format", "csv", "--env-file", "/dev/null"],
                              capture_output=True, text=True, env=plain_env())
        check(done.returncode == 0, f"query: {done.stderr[-400:]}")
        found = {}
        for row in csv.DictReader(done.stdout.splitlines()):
            id_ = row["trade_id"]
            check(id_ not in found, f"trade {id_} is there twice")
            check(row["origin"] == "history" and row["seq"] == "", f"{id_}: origin {row['origin']}, seq {row['seq']!r}")
            found[id_] = (row["ticker"], micros(row["timestamp"]), units(row["price"], 4), units(row["volume"], 2),
                          row["taker_side"], row["is_block"] in ("true", "yes", "1"))
        return found

    def same(self, start, end, tickers=None):
        want, got = self.past.rows(start, end, tickers), self.rows()
        missing, over = want.keys() - got.keys(), got.keys() - want.keys()
        check(not missing and not over, f"{len(missing)} missing, {len(over)} too many of {len(want)}; "
              f"{[(want[m][0], rfc3339(want[m][1])) for m in list(missing)[:3]]} {[got[o] for o in list(over)[:3]]}")
        off = [(want[k], got[k]) for k in want if want[k] != got[k]]
        check(not off, f"{len(off)} differ, first {off[:1]}")
        return len(want)

    def end(self, good):
        self.exchange.stop()
        if good:
            shutil.rmtree(self.folder, ignore_errors=True)


def small(args, seed, **kw):
    return Round(args, made_up(seed, 12, 20000, 9, END, **kw), seed)


SPAN = {"start": END - 9 * DAY, "end": END}


def complete(report, inserted):
    check(report["complete"] is True, f"not complete: {report}")
    check(report["trades_inserted"] == inserted, f"{report['trades_inserted']} inserted of {inserted}")
    check(report["impossible"] == 0, f"impossible {report['impossible']}")


# ---- rounds ----

def all_markets(args, seed):
    r = small(args, seed)
    yield r
    complete(r.backfill(**SPAN), r.same(SPAN["start"], SPAN["end"]))
    again = r.backfill(**SPAN)
    complete(again, 0)


def one_series(args, seed):
    r = small(args, seed)
    yield r
    start, end = SPAN["start"] + 2 * DAY + 1234567, SPAN["end"] - 3 * DAY - 7654321  # neither on a day nor on a second
    start, end = start // 1000000 * 1000000, end // 1000000 * 1000000
    tickers = {t for t, terms in r.past.terms.items() if terms["series"] == "KXPAST3"}
    report = r.backfill(scope=("--series", "KXPAST3"), start=start, end=end)
    complete(report, r.same(start, end, tickers))


def one_ticker(args, seed):
    r = small(args, seed)
    yield r
    ticker = next(iter(r.past.tapes))
    complete(r.backfill(scope=("--ticker", ticker), **SPAN), r.same(SPAN["start"], SPAN["end"], {ticker}))
    event = r.past.terms[list(r.past.tapes)[1]]["event"]
    r.backfill(scope=("--event", event), **SPAN)
    more = {t for t, terms in r.past.terms.items() if terms["event"] == event}
    r.same(SPAN["start"], SPAN["end"], {ticker} | more)
    r.backfill(**SPAN)  # all that is left
    r.same(SPAN["start"], SPAN["end"])


def sick_answers(args, seed):
    r = small(args, seed)
    yield r
    r.exchange.ills = {name: 0.03 for name in ("cut", "short", "reset", "503", "500", "429", "html", "slow", "empty")}
    report = r.backfill("--test-pace", "2", **SPAN)
    complete(report, r.same(SPAN["start"], SPAN["end"]))
    check(report["retries"] > 0, "nothing was tried again")


def by_market_sick(args, seed):
    r = small(args, seed)
    yield r
    r.exchange.ills = {"cut": 0.1, "short": 0.05, "503": 0.1}
    for series in sorted({t["series"] for t in r.past.terms.values()}):
        check(r.backfill("--test-pace", "2", scope=("--series", series), **SPAN)["complete"], series)
    r.same(SPAN["start"], SPAN["end"])


def cutoff_moves(args, seed):
    r = small(args, seed, cutoff_share=0.3)
    yield r
    r.exchange.cutoff_step_us = 6 * DAY // 60
    complete(r.backfill(**SPAN), r.same(SPAN["start"], SPAN["end"]))


def strange_pages(args, seed):
    r = small(args, seed)
    yield r
    r.exchange.refuse_min_ts = True
    r.exchange.doubled = True
    report = r.backfill(scope=("--series", "KXPAST0"), **SPAN)
    tickers = {t for t, terms in r.past.terms.items() if terms["series"] == "KXPAST0"}
    complete(report, r.same(SPAN["start"], SPAN["end"], tickers))


def upside_down(args, seed):
    r = small(args, seed)
    yield r
    r.exchange.upside_down = True
    complete(r.backfill(**SPAN), r.same(SPAN["start"], SPAN["end"]))


def cursor_loops(args, seed):
    r = small(args, seed)
    yield r
    r.exchange.loop_cursors = 4
    complete(r.backfill("--test-pace", "2", **SPAN), r.same(SPAN["start"], SPAN["end"]))


def no_candles(args, seed):
    r = small(args, seed)
    yield r
    r.exchange.no_candles = r.exchange.no_markets = True
    ticker = next(iter(r.past.tapes))
    r.backfill(scope=("--ticker", ticker), **SPAN)
    r.same(SPAN["start"], SPAN["end"], {ticker})


def wrong_terms(args, seed):
    """Terms that tell a shorter life than the trades', or none: every trade is there, and those outside are told."""
    r = small(args, seed)
    yield r
    for k, (ticker, terms) in enumerate(r.past.terms.items()):
        tape = r.past.tapes[ticker]
        if k % 3 == 0:
            terms["close"] = tape.us[len(tape.us) // 2] // HOUR * HOUR
        elif k % 3 == 1:
            terms["open"], terms["close"] = terms["close"], terms["open"]
    for series in sorted({t["series"] for t in r.past.terms.values()}):
        tickers = {t for t in r.past.terms if r.past.terms[t]["series"] == series}
        odd = any(list(r.past.terms).index(t) % 3 == 0 for t in tickers)
        report = r.backfill(scope=("--series", series), **SPAN)
        check((report["impossible"] > 0) == odd, f"{series}: {report['impossible']} impossible")
    r.same(SPAN["start"], SPAN["end"])


def exchange_short(args, seed):
    """The exchange's candles say more than it serves: told, exit 1, and mended when it serves it."""
    r = small(args, seed)
    yield r
    ticker = next(iter(r.past.tapes))
    tape = r.past.tapes[ticker]
    whole = {name: getattr(tape, name)[:] for name in ("us", "price", "count", "flags", "ids")}
    day = tape.us[len(tape.us) // 2] // DAY
    gone = next(i for i, us in enumerate(tape.us) if us // DAY == day)
    candles = r.past.candles

    def short_of(on):
        for name, values in whole.items():
            setattr(tape, name, [v for i, v in enumerate(values) if i != gone] if on else values[:])

    def all_candles(*args_):
        short_of(False)
        rows = candles(*args_)
        short_of(True)
        return rows

    short_of(True)
    r.past.candles = all_candles
    report = r.backfill("--test-pace", "2", scope=("--ticker", ticker), expect=1, **SPAN)
    date = rfc3339(day * DAY)[:10]
    check(report["complete"] is False and [g["date"] for g in report["gaps"]] == [date], f"gaps {report['gaps']}, not {date}")
    short_of(False)
    r.past.candles = candles
    report = r.backfill("--test-pace", "2", scope=("--ticker", ticker), **SPAN)
    complete(report, 1)
    r.same(SPAN["start"], SPAN["end"], {ticker})


def total_short(args, seed):
    """No candles, and a total of the exchange above what it serves: incomplete until it serves the rest."""
    r = small(args, seed)
    yield r
    r.exchange.no_candles = True
    ticker = next(iter(r.past.tapes))
    tape = r.past.tapes[ticker]
    market = r.past.market(ticker)
    r.past.market = lambda name: dict(market)
    last = (tape.us.pop(), tape.price.pop(), tape.count.pop(), tape.flags.pop(), tape.ids.pop())
    report = r.backfill("--test-pace", "2", scope=("--ticker", ticker), expect=1, **SPAN)
    check(report["markets_total_short"] == 1 and report["tries"] == 3, f"not told: {report}")
    for values, value in zip((tape.us, tape.price, tape.count, tape.flags, tape.ids), last):
        values.append(value)
    complete(r.backfill("--test-pace", "2", scope=("--ticker", ticker), **SPAN), 1)
    r.same(SPAN["start"], SPAN["end"], {ticker})


def verify_alone(args, seed):
    r = small(args, seed)
    yield r
    ticker = next(iter(r.past.tapes))
    before = r.backfill("--verify", scope=("--ticker", ticker), expect=1, **SPAN)
    check(before["complete"] is False, "an empty folder is complete")
    r.backfill(scope=("--ticker", ticker), **SPAN)
    asked = len(r.exchange.requests)
    complete(r.backfill("--verify", scope=("--ticker", ticker), **SPAN), 0)
    check(not any("/trades" in t for _, t, _ in r.exchange.requests[asked:]), "a check asked for trades")


def killed(args, seed):
    """SIGKILL at random moments until a run comes through."""
    past = made_up(seed, args.markets, args.trades, 30, END)
    r = Round(args, past, seed)
    yield r
    start, end = END - 30 * DAY, END
    began = time.monotonic()
    kills = 0
    while kills < args.kills:
        process = subprocess.Popen(r.command(scope=("--all",) if kills % 2 else ("--series", f"KXPAST{kills % 7}"), start=start, end=end),
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=plain_env())
        try:
            process.wait(0.05 + r.rng.random() * args.moment)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
        kills += 1
    report = r.backfill(start=start, end=end, timeout=3600)
    n = r.same(start, end)
    check(report["complete"] is True, f"not complete: {report}")
    print(f"  killed {kills} times; {n} trades; {time.monotonic() - began:.1f} s", file=sys.stderr)


def interrupted(args, seed):
    r = small(args, seed)
    yield r
    r.exchange.bucket = Bucket(200, 200)  # slow enough to be in the middle
    process = subprocess.Popen(r.command(**SPAN), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=plain_env())
    deadline = time.monotonic() + 20
    while len(r.exchange.requests) < 12 and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, words = process.communicate(timeout=20)
    check(process.returncode == 130, f"exit {process.returncode}: {words[-400:]}")
    r.exchange.bucket = None
    check(r.backfill(**SPAN)["complete"], "not complete after Ctrl-C")
    r.same(SPAN["start"], SPAN["end"])


def signed(r):
    """The options of an account, which the exchange then asks for; none where Python cannot check signatures."""
    try:
        sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../live"))
        from rest import Auth
    except ImportError:
        return ()
    key = os.path.join(r.folder, "key.pem")
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", key], check=True, capture_output=True)
    public = subprocess.run(["openssl", "pkey", "-in", key, "-pubout"], check=True, capture_output=True).stdout
    r.exchange.auth = Auth("0c6b6a5e-0d5e-4f6e-9d6b-6a5e0d5e4f6e", public, time.time)
    return ("--api-key", r.exchange.auth.key_id, "--private-key", key)


def budget(args, seed):
    """At Basic: the budget is used and no request is refused."""
    r = Round(args, made_up(seed, 40, 250000, 9, END), seed)
    yield r
    r.exchange.bucket = Bucket(200, 200)
    began = time.monotonic()
    report = r.backfill(*signed(r), **SPAN)
    complete(report, r.same(SPAN["start"], SPAN["end"]))
    refused = sum(status == 429 for _, _, status in r.exchange.requests)
    pages = [at for at, target, _ in r.exchange.requests if "/trades" in target]
    steady = [at for at in pages if pages[0] + 1 <= at]  # what a full bucket gives is gone
    share = (len(steady) - 1) * 10 / 200 / (steady[-1] - steady[0])
    check(refused == 0 and report["answered_429"] == 0, f"{refused} answered 429")
    print(f"  {len(pages)} pages in {pages[-1] - pages[0]:.1f} s of {time.monotonic() - began:.1f}: {share:.1%} of the budget",
          file=sys.stderr)


def dry_run(args, seed):
    r = small(args, seed)
    yield r
    ticker = next(iter(r.past.tapes))
    r.backfill("--dry-run", scope=("--ticker", ticker), **SPAN)
    check(not any("/trades" in t for _, t, _ in r.exchange.requests), "a dry run asked for trades")
    check(not os.path.isdir(os.path.join(r.data, "trades")), "a dry run wrote")


def wrong_words(args, seed):
    r = small(args, seed)
    yield r
    r.backfill(start=SPAN["end"], end=SPAN["start"], expect=2)
    r.backfill(scope=(), expect=2, **SPAN)
    r.backfill(scope=("--ticker", "KXNOSUCH-26"), expect=1, **SPAN)


def recorded_trades(args, seed):
    """Recorded trades behind the exchange, in two tiers, with everything that can be wrong."""
    for name in ("kxeth15m_trades_26MAY15.jsonl.zst", "sports_trades_2025-11-08_09.csv.zst"):
        path = os.path.join(args.captures, "trades", name)
        if not os.path.exists(path):
            print(f"SKIPPED: no {path}", file=sys.stderr)
            return
        past = recorded(path)
        r = Round(args, past, seed)
        yield r
        r.exchange.ills = {"cut": 0.02, "503": 0.05, "short": 0.02}
        start, end = past.times[0] // DAY * DAY, (past.times[-1] // DAY + 1) * DAY
        report = r.backfill("--test-pace", "2", start=start, end=end, timeout=600)
        complete(report, r.same(start, end))


ROUNDS = [all_markets, one_series, one_ticker, sick_answers, by_market_sick, cutoff_moves, strange_pages, upside_down, cursor_loops,
          no_candles, wrong_terms, exchange_short, total_short, verify_alone, killed, interrupted, budget, dry_run, wrong_words, recorded_trades]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--moment", type=float, default=1.0, help="seconds within which a run is killed")
    parser.add_argument("--trades", type=int, default=120000)
    parser.add_argument("--markets", type=int, default=60)
    parser.add_argument("--seed", type=int, default=int(os.environ.get("KDP_SEED", "20261123")))
    parser.add_argument("--captures", default=os.path.join(os.path.dirname(__file__), "../../../shared/captures"))
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--but", action="append", default=[], help="not this round")
    parser.add_argument("names", nargs="*")
    args = parser.parse_args()
    if args.list:
        print("\n".join(r.__name__ for r in ROUNDS))
        return 0
    unknown = set(args.names + args.but) - {r.__name__ for r in ROUNDS}
    if unknown:
        parser.error(f"no round {sorted(unknown)[0]}")
    probe = subprocess.run([KDP, "query", "SELECT 1", "--data", tempfile.gettempdir(), "--env-file", "/dev/null"],
                           capture_output=True, text=True, env=plain_env())
    if "libduckdb" in probe.stderr:
        print("SKIPPED: no libduckdb.so; ./run --build-only brings it")
        return SKIP
    failed = ran = 0
    for body in ROUNDS:
        if (args.names and body.__name__ not in args.names) or body.__name__ in args.but:
            continue
        began, current, good = time.monotonic(), None, False
        try:
            for current in body(args, args.seed):
                pass
            good = True
        except (Wrong, subprocess.TimeoutExpired, json.JSONDecodeError, KeyError) as error:
            failed += 1
            print(f"FAILED {body.__name__} (seed {args.seed}): {type(error).__name__} {error}\n  kept in {current and current.folder}")
        if current is not None:
            current.end(good)
        ran += current is not None
        if good:
            print(f"ok {body.__name__} {time.monotonic() - began:.1f} s", flush=True)
    return 1 if failed else 0 if ran else SKIP


if __name__ == "__main__":
    sys.exit(main())
