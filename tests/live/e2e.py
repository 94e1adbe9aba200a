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
import sys
import tempfile
import time

from faults import ALONE, MIXABLE, early_silence, gap_then_tail, tail_trades
from plant import NO_SQL, Plant, output, records
from sides import Python, Sim
from simfaults import SIM_ALONE, SIM_MIXABLE, told


def total(levels):
    hundredths = sum(int(size.replace(".", "")) for _, size in levels)
    return f"{hundredths // 100}.{hundredths % 100:02d}"


class Round:
    def __init__(self, name, side, args, fault, wanted, seed, closing=True, patient=False):
        self.name, self.args, self.fault, self.wanted, self.seed = name, args, fault, wanted, seed
        self.closing = closing  # one more of everything is said before the end
        self.folder = tempfile.mkdtemp(prefix=f"kdp-e2e-{name}.")
        self.side = side(self.folder)
        self.exchange = getattr(self.side, "exchange", None)
        self.plant = None
        self.patient = patient  # REST may be so ill that the drain would give up: gaps heal before the end
        self.wrong = []

    def check(self, good, words):
        if not good:
            self.wrong.append(words)

    # ---- books ----

    def books_off(self, truth):
        """Markets whose book in the stream is not the exchange's own, or not live."""
        stream, off = self.plant.stream, []
        for ticker, want in truth.items():
            if stream.states.get(ticker) != "live":
                off.append((ticker, stream.states.get(ticker)))
            elif stream.book(ticker) != want:
                off.append((ticker, "differs"))
        return off

    def summary_books(self, summary, truth):
        """The summary's markets against the truth."""
        known = {m["ticker"]: m for m in summary["markets"]}
        for ticker, book in truth.items():
            got, bids, asks = known.get(ticker), book["yes_bids"], book["yes_asks"]
            if got is None:  # a market nobody ever spoke of has an empty book
                self.check(not bids and not asks, f"{ticker} is missing from the summary")
                continue
            want = {"state": "live", "yes_bid": bids[0][0] if bids else None, "yes_ask": asks[0][0] if asks else None,
                    "yes_bid_size": bids[0][1] if bids else None, "yes_ask_size": asks[0][1] if asks else None,
                    "bid_levels": len(bids), "ask_levels": len(asks),
                    "bid_size_total": total(bids), "ask_size_total": total(asks)}
            off = {k: (got[k], v) for k, v in want.items() if got[k] != v}
            self.check(not off, f"summary of {ticker} (got, want): {off}")

    # ---- trades ----

    async def trades(self, stream):
        made = {t["trade_id"]: t for t in await self.side.trades()}
        seen = {}
        for record in [r for r in stream if r["type"] == "trade"]:
            id_ = record["trade_id"]
            self.check(id_ not in seen, f"trade {id_} stands in the stream twice")
            seen[id_] = record
            trade = made.get(id_)
            if trade is None:
                self.wrong.append(f"trade {id_} was never made")
                continue
            off = {k: (record[k], v) for k, v in trade.items() if k != "owed" and record[k] != v}
            self.check(not off, f"trade {id_} is not what was made (got, want): {off}")
        missing = [t for t in made.values() if t["owed"] and t["trade_id"] not in seen]
        self.check(not missing, f"{len(missing)} of {len(made)} trades are missing, the first: {missing[:2]}")
        self.seen = len(seen)

    async def sql(self, summary):
        if NO_SQL:
            return
        want = {**summary["rows"], "trade_id": self.seen}
        got = await self.plant.sql(" UNION ALL ".join(
            [f"SELECT '{t}', count(*) FROM {t}" for t in summary["rows"]] +
            ["SELECT 'trade_id', count(DISTINCT trade_id) FROM trades"]))
        off = {name: (int(rows), want[name]) for name, rows in got or () if int(rows) != want[name]}
        self.check(not off, f"rows in SQL are not the summary's (got, want): {off}")

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
        # what is traded before the plant listens would come by REST and blur the counts: it stands still until then
        settings = await self.side.start()
        self.plant = Plant(self.folder, settings, *self.args)
        await self.plant.start()
        await self.plant.follow()
        truth = await self.side.books()
        await self.plant.until("all books live", lambda: [t for t in truth if self.plant.stream.states.get(t) != "live"])
        await self.side.thaw()
        await asyncio.sleep(0.5)
        await self.fault(self)
        await asyncio.sleep(0.3)
        await self.side.still(self.closing)
        truth = await self.side.books()
        await self.plant.until("all books as the exchange's", lambda: self.books_off(truth))
        if self.patient:
            await self.plant.until("all gaps healed", lambda: [
                g for g in self.plant.stream.open_gaps.values() if g["detail"] == "trade"], 60)
        summary = await self.plant.stop()
        self.summary(summary)
        self.summary_books(summary, truth)
        stream = await records(self.plant.data)
        await self.trades(stream)
        await self.sql(summary)
        self.wrong += await self.plant.replay_differs(stream, summary)
        self.check(not self.plant.stream.breaks, f"the stream's numbers break: {self.plant.stream.breaks[:3]}")
        told = len(self.plant.stream.gaps)
        self.check(told >= summary["gaps"], f"{told} gaps in the stream, {summary['gaps']} in the summary")
        return summary

    async def run(self):
        began = time.monotonic()
        summary = None
        try:
            summary = await self.play()
        except Exception as error:  # whatever goes wrong is this round's, not the others'
            self.wrong.append(f"{type(error).__name__}: {error}")
        finally:  # of Ctrl-C too
            if self.plant:
                await self.plant.end()
            await self.side.stop()
        words = f"{time.monotonic() - began:.1f} s"
        if summary:
            words += (f", {summary['frames']} frames, gaps {summary['gaps']}, missed {sum(summary['missed'].values())}, "
                      f"recovered {summary['trades_recovered']}, reconnects {summary['reconnects']}")
        if self.wrong:
            with open(os.path.join(self.folder, "exchange.json"), "w") as file:
                json.dump(self.side.wreck(), file, indent=1)
            print(f"WRONG {self.name} seed {self.seed} ({words}): kept in {self.folder}")
            for line in self.wrong[:8]:
                print("   ", line[:1500])
        else:
            print(f"ok    {self.name} ({words})")
            shutil.rmtree(self.folder, ignore_errors=True)
        sys.stdout.flush()
        return not self.wrong


class Recording(Round):
    """A recording served over TLS must leave the books and trades that replaying it leaves."""

    def __init__(self, name, recording, speed, seed):
        super().__init__(name, lambda folder: Sim(folder, {
            "instead": ["--input", recording or os.path.join(folder, "session.jsonl"), "--hold", "--speed", speed]}, seed),
            (), None, {}, seed)
        self.recording = recording

    async def play(self):
        if self.recording is None:
            self.recording = os.path.join(self.folder, "session.jsonl")
            await output("gen", "--seconds", "6", "--markets", "30", "--rate", "400", "--seed", str(self.seed), "--output",
                         self.recording)
        replayed = os.path.join(self.folder, "replayed")
        want = json.loads(await output("replay", "--input", self.recording, "--data", replayed, "--no-lake", "--summary", "json",
                                       "--ring-size", "8M", "--raw-ring-size", "8M"))
        books = {m["ticker"]: {k: m[k] for k in BOOK} for m in want["markets"]}
        self.plant = Plant(self.folder, await self.side.start())
        await self.plant.start()
        await self.plant.follow()

        async def off():
            truth = {t: b for t, b in (await self.side.books()).items() if t in books}
            return [t for t, b in truth.items() if
                    [b["yes_bids"][:1], b["yes_asks"][:1], len(b["yes_bids"]), len(b["yes_asks"]), total(b["yes_bids"]),
                     total(b["yes_asks"])] != [first(books[t], "bid"), first(books[t], "ask"), books[t]["bid_levels"],
                                               books[t]["ask_levels"], books[t]["bid_size_total"], books[t]["ask_size_total"]]]

        deadline = time.monotonic() + 90
        await self.plant.until("connected", lambda: any(r["state"] == "live" for r in self.plant.stream.lines))
        await asyncio.sleep(0.5)  # subscriptions
        await self.side.thaw()
        while not (found := await self.side.books()) or (left := await off()):
            assert time.monotonic() < deadline, f"the simulator's own books are not the replay's: {left[:5] if found else 0}"
            await asyncio.sleep(0.3)
        truth = await self.side.books()
        await self.plant.until("all books as the exchange's", lambda: self.books_off(truth))
        summary = await self.plant.stop()
        self.summary(summary)
        self.summary_books(summary, truth)
        live = {m["ticker"]: {k: m[k] for k in BOOK} for m in summary["markets"]}
        compared = [t for t in books if t in truth]
        self.check(compared, "no market could be compared")
        for ticker in compared:
            self.check(live.get(ticker) == books[ticker], f"{ticker}: replayed {books[ticker]}, live {live.get(ticker)}")
        one, two = [{r["trade_id"] for r in await records(d, "trade")} for d in (replayed, self.plant.data)]
        self.check(one == two, f"{len(one)} trades replayed, {len(two)} live, {len(one - two)} missing")
        self.wrong += await self.plant.replay_differs(await records(self.plant.data), summary)
        return summary


BOOK = ("yes_bid", "yes_bid_size", "yes_ask", "yes_ask_size", "bid_levels", "ask_levels", "bid_size_total", "ask_size_total")


def first(book, side):
    return [[book[f"yes_{side}"], book[f"yes_{side}_size"]]] if book[f"yes_{side}"] is not None else []


def alone(name, seed):
    options, args, fault, wanted = ALONE[name]
    return Round(name, lambda folder: Python(folder, options, seed), args, fault, wanted, seed,
                 fault not in (tail_trades, gap_then_tail, early_silence))


def mix(seed):
    """A random exchange and a random row of faults."""
    rng = random.Random(seed)
    options = {"key": rng.choice(["rsa", "ed25519"]), "deflate": rng.random() < 0.5,
               "fragmented": rng.choice([0, 0, 0.2]), "markets": rng.randrange(3, 25), "taker_side": rng.random() < 0.5}
    args = ("--connections", str(rng.randrange(1, 4)), *(("--deflate",) if rng.random() < 0.5 else ()))
    faults = [rng.choice(MIXABLE) for _ in range(rng.randrange(2, 6))]
    pauses = [rng.random() for _ in faults]
    print(f"      mix {seed}: {' '.join(f.__name__ for f in faults)} {options} {args}", flush=True)

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

    return Round(f"mix-{seed}", lambda folder: Python(folder, options, seed), args, all_of_them, {}, seed)


def sim_alone(name, seed):
    if name == "recording":
        return Recording(name, None, "2", seed)
    if os.path.exists(name):
        return Recording("recording-" + os.path.basename(name).partition(".")[0], name, "60", seed)
    options, args, lines, wanted = SIM_ALONE[name]
    return Round("sim-" + name, lambda folder: Sim(folder, options, seed), args, told(lines), wanted, seed,
                 patient="rest-hang 1s" in lines)


def sim_mix(seed):
    rng = random.Random(seed)
    options = {"key": rng.choice(["rsa", "ed25519"]),
               "args": [*rng.choice([[], ["--deflate"]]), *rng.choice([[], ["--sending-ts"]]),
                        *rng.choice([[], ["--per-record", "8"], ["--per-record", "60"]])]}
    args = ("--connections", str(rng.randrange(1, 4)), *(("--deflate",) if rng.random() < 0.5 else ()))
    lines = []
    for _ in range(rng.randrange(2, 6)):
        lines += [rng.choice(SIM_MIXABLE), f"sleep {rng.random():.2f}"]
    print(f"      sim mix {seed}: {'; '.join(lines)} {options} {args}", flush=True)
    return Round(f"sim-mix-{seed}", lambda folder: Sim(folder, options, seed), args, told(lines), {}, seed, patient=True)


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--jobs", type=int, default=4)
    parser.add_argument("--mixes", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--exchange", choices=["python", "sim"], default="python")
    parser.add_argument("names", nargs="*")
    args = parser.parse_args()
    table, one, many = (ALONE, alone, mix) if args.exchange == "python" else (SIM_ALONE, sim_alone, sim_mix)
    if args.list:
        print("\n".join(table))
        return 0
    if args.mixes:
        rounds = [lambda s=s: many(s) for s in range(args.seed, args.seed + args.mixes)]
    else:
        rounds = [lambda n=n: one(n, args.seed) for n in args.names or (*table, *(("recording",) if args.exchange == "sim" else ()))]
    gate = asyncio.Semaphore(args.jobs)

    async def play(make):
        async with gate:
            return await make().run()

    good = await asyncio.gather(*(play(make) for make in rounds))
    print(f"{good.count(True)} of {len(good)} rounds are well")
    return 0 if all(good) else 1


if __name__ == "__main__":
    try:
        sys.exit(asyncio.run(main()))
    except KeyboardInterrupt:
        sys.exit(130)
