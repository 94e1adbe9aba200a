"""exchange.py - an exchange of our own making for tests: REST and WebSocket over TLS, signatures checked, faults on order.

It shares no code with kdp and no knowledge but docs/exchange.md.  e2e.py drives it inside its own process.  By itself:

    exchange.py --folder DIR [--key rsa|ed25519] [--markets N] [--rate N] [--seconds N]

writes DIR/exchange.env (addresses, key, certificate: kdp run --env-file), and at the end DIR/truth.json with its books and
trades."""
import argparse
import asyncio
import json
import os
import ssl
import subprocess
import sys
import time

from market import World, count, dollars
from rest import API, Auth, Rest
from stream import Stream

KEY_ID = "0c6ef5a1-5d0e-4f57-9d8a-0f6d3c1b2a99"


def openssl(*args):
    subprocess.run(["openssl", *args], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def make_keys(folder, kind):
    """A certificate for this machine's loopback, and the account's key pair of a kind."""
    cert, cert_key = os.path.join(folder, "cert.pem"), os.path.join(folder, "cert.key")
    private, public = os.path.join(folder, f"{kind}.pem"), os.path.join(folder, f"{kind}.pub")
    if not os.path.exists(cert):
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30",
                "-keyout", cert_key, "-out", cert, "-subj", "/CN=kdp test exchange",
                "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost")
    if not os.path.exists(private):
        if kind == "rsa":
            openssl("genrsa", "-traditional", "-out", private, "2048")  # PKCS#1, as the exchange gives it out
        else:
            openssl("genpkey", "-algorithm", "ed25519", "-out", private)
        os.chmod(private, 0o600)
        openssl("pkey", "-in", private, "-pubout", "-out", public)
    return cert, cert_key, private, public


class Exchange:
    def __init__(self, folder, key="ed25519", markets=12, seed=1, skew_s=0.0):
        self.folder, self.rate, self.skew_s = folder, 200.0, skew_s
        self.cert, self.cert_key, self.private, public = make_keys(folder, key)
        with open(public, "rb") as file:
            self.auth = Auth(KEY_ID, file.read(), self.clock)
        self.world = World(seed, markets, self.clock)
        self.stream = Stream(self.world, self.auth, seed)
        self.rest = Rest(self.world, self.auth)
        self.busy = asyncio.Event()
        self.busy.set()

    def clock(self):
        return time.time() + self.skew_s

    async def start(self, tls_version=None, plain=False):
        self.secure = "" if plain else "s"
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        if tls_version:
            tls.minimum_version = tls.maximum_version = tls_version
        tls.load_cert_chain(self.cert, self.cert_key)
        await self.stream.start(None if plain else tls)
        await self.rest.start(None if plain else tls)
        self.task = asyncio.create_task(self.live())

    async def live(self):
        """The market's life: so many steps a second, in bursts as they come."""
        behind = 0.0
        before = time.monotonic()
        while True:
            await asyncio.sleep(0.01)
            await self.busy.wait()
            now = time.monotonic()
            behind = min(behind + (now - before) * self.rate, self.rate)
            before = now
            while behind >= 1:
                self.world.step()
                behind -= 1

    def freeze(self):
        self.busy.clear()

    def thaw(self):
        self.busy.set()

    def settings(self):
        return {
            "KALSHI_API_KEY": KEY_ID, "KALSHI_PRIVATE_KEY_PATH": self.private,
            "KALSHI_BASE_URL": f"http{self.secure}://127.0.0.1:{self.rest.port}{API}",
            "KALSHI_WS_URL": f"ws{self.secure}://127.0.0.1:{self.stream.port}/trade-api/ws/v2",
            "KALSHI_CA_FILE": self.cert}

    def truth(self):
        """Books on the YES scale and trades, as texts."""
        books = {}
        for market in self.world.markets.values():
            bids, asks = market.as_yes()
            books[market.ticker] = {
                "status": market.status,
                "yes_bids": [[dollars(p), count(bids[p])] for p in sorted(bids, reverse=True)],
                "yes_asks": [[dollars(p), count(asks[p])] for p in sorted(asks)]}
        return {"books": books, "trades": self.world.trades}

    async def stop(self):
        self.task.cancel()
        for session in list(self.stream.sessions.values()):
            session.ws.transport.abort()
        self.stream.server.close()
        self.rest.server.close()


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", required=True)
    parser.add_argument("--key", choices=["rsa", "ed25519"], default="ed25519")
    parser.add_argument("--markets", type=int, default=12)
    parser.add_argument("--rate", type=float, default=200)
    parser.add_argument("--seconds", type=float, default=0)
    parser.add_argument("--deflate", action="store_true")
    args = parser.parse_args()
    exchange = Exchange(args.folder, args.key, args.markets)
    exchange.rate = args.rate
    exchange.stream.deflate = args.deflate
    await exchange.start()
    path = os.path.join(args.folder, "exchange.env")
    with open(path + ".new", "w") as file:
        file.writelines(f"{name}={value}\n" for name, value in exchange.settings().items())
    os.rename(path + ".new", path)
    print(f"exchange on ports {exchange.rest.port} (REST) and {exchange.stream.port} (stream): {path}", file=sys.stderr)
    try:
        await asyncio.sleep(args.seconds or 10**9)
    finally:
        with open(os.path.join(args.folder, "truth.json"), "w") as file:
            json.dump(exchange.truth(), file)


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        pass
