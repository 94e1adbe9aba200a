"""sides.py - the exchanges a round is played against, with one face: our own in Python, and kdp sim."""
import asyncio
import json
import os
import signal
import ssl

from exchange import Exchange
from market import count, dollars
from plant import KDP, SLOW, clean_env


class Python:
    """exchange.py in this process."""

    def __init__(self, folder, options, seed):
        options = dict(options)
        self.plain = options.pop("plain", False)
        self.tls = {"1.2": ssl.TLSVersion.TLSv1_2, None: None}[options.pop("tls", None)]
        self.exchange = Exchange(folder, options.pop("key", "ed25519"), options.pop("markets", 12), seed,
                                 options.pop("skew_s", 0.0))
        for name, value in options.items():
            part = self.exchange.rest if hasattr(self.exchange.rest, name) else self.exchange.stream
            assert hasattr(part, name), name
            setattr(part, name, value)

    async def start(self):
        self.exchange.freeze()
        await self.exchange.start(self.tls, self.plain)
        return self.exchange.settings()

    async def thaw(self):
        self.exchange.thaw()

    async def still(self, closing):
        """Nothing happens by itself any more; a gap is noticed by a later number, so one more of everything is said."""
        self.exchange.freeze()
        if closing:
            for market in [m for m in self.exchange.world.markets.values() if m.status == "active"]:
                self.exchange.world.quote(market)
            self.exchange.world.trade()

    async def books(self):
        truth = self.exchange.truth()["books"]
        return {t: {k: b[k] for k in ("yes_bids", "yes_asks")} for t, b in truth.items() if b["status"] == "active"}

    async def trades(self):
        since = self.exchange.stream.trades_from[0][1] if self.exchange.stream.trades_from else 0
        return [{"trade_id": t["trade_id"], "ticker": t["ticker"], "price": dollars(t["yes_price"]),
                 "volume": count(t["count"]), "taker_side": t["taker"], "is_block": t["block"], "owed": t["us"] >= since}
                for t in self.exchange.world.trades]

    def wreck(self):
        return {"requests": self.exchange.rest.requests, "commands": self.exchange.stream.commands,
                "lost": self.exchange.stream.lost, **self.exchange.truth()}

    async def stop(self):
        await self.exchange.stop()


class Sim:
    """kdp sim, told by kdp sim ctl.  It begins quiet, so that every trade is one that is owed."""

    def __init__(self, folder, options, seed):
        self.folder, self.dir = folder, os.path.join(folder, "sim")
        self.args = options.get("instead") or ["--faults", "quiet", "--markets", "40", "--rate", "400", "--seed", str(seed),
                                               *options.get("args", ())]
        self.key = options.get("key", "rsa")
        self.started = None

    async def start(self):
        with open(os.path.join(self.folder, "sim.err"), "w") as err:
            self.process = await asyncio.create_subprocess_exec(
                KDP, "sim", "--dir", self.dir, *self.args, stdin=asyncio.subprocess.DEVNULL,
                stdout=err, stderr=err, env=clean_env())
        path = os.path.join(self.dir, "sim.env")
        for _ in range(int(400 * SLOW)):
            if os.path.exists(path):
                break
            await asyncio.sleep(0.05)
        with open(path) as file:
            settings = dict(line.rstrip("\n").split("=", 1) for line in file if "=" in line and not line.startswith("#"))
        settings["KALSHI_PRIVATE_KEY_PATH"] = os.path.join(self.dir, self.key + ".pem")
        return settings

    async def ctl(self, *words):
        """A control line; one that needs a connection waits a while for it, since the fault before may have taken the last."""
        for tries in range(50, -1, -1):
            code, out, err = await self.ctl_once(*words)
            if code == 0 or tries == 0 or "no connection it could meet" not in err:
                break
            await asyncio.sleep(0.1)
        assert code == 0, f"kdp sim ctl {' '.join(words)}: exit {code}: {err}"
        return out

    async def ctl_once(self, *words):
        process = await asyncio.create_subprocess_exec(
            KDP, "sim", "ctl", "--dir", self.dir, *words, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE, env=clean_env(), limit=1 << 28)
        out, err = await asyncio.wait_for(process.communicate(), 30 * SLOW)
        return process.returncode, out.decode(), err.decode()

    async def thaw(self):
        await self.ctl("go")

    async def still(self, closing):
        await self.ctl("clear")
        if closing:
            await asyncio.sleep(0.5)
        await self.ctl("quiet")

    async def books(self):
        markets = json.loads(await self.ctl("books"))["markets"]
        return {t: {"yes_bids": b["bids"], "yes_asks": b["asks"]} for t, b in markets.items()
                if b["status"] == "active" and not t.startswith("KXMVE")}  # combinations have no book without --combos

    async def trades(self):
        made = [json.loads(line) for line in (await self.ctl("trades")).splitlines() if line.startswith("{")]
        return [{"trade_id": t["trade_id"], "ticker": t["ticker"], "price": t["yes_price"], "volume": t["count"],
                 "taker_side": t["taker"], "is_block": t["block"], "owed": True} for t in made]

    def wreck(self):
        return {}

    async def stop(self):
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(self.process.wait(), 10 * SLOW)
            except asyncio.TimeoutError:
                self.process.kill()
                await self.process.wait()
