#!/usr/bin/env python3
"""reference.py - what a recording of the exchange's stream amounts to, worked out the plain way.

Reads recordings (plain, .gz, .zst through the zstd program, or - for standard input) in any of the line forms that
kdp replay takes, keeps every book as two dictionaries of exact decimals, and prints the object of
`kdp replay --summary json` without records and stream_hash, which are kdp's own.  It shares no code with kdp and
nothing is clever in it: where the two differ, read this one first.

    tests/ref/reference.py [--leg no|yes] FILE...

The rules are those of docs/design/plant.md and docs/exchange.md.
"""
import argparse
import gzip
import json
import re
import subprocess
import sys
from datetime import datetime, timezone
from decimal import Decimal

NUMBER = re.compile(r'-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?\Z', re.ASCII)
TIME = re.compile(r'([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ]([0-9]{2}:[0-9]{2}:[0-9]{2})(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})\Z',
                  re.ASCII)
PRICE_STEP, SIZE_STEP = Decimal('0.0001'), Decimal('0.01')
SIZE_MAX = SIZE_STEP * (2**63 - 1)  # of a level and of a side's total


class Malformed(Exception):
    """A value that cannot be represented, or a member that must be there and is not."""


# ---------------------------------------------------------------- text to values

def no_key_twice(pairs):
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError('key given twice')
    return members


def refuse_constant(word):
    raise ValueError(word)


def depth_of(value):
    if isinstance(value, dict):
        return 1 + max(map(depth_of, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(depth_of, value), default=0)
    return 0


def read_json(text):
    """The value of a text, strictly; ValueError when it is not JSON."""
    try:
        value = json.loads(text, parse_float=Decimal, parse_constant=refuse_constant, object_pairs_hook=no_key_twice)
    except RecursionError as error:
        raise ValueError('nested too deep') from error
    if '\\u' in text:
        json.dumps(value, ensure_ascii=False, default=str).encode()  # half a surrogate pair is no character
    if text.count('{') + text.count('[') > 32 and depth_of(value) > 32:
        raise ValueError('nested too deep')
    return value


def decimal_of(value, step, what):
    """A JSON number, or a text that is one, as an exact decimal that is a whole multiple of step."""
    if isinstance(value, bool) or not isinstance(value, (str, int, Decimal)):
        raise Malformed(what)
    if isinstance(value, str) and not NUMBER.match(value):
        raise Malformed(what)
    try:
        number = Decimal(value)
        units = number / step
    except ArithmeticError as error:
        raise Malformed(what) from error
    if units != units.to_integral_value() or abs(units) >= 2**63:
        raise Malformed(what)
    return number


def price_of(value):
    price = decimal_of(value, PRICE_STEP, 'price')
    if not 0 <= price <= 1:
        raise Malformed('price')
    return price


def whole(value, what):
    return int(decimal_of(value, Decimal(1), what))  # a text that is a number counts as one


def text_ms(text):
    """RFC 3339 text as Unix milliseconds, finer digits cut."""
    match = TIME.match(text)
    if not match:
        raise Malformed('time')
    day, clock, fraction, zone = match.groups()
    zone = '+00:00' if zone in 'Zz' else zone
    try:
        seconds = int(datetime.fromisoformat(f'{day}T{clock}{zone}').astimezone(timezone.utc).timestamp())
    except ValueError as error:
        raise Malformed('time') from error
    return seconds * 1000 + int(((fraction or '.0')[1:] + '000')[:3])


def time_of(msg):
    """ts_ms of a message, else what ts (text, or seconds) or time says; None without any."""
    times = []
    if msg.get('ts_ms') not in (None, ''):
        times.append(whole(msg['ts_ms'], 'ts_ms'))
    for name in ('ts', 'time'):
        value = msg.get(name)
        if isinstance(value, str) and value and not NUMBER.match(value):
            times.append(text_ms(value))
        elif value not in (None, ''):
            times.append(int(decimal_of(value, Decimal('0.000000001'), name) * 1000))
    if any(ms < 0 for ms in times):
        raise Malformed('time')
    return times[0] if times else None


# ---------------------------------------------------------------- lines to frames

def lines_of(path):
    """The lines of a recording, undecoded."""
    if path == '-':
        data = sys.stdin.buffer.read()
    else:
        with open(path, 'rb') as file:
            data = file.read()
    if data[:2] == b'\x1f\x8b':
        data = gzip.decompress(data)
    elif data[:4] == b'\x28\xb5\x2f\xfd':
        data = subprocess.run(['zstd', '-dcq'], input=data, stdout=subprocess.PIPE, check=True).stdout
    if data.startswith(b'\xef\xbb\xbf'):
        data = data[3:]
    if data.lstrip()[:1] == b'[':  # one array of frames, over many lines
        try:
            array = json.loads(data, parse_float=Decimal)
        except ValueError:
            array = None
        if isinstance(array, list) and all(isinstance(item, dict) for item in array):
            return [json.dumps(item, default=str).encode() for item in array]
    return data.split(b'\n')


FRAME, MARK, SKIP, BAD = range(4)


def unwrap(line):
    """(kind, connection, what): the frame as a text or value, or the word of a mark."""
    try:
        text = line.decode()
        value = read_json(text)
    except ValueError:
        return BAD, 1, None
    if not isinstance(value, dict):
        return BAD, 1, None
    conn = value.get('conn', 1)
    if type(conn) is not int:
        return BAD, 1, None
    wrapped = any(name in value for name in ('recv_ns', 'recv_ms', 'recv_ts_ns'))
    if wrapped and 'event' in value and 'raw' not in value:
        return MARK, conn, value['event']
    if 'raw' in value and 'type' not in value:
        inner = value['raw']
    elif 'message' in value and 'channel' in value and 'type' not in value:
        inner = value['message']
    else:
        return FRAME, 1, value
    if isinstance(inner, str):
        try:
            inner = read_json(inner)
        except ValueError:
            return BAD, conn, None
    return (FRAME, conn, inner) if isinstance(inner, dict) else (BAD, conn, None)


# ---------------------------------------------------------------- state

class Subscription:
    def __init__(self, leg_yes, born):
        self.last = None        # seq seen last
        self.born = born        # its first message was announced: the first number must be 1
        self.announced = False  # a subscribed reply since the last sequenced message
        self.leg_yes = leg_yes  # NO prices come on the YES scale


class Connection:
    def __init__(self, default_leg):
        self.open = False
        self.marked = False
        self.epoch = 0
        self.subscriptions = {}
        self.asked = {}  # id of a subscribe command -> leg
        self.leg_yes = default_leg

    def subscription(self, sid):
        if sid not in self.subscriptions:
            self.subscriptions[sid] = Subscription(self.leg_yes, self.marked)
        return self.subscriptions[sid]


class Market:
    def __init__(self):
        self.sides = {'yes': {}, 'no': {}}  # price on the YES scale -> size
        self.state = 'stale'
        self.ended = False  # determined or settled
        self.owner = None   # (connection, epoch, sid)
        self.last_bbo = (None, None, None, None)
        self.bbo_changes = self.trades = 0
        self.last_ts_ms = None

    def bbo(self):
        yes, no = self.sides['yes'], self.sides['no']
        bid, ask = max(yes, default=None), min(no, default=None)
        return bid, yes.get(bid), ask, no.get(ask)

    def settle(self):
        now = self.bbo()
        if now != self.last_bbo:
            self.bbo_changes += 1
            self.last_bbo = now

    def go_stale(self):
        if self.state == 'live':
            self.state = 'stale'


class Replay:
    def __init__(self, leg_yes):
        self.leg_yes = leg_yes
        self.frames = self.malformed = self.gaps = self.connections = 0
        self.by_type = {}
        self.lines = {}
        self.markets = {}
        self.trade_ids = set()

    # ------------------------------------------------ connections

    def line(self, conn):
        if conn not in self.lines:
            self.lines[conn] = Connection(self.leg_yes)
        return self.lines[conn]

    def books_of(self, conn, sid=None):
        epoch = self.line(conn).epoch
        for market in self.markets.values():
            if market.owner and market.owner[:2] == (conn, epoch) and sid in (None, market.owner[2]):
                yield market

    def end_line(self, conn):
        line = self.line(conn)
        for market in self.books_of(conn):
            market.go_stale()
            market.owner = None
        line.subscriptions = {}
        line.open = False

    def begin_line(self, conn):
        self.end_line(conn)
        line = self.line(conn)
        line.epoch += 1
        line.open = True
        line.asked = {}
        self.connections += 1

    def end_subscription(self, conn, sid):
        for market in self.books_of(conn, sid):
            market.go_stale()
            market.owner = None
        self.line(conn).subscriptions.pop(sid, None)

    def end_input(self):
        for conn in self.lines:
            self.end_line(conn)
            self.lines[conn].marked = False
            self.lines[conn].leg_yes = self.leg_yes

    # ------------------------------------------------ input

    def run(self, path):
        for line in lines_of(path):
            line = line.strip(b' \t\r')
            if line:
                self.one_line(line)

    def one_line(self, text):
        kind, conn, what = unwrap(text)
        if kind == MARK:
            if what == 'connected':
                line = self.line(conn)
                line.marked = True
                line.leg_yes = self.leg_yes  # until its own commands say otherwise
                self.begin_line(conn)
            elif what in ('disconnected', 'closed'):
                self.end_line(conn)
            return
        self.frames += 1
        if kind == BAD:
            self.malformed += 1
            return
        if what.get('type') and isinstance(what['type'], str):
            self.by_type[what['type']] = self.by_type.get(what['type'], 0) + 1
        if not self.line(conn).open:
            self.line(conn).leg_yes = self.leg_yes
            self.begin_line(conn)
        if what.get('type') in (None, '') and isinstance(what.get('cmd'), str):
            self.command(conn, what)
            return
        try:
            self.frame(conn, what)
        except Malformed:
            self.malformed += 1

    def command(self, conn, frame):
        params = frame.get('params')
        if frame['cmd'] == 'subscribe' and isinstance(params, dict) and 'orderbook_delta' in (params.get('channels') or []):
            line = self.line(conn)
            line.leg_yes = params['use_yes_price'] if isinstance(params.get('use_yes_price'), bool) else self.leg_yes
            if type(frame.get('id')) is int:
                line.asked[frame['id']] = line.leg_yes

    def sequence(self, conn, frame):
        """Takes the frame's number; False when it is a repeat."""
        seq, sid = whole(frame['seq'], 'seq'), whole(frame['sid'], 'sid')
        sub = self.line(conn).subscription(sid)
        announced, sub.announced = sub.announced, False
        if sub.last is None:
            missing = sub.born and seq != 1
        elif seq <= sub.last:
            first = seq == 1 and (announced or frame.get('type') == 'orderbook_snapshot')
            if not first or self.line(conn).marked or sub.last == 1 and not announced:
                sub.announced = announced
                return False
            self.begin_line(conn)  # connections are not marked here: this one must be new
            sub = self.line(conn).subscription(sid)
            missing = False
        else:
            missing = seq != sub.last + 1
        if missing:
            self.gaps += 1
            for market in self.books_of(conn, sid):
                market.go_stale()
        sub.last = seq
        return True

    def frame(self, conn, frame):
        msg = frame.get('msg')
        kind = frame.get('type')
        if kind in ('orderbook_snapshot', 'orderbook_delta') and frame.get('sid') is None:
            frame = {**frame, 'sid': 0}  # old recordings have no sid: their books are one subscription
        if frame.get('seq') is not None and frame.get('sid') is not None and not self.sequence(conn, frame):
            return
        if not isinstance(kind, (str, type(None))) or not kind and frame.get('seq') is not None:
            if frame.get('sid') is not None:  # it may have been a change
                for book in self.books_of(conn, whole(frame['sid'], 'sid')):
                    book.go_stale()
            raise Malformed('type')
        if kind == 'subscribed':
            self.subscribed(conn, frame, msg)
        elif kind == 'ok':
            self.ok(conn, frame, msg)
        elif kind == 'unsubscribed' and 'sid' in frame:
            self.end_subscription(conn, whole(frame['sid'], 'sid'))
        elif kind == 'error' and type(frame.get('sid')) is int and isinstance(msg, dict) and msg.get('code') in (10, 25):
            self.end_subscription(conn, frame['sid'])
        elif kind in ('orderbook_snapshot', 'orderbook_delta', 'trade', 'ticker'):
            ticker = msg.get('market_ticker') if isinstance(msg, dict) else None
            try:
                if not isinstance(ticker, str) or not ticker:
                    raise Malformed('market_ticker')
                market = self.markets.get(ticker, Market())
                getattr(self, kind)(conn, frame, msg, market)
            except Malformed:
                if kind in ('orderbook_snapshot', 'orderbook_delta'):
                    # a change is lost: of this market's book, or of any when the name is none that we know
                    for book in [self.markets[ticker]] if ticker in self.markets else self.books_of(conn, frame.get('sid')):
                        book.go_stale()
                raise
            self.markets[ticker] = market
        elif kind in ('market_lifecycle_v2', 'multivariate_market_lifecycle'):
            self.lifecycle(msg)

    # ------------------------------------------------ messages

    def subscribed(self, conn, frame, msg):
        if not isinstance(msg, dict) or 'sid' not in msg:
            raise Malformed('sid')
        line = self.line(conn)
        sub = line.subscription(whole(msg['sid'], 'sid'))
        sub.announced = True
        if sub.last is None:
            sub.born = True
        if msg.get('channel') == 'orderbook_delta' and type(frame.get('id')) is int and frame['id'] in line.asked:
            sub.leg_yes = line.asked[frame['id']]

    def ok(self, conn, frame, msg):
        tickers = msg.get('market_tickers') if isinstance(msg, dict) else None
        if tickers is None:
            tickers = frame.get('market_tickers')
        if type(frame.get('sid')) is not int or not isinstance(tickers, list):
            return
        named = {self.markets[ticker] for ticker in tickers if isinstance(ticker, str) and ticker in self.markets}
        for market in self.books_of(conn, frame['sid']):
            if market not in named:
                market.go_stale()
                market.owner = None

    def price(self, conn, sid, side, value):
        price = price_of(value)
        if side == 'yes' or self.line(conn).subscription(sid).leg_yes:
            return price
        return 1 - price

    def orderbook_snapshot(self, conn, frame, msg, market):
        sid = whole(frame.get('sid'), 'sid')
        ts_ms = time_of(msg)
        sides = {}
        bad = False
        for side in ('yes', 'no'):
            sides[side] = {}
            levels = msg.get(side + '_dollars_fp')
            if not isinstance(levels, (list, type(None))):
                raise Malformed(side)
            for level in levels or []:
                if not isinstance(level, list) or len(level) != 2:
                    raise Malformed('level')
                price, size = self.price(conn, sid, side, level[0]), decimal_of(level[1], SIZE_STEP, 'size')
                bad = bad or price in sides[side] or size < 0
                if size != 0:
                    sides[side][price] = size
        owner = (conn, self.line(conn).epoch, sid)
        # At the close the exchange sends a snapshot without any level that nobody asked for, often after every order was
        # cancelled one by one; a market that never had an order cannot be told from one whose first snapshot is repeated.
        close = (not any(sides.values()) and frame.get('id') is None and market.owner == owner and
                 (market.state == 'closed' or market.state == 'live' and market.bbo_changes > 0))
        if bad or any(sum(side.values()) > SIZE_MAX for side in sides.values()):  # no such book can be
            market.sides = {'yes': {}, 'no': {}}
            raise Malformed('level')
        market.sides = sides
        market.owner = owner
        market.state = 'closed' if market.ended or close else 'live'
        if ts_ms is not None:
            market.last_ts_ms = ts_ms
        market.settle()

    def orderbook_delta(self, conn, frame, msg, market):
        sid = whole(frame.get('sid'), 'sid')
        side = msg.get('side')
        if side not in ('yes', 'no'):
            raise Malformed('side')
        price = self.price(conn, sid, side, msg.get('price_dollars'))
        delta = decimal_of(msg.get('delta_fp'), SIZE_STEP, 'delta_fp')
        ts_ms = time_of(msg)
        if market.owner != (conn, self.line(conn).epoch, sid) or market.state == 'stale':
            return
        levels = market.sides[side]
        size = levels.get(price, 0) + delta
        if size < 0 or sum(levels.values()) + delta > SIZE_MAX:
            market.state = 'stale'
            return
        if size == 0:
            levels.pop(price, None)
        else:
            levels[price] = size
        if not market.ended:
            market.state = 'live'
        if ts_ms is not None:
            market.last_ts_ms = ts_ms
        market.settle()

    def trade(self, conn, frame, msg, market):
        if not isinstance(msg.get('trade_id'), str):
            raise Malformed('trade_id')
        legs = [price_of(msg[name]) for name in ('yes_price_dollars', 'no_price_dollars') if msg.get(name) not in (None, '')]
        if not legs or len(legs) == 2 and sum(legs) != 1:
            raise Malformed('yes_price_dollars')
        decimal_of(msg.get('count_fp'), SIZE_STEP, 'count_fp')
        ts_ms = time_of(msg)
        if msg['trade_id'] in self.trade_ids:
            return
        self.trade_ids.add(msg['trade_id'])
        market.trades += 1
        if ts_ms is not None:
            market.last_ts_ms = ts_ms

    def ticker(self, conn, frame, msg, market):
        ts_ms = time_of(msg)
        if ts_ms is not None:
            market.last_ts_ms = ts_ms

    def lifecycle(self, msg):
        if not isinstance(msg, dict) or not isinstance(msg.get('market_ticker'), str):
            raise Malformed('market_ticker')
        market = self.markets.setdefault(msg['market_ticker'], Market())
        if msg.get('event_type') in ('determined', 'settled'):
            market.ended = True
            market.state = 'closed'

    # ------------------------------------------------ answer

    def summary(self):
        def dollars(value):
            return None if value is None else f'{value:.4f}'

        def contracts(value):
            return None if value is None else f'{value:.2f}'

        markets = []
        for ticker, market in sorted(self.markets.items(), key=lambda item: item[0].encode()):
            bid, bid_size, ask, ask_size = market.bbo()
            yes, no = market.sides['yes'], market.sides['no']
            markets.append({
                'ticker': ticker, 'state': market.state, 'yes_bid': dollars(bid), 'yes_bid_size': contracts(bid_size),
                'yes_ask': dollars(ask), 'yes_ask_size': contracts(ask_size), 'bid_levels': len(yes), 'ask_levels': len(no),
                'bid_size_total': contracts(sum(yes.values(), Decimal(0))),
                'ask_size_total': contracts(sum(no.values(), Decimal(0))), 'bbo_changes': market.bbo_changes,
                'trades': market.trades, 'last_ts_ms': market.last_ts_ms})
        return {'frames': self.frames, 'by_type': self.by_type, 'malformed': self.malformed, 'gaps': self.gaps,
                'connections': self.connections, 'markets': markets}


def main():
    parser = argparse.ArgumentParser(description='What a recording amounts to, worked out the plain way.')
    parser.add_argument('--leg', choices=('no', 'yes'), default='no')
    parser.add_argument('files', nargs='+', metavar='FILE')
    args = parser.parse_args()
    replay = Replay(args.leg == 'yes')
    for number, path in enumerate(args.files):
        if number > 0:
            replay.end_input()
        replay.run(path)
    print(json.dumps(replay.summary(), separators=(',', ':')))


if __name__ == '__main__':
    main()
