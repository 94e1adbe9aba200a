"""market.py - the markets of an exchange that shares no code with kdp: books, trades, times, and who is told of them.

Written from the exchange's documented behaviour (docs/exchange.md) only.  Prices are integers of 1e-4 dollar, sizes of 1e-2
contract.  A book is two ladders of bids; NO prices are kept in the NO leg, as the exchange keeps them."""
import random
import time
import uuid

BANDS = {
    "linear_cent": [(0, 10000, 100)],
    "deci_cent": [(0, 10000, 10)],
    "tapered_deci_cent": [(0, 1000, 10), (1000, 9000, 100), (9000, 10000, 10)],
    "center_centi_edge_centi_cent": [(0, 10000, 1)],
    "center_deci_edge_centi_cent": [(0, 100, 1), (100, 9900, 10), (9900, 10000, 1)],
}
STRUCTURES = list(BANDS)


def dollars(price, digits=4):
    return f"{price // 10000}.{price % 10000:04d}"[: 2 + digits]


def count(size):
    sign = "-" if size < 0 else ""
    return f"{sign}{abs(size) // 100}.{abs(size) % 100:02d}"


def rfc3339(us):
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(us // 1000000))
    return f"{whole}.{us % 1000000:06d}".rstrip("0").rstrip(".") + "Z"


class Market:
    def __init__(self, ticker, event, series, structure, mid, rng, now_s):
        self.ticker, self.event, self.series = ticker, event, series
        self.id = str(uuid.UUID(int=rng.getrandbits(128)))
        self.structure = structure
        self.mid = mid
        self.status = "active"
        self.result = ""
        self.open_ts, self.close_ts = now_s - 86400, now_s + 30 * 86400
        self.created_us = (now_s - 86400) * 1000000
        self.yes, self.no = {}, {}  # price of the side's own leg -> size
        self.volume = self.open_interest = 0
        self.last = None

    def grid(self, price):
        """The price on the market's grid at or below this one."""
        for low, high, step in BANDS[self.structure]:
            if low <= price < high or high == 10000:
                return low + (price - low) // step * step
        raise ValueError(price)

    def best(self, side):
        book = self.yes if side == "yes" else self.no
        return max(book) if book else None

    def as_yes(self):
        """(yes bids, yes asks) as {price: size}, both on the YES scale: what kdp shows."""
        return dict(self.yes), {10000 - price: size for price, size in self.no.items()}

    def ranges(self):
        return [{"start": dollars(a), "end": dollars(b), "step": dollars(c)} for a, b, c in BANDS[self.structure]]

    def rest(self):
        bid, no = self.best("yes"), self.best("no")
        ask = 10000 - no if no is not None else 10000
        now = rfc3339(self.created_us)
        return {
            "ticker": self.ticker, "event_ticker": self.event, "market_type": "binary", "status": self.status,
            "title": f"Does {self.ticker} hold?", "yes_sub_title": "Yes", "no_sub_title": "No",
            "created_time": now, "updated_time": now, "open_time": rfc3339(self.open_ts * 1000000),
            "close_time": rfc3339(self.close_ts * 1000000),
            "latest_expiration_time": rfc3339((self.close_ts + 3600) * 1000000),
            "settlement_timer_seconds": 300, "notional_value_dollars": "1.0000",
            "yes_bid_dollars": dollars(bid or 0), "yes_ask_dollars": dollars(ask),
            "no_bid_dollars": dollars(no or 0), "no_ask_dollars": dollars(10000 - (bid or 0)),
            "yes_bid_size_fp": count(self.yes.get(bid, 0)), "yes_ask_size_fp": count(self.no.get(no, 0)),
            "last_price_dollars": dollars(self.last or 0), "previous_yes_bid_dollars": "0.0000",
            "previous_yes_ask_dollars": "0.0000", "previous_price_dollars": "0.0000",
            "volume_fp": count(self.volume), "volume_24h_fp": count(self.volume),
            "open_interest_fp": count(self.open_interest), "result": self.result, "can_close_early": True,
            "expiration_value": "", "rules_primary": "It holds if it holds. " * 8, "rules_secondary": "",
            "price_level_structure": self.structure, "price_ranges": self.ranges(),
            "settlement_bounds_type": "default", "exchange_index": 0, "unheard_of": {"a": [1, None]},
        }


class World:
    """All markets and trades, and the listeners that hear of every change at once, in order."""

    def __init__(self, seed=1, markets=12, clock=time.time):
        self.rng = random.Random(seed)
        self.clock = clock
        self.markets = {}
        self.trades = []  # dictionaries, oldest first; "us" is the time
        self.listeners = []
        self.last_us = 0
        self.number = 0
        for _ in range(markets):
            self.add_market(silent=True)

    def now_us(self):
        """Strictly not decreasing; trades may share a microsecond when they are one sweep."""
        self.last_us = max(self.last_us, int(self.clock() * 1000000))
        return self.last_us

    def tell(self, what, *args):
        for listener in list(self.listeners):
            getattr(listener, "on_" + what)(*args)

    def add_market(self, silent=False, series=None):
        at = self.number
        self.number += 1
        series = series or ["KXSUN", "KXRAIN", "KXWIND"][at % 3]
        event = f"{series}-26DEC{at // 3 % 28 + 1:02d}"
        market = Market(f"{event}-T{at}.5", event, series, STRUCTURES[at % len(STRUCTURES)],
                        self.rng.randrange(1500, 8500), self.rng, int(self.clock()))
        self.markets[market.ticker] = market
        if self.rng.random() > 0.1:  # some books begin empty
            for _ in range(self.rng.randrange(4, 30)):
                self.quote(market, silent=True)
        if not silent:
            market.created_us = self.now_us()
            self.tell("created", market)
        return market

    def pick(self, rng=None):
        """A few markets are very busy."""
        rng = rng or self.rng
        names = [m for m in self.markets.values() if m.status == "active"]
        return names[min(int(rng.paretovariate(0.8)) - 1, len(names) - 1)]

    def size(self):
        whole = self.rng.choice([1, 5, 10, 25, 100, 400]) * self.rng.randrange(1, 9)
        return whole * 100 + (self.rng.randrange(100) if self.rng.random() < 0.4 else 0)

    def change(self, market, side, price, delta, silent=False):
        book = market.yes if side == "yes" else market.no
        left = book.get(price, 0) + delta
        assert left >= 0
        if left:
            book[price] = left
        else:
            book.pop(price, None)
        if not silent:
            self.tell("delta", market, side, price, delta, self.now_us() // 1000)

    def quote(self, market, silent=False):
        """One level gains or loses; the book never crosses."""
        side = self.rng.choice(["yes", "no"])
        book, other = (market.yes, market.no) if side == "yes" else (market.no, market.yes)
        if book and self.rng.random() < 0.45:
            price = self.rng.choice(list(book))
            have = book[price]
            gone = have if self.rng.random() < 0.5 or have < 200 else self.rng.randrange(1, have)
            self.change(market, side, price, -gone, silent)
            return
        centre = market.mid if side == "yes" else 10000 - market.mid
        price = market.grid(max(1, centre - 1 - int(abs(self.rng.gauss(0, 600)))))
        if price <= 0 or (other and price + max(other) >= 10000):
            return
        self.change(market, side, price, self.size(), silent)

    def trade(self, market=None, taker=None, sweep=1):
        """A taker takes the best level of the other side: trades of one sweep share a microsecond."""
        market = market or self.pick()
        taker = taker or self.rng.choice(["yes", "no"])
        maker = "no" if taker == "yes" else "yes"
        us = self.now_us()
        for _ in range(sweep):
            best = market.best(maker)
            if best is None:
                return
            book = market.no if maker == "no" else market.yes
            have = book[best]
            size = have if self.rng.random() < 0.4 or have < 200 else self.rng.randrange(1, have)
            yes_price = 10000 - best if maker == "no" else best
            trade = {
                "trade_id": str(uuid.UUID(int=self.rng.getrandbits(128))), "ticker": market.ticker,
                "count": size, "yes_price": yes_price, "taker": taker, "us": us,
                "block": False,
            }
            self.trades.append(trade)
            market.volume += size
            market.open_interest += size // 2
            market.last = yes_price
            first = self.rng.random() < 0.5
            if first:
                self.tell("trade", market, trade)
            self.change(market, maker, best, -size)
            if not first:
                self.tell("trade", market, trade)

    def block_trade(self, market=None):
        """Off the book."""
        market = market or self.pick()
        trade = {"trade_id": str(uuid.UUID(int=self.rng.getrandbits(128))), "ticker": market.ticker,
                 "count": 500000, "yes_price": market.grid(market.mid), "taker": "yes", "us": self.now_us(), "block": True}
        self.trades.append(trade)
        self.tell("trade", market, trade)

    def step(self):
        """One thing happens somewhere."""
        market, dice = self.pick(), self.rng.random()
        if dice < 0.12:
            self.trade(market, sweep=self.rng.choice([1, 1, 1, 3]))
        elif dice < 0.125:
            self.block_trade(market)
        else:
            self.quote(market)
        if self.rng.random() < 0.15:
            self.tell("ticker", market, self.now_us())
        if self.rng.random() < 0.02:
            market.mid = min(9500, max(500, market.mid + self.rng.randrange(-300, 301)))

    # ---- lives ----

    def deactivate(self, market, inactive):
        market.status = "inactive" if inactive else "active"
        self.tell("lifecycle", market, "deactivated" if inactive else "activated", {"is_deactivated": inactive})
        if not inactive:
            self.clear(market)

    def clear(self, market):
        for side, book in (("yes", market.yes), ("no", market.no)):
            for price, size in list(book.items()):
                self.change(market, side, price, -size)

    def settle(self, market):
        """The close comes early: orders go, then the result is known."""
        now = int(self.clock())
        market.close_ts = now
        market.status = "closed"
        self.tell("lifecycle", market, "close_date_updated", {"close_ts": now})
        self.clear(market)
        market.status, market.result = "determined", "yes"
        self.tell("lifecycle", market, "determined",
                  {"determination_ts": now, "result": "yes", "settlement_value": "1.0000"})
        market.status = "finalized"
        self.tell("lifecycle", market, "settled", {"settled_ts": now})

    def new_ticks(self, market, structure):
        market.structure = structure
        self.tell("lifecycle", market, "price_level_structure_updated",
                  {"price_level_structure": structure, "price_ranges": market.ranges()})
