"""kills.py [--rounds N] [--seed N] [--jobs N] - kills kdp run under load and looks at what is left.

A round is one data folder and up to four lives of kdp run in it, against an exchange that goes on all the while.  A life is ended
by what the seed says: SIGKILL of the plant, of the sealer, of both, the ring removed as a reboot removes it, SIGTERM, Ctrl-C; on
some lives the lines are reset too.  The last one is ended in order.  What must hold of the tape, the lake, the readers and the
replay is ../crash/kill.py's; here besides: the books are the exchange's own, and every trade since the first subscription
stands in the stream once, those made while nobody was there too."""
import argparse
import asyncio
import json
import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "crash"))
import kill  # noqa: E402
import tape  # noqa: E402
from exchange import Exchange  # noqa: E402
from plant import PACE, SLOW, Stream, clean_env  # noqa: E402

Wrong = kill.Wrong


class Side(threading.Thread):
    """The exchange, in a thread of its own with its own loop."""

    def __init__(self, folder, rng):
        super().__init__(daemon=True)
        self.ready = threading.Event()
        self.folder, self.rng = folder, rng

    def run(self):
        asyncio.run(self.serve())

    async def serve(self):
        self.loop = asyncio.get_running_loop()
        self.over = asyncio.Event()
        self.exchange = Exchange(self.folder, self.rng.choice(["rsa", "ed25519"]), self.rng.choice([8, 20, 40]),
                                 self.rng.getrandbits(32))
        self.exchange.rate = self.rng.choice([200, 600, 1200])
        self.exchange.stream.deflate = self.rng.random() < 0.5
        await self.exchange.start()
        self.ready.set()
        await self.over.wait()
        await self.exchange.stop()

    def call(self, function, *args):
        """Runs a function on the exchange's own thread and gives what it returns."""
        async def inside():
            return function(*args)

        return asyncio.run_coroutine_threadsafe(inside(), self.loop).result(10)

    def end(self):
        self.loop.call_soon_threadsafe(self.over.set)
        self.join(10)


class Round(kill.Round):
    def __init__(self, seed, folder):
        super().__init__(seed, folder)
        self.side = Side(folder, self.random)
        self.side.start()
        self.side.ready.wait(10)

    def begin(self, number):
        self.errors = os.path.join(self.folder, "run.err")
        options = ["--ring-size", "2M", "--raw-ring-size", "1M"] if not self.options else self.options
        command = [kill.KDP, "run", "--data", self.data, "--summary", "json", "--max-markets", "4096", "--test-pace", PACE,
                   "--env-file", "/dev/null", "--deflate", *options]
        with open(self.errors, "a") as err:
            err.write(f"--- life {number}\n")
            err.flush()
            return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=err, text=True,
                                    start_new_session=True, env=clean_env(**self.side.exchange.settings()))

    def reset_lines(self):
        for session in list(self.side.exchange.stream.sessions.values()):
            session.reset()

    def life(self, number, how, taps):
        process = self.begin(number)
        # some die while they begin, most at work
        moment = self.random.uniform(0, 0.1) if self.random.random() < 0.2 else self.random.uniform(0.1, 1.6)
        time.sleep(moment * SLOW)
        if self.random.random() < 0.2:
            self.side.call(self.reset_lines)
            time.sleep(self.random.uniform(0, 0.1))
        ring = self.note_ring()
        self.tell(f"life {number}: {how} after {moment:.3f} s")
        if self.random.random() < 0.2:
            self.intrude(process)
        sealers = kill.children(process.pid)
        if how == "sealer":
            for pid in sealers:
                kill.kill(pid, signal.SIGKILL)
            time.sleep(self.random.uniform(0, 1) * SLOW)
            kill.kill(process.pid, self.random.choice([signal.SIGKILL, signal.SIGTERM]))
        elif how == "term":
            kill.kill(process.pid, signal.SIGTERM)
        elif how == "ctrl-c":
            os.killpg(process.pid, signal.SIGINT)
        else:
            kill.kill(process.pid, signal.SIGKILL)
            for pid in sealers if how != "plant" else ():
                kill.kill(pid, signal.SIGKILL)
        process.communicate(timeout=kill.LIMIT_S)
        code = process.returncode
        # one that had not come to its signal handler yet dies of the signal
        allowed = {"term": (143, -15), "ctrl-c": (0, -2), "sealer": (143, -9, -15)}.get(how, (-9,))
        if code not in allowed:
            raise Wrong(f"kdp run ended by {how}: exit {code}, see {self.errors}")
        self.told[-1] += f" (exit {code})"
        if code in (0, 143) and os.path.isdir(os.path.join(self.data, "tape")):
            self.check_sealed()
        if how == "reboot":
            for pid in sealers:
                while os.path.exists(f"/proc/{pid}") and open(f"/proc/{pid}/stat").read().split(") ")[1][0] != "Z":
                    time.sleep(0.005)
            ring = self.note_ring() or ring
            if ring is not None and os.path.exists(ring):
                self.rings_lost += 1
                os.unlink(ring)
        if self.random.random() < 0.5:
            time.sleep(self.random.uniform(0, 0.8))

    def intrude(self, process):
        if process.poll() is not None or kill.plant_ring(self.data) is None:
            return
        done = subprocess.run([kill.KDP, "run", "--data", self.data, "--env-file", "/dev/null"], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=kill.LIMIT_S,
                              env=clean_env(**self.side.exchange.settings()))
        if process.poll() is None and (done.returncode != 1 or "in use" not in done.stderr):
            raise Wrong(f"a second run in the folder: exit {done.returncode}: {done.stderr}")

    def stream(self):
        stream = Stream()
        for line in kill.run("tap", "--from", "oldest", "--to", "end", "--format", "json", "--data", self.data).stdout.splitlines():
            stream.take(json.loads(line))
        return stream

    def last_life(self, number):
        process = self.begin(number)
        time.sleep(1.5 * SLOW)
        self.side.call(self.side.exchange.freeze)
        world, until = self.side.exchange.world, time.monotonic() + 30 * SLOW
        while True:
            if process.poll() is not None:
                raise Wrong(f"the run after the kills ended: exit {process.returncode}, see {self.errors}")
            stream = self.stream()
            truth = self.side.call(self.side.exchange.truth)["books"]
            off = [t for t, m in world.markets.items() if m.status == "active" and (
                stream.states.get(t) != "live" or stream.book(t) != {k: truth[t][k] for k in ("yes_bids", "yes_asks")})]
            if not off:
                break
            if time.monotonic() > until:
                raise Wrong(f"books are not the exchange's: {off[:10]}, see {self.errors}")
            time.sleep(0.2)
        os.killpg(process.pid, signal.SIGINT)
        out, _ = process.communicate(timeout=kill.LIMIT_S)
        self.tell(f"life {number}: to its end")
        if process.returncode != 0:
            raise Wrong(f"the run after the kills: exit {process.returncode}, see {self.errors}")
        self.summary = json.loads(out)

    def check(self):
        super().check()
        self.check_trades()
        if self.summary["lost"] != 0:
            raise Wrong(f"lost {self.summary['lost']}")

    def check_replayed(self, records):
        # the time to publish is the run's own: 4 bytes of the head, 0 in a replay
        super().check_replayed([r._replace(bytes=r.bytes[:36] + bytes(4) + r.bytes[40:]) for r in records])

    def check_trades(self):
        exchange = self.side.exchange
        seen = self.stream().trades
        since = exchange.stream.trades_from[0][1] if exchange.stream.trades_from else 0
        made = {t["trade_id"]: t for t in exchange.world.trades}
        strange = [i for i in seen if i not in made]
        missing = [t for t in made.values() if t["us"] >= since and t["trade_id"] not in seen]
        if strange or missing:
            raise Wrong(f"{len(missing)} of {len(made)} trades are missing, {len(strange)} were never made; {missing[:2]}")
        self.tell(f"{len(seen)} trades")


def one(seed):
    folder = tempfile.mkdtemp(prefix=f"kdp-kills-{seed}.")
    round_ = Round(seed, folder)
    began = time.monotonic()
    try:
        round_.play()
        round_.check()
    except (Wrong, tape.Bad, AssertionError, subprocess.TimeoutExpired, OSError) as wrong:
        for tap in getattr(round_, "taps", ()):
            tap.end()
        return seed, f"WRONG seed {seed}: {wrong}\n    " + "; ".join(round_.told) + f"\n    kept in {folder}", False
    finally:
        round_.side.end()
    shutil.rmtree(folder, ignore_errors=True)
    return seed, f"ok    seed {seed} ({time.monotonic() - began:.1f} s): " + "; ".join(round_.told), True


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=4)
    args = parser.parse_args()
    good = 0
    with multiprocessing.Pool(args.jobs, maxtasksperchild=1) as pool:
        for _, words, well in pool.imap_unordered(one, range(args.seed, args.seed + args.rounds)):
            print(words, flush=True)
            good += well
    print(f"{good} of {args.rounds} rounds are well")
    return 0 if good == args.rounds else 1


if __name__ == "__main__":
    random.seed()
    sys.exit(main())
