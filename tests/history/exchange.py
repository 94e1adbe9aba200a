"""exchange.py - the past of past.py over HTTP, and everything that can be wrong with an answer."""
import base64
import http.server
import json
import random
import re
import socket
import socketserver
import threading
import time
import urllib.parse

from past import rfc3339

API = "/trade-api/v2"
ILLS = ("cut", "short", "reset", "503", "500", "429", "html", "slow", "empty")  # per answer, by chance


class Bucket:
    def __init__(self, rate, capacity):
        self.rate, self.capacity, self.tokens, self.at = rate, capacity, capacity, time.monotonic()

    def take(self, cost):
        now = time.monotonic()
        self.tokens = min(self.capacity, self.tokens + (now - self.at) * self.rate)
        self.at = now
        if self.tokens < cost:
            return False
        self.tokens -= cost
        return True


class Refused(Exception):
    def __init__(self, status, body):
        self.status, self.body = status, body


class Exchange:
    def __init__(self, past, seed=1):
        self.past, self.rng, self.lock = past, random.Random(seed), threading.Lock()
        self.auth = None            # checks signatures (tests/live/rest.py), None: everything is open
        self.bucket = None
        self.ills = {}              # name -> share of the answers
        self.refuse_min_ts = False  # 400 for min_ts together with ticker
        self.loop_cursors = 0       # pages still to come whose cursor leads back to themselves
        self.cutoff_step_us = 0     # the cutoff advances by so much with each answer
        self.upside_down = False    # pages oldest first
        self.no_candles = False
        self.no_markets = False
        self.doubled = False        # a page begins with the last trade of the one before
        self.requests = []          # (monotonic, target, status)

    # ---- answers ----

    def cursor(self, place):
        return "" if place is None else base64.urlsafe_b64encode(f"p:{place}".encode()).decode()

    def place(self, query):
        text = query.get("cursor", "")
        return int(base64.urlsafe_b64decode(text).decode()[2:]) if text else None

    def trades(self, query, historical):
        if self.refuse_min_ts and "ticker" in query and "min_ts" in query:
            raise Refused(400, {"error": {"code": "bad_request", "message": "bad request"}})
        limit = int(query.get("limit", 100)) or 100
        if not 0 < limit <= 1000:
            raise Refused(400, {"code": "bad_request", "message": "limit"})
        low = int(query["min_ts"]) * 1000000 if "min_ts" in query else None
        high = int(query["max_ts"]) * 1000000 if "max_ts" in query else None
        below = self.place(query)
        texts, place = self.past.trades(query.get("ticker"), historical, low, high, below, limit)
        if self.doubled and below is not None and texts:
            texts = self.past.trades(query.get("ticker"), historical, low, high, below + 1, 1)[0] + texts
        if self.loop_cursors > 0 and below is not None:
            self.loop_cursors -= 1
            place = below
        if self.upside_down:
            texts.reverse()
        return '{"trades":[%s],"cursor":"%s"}' % (",".join(texts), self.cursor(place))

    def markets(self, query, historical):
        names = [t for t in self.past.terms if self.past.old(t) == historical]
        for key, of in (("series_ticker", "series"), ("event_ticker", "event")):
            if query.get(key):
                names = [t for t in names if self.past.terms[t][of] == query[key]]
        if query.get("tickers"):
            names = [t for t in names if t in query["tickers"].split(",")]
        if query.get("status") not in (None, "", "settled"):
            names = []
        at, limit = self.place(query) or 0, int(query.get("limit", 100)) or 100
        return json.dumps({"markets": [self.past.market(t) for t in names[at : at + limit]],
                           "cursor": self.cursor(at + limit if at + limit < len(names) else None)})

    def series_of(self, ticker):
        return next((t["series"] for t in self.past.terms.values() if t["series"] == ticker), None)

    def candles(self, name, query, historical):
        if self.no_candles or name not in self.past.terms or self.past.old(name) != historical:
            raise Refused(404, {"code": "not_found", "message": "not found"})
        start, end, period = (int(query[k]) for k in ("start_ts", "end_ts", "period_interval"))
        if period not in (1, 60, 1440) or (end - start) // (period * 60) > 5000:
            raise Refused(400, {"error": {"code": "bad_request", "message": "too many candles"}})
        return json.dumps({"ticker": name, "candlesticks": self.past.candles(name, start, end, period, historical)})

    def answer(self, path, query):
        past = self.past
        if path == "/historical/cutoff":
            past.cutoff_us += self.cutoff_step_us
            at = rfc3339(past.cutoff_us)
            return json.dumps({"market_settled_ts": at, "trades_created_ts": at, "orders_updated_ts": at})
        if path in ("/markets/trades", "/historical/trades"):
            past.cutoff_us += self.cutoff_step_us
            return self.trades(query, path.startswith("/historical"))
        if path == "/account/limits":
            rate = {"refill_rate": self.bucket.rate, "bucket_capacity": self.bucket.capacity} if self.bucket else \
                {"refill_rate": 1000000, "bucket_capacity": 1000000}
            return json.dumps({"usage_tier": "basic", "read": rate, "write": rate, "grants": []})
        if path == "/account/endpoint_costs":
            return json.dumps({"default_cost": 10, "endpoint_costs": []})
        if path in ("/markets", "/historical/markets") and not self.no_markets:
            return self.markets(query, path.startswith("/historical"))
        found = re.fullmatch(r"(/historical)?/markets/([A-Z0-9.-]+)", path)
        if found and not self.no_markets and found.group(2) in past.terms and past.old(found.group(2)) == bool(found.group(1)):
            return json.dumps({"market": past.market(found.group(2))})
        found = re.fullmatch(r"/historical/markets/([A-Z0-9.-]+)/candlesticks", path)
        if found:
            return self.candles(found.group(1), query, True)
        found = re.fullmatch(r"/series/([A-Z0-9.-]+)/markets/([A-Z0-9.-]+)/candlesticks", path)
        if found:
            return self.candles(found.group(2), query, False)
        if path == "/markets/candlesticks" and not self.no_candles:
            names = [n for n in query["market_tickers"].split(",") if n in past.terms and not past.old(n)]
            start, end, period = (int(query[k]) for k in ("start_ts", "end_ts", "period_interval"))
            return json.dumps({"markets": [{"market_ticker": n, "candlesticks": past.candles(n, start, end, period, False)}
                                           for n in names]})
        found = re.fullmatch(r"/series/([A-Z0-9.-]+)", path)
        if found and self.series_of(found.group(1)):
            return json.dumps({"series": {"ticker": found.group(1), "title": "t", "category": "c", "frequency": "daily"}})
        if path == "/series":
            return json.dumps({"series": [{"ticker": s, "title": "t", "category": "c", "frequency": "daily"}
                                          for s in sorted({t["series"] for t in past.terms.values()})]})
        found = re.fullmatch(r"/events/([A-Z0-9.-]+)", path)
        names = [t for t in past.terms if past.terms[t]["event"] == found.group(1)] if found else []
        if names:
            return json.dumps({"event": {"event_ticker": found.group(1), "series_ticker": past.terms[names[0]]["series"],
                                         "title": "t", "sub_title": "s", "mutually_exclusive": True},
                               "markets": [past.market(t) for t in names if not past.old(t)]})
        raise Refused(404, {"code": "not_found", "message": "not found"})

    def respond(self, target, headers):
        path, _, text = target.partition("?")
        query = {k: v[0] for k, v in urllib.parse.parse_qs(text, keep_blank_values=True).items()}
        if not path.startswith(API):
            return 404, '{"code":"not_found","message":"not found"}'
        with self.lock:
            if self.auth is not None:
                refusal = self.auth.refusal("GET", path, headers, required=path.endswith("/account/limits"))
                if refusal:
                    return 401, json.dumps(refusal)
            if self.bucket is not None and not self.bucket.take(10):
                return 429, '{"error":"too many requests"}'
            try:
                return 200, self.answer(path[len(API):], query)
            except Refused as refused:
                return refused.status, json.dumps(refused.body)
            except (KeyError, ValueError):
                return 400, '{"error":{"code":"bad_request","message":"bad request"}}'

    def ill(self):
        with self.lock:
            at = self.rng.random()
            for name, share in self.ills.items():
                at -= share
                if at < 0:
                    return name
        return None

    # ---- HTTP ----

    def start(self):
        exchange = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True
            wbufsize = -1

            def log_message(self, *args):
                pass

            def do_GET(self):
                headers = {k.upper(): v for k, v in self.headers.items()}
                status, text = exchange.respond(self.path, headers)
                ill = exchange.ill() if status == 200 else None
                body = text.encode()
                if ill == "reset":
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                    self.close_connection = True
                    exchange.requests.append((time.monotonic(), self.path, 0))
                    return
                if ill in ("503", "500"):
                    status, body = int(ill), b'{"error":{"code":"unavailable","message":"try later"}}'
                elif ill == "429":
                    status, body = 429, b'{"error":"too many requests"}'
                elif ill == "html":
                    body = b"<html><body>Please stand by</body></html>"
                elif ill == "short":
                    body = body[: len(body) * 2 // 3]
                elif ill == "empty":
                    body = b""
                exchange.requests.append((time.monotonic(), self.path, status))
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if ill == "cut":
                    body = body[: len(body) // 2]
                    self.close_connection = True
                if ill == "slow":
                    for at in range(0, len(body), max(1, len(body) // 5)):
                        self.wfile.write(body[at : at + max(1, len(body) // 5)])
                        self.wfile.flush()
                        time.sleep(0.02)
                else:
                    self.wfile.write(body)

            def handle_one_request(self):
                try:
                    super().handle_one_request()
                except ConnectionError:
                    self.close_connection = True

        class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, request, client_address):
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}{API}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
