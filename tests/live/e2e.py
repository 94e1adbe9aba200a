"""e2e.py - kdp run against an exchange of our own making (exchange.py): each fault alone, or seeded mixes of them.

    e2e.py [--jobs N] [--mixes N] [--seed N] [--list] [NAME ...]

A round: exchange and plant start; all books come; the fault happens under load; the exchange stands still; every book must
become the exchange's own; the plant is ended; then every trade since the subscription stands in the stream exactly once, gaps
are told and healed, nothing is lost, the summary's members fit, and the raw tape played again gives the same records.
The folder of a round that goes wrong is kept and named."""
import argparse
import asyncio
import json
import os
import random
import shutil
import ssl
import sys
import tempfile
import time

from exchange import Exchange
from faults import ALONE, MIXABLE
from market import dollars
from plant import Plant, output, records


class Round:
    def __init__(self, name, options, args, fault, wanted, seed):
        self.name, self.options, self.args, self.fault, self.wanted, self.seed = name, dict(options), args, fault, wanted, seed
        self.folder = tempfile.mkdtemp(prefix=f"kdp-e2e-{name}.")
        self.wrong = []

    def check(self, good, words):
        if not good:
            self.wrong.append(words)

    # ---- books ----

    def planned(self):
        return [m for m in self.exchange.world.markets.values() if m.status == "active"]

    def books_off(self):
        """Markets whose book in the stream is not the exchange's own, or not live."""
        truth, stream, off = self.exchange.truth()["books"], self.plant.stream, []
        for market in self.planned():
            want = {k: truth[market.ticker][k] for k in ("yes_bids", "yes_asks")}
            if stream.states.get(market.ticker) != "live":
                off.append((market.ticker, stream.states.get(market.ticker)))
            elif stream.book(market.ticker) != want:
                off.append((market.ticker, "differs"))
        return off

    def summary_books(self, summary):
        """The summary's markets against the truth."""
        known = {m["ticker"]: m for m in summary["markets"]}
        for market in self.planned():
            bids, asks = market.as_yes()
            got = known.get(market.ticker)
            if got is None:
                # a market nobody ever spoke of has an empty book
                self.check(not bids and not asks, f"{market.ticker} is missing from the summary")
                continue
            want = {
                "state": "live", "yes_bid": dollars(max(bids)) if bids else None,
                "yes_ask": dollars(min(asks)) if asks else None, "bid_levels": len(bids), "ask_levels": len(asks),
                "bid_size_total": f"{sum(bids.values()) // 100}.{sum(bids.values()) % 100:02d}",
                "ask_size_total": f"{sum(asks.values()) // 100}.{sum(asks.values()) % 100:02d}"}
            off = {k: (got[k], v) for k, v in want.items() if got[k] != v}
            self.check(not off, f"summary of {market.ticker} (got, want): {off}")

    # ---- trades ----

    async def trades(self):
        exchange = self.exchange
        since = exchange.stream.trades_from[0][1]
        truth = {t["trade_id"]: t for t in exchange.world.trades}
        seen = {}
        for record in await records(self.plant.data, "trade"):
            id_ = record["trade_id"]
            self.check(id_ not in seen, f"trade {id_} stands in the stream twice")
            seen[id_] = record
            trade = truth.get(id_)
            if trade is None:
                self.wrong.append(f"trade {id_} was never made")
            elif (record["ticker"], record["price"], record["volume"], record["taker_side"], record["is_block"]) != (
                    trade["ticker"], dollars(trade["yes_price"]), f"{trade['count'] // 100}.{trade['count'] % 100:02d}",
                    trade["taker"], trade["block"]):
                self.wrong.append(f"trade {id_} is not what was made: {record} {trade}")
        missing = [t for t in truth.values() if t["us"] >= since and t["trade_id"] not in seen]
        self.check(not missing, f"{len(missing)} trades are missing, the first: {missing[:2]}")
        self.made, self.seen = len(truth), len(seen)

    async def sql(self, summary):
        try:
            await output("query", "SELECT 1", "--data", self.plant.data)
        except AssertionError as error:
            if "libduckdb" in str(error):
                return
            raise
        off = {}
        tables = list(summary["rows"])
        got = await self.plant.sql(" UNION ALL ".join(f"SELECT '{t}', count(*) FROM {t}" for t in tables))
        for table, rows in got:
            if int(rows) != summary["rows"][table]:
                off[table] = (int(rows), summary["rows"][table])
        self.check(not off, f"rows in SQL are not the summary's: {off}")
        ids = await self.plant.sql("SELECT count(*), count(DISTINCT trade_id) FROM trades")
        self.check(ids == [[str(self.seen), str(self.seen)]], f"trades in SQL: {ids}, in the stream {self.seen}")

    def summary(self, summary):
        def member(path):
            value = summary
            for word in path.split("."):
                value = value[word]
            return value

        self.check(summary["lost"] == 0, f"lost {summary['lost']}")
        self.check(summary["gaps_healed"] == summary["gaps"], f"{summary['gaps']} gaps, {summary['gaps_healed']} healed")
        for path, want in self.wanted.items():
            good = want(member(path)) if callable(want) else member(path) == want
            self.check(good, f"{path} is {member(path)}" + ("" if callable(want) else f", not {want}"))

    # ---- the round ----

    async def play(self):
        options = self.options
        tls = {"1.2": ssl.TLSVersion.TLSv1_2, None: None}[options.pop("tls", None)]
        self.exchange = Exchange(self.folder, options.pop("key", "ed25519"), options.pop("markets", 12), self.seed,
                                 options.pop("skew_s", 0.0))
        for name, value in options.items():
            part = self.exchange.rest if hasattr(self.exchange.rest, name) else self.exchange.stream
            assert hasattr(part, name), name
            setattr(part, name, value)
        self.exchange.freeze()  # what is traded before the plant listens would come by REST and blur the counts
        await self.exchange.start(tls)
        self.plant = Plant(self.folder, self.exchange.settings(), *self.args)
        await self.plant.start()
        await self.plant.follow()
        await self.plant.until("all books live", lambda: [m.ticker for m in self.planned()
                                                         if self.plant.stream.states.get(m.ticker) != "live"])
        self.exchange.thaw()
        await asyncio.sleep(0.5)
        await self.fault(self)
        await asyncio.sleep(0.3)
        self.exchange.freeze()
        # a gap is noticed by a later number: after the last fault one more of everything is said
        if self.fault.__name__ != "tail_trades":
            for market in list(self.planned()):
                self.exchange.world.quote(market)
            self.exchange.world.trade()
        await self.plant.until("all books as the exchange's", self.books_off)
        summary = await self.plant.stop()
        self.summary(summary)
        self.summary_books(summary)
        await self.trades()
        await self.sql(summary)
        self.wrong += await self.plant.replay_differs()
        self.check(not self.plant.stream.breaks, f"the stream's numbers break: {self.plant.stream.breaks[:3]}")
        told = len([g for g in self.plant.stream.gaps])
        self.check(told >= summary["gaps"], f"{told} gaps in the stream, {summary['gaps']} in the summary")
        return summary

    async def run(self):
        began = time.monotonic()
        summary, self.plant, self.exchange = None, None, None
        try:
            summary = await self.play()
        except Exception as error:  # whatever goes wrong is this round's, not the others'
            self.wrong.append(f"{type(error).__name__}: {error}")
        if self.plant:
            await self.plant.end()
        if self.exchange:
            await self.exchange.stop()
        words = f"{time.monotonic() - began:.1f} s"
        if summary:
            words += (f", {summary['frames']} frames, gaps {summary['gaps']}, missed {sum(summary['missed'].values())}, "
                      f"recovered {summary['trades_recovered']}, reconnects {summary['reconnects']}")
        if self.wrong:
            if self.exchange:
                with open(os.path.join(self.folder, "exchange.json"), "w") as file:
                    json.dump({"requests": self.exchange.rest.requests, "commands": self.exchange.stream.commands,
                               "lost": self.exchange.stream.lost, **self.exchange.truth()}, file, indent=1)
            print(f"WRONG {self.name} seed {self.seed} ({words}): kept in {self.folder}")
            for line in self.wrong[:8]:
                print("   ", line[:1500])
        else:
            print(f"ok    {self.name} ({words})")
            shutil.rmtree(self.folder, ignore_errors=True)
        sys.stdout.flush()
        return not self.wrong


def mix(seed):
    """A random exchange and a random row of faults."""
    rng = random.Random(seed)
    options = {"key": rng.choice(["rsa", "ed25519"]), "deflate": rng.random() < 0.5,
               "fragmented": rng.choice([0, 0, 0.2]), "markets": rng.randrange(3, 25), "taker_side": rng.random() < 0.5}
    args = ("--connections", str(rng.randrange(1, 4)), *(("--deflate",) if rng.random() < 0.5 else ()))
    faults = [rng.choice(MIXABLE) for _ in range(rng.randrange(2, 6))]
    pauses = [rng.random() for _ in faults]

    async def all_of_them(x):
        for fault, pause in zip(faults, pauses):
            x.exchange.stream.ack_delay = 0
            x.exchange.stream.no_snapshots = False
            try:
                await fault(x)
            except IndexError:
                pass  # nobody is connected at the moment
            await asyncio.sleep(pause)
        x.exchange.stream.faults.clear()

    all_of_them.__name__ = "+".join(f.__name__ for f in faults)
    return Round(f"mix{seed}", options, args, all_of_them, {}, seed)


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--jobs", type=int, default=4)
    parser.add_argument("--mixes", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--list", action="store_true")
    parser.add_argument("names", nargs="*")
    args = parser.parse_args()
    if args.list:
        print("\n".join(ALONE))
        return 0
    if args.mixes:
        rounds = [lambda s=s: mix(s) for s in range(args.seed, args.seed + args.mixes)]
    else:
        rounds = [lambda n=n: Round(n, *ALONE[n], args.seed) for n in args.names or ALONE]
    gate = asyncio.Semaphore(args.jobs)

    async def one(make):
        async with gate:
            round_ = make()
            if round_.name.startswith("mix"):
                print(f"      {round_.name}: {round_.fault.__name__} {round_.options} {round_.args}", flush=True)
            return await round_.run()

    good = await asyncio.gather(*(one(make) for make in rounds))
    print(f"{good.count(True)} of {len(good)} rounds are well")
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
