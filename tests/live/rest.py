"""rest.py - the REST side of the exchange, and its signatures."""
import asyncio
import base64
import email.utils
import json
import re
import urllib.parse

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from market import count, dollars, rfc3339

API = "/trade-api/v2"
WINDOW_MS = 30000


class Auth:
    """Checks the three headers as the exchange does."""

    def __init__(self, key_id, public_pem, clock):
        self.key_id = key_id
        self.key = load_pem_public_key(public_pem)
        self.clock = clock  # the exchange's, which may differ from the client's
        self.expired = 0    # times a signature was good and its time was not

    def date(self):
        return email.utils.formatdate(self.clock(), usegmt=True)

    def refusal(self, method, path, headers, required):
        names = ("KALSHI-ACCESS-KEY", "KALSHI-ACCESS-TIMESTAMP", "KALSHI-ACCESS-SIGNATURE")
        given = [headers.get(name) for name in names]
        if not any(given):
            return {"code": "unauthorized", "message": "missing headers"} if required else None
        key, stamp, signature = given
        if not all(given) or key != self.key_id or not re.fullmatch(r"\d{13}", stamp):
            return {"code": "unauthorized", "message": "bad headers"}
        text = f"{stamp}{method}{path}".encode()
        try:
            raw = base64.b64decode(signature, validate=True)
            if isinstance(self.key, rsa.RSAPublicKey):
                self.key.verify(raw, text, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())
            elif isinstance(self.key, ed25519.Ed25519PublicKey):
                self.key.verify(raw, text)
        except (InvalidSignature, ValueError):
            return {"code": "invalid_signature", "message": "invalid signature"}
        if abs(int(stamp) - self.clock() * 1000) > WINDOW_MS:
            self.expired += 1
            return {"code": "header_timestamp_expired", "message": "header_timestamp_expired"}
        return None


def rest_trade(trade):
    return {
        "trade_id": trade["trade_id"], "ticker": trade["ticker"], "count_fp": count(trade["count"]),
        "yes_price_dollars": dollars(trade["yes_price"]), "no_price_dollars": dollars(10000 - trade["yes_price"]),
        "taker_outcome_side": trade["taker"], "taker_book_side": "bid" if trade["taker"] == "yes" else "ask",
        "created_time": rfc3339(trade["us"]), "is_block_trade": trade["block"], "unheard_of": None}


def book_of(market):
    return {"yes_dollars": [[dollars(p), count(market.yes[p])] for p in sorted(market.yes)],
            "no_dollars": [[dollars(p), count(market.no[p])] for p in sorted(market.no)]}


class Problem(Exception):
    def __init__(self, status, body):
        self.status, self.body = status, body


class Rest:
    def __init__(self, world, auth):
        self.world, self.auth = world, auth
        self.requests = []     # (method, path with query, status)
        self.limited = 0       # answers still to be 429
        self.broken = 0        # answers still to be 500
        self.hang_up = 0       # connections still to be closed instead of an answer
        self.trades_lag_s = 0  # a trade is listed so long after it was made
        self.page_max = 1000
        self.only = None       # paths it knows; others are 404
        self.lean = False      # a market has what nobody can do without, and no more
        self.no_filters = False  # query parameters but limit and cursor are not looked at
        self.no_cursor = False # the last page has no such member
        self.trading = True
        self.resume = None     # RFC 3339: when trading goes on

    # ---- answers ----

    def page(self, items, query, default, most):
        limit = min(int(query.get("limit", [default])[0]) or default, most, self.page_max)
        at = 0
        if query.get("cursor", [""])[0]:
            at = int(base64.urlsafe_b64decode(query["cursor"][0]).decode().partition(":")[2])
        page = items[at : at + limit]
        more = at + limit < len(items)
        return page, base64.urlsafe_b64encode(f"at:{at + limit}".encode()).decode() if more else ""

    def trades(self, query):
        known_us = int((self.world.clock() - self.trades_lag_s) * 1000000)
        low = int(query["min_ts"][0]) * 1000000 if "min_ts" in query else None
        high = int(query["max_ts"][0]) * 1000000 if "max_ts" in query else None
        end, limit = len(self.world.trades), min(int(query.get("limit", ["100"])[0]) or 100, 1000, self.page_max)
        if query.get("cursor", [""])[0]:  # a place in the list, which new trades do not move
            end = int(base64.urlsafe_b64decode(query["cursor"][0]).decode().partition(":")[2])
        ticker = query.get("ticker", [None])[0]
        page = []
        while end > 0 and len(page) < limit:
            trade = self.world.trades[end - 1]
            if low is not None and trade["us"] < low:
                end = 0
                break
            end -= 1
            if trade["us"] > known_us or (high is not None and trade["us"] > high) or (ticker and trade["ticker"] != ticker):
                continue
            page.append(rest_trade(trade))
        cursor = base64.urlsafe_b64encode(f"before:{end}".encode()).decode() if end > 0 else ""
        return {"trades": page, "cursor": cursor}

    def markets(self, query):
        words = {"active": "open", "inactive": "paused", "initialized": "unopened", "finalized": "settled"}
        items = list(self.world.markets.values())
        status = query.get("status", [None])[0]
        if status is not None and status not in ("unopened", "open", "paused", "closed", "settled"):
            raise Problem(400, {"error": {"code": "bad_request", "message": "bad request"}})
        for key, of in (("series_ticker", "series"), ("event_ticker", "event")):
            if key in query:
                items = [m for m in items if getattr(m, of) == query[key][0]]
        if "tickers" in query:
            wanted = query["tickers"][0].split(",")
            items = [m for m in items if m.ticker in wanted]
        if status:
            items = [m for m in items if words.get(m.status, "closed") == status]
        page, cursor = self.page(items, query, 100, 1000)
        found = [m.rest() for m in page]
        if self.lean:
            found = [{k: m[k] for k in ("ticker", "event_ticker", "status", "open_time", "close_time")} for m in found]
        return {"markets": found, "cursor": cursor}

    def event(self, name):
        markets = [m for m in self.world.markets.values() if m.event == name]
        if not markets:
            raise Problem(404, {"error": {"code": "not_found", "message": "not found"}})
        return {"event": {"event_ticker": name, "series_ticker": markets[0].series, "title": "t", "sub_title": "s",
                          "collateral_return_type": "MECNET", "mutually_exclusive": True, "settlement_sources": None},
                "markets": [m.rest() for m in markets]}

    def answer(self, path, query):
        world = self.world
        if path == "/exchange/status":
            return {"exchange_active": self.trading, "trading_active": self.trading,
                    "intra_exchange_transfers_active": True, "exchange_estimated_resume_time": self.resume,
                    "exchange_index_statuses": [{"exchange_index": 0, "description": "Default",
                                                 "exchange_active": self.trading, "trading_active": self.trading,
                                                 "intra_exchange_transfers_active": True}]}
        if path == "/exchange/schedule":
            day = [{"open_time": "00:00", "close_time": "24:00"}]
            days = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
            return {"schedule": {"standard_hours": [{"start_time": "2026-01-01T00:00:00Z", "end_time": "2027-01-01T00:00:00Z",
                                                     **{d: day for d in days}}], "maintenance_windows": []}}
        if path == "/account/limits":
            each = {"refill_rate": 200, "bucket_capacity": 600}
            return {"usage_tier": "basic", "read": each, "write": each, "grants": []}
        if path in ("/markets/trades", "/historical/trades"):
            return self.trades(query) if path.startswith("/markets") else {"trades": [], "cursor": ""}
        if path == "/historical/cutoff":
            old = rfc3339(int((world.clock() - 60 * 86400) * 1000000))
            return {"market_settled_ts": old, "trades_created_ts": old, "orders_updated_ts": old,
                    "market_positions_last_updated_ts": old}
        if path == "/markets":
            return self.markets(query)
        if path == "/markets/orderbooks":
            return {"orderbooks": [{"ticker": t, "orderbook_fp": book_of(world.markets[t])}
                                   for t in query.get("tickers", []) if t in world.markets]}
        if path == "/events":
            names = list(dict.fromkeys(m.event for m in world.markets.values()
                                       if query.get("series_ticker", [m.series])[0] == m.series))
            page, cursor = self.page(names, query, 200, 200)
            return {"events": [self.event(name)["event"] for name in page], "cursor": cursor}
        if path == "/series":
            names = sorted({m.series for m in world.markets.values()})
            return {"series": [{"ticker": n, "frequency": "daily", "title": n, "category": "Climate"} for n in names]}
        found = re.fullmatch(r"/(events|markets|series)/([A-Z0-9.-]+)(/orderbook)?", path)
        if found and found.group(1) == "events":
            return self.event(found.group(2))
        if found and found.group(1) == "series" and any(m.series == found.group(2) for m in world.markets.values()):
            return {"series": {"ticker": found.group(2), "frequency": "daily", "title": "t", "category": "Climate"}}
        if found and found.group(1) == "markets" and found.group(2) in world.markets:
            market = world.markets[found.group(2)]
            return {"orderbook_fp": book_of(market)} if found.group(3) else {"market": market.rest()}
        raise Problem(404, {"code": "not_found", "message": "not found"})

    def respond(self, method, target, headers):
        path, _, text = target.partition("?")
        query = urllib.parse.parse_qs(text, keep_blank_values=True)
        if self.no_filters:
            query = {k: v for k, v in query.items() if k in ("limit", "cursor", "tickers")}
        try:
            if self.limited > 0:
                self.limited -= 1
                raise Problem(429, {"error": "too many requests"})
            if self.broken > 0:
                self.broken -= 1
                raise Problem(500, {"error": {"code": "internal", "message": "internal"}})
            if path.endswith("/"):
                raise Problem(301, {})
            if method != "GET" or not path.startswith(API):
                raise Problem(404, {"code": "not_found", "message": "not found"})
            refusal = self.auth.refusal(method, path, headers, required=path.endswith("/account/limits"))
            if refusal:
                raise Problem(401, refusal)
            if self.only is not None and path[len(API):] not in self.only:
                raise Problem(404, {"code": "not_found", "message": "not found"})
            body = self.answer(path[len(API):], query)
            if self.no_cursor and body.get("cursor") == "":
                del body["cursor"]
            return 200, body
        except Problem as problem:
            return problem.status, problem.body
        except (ValueError, IndexError):
            return 400, {"error": {"code": "bad_request", "message": "bad request"}}

    # ---- HTTP/1.1 with keep-alive ----

    async def client(self, reader, writer):
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                lines = head.decode("latin-1").split("\r\n")
                method, target, _ = lines[0].split(" ", 2)
                headers = {}
                for line in lines[1:]:
                    name, _, value = line.partition(":")
                    headers[name.strip().upper()] = value.strip()
                if self.hang_up > 0:
                    self.hang_up -= 1
                    break
                status, body = self.respond(method, target, headers)
                self.requests.append((self.world.clock(), target, status))
                payload = json.dumps(body).encode()
                words = {200: "OK", 301: "Moved Permanently", 401: "Unauthorized", 404: "Not Found",
                         429: "Too Many Requests"}.get(status, "Error")
                moved = f"Location: {target.partition('?')[0].rstrip('/')}\r\n" if status == 301 else ""
                writer.write(f"HTTP/1.1 {status} {words}\r\nDate: {self.auth.date()}\r\nContent-Type: application/json\r\n"
                             f"{moved}Content-Length: {len(payload)}\r\n\r\n".encode() + payload)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, ValueError):
            pass
        finally:
            writer.close()

    async def start(self, tls, port=0):
        self.server = await asyncio.start_server(self.client, "127.0.0.1", port, ssl=tls)
        self.port = self.server.sockets[0].getsockname()[1]
