"""sim_client.py SIM_ENV KEY DEFLATE: Python's websockets as a client of the simulated exchange: signs, subscribes, keeps books and
compares them with snapshots it asks for.  KEY is rsa or ed25519, DEFLATE yes or no."""

import asyncio
import base64
import json
import os
import ssl
import sys
import time
import urllib.request

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

PATH = "/trade-api/ws/v2"


def settings(path):
    with open(path, encoding="utf-8") as file:
        return dict(line.strip().split("=", 1) for line in file if "=" in line and not line.startswith("#"))


def headers(env, kind):
    stamp = str(int(time.time() * 1000))
    folder = os.path.dirname(env["KALSHI_PRIVATE_KEY_PATH"])
    with open(os.path.join(folder, kind + ".pem"), "rb") as file:
        key = serialization.load_pem_private_key(file.read(), None)
    text = (stamp + "GET" + PATH).encode()
    if kind == "rsa":
        signature = key.sign(text, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())
    else:
        signature = key.sign(text)
    return {
        "KALSHI-ACCESS-KEY": env["KALSHI_API_KEY"],
        "KALSHI-ACCESS-TIMESTAMP": stamp,
        "KALSHI-ACCESS-SIGNATURE": base64.b64encode(signature).decode(),
    }


class Books:
    def __init__(self):
        self.levels, self.seqs, self.counts, self.checked = {}, {}, {}, 0

    def take(self, frame):
        kind, message = frame["type"], frame.get("msg", {})
        self.counts[kind] = self.counts.get(kind, 0) + 1
        if "seq" in frame:
            assert frame["seq"] == self.seqs.get(frame["sid"], 0) + 1, (frame, self.seqs)
            self.seqs[frame["sid"]] = frame["seq"]
        if kind == "orderbook_snapshot":
            book = {}
            for side in "yes", "no":
                for price, size in message.get(side + "_dollars_fp", []):
                    book[side, price] = round(float(size) * 100)
            known = self.levels.get(message["market_ticker"])
            if known is not None:
                assert known == book, (message["market_ticker"], known, book)
                self.checked += 1
            self.levels[message["market_ticker"]] = book
        elif kind == "orderbook_delta":
            book, level = self.levels[message["market_ticker"]], (message["side"], message["price_dollars"])
            size = book.get(level, 0) + round(float(message["delta_fp"]) * 100)
            assert size >= 0, frame
            if size == 0:
                del book[level]
            else:
                book[level] = size
        assert kind != "error", frame


async def main():
    env, kind, deflate = settings(sys.argv[1]), sys.argv[2], sys.argv[3] == "yes"
    context = ssl.create_default_context(cafile=env["KALSHI_CA_FILE"])
    with urllib.request.urlopen(env["KALSHI_BASE_URL"] + "/markets?limit=20&status=open", context=context) as answer:
        tickers = [market["ticker"] for market in json.load(answer)["markets"]]
    assert len(tickers) > 3, tickers
    try:
        async with connect(env["KALSHI_WS_URL"], ssl=context):
            raise AssertionError("an unsigned session was taken")
    except InvalidStatus as refusal:
        assert refusal.response.status_code == 401, refusal
    async with connect(
        env["KALSHI_WS_URL"],
        ssl=context,
        additional_headers=headers(env, kind),
        compression="deflate" if deflate else None,
    ) as websocket:
        assert [extension.name for extension in websocket.protocol.extensions] == ["permessage-deflate"] * deflate
        books, deadline = Books(), time.monotonic() + 60
        for number, params in enumerate(
            (
                {"channels": ["orderbook_delta"], "market_tickers": tickers, "use_yes_price": True},
                {"channels": ["ticker", "trade"], "market_tickers": tickers},
            )
        ):
            await websocket.send(json.dumps({"id": number + 1, "cmd": "subscribe", "params": params}))
        asked = False
        while books.checked < len(tickers) and time.monotonic() < deadline:
            books.take(json.loads(await websocket.recv()))
            if not asked and books.counts.get("orderbook_delta", 0) >= 200:
                await (await websocket.ping("are you there"))
                sid = next(iter(books.seqs))
                await websocket.send(
                    json.dumps(
                        {
                            "id": 3,
                            "cmd": "update_subscription",
                            "params": {"sid": sid, "action": "get_snapshot", "market_tickers": tickers},
                        }
                    )
                )
                asked = True
        assert books.checked == len(tickers), (books.checked, books.counts)
        await websocket.close(1000, "enough")
        print(f"{kind}, deflate {sys.argv[3]}: {books.checked} books agree after {books.counts}")


asyncio.run(main())
