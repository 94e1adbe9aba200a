"""An exchange of metadata alone, as ill-behaved as it may be: market_pages.py DIR serves series KXS (7 events of 5 markets) in pages of
10, writes its port to DIR/port and the paths it was asked for to DIR/log.  Of each list the second page is first refused (503), then
cut, then whole; the last page of the live markets names a cursor that was given before; two of the markets are in both tiers, ten only in
the historical one; there are no fee changes (404), and events come without the series' own list (400)."""
import http.server
import json
import os
import sys
from urllib.parse import parse_qs, urlsplit

folder = sys.argv[1]
asked = {}


def market(n, tier):
    event = f"KXS-26NOV{18 + n // 5}"
    return {
        "ticker": f"{event}-T{n}", "event_ticker": event, "title": f"Over {n}?", "yes_sub_title": f"{n} or above", "no_sub_title": "less",
        "created_time": "2026-11-01T00:00:00Z", "updated_time": "2026-11-02T00:00:00.123456Z", "open_time": "2026-11-03T00:00:00Z",
        "close_time": "2026-11-18T00:00:00Z", "latest_expiration_time": "2026-11-19T00:00:00Z", "status": "finalized", "result": "yes",
        "settlement_ts": "2026-11-18T02:00:00Z", "settlement_value_dollars": "1.0000", "strike_type": "greater", "floor_strike": n + 0.5,
        "rules_primary": f"If it is over {n}.", "rules_secondary": "The same for all.", "price_level_structure": "linear_cent",
        "price_ranges": [{"start": "0.0000", "end": "1.0000", "step": "0.0100"}], "volume_fp": "1.00", "unknown_member": {"tier": tier},
    }


LIVE = [market(n, "live") for n in range(25)]
PAST = [market(n, "historical") for n in range(23, 35)]
EVENTS = [{"event_ticker": f"KXS-26NOV{18 + n}", "series_ticker": "KXS", "title": f"Day {n}", "mutually_exclusive": False} for n in range(7)]
SERIES = {"ticker": "KXS", "title": "So it is", "category": "Tests", "frequency": "daily", "fee_type": "quadratic", "fee_multiplier": 1, "tags": None}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def reply(self, status, value, cut=0):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) - cut])
        if cut:
            self.close_connection = True

    def page(self, key, items, query, loop):
        at = int(query.get("cursor", ["0"])[0])
        last = at + 10 >= len(items)
        cursor = ("10" if loop else "") if last else str(at + 10)
        value = {key: items[at : at + 10], "cursor": cursor}
        times = asked.setdefault((self.path,), 0)
        asked[(self.path,)] += 1
        if at == 10 and times == 0:
            self.reply(503, {"error": "later"})
        elif at == 10 and times == 1:
            self.reply(200, value, cut=40)
        else:
            self.reply(200, value)

    def do_GET(self):
        with open(os.path.join(folder, "log"), "a") as log:
            log.write(self.path + "\n")
        url = urlsplit(self.path)
        query, path = parse_qs(url.query), url.path.removeprefix("/x")
        if path == "/markets" and query.get("series_ticker") == ["KXS"]:
            self.page("markets", LIVE, query, "?series_ticker" in self.path)  # the listing that asks for the terms
        elif path == "/historical/markets" and query.get("series_ticker") == ["KXS"]:
            self.page("markets", PAST, query, False)
        elif path == "/events" and query.get("series_ticker") == ["KXS"]:
            self.reply(400, {"code": "bad_request", "message": "not here"})
        elif path == "/series/KXS":
            self.reply(200, {"series": SERIES})
        elif path.startswith("/events/KXS-"):
            self.reply(200, {"event": EVENTS[int(path[-2:]) - 18]})
        elif path.startswith("/markets/KXS-") or path.startswith("/historical/markets/KXS-"):
            found = [m for m in (PAST if "historical" in path else LIVE) if path.endswith("/" + m["ticker"])]
            self.reply(200, {"market": found[0]}) if found else self.reply(404, {"code": "not_found", "message": "market not found"})
        else:
            self.reply(404, {"code": "not_found", "message": "not found"})


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
with open(os.path.join(folder, "port.new"), "w") as file:
    file.write(str(server.server_address[1]))
os.rename(os.path.join(folder, "port.new"), os.path.join(folder, "port"))
server.serve_forever()
