"""stream.py - the WebSocket side of the exchange: subscriptions, sequence numbers, and everything that may go wrong.

What a session is told is decided at the moment the market changes (its numbers are given out then); a writer task sends it.
Faults take away, delay or spoil what stands between the two."""
import asyncio
import json
import logging
import random
import socket
import struct

import websockets
from websockets.asyncio.server import serve

from market import count, dollars, rfc3339

# a handshake or a frame cut short is what is ordered here, not something to tell of
for name in ("websockets", "asyncio"):
    logging.getLogger(name).setLevel(logging.CRITICAL)

SEQUENCED = {"orderbook_delta", "trade", "market_lifecycle_v2", "multivariate_market_lifecycle"}
CHANNELS = SEQUENCED | {"ticker"}


class Sub:
    def __init__(self, sid, channel, params):
        self.sid, self.channel, self.seq = sid, channel, 0
        self.markets = None  # None: all of them
        self.yes_scale = bool(params.get("use_yes_price", False))
        self.skip_ack = bool(params.get("skip_ticker_ack", False))
        self.dead = False

    def wants(self, ticker):
        return self.markets is None or ticker in self.markets


class Session:
    """One connection."""

    def __init__(self, stream, ws, number):
        self.stream, self.ws, self.number = stream, ws, number
        self.world = stream.world
        self.subs = {}
        self.sids = 0  # given out so far: none is used again
        self.out = asyncio.Queue()
        self.stalled = asyncio.Event()
        self.stalled.set()  # set: it flows
        self.gone = False

    # ---- out ----

    def put(self, message, delay=0.0):
        if self.stream.bare and isinstance(message.get("msg"), dict):
            message = {**message, "msg": {k: v for k, v in message["msg"].items() if k not in ("market_id", "ts", "time")}}
        if self.stream.extras and self.stream.rng.random() < 0.2:
            message = {"unheard_of": {"deep": [1, 2, {"x": None}]}, **message, "later": "…"}
        if self.stream.extras and message.get("type") in ("orderbook_delta", "trade") and self.stream.rng.random() < 0.5:
            message["sending_ts_ms"] = self.world.now_us() // 1000
        self.put_text(json.dumps(message, ensure_ascii=self.stream.rng.random() < 0.5), delay)

    def put_text(self, text, delay=0.0):
        if delay > 0:
            asyncio.get_running_loop().call_later(delay, self.out.put_nowait, text)
        else:
            self.out.put_nowait(text)

    def put_seq(self, sub, message, lossy=True):
        """A sequenced message; the faults of its channel may take it after its number is used up."""
        faults = self.stream.faults
        if lossy and faults.get("silent:" + sub.channel, 0) > 0:  # lost before it had a number
            faults["silent:" + sub.channel] -= 1
            self.stream.taken(sub.channel, message)
            return
        sub.seq += 1
        message = {"type": message["type"], "sid": sub.sid, "seq": sub.seq, **message}
        if lossy and faults.get("skip:" + sub.channel, 0) > 0:
            faults["skip:" + sub.channel] -= 1
            self.stream.taken(sub.channel, message)
            return
        if lossy and faults.get("cut:" + sub.channel, 0) > 0:  # a frame that is not whole JSON
            faults["cut:" + sub.channel] -= 1
            self.stream.taken(sub.channel, message)
            self.put_text(json.dumps(message)[:-9])
            return
        if lossy and faults.get("twice:" + sub.channel, 0) > 0:
            faults["twice:" + sub.channel] -= 1
            self.put(dict(message))
        self.put(message)

    async def writer(self):
        try:
            while True:
                text = await self.out.get()
                await self.stalled.wait()
                if self.stream.rng.random() < self.stream.fragmented:
                    cuts = sorted(self.stream.rng.randrange(len(text) + 1) for _ in range(self.stream.rng.randrange(1, 5)))
                    parts = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)])]

                    async def pieces(parts=parts):
                        for part in parts:
                            if self.stream.rng.random() < 0.3:
                                self.ping()  # a control frame inside a fragmented message
                            yield part

                    await self.ws.send(pieces())
                else:
                    await self.ws.send(text)
        except websockets.ConnectionClosed:
            pass

    def ping(self):
        # all pings have the same payload, which the library's own ping() would not do
        self.ws.protocol.send_ping(b"heartbeat")
        self.ws.send_data()

    async def heart(self):
        try:
            while True:
                await asyncio.sleep(self.stream.ping_s)
                if self.stalled.is_set() or self.stream.pings_in_stall:
                    self.ping()
        except websockets.ConnectionClosed:
            pass

    def reset(self):
        """A TCP reset, not a close: what is in flight is lost."""
        sock = self.ws.transport.get_extra_info("socket")
        if sock is None:
            return  # it is over already
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.gone = True
        self.ws.transport.abort()

    # ---- what the world tells ----

    def subs_of(self, channel, ticker=None):
        return [s for s in self.subs.values()
                if s.channel == channel and not s.dead and (ticker is None or s.wants(ticker))]

    def on_delta(self, market, side, price, delta, ts_ms):
        for sub in self.subs_of("orderbook_delta", market.ticker):
            shown = 10000 - price if side == "no" and sub.yes_scale else price
            self.put_seq(sub, {"type": "orderbook_delta", "msg": {
                "market_ticker": market.ticker, "market_id": market.id, "price_dollars": dollars(shown),
                "delta_fp": count(delta), "side": side, "ts": rfc3339(ts_ms * 1000), "ts_ms": ts_ms}})

    def on_trade(self, market, trade):
        for sub in self.subs_of("trade", market.ticker):
            message = {
                "trade_id": trade["trade_id"], "market_ticker": market.ticker,
                "yes_price_dollars": dollars(trade["yes_price"]),
                "no_price_dollars": dollars(10000 - trade["yes_price"]), "count_fp": count(trade["count"]),
                "taker_outcome_side": trade["taker"], "taker_book_side": "bid" if trade["taker"] == "yes" else "ask",
                "is_block_trade": trade["block"], "ts": trade["us"] // 1000000, "ts_ms": trade["us"] // 1000}
            if self.stream.taker_side:
                message["taker_side"] = trade["taker"]
            self.put_seq(sub, {"type": "trade", "msg": message})

    def on_ticker(self, market, us):
        bid, no = market.best("yes"), market.best("no")
        for sub in self.subs_of("ticker", market.ticker):
            self.put({"type": "ticker", "sid": sub.sid, "msg": {
                "market_ticker": market.ticker, "market_id": market.id,
                "price_dollars": dollars(market.last) if market.last is not None else "",
                "yes_bid_dollars": dollars(bid or 0), "yes_ask_dollars": dollars(10000 - no if no else 10000),
                "yes_bid_size_fp": count(market.yes.get(bid, 0)), "yes_ask_size_fp": count(market.no.get(no, 0)),
                "last_trade_size_fp": "1.00", "volume_fp": count(market.volume),
                "open_interest_fp": count(market.open_interest), "dollar_volume": market.volume // 200,
                "dollar_open_interest": market.open_interest // 200, "ts": us // 1000000, "ts_ms": us // 1000,
                "time": rfc3339(us)}})

    def on_lifecycle(self, market, what, members):
        for sub in self.subs_of("market_lifecycle_v2"):
            self.put_seq(sub, {"type": "market_lifecycle_v2",
                               "msg": {"market_ticker": market.ticker, "event_type": what, **members}})

    def on_created(self, market):
        self.on_lifecycle(market, "created", {
            "exchange_index": 0, "open_ts": market.open_ts, "close_ts": market.close_ts,
            "price_level_structure": market.structure, "price_ranges": market.ranges(),
            "additional_metadata": {
                "name": market.ticker, "title": "t", "yes_sub_title": "y", "no_sub_title": "n", "rules_primary": "…",
                "rules_secondary": "", "can_close_early": True, "event_ticker": market.event,
                "expected_expiration_ts": market.close_ts, "strike_type": "greater", "floor_strike": 3}})
        for sub in self.subs_of("market_lifecycle_v2"):
            self.put_seq(sub, {"type": "event_lifecycle", "msg": {
                "event_ticker": market.event, "exchange_index": 0, "title": "t", "subtitle": "s",
                "collateral_return_type": "MECNET", "series_ticker": market.series}})

    # ---- commands ----

    def snapshot(self, sub, ticker, id_=None, lossy=True):
        market = self.world.markets[ticker]
        message = {"type": "orderbook_snapshot", "msg": {"market_ticker": ticker, "market_id": market.id}}
        if id_ is not None:
            message["id"] = id_
        for side, book in (("yes", market.yes), ("no", market.no)):
            levels = [[dollars(10000 - p if side == "no" and sub.yes_scale else p), count(s)] for p, s in book.items()]
            self.stream.rng.shuffle(levels)  # no order is promised
            if levels:
                message["msg"][side + "_dollars_fp"] = levels
        self.put_seq(sub, message, lossy)

    def error(self, id_, code, words, sub=None, **more):
        message = {"type": "error", "msg": {"code": code, "msg": words, **more}}
        if id_:
            message["id"] = id_
        if sub is None:
            self.put(message)
        elif sub.channel in SEQUENCED:
            self.put_seq(sub, message, lossy=False)
        else:
            self.put({"sid": sub.sid, **message})

    def kill(self, sub, code):
        """25 and 10 end a subscription: nothing more comes on it."""
        words = {25: "Subscription buffer overflow", 10: "Channel error"}[code]
        self.error(None, code, words, sub)
        sub.dead = True
        del self.subs[sub.sid]

    def tickers_of(self, params):
        if "market_ticker" in params:
            return [params["market_ticker"]]
        return params.get("market_tickers")

    def command(self, text):
        stream = self.stream
        try:
            command = json.loads(text)
            id_, cmd = int(command.get("id", 0)), command["cmd"]
            params = command.get("params", {})
        except (ValueError, KeyError, TypeError):
            self.error(0, 1, "cannot process")
            return
        stream.commands.append((self.world.clock(), self.number, command))
        if stream.faults.get("error:27", 0) > 0 and cmd == "update_subscription":
            stream.faults["error:27"] -= 1
            sub = self.subs.get((params.get("sids") or [params.get("sid")])[0])
            self.error(id_, 27, "too many requests on the subscription", sub)
            return
        if stream.faults.get("deaf", 0) > 0:  # the command is lost, or its reply: nothing is heard of it
            stream.faults["deaf"] -= 1
            return
        handler = getattr(self, "do_" + cmd, None)
        if handler is None:
            self.error(id_, 5, "unknown command")
        else:
            handler(id_, params)

    def do_subscribe(self, id_, params):
        stream = self.stream
        channels = params.get("channels")
        if not channels:
            self.error(id_, 3, "channels required")
            return
        tickers = self.tickers_of(params)
        for channel in channels:
            if channel not in stream.channels:
                if not stream.unknown_silent:
                    self.error(id_, 8, "Unknown channel name")
                continue
            if channel == "orderbook_delta" and not tickers:
                self.error(id_, 14, "market ticker required")
                continue
            held = next((s for s in self.subs.values() if s.channel == channel and not s.dead), None)
            sub = held or Sub(self.sids + 1, channel, params)
            wanted = [t for t in tickers if t in self.world.markets] if tickers and "lifecycle" not in channel else None
            new = [t for t in wanted if not held or held.markets is None or t not in held.markets] if wanted else []
            if wanted and stream.markets_max and len(sub.markets or ()) + len(new) > stream.markets_max:
                self.error(id_, 26, "subscription market limit exceeded", held)
                continue
            if not held:
                self.sids += 1
                self.subs[sub.sid] = sub
                sub.markets = set(wanted) if wanted is not None else None
            elif wanted is None:
                sub.markets = None
            elif sub.markets is not None:
                sub.markets |= set(wanted)
            reply = {"id": id_, "type": "subscribed", "msg": {"channel": channel, "sid": sub.sid}}
            if stream.early and channel == "orderbook_delta" and not stream.no_snapshots:
                for ticker in new:
                    self.snapshot(sub, ticker)
            if stream.faults.get("no_ack", 0) > 0:
                stream.faults["no_ack"] -= 1
            elif held and stream.again == "ok":
                reply = {"id": id_, "type": "ok", "msg": {"market_tickers": sorted(sub.markets or ())}}
                if channel in SEQUENCED:
                    self.put_seq(sub, reply, lossy=False)
                else:
                    self.put({"sid": sub.sid, **reply})
            else:
                self.put(reply, stream.ack_delay)
            if not stream.early and channel == "orderbook_delta" and not stream.no_snapshots:
                for ticker in new:
                    self.snapshot(sub, ticker)
            if channel == "ticker" and params.get("send_initial_snapshot"):
                for ticker in new:
                    self.on_ticker(self.world.markets[ticker], self.world.now_us())
            if channel == "trade":
                stream.trades_from.append((self.number, self.world.now_us()))

    def one_sub(self, id_, params):
        sids = params.get("sids") or ([params["sid"]] if "sid" in params else [])
        if len(sids) != 1:
            self.error(id_, 12 if sids else 4, "exactly one sid required")
            return None
        sub = self.subs.get(sids[0])
        if sub is None:
            self.error(id_, 7, "unknown sid")
        return sub

    def do_update_subscription(self, id_, params):
        stream, sub = self.stream, self.one_sub(id_, params)
        if sub is None:
            return
        action, tickers = params.get("action"), self.tickers_of(params) or []
        tickers = [t for t in tickers if t in self.world.markets]
        if action == "get_snapshot" and not stream.no_get_snapshot:
            for ticker in tickers:
                if sub.wants(ticker):
                    self.snapshot(sub, ticker, id_)
            return
        if action not in ("add_markets", "delete_markets"):
            self.error(id_, 13 if action else 15, "unsupported action", sub)
            return
        new = [t for t in tickers if t not in (sub.markets or ())]
        if action == "add_markets":
            if stream.markets_max and len(sub.markets or ()) + len(new) > stream.markets_max:
                self.error(id_, 26, "subscription market limit exceeded", sub)
                return
            sub.markets = (sub.markets or set()) | set(tickers)
        elif sub.markets is not None:
            sub.markets -= set(tickers)
        reply = {"id": id_, "type": "ok", "msg": {}}
        if not sub.skip_ack:
            reply["msg"]["market_tickers"] = sorted(sub.markets or ())
        if stream.faults.get("no_ack", 0) > 0:
            stream.faults["no_ack"] -= 1
            if sub.channel in SEQUENCED:
                sub.seq += 1  # it had a number
        elif sub.channel in SEQUENCED:
            self.put_seq(sub, reply, lossy=False)
        else:
            self.put({"sid": sub.sid, **reply})
        if action == "add_markets" and sub.channel == "orderbook_delta" and not stream.no_snapshots:
            for ticker in new:
                if stream.rng.random() < 0.8:  # for quiet markets sometimes none comes
                    self.snapshot(sub, ticker)

    def do_unsubscribe(self, id_, params):
        for sid in params.get("sids", []):
            sub = self.subs.get(sid)
            if sub is None:
                self.error(id_, 7, "unknown sid")
                continue
            if sub.channel in SEQUENCED:
                self.put_seq(sub, {"id": id_, "type": "unsubscribed"}, lossy=False)
            else:
                self.put({"id": id_, "sid": sid, "type": "unsubscribed"})
            del self.subs[sid]

    def do_list_subscriptions(self, id_, _params):
        self.put({"id": id_, "type": "ok",
                  "msg": [{"channel": s.channel, "sid": s.sid} for s in self.subs.values()]})


class Stream:
    """The server, its options, and what went wrong so far."""

    def __init__(self, world, auth, seed=1):
        self.world, self.auth = world, auth
        self.rng = random.Random(seed)
        self.sessions = {}
        self.number = 0
        self.faults = {}     # "skip:trade" and such -> how many more
        self.lost = {}       # channel -> messages that never left
        self.commands = []
        self.trades_from = []
        # options
        self.extras = True        # unknown members, sending_ts_ms
        self.taker_side = False
        self.fragmented = 0.0     # share of messages sent in fragments
        self.deflate = False
        self.ack_delay = 0.0
        self.no_snapshots = False # only get_snapshot brings one
        self.markets_max = 0      # of one subscription; beyond it error 26
        self.ping_s = 1.0
        self.pings_in_stall = True
        self.refuse = 0           # upgrades still to be refused with 503
        self.channels = CHANNELS  # those it knows
        self.unknown_silent = False  # of another channel it says nothing at all, else error 8
        self.no_get_snapshot = False # error 13
        self.again = "subscribed" # the reply to a subscription that is held already: that, or "ok"
        self.early = False        # data comes before the reply
        self.bare = False         # members that are optional are absent

    def taken(self, channel, message):
        self.lost.setdefault(channel, []).append(message)

    def all_subs(self, channel):
        return [(s, sub) for s in self.sessions.values() for sub in s.subs_of(channel)]

    async def handler(self, ws):
        self.number += 1
        session = Session(self, ws, self.number)
        self.sessions[session.number] = session
        self.world.listeners.append(session)
        tasks = [asyncio.create_task(session.writer()), asyncio.create_task(session.heart())]
        try:
            async for text in ws:
                session.command(text)
        except websockets.ConnectionClosed:
            pass
        finally:
            self.world.listeners.remove(session)
            del self.sessions[session.number]
            for task in tasks:
                task.cancel()

    def check(self, connection, request):
        if self.refuse > 0:
            self.refuse -= 1
            return connection.respond(503, '{"error":{"code":"unavailable","message":"later"}}\n')
        refusal = self.auth.refusal("GET", request.path.partition("?")[0], request.headers, required=True)
        if refusal:
            response = connection.respond(401, json.dumps(refusal))
            response.headers["Date"] = self.auth.date()
            return response
        return None

    def dated(self, _connection, _request, response):
        if "Date" in response.headers:
            del response.headers["Date"]
        response.headers["Date"] = self.auth.date()
        return response

    async def start(self, tls, port=0):
        if not self.ping_s:
            self.ping_s = 1e9
        self.server = await serve(
            self.handler, "127.0.0.1", port, ssl=tls, compression="deflate" if self.deflate else None,
            process_request=self.check, process_response=self.dated, ping_interval=None, max_size=None,
            max_queue=None, close_timeout=1)
        self.port = self.server.sockets[0].getsockname()[1]
