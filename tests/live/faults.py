"""faults.py - what an exchange does to its clients, one function each: name -> (options, the fault, what the summary must say).

A fault works on a running exchange with a plant that has all its books.  Options are set before anybody connects.  What the
summary must say is a dictionary: a number, or a function that judges the member."""
import asyncio

from market import STRUCTURES


def at_least(n):
    return lambda value: value >= n


def sessions(x):
    return list(x.exchange.stream.sessions.values())


def with_books(x):
    return [s for s in sessions(x) if s.subs_of("orderbook_delta")]


async def taken(x, *keys):
    """Waits until ordered losses have happened."""
    faults = x.exchange.stream.faults
    for _ in range(500):
        if not any(faults.get(key, 0) for key in keys):
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"never happened: {faults}")


def order(x, **faults):
    x.exchange.stream.faults.update({key.replace("__", ":"): n for key, n in faults.items()})


async def nothing(x):
    await asyncio.sleep(0.5)


async def skip_deltas(x):
    order(x, skip__orderbook_delta=3)
    await taken(x, "skip:orderbook_delta")


async def skip_trades(x):
    order(x, skip__trade=5)
    await taken(x, "skip:trade")


async def skip_everything(x):
    order(x, skip__trade=4, skip__orderbook_delta=40, skip__market_lifecycle_v2=2)
    x.exchange.world.add_market()
    await taken(x, "skip:trade", "skip:orderbook_delta")
    x.exchange.stream.faults.pop("skip:market_lifecycle_v2", None)  # in a mix perhaps nobody heard of the market made above
    x.exchange.world.add_market()


async def skip_again_and_again(x):
    for _ in range(6):
        order(x, skip__orderbook_delta=1)
        await taken(x, "skip:orderbook_delta")
        await asyncio.sleep(0.05)


async def silent_trades(x):
    """Lost before they had a number: only a look at REST tells."""
    order(x, silent__trade=4)
    await taken(x, "silent:trade")


async def tail_trades(x):
    """Numbers are used up, and nothing comes after them."""
    x.exchange.freeze()
    await asyncio.sleep(0.2)
    order(x, skip__trade=3)
    while x.exchange.stream.faults["skip:trade"] > 0:
        x.exchange.world.trade()


async def gap_then_tail(x):
    """A hole that is not verified yet when the run ends, and behind it a loss no number told of."""
    await skip_trades(x)
    await asyncio.sleep(1.5)
    await tail_trades(x)


async def early_silence(x):
    """The first trades after the subscription."""
    x.exchange.freeze()
    order(x, silent__trade=3)
    while x.exchange.stream.faults["silent:trade"] > 0:
        x.exchange.world.trade()


async def everything_at_once(x):
    """What a plain exchange must bear: gaps, losses, resets, and markets that come and go."""
    await skip_everything(x)
    await reset_all(x)
    await asyncio.sleep(0.5)
    await skip_trades(x)
    x.exchange.world.add_market()
    await asyncio.sleep(0.3)


async def quiet_for_long(x):
    """Nothing at all is traded, no ping is sent, and the line is well."""
    x.exchange.freeze()
    await asyncio.sleep(6)
    x.exchange.thaw()


async def reset_one(x):
    with_books(x)[0].reset()


async def reset_all(x):
    for session in sessions(x):
        session.reset()


async def reset_often(x):
    for _ in range(4):
        for session in sessions(x)[:1]:
            session.reset()
        await asyncio.sleep(0.4)


async def closed_in_order(x):
    for session in sessions(x):
        await session.ws.close(1001, "going away")


async def half_a_frame(x):
    """A header that promises 4,000 bytes, some of them, and a reset."""
    session = with_books(x)[0]
    session.stalled.clear()  # or what comes next would become the rest of it
    await asyncio.sleep(0.02)
    session.ws.transport.write(b"\x81\x7e\x0f\xa0" + b'{"type":"orderbook_delta","sid":1')
    await asyncio.sleep(0.05)
    session.reset()


async def refused_for_a_while(x):
    x.exchange.stream.refuse = 4
    await reset_all(x)


async def late_acks(x):
    x.exchange.stream.ack_delay = 0.5
    await reset_all(x)
    await asyncio.sleep(1)


async def missing_acks(x):
    order(x, no_ack=3)
    await reset_all(x)
    await asyncio.sleep(1)


async def deaf_to_commands(x):
    order(x, deaf=4)
    await reset_all(x)
    await asyncio.sleep(1)


async def no_snapshots(x):
    x.exchange.stream.no_snapshots = True
    x.exchange.world.add_market()
    await reset_one(x)
    await asyncio.sleep(0.5)
    x.exchange.world.add_market()


async def overflow_25(x):
    for session in with_books(x):
        for sub in session.subs_of("orderbook_delta"):
            session.kill(sub, 25)


async def overflow_25_of_trades(x):
    for session, sub in x.exchange.stream.all_subs("trade"):
        session.kill(sub, 25)
    await asyncio.sleep(0.5)


async def channel_error_10(x):
    for session in with_books(x)[:1]:
        for sub in session.subs_of("orderbook_delta"):
            session.kill(sub, 10)


async def too_many_27(x):
    order(x, error__27=4)
    for _ in range(2):
        x.exchange.world.add_market()
    order(x, skip__orderbook_delta=1)
    await asyncio.sleep(0.5)


async def silent_stall(x):
    """Nothing but pings for a while; then everything at once."""
    stalled = sessions(x)
    for session in stalled:
        session.stalled.clear()
    await asyncio.sleep(1.2)
    for session in stalled:
        session.stalled.set()


async def dead_line(x):
    """Not even pings: to be given up."""
    x.exchange.stream.pings_in_stall = False
    for session in with_books(x)[:1]:
        session.stalled.clear()
        session.ws.transport.pause_reading()
    await asyncio.sleep(4)


async def duplicate_snapshots(x):
    for session in with_books(x):
        for sub in session.subs_of("orderbook_delta"):
            for ticker in list(sub.markets)[:4]:
                session.snapshot(sub, ticker, lossy=False)


async def every_message_twice(x):
    order(x, twice__orderbook_delta=20, twice__trade=3)
    await taken(x, "twice:orderbook_delta", "twice:trade")


async def cut_frames(x):
    order(x, cut__orderbook_delta=2, cut__trade=2)
    await taken(x, "cut:orderbook_delta", "cut:trade")


async def nonsense(x):
    for session in sessions(x):
        for text in ("", "null", "[]", "{", '{"type":7}', "garbage \u00e9", '{"type":"orderbook_delta"}',
                     '{"type":"quantum","sid":1,"msg":{"a":1}}', '{"type":"error"}', "{}" * 3):
            session.put_text(text)


async def many_lives(x):
    """Markets are made, halted, resumed, settled, and change their ticks, as they do each day."""
    world = x.exchange.world
    made = [world.add_market() for _ in range(4)]
    await asyncio.sleep(0.4)
    busiest = next(iter(world.markets.values()))
    world.deactivate(busiest, True)
    await asyncio.sleep(0.2)
    world.deactivate(busiest, False)
    for market in list(world.markets.values())[2:4]:
        world.new_ticks(market, STRUCTURES[(STRUCTURES.index(market.structure) + 1) % len(STRUCTURES)])
    world.settle(made[0])
    world.settle(list(world.markets.values())[5])
    await asyncio.sleep(0.4)


async def clock_steps(x):
    """The exchange's clock goes ahead by an hour: what is signed by ours is too old at the next connect."""
    x.exchange.skew_s = 3600
    await reset_all(x)
    await asyncio.sleep(0.5)


async def rest_is_ill(x):
    """Losses, and the side that would heal them answers 429, 500, or nothing at all."""
    rest = x.exchange.rest
    rest.limited, rest.broken, rest.hang_up = 3, 2, 2
    order(x, skip__trade=4)
    await taken(x, "skip:trade")
    await asyncio.sleep(0.5)


async def rest_lags(x):
    """A trade is listed only after a while, as the exchange's may be."""
    order(x, skip__trade=4)
    await taken(x, "skip:trade")


async def small_pages(x):
    order(x, skip__trade=6)
    await reset_all(x)
    await asyncio.sleep(0.5)


async def burst(x):
    for _ in range(3000):
        x.exchange.world.step()
    await asyncio.sleep(0.2)


# name: (options of the exchange, options of kdp run, the fault, what the summary must say)
ALONE = {
    "nothing": ({}, (), nothing, {"gaps": 0, "reconnects": 0, "malformed": 0, "trades_recovered": 0}),
    "rsa_deflate": ({"key": "rsa", "deflate": True}, ("--deflate",), nothing, {"gaps": 0, "reconnects": 0}),
    "deflate_refused": ({}, ("--deflate",), nothing, {"gaps": 0, "reconnects": 0}),
    "tls_1_2": ({"tls": "1.2"}, (), skip_deltas, {"missed.orderbook_delta": 3}),
    "fragments": ({"fragmented": 0.3}, (), skip_deltas, {"missed.orderbook_delta": 3}),
    "fragments_deflate": ({"fragmented": 0.3, "deflate": True}, ("--deflate",), reset_one, {"reconnects": at_least(1)}),
    "one_connection": ({}, ("--connections", "1"), skip_everything, {"missed.trade": 4}),
    "skip_deltas": ({}, (), skip_deltas, {"gaps": at_least(1), "missed.orderbook_delta": 3, "reconnects": 0}),
    "skip_trades": ({}, (), skip_trades, {"gaps": at_least(1), "missed.trade": 5, "trades_recovered": 5}),
    "skip_everything": ({}, (), skip_everything, {"missed.orderbook_delta": at_least(40), "missed.trade": 4}),
    "skip_again_and_again": ({}, (), skip_again_and_again, {"missed.orderbook_delta": at_least(6)}),
    "silent_trades": ({}, (), silent_trades, {"gaps": 0, "missed.trade": 0, "trades_recovered": 4}),
    "tail_trades": ({}, (), tail_trades, {"missed.trade": 0, "trades_recovered": 3}),
    "reset_one": ({}, (), reset_one, {"reconnects": 1}),
    "reset_all": ({}, (), reset_all, {"reconnects": at_least(2)}),
    "reset_often": ({}, (), reset_often, {"reconnects": at_least(4)}),
    "closed_in_order": ({}, (), closed_in_order, {"reconnects": at_least(2)}),
    "half_a_frame": ({}, (), half_a_frame, {"reconnects": 1}),
    "refused_for_a_while": ({}, (), refused_for_a_while, {"reconnects": at_least(2)}),
    "late_acks": ({}, (), late_acks, {"reconnects": at_least(2)}),
    "missing_acks": ({}, (), missing_acks, {"reconnects": at_least(2)}),
    "deaf_to_commands": ({}, (), deaf_to_commands, {"reconnects": at_least(2)}),
    "no_snapshots": ({}, (), no_snapshots, {"reconnects": at_least(1)}),
    "overflow_25": ({}, (), overflow_25, {}),
    "overflow_25_of_trades": ({}, (), overflow_25_of_trades, {}),
    "channel_error_10": ({}, (), channel_error_10, {}),
    "limit_26": ({"markets_max": 5, "markets": 17}, (), nothing, {}),
    "too_many_27": ({}, (), too_many_27, {}),
    "silent_stall": ({}, (), silent_stall, {}),
    "dead_line": ({}, (), dead_line, {"reconnects": at_least(1)}),
    "duplicate_snapshots": ({}, (), duplicate_snapshots, {"gaps": 0}),
    "every_message_twice": ({}, (), every_message_twice, {"gaps": 0}),
    "cut_frames": ({}, (), cut_frames, {"malformed": 4, "trades_recovered": 2}),
    "nonsense": ({}, (), nonsense, {"malformed": at_least(4)}),
    "many_lives": ({}, (), many_lives, {"gaps": 0}),
    "clock_off": ({"skew_s": 3600}, (), reset_all, {"reconnects": at_least(2)}),
    "clock_behind": ({"skew_s": -3600}, (), skip_trades, {"trades_recovered": 5}),
    "clock_steps": ({}, (), clock_steps, {"reconnects": at_least(2)}),
    "rest_is_ill": ({}, (), rest_is_ill, {"trades_recovered": 4}),
    "rest_lags": ({"trades_lag_s": 1.0}, (), rest_lags, {"trades_recovered": 4}),
    "small_pages": ({"page_max": 7}, (), small_pages, {"reconnects": at_least(2)}),
    "burst": ({}, (), burst, {"gaps": 0}),
    "gap_then_tail": ({}, (), gap_then_tail, {"missed.trade": 5, "trades_recovered": 8}),
    "early_silence": ({}, (), early_silence, {"trades_recovered": 3}),
    # exchanges that are less, or otherwise, than the real one
    "plain": ({"plain": True}, (), everything_at_once, {"reconnects": at_least(2)}),
    "books_and_trades_only": ({"channels": {"orderbook_delta", "trade"}}, (), skip_trades, {"missed.trade": 5}),
    "books_and_trades_only_mute": ({"channels": {"orderbook_delta", "trade"}, "unknown_silent": True}, (), reset_all,
                                   {"reconnects": at_least(2)}),
    "few_paths": ({"only": {"/markets", "/markets/trades"}}, (), everything_at_once, {"reconnects": at_least(2)}),
    "lean_markets": ({"lean": True, "bare": True, "extras": False, "no_cursor": True}, (), everything_at_once,
                     {"reconnects": at_least(2)}),
    "no_filters": ({"no_filters": True}, (), everything_at_once, {"reconnects": at_least(2)}),
    "no_get_snapshot": ({"no_get_snapshot": True}, (), skip_deltas, {"missed.orderbook_delta": 3}),
    "ok_to_subscribe": ({"again": "ok"}, (), everything_at_once, {"reconnects": at_least(2)}),
    "data_before_reply": ({"early": True, "ack_delay": 0.3}, (), everything_at_once, {"reconnects": at_least(2)}),
    "no_pings": ({"ping_s": 0}, (), quiet_for_long, {"gaps": 0}),
}

# of these a random mix is drawn; each may follow any other
MIXABLE = [skip_deltas, skip_trades, skip_everything, silent_trades, reset_one, reset_all, closed_in_order, half_a_frame,
           refused_for_a_while, late_acks, missing_acks, deaf_to_commands, overflow_25, overflow_25_of_trades,
           channel_error_10, too_many_27, silent_stall, duplicate_snapshots, every_message_twice, cut_frames, nonsense,
           many_lives, rest_is_ill, burst]
