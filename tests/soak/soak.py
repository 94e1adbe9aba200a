#!/usr/bin/env python3
"""soak.py - kdp run against kdp sim for a long time, with a fault each minute: does anything grow, is anything lost?

    soak.py [--seconds 3600] [--rate 5000] [--markets 600] [--every 60] [--dir DIR] [--kdp build/kdp]

Prints a line every five minutes (resident memory, descriptors and threads of the plant and of its sealer), and at the end what
the plant's summary says, whether every book equals the exchange's own, and whether every trade stands in the stream once.
Exit 1 when something is lost, wrong, or grew by more than a tenth and 16 MB after the first quarter."""
import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time

FAULTS = [
    "gap count=3", "reset", "gap sid=trade count=5", "duplicate", "lose count=4", "overflow", "burst count=5000",
    "no-snapshot count=3", "malformed", "close status=1001", "ignore-get-snapshot count=2", "stall seconds=20 pings=on",
    "channel-error", "too-many count=2", "negative", "unknown-fields count=200", "slow bytes=200000 seconds=5",
    "tail count=5", "bad-frame", "gap sid=lifecycle count=2", "first-seq", "no-ack", "early-data", "overflow sid=trade",
]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=3600)
    parser.add_argument("--rate", type=int, default=5000)
    parser.add_argument("--markets", type=int, default=600)
    parser.add_argument("--every", type=int, default=60)
    parser.add_argument("--dir")
    parser.add_argument("--kdp", default=os.environ.get("KDP", "build/kdp"))
    args = parser.parse_args()
    kdp = os.path.abspath(args.kdp)
    work = args.dir or tempfile.mkdtemp(prefix="kdp-soak.")
    sim_dir, data = f"{work}/sim", f"{work}/data"
    os.makedirs(work, exist_ok=True)
    sim = subprocess.Popen([kdp, "sim", "--dir", sim_dir, "--markets", str(args.markets), "--rate", str(args.rate)],
                           stdout=subprocess.DEVNULL, stderr=open(f"{work}/sim.err", "w"))
    run = None

    def ctl(line):
        return subprocess.run([kdp, "sim", "ctl", "--dir", sim_dir, *line.split()], capture_output=True, text=True,
                              check=False).stdout

    try:
        wait_for(lambda: os.path.exists(f"{sim_dir}/sim.env"), 30)
        run = subprocess.Popen([kdp, "run", "--env-file", f"{sim_dir}/sim.env", "--data", data, "--summary", "json"],
                               stdout=open(f"{work}/summary.json", "w"), stderr=open(f"{work}/run.err", "w"))
        return soak(args, kdp, work, data, sim, run, ctl)
    finally:
        for process in (run, sim):
            if process is not None and process.poll() is None:
                process.kill()
        print(f"files      {work}")


def wait_for(what, seconds):
    until = time.monotonic() + seconds
    while not what():
        if time.monotonic() > until:
            sys.exit("soak: it does not come")
        time.sleep(0.05)


def children(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as file:
            return [int(word) for word in file.read().split()]
    except OSError:
        return []


def look(pid):
    """Resident bytes without shared memory, descriptors, threads."""
    status = {}
    with open(f"/proc/{pid}/status") as file:
        for line in file:
            key, _, value = line.partition(":")
            status[key] = value.split()
    return int(status["RssAnon"][0]) * 1024, len(os.listdir(f"/proc/{pid}/fd")), int(status["Threads"][0])


def soak(args, kdp, work, data, sim, run, ctl):
    start = time.monotonic()
    wait_for(lambda: os.path.exists(f"{data}/plant"), 60)
    looks, next_fault, next_look, next_line, turn = [], args.every, 5, 0, 0
    print("minute   plant MB  fds threads   sealer MB  fds threads   sim MB")
    while time.monotonic() - start < args.seconds and run.poll() is None:
        now = time.monotonic() - start
        if now >= next_fault and now < args.seconds - 60:
            next_fault += args.every
            with open(f"{work}/faults.log", "a") as file:
                file.write(f"{now:.0f} s {FAULTS[turn % len(FAULTS)]}: {ctl(FAULTS[turn % len(FAULTS)]).strip()}\n")
            turn += 1
        if now >= next_look:
            next_look += 10
            plant, kids = look(run.pid), children(run.pid)
            sealer = look(kids[0]) if kids else (0, 0, 0)
            looks.append((now, plant, sealer, look(sim.pid)))
            if now >= next_line:
                next_line += 300
                print(f"{now / 60:6.1f} {plant[0] / 1e6:10.1f} {plant[1]:4} {plant[2]:7} {sealer[0] / 1e6:11.1f} "
                      f"{sealer[1]:4} {sealer[2]:7} {looks[-1][3][0] / 1e6:8.1f}", flush=True)
        time.sleep(0.2)
    ctl("clear")
    time.sleep(30)  # what was asked for under way comes home; the exchange goes on
    ctl("quiet")
    time.sleep(5)
    books = json.loads(ctl("books"))["markets"]
    trades = [json.loads(line) for line in ctl("trades 0").splitlines()]
    run.send_signal(signal.SIGINT)
    run.wait(120)
    with open(f"{work}/summary.json") as file:
        summary = json.load(file)
    return judge(args, kdp, data, looks, books, trades, summary, turn)


def judge(args, kdp, data, looks, books, trades, summary, turn):
    wrong = []
    markets = {m["ticker"]: m for m in summary["markets"]}
    for ticker, book in books.items():
        if book["status"] != "active":
            continue
        got = markets.get(ticker)
        want = {"state": "live", "yes_bid": book["bids"][0][0] if book["bids"] else None,
                "yes_ask": book["asks"][0][0] if book["asks"] else None, "bid_levels": len(book["bids"]),
                "ask_levels": len(book["asks"])}
        for side, name in (("bids", "bid_size_total"), ("asks", "ask_size_total")):
            cents = sum(int(size.replace(".", "")) for _, size in book[side])
            want[name] = f"{cents // 100}.{cents % 100:02d}"
        if got is None:
            if book["bids"] or book["asks"]:
                wrong.append(f"book of {ticker} is not known")
        elif any(got[key] != value for key, value in want.items()):
            wrong.append(f"book of {ticker}: {[(k, got[k], v) for k, v in want.items() if got[k] != v]}")
    out = subprocess.run([kdp, "query", "SELECT trade_id, epoch_ns(timestamp) FROM trades", "--data", data, "--format", "csv",
                          "--quiet"], capture_output=True, text=True, check=False).stdout.splitlines()[1:]
    have = [line.split(",")[0] for line in out]
    first = min((int(line.split(",")[1]) for line in out), default=0)
    due = {t["trade_id"] for t in trades if t["time_ns"] > first + 5_000_000_000}
    missing, twice = due - set(have), len(have) - len(set(have))
    if missing:
        wrong.append(f"{len(missing)} trades are missing, {sorted(missing)[:3]}")
    if twice:
        wrong.append(f"{twice} trades stand there twice")
    if summary["lost"] != 0:
        wrong.append(f"lost {summary['lost']}")
    quarter = [x for x in looks if x[0] > args.seconds / 4] or looks
    for index, name in ((1, "plant"), (2, "sealer")):
        for part, what, slack in ((0, "memory", 16e6), (1, "descriptors", 4), (2, "threads", 4)):
            some = sorted(x[index][part] for x in quarter[:max(1, len(quarter) // 4)])
            late = sorted(x[index][part] for x in quarter[-max(1, len(quarter) // 4):])
            if late[len(late) // 2] > some[len(some) // 2] * 1.1 + slack:
                wrong.append(f"{what} of the {name} grew from {some[len(some) // 2]} to {late[len(late) // 2]}")
    span = looks[-1][0] if looks else 1
    print(f"frames     {summary['frames']:,} ({summary['frames'] / span:,.0f}/s), faults {turn}, reconnects "
          f"{summary['reconnects']}, gaps {summary['gaps']}, healed {summary['gaps_healed']}")
    print(f"missed     {summary['missed']}, trades recovered {summary['trades_recovered']}, lost {summary['lost']}, book stale "
          f"{summary['book_stale_ms'] / 1000:.1f} s")
    print(f"latency    {summary['latency_us']}")
    print(f"compared   {sum(b['status'] == 'active' for b in books.values())} books, {len(due):,} trades")
    for words in wrong[:20]:
        print(f"WRONG      {words}")
    print("soak       " + ("failed" if wrong else "passed"))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
