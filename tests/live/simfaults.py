"""simfaults.py - the faults that kdp sim can be told, as rounds: name -> (options of the simulator, of kdp run, lines, wanted)."""
import asyncio

from faults import at_least


def told(lines):
    """The lines one after the other; "sleep N" waits."""
    async def fault(x):
        for line in lines:
            if line.startswith("sleep "):
                await asyncio.sleep(float(line[6:]))
            else:
                await x.side.ctl(*line.split())
        await asyncio.sleep(0.5)

    return fault


SIM_ALONE = {
    "nothing": ({}, (), ["sleep 1"], {"gaps": 0, "reconnects": 0, "malformed": 0, "trades_recovered": 0}),
    "ed25519_deflate": ({"key": "ed25519", "args": ["--deflate"]}, ("--deflate",), ["sleep 1"], {"gaps": 0, "reconnects": 0}),
    "8_per_record": ({"args": ["--per-record", "8", "--sending-ts"]}, (), ["gap", "sleep 0.5"], {"missed.orderbook_delta": 3}),
    "60_per_record": ({"args": ["--per-record", "60", "--no-taker-side"]}, (), ["sleep 1"], {"gaps": 0}),
    "gap": ({}, (), ["gap count=3", "sleep 0.5"], {"gaps": 1, "missed.orderbook_delta": 3, "reconnects": 0}),
    "gap_trades": ({}, (), ["gap sid=trade count=2", "sleep 1"], {"missed.trade": 2, "trades_recovered": 2}),
    "lose": ({}, (), ["lose count=3", "sleep 1.5"], {"missed.trade": 0, "trades_recovered": 3}),
    "tail": ({}, (), ["sleep 1", "quiet", "tail count=3"], {}),
    "duplicate": ({}, (), ["duplicate", "gap", "sleep 0.5"], {}),
    "no_snapshot": ({}, (), ["no-snapshot count=5", "reset all", "sleep 1"], {"reconnects": at_least(2)}),
    "ignore_get_snapshot": ({}, (), ["ignore-get-snapshot count=2", "gap", "sleep 1"], {}),
    "early_data": ({}, (), ["early-data count=4", "reset all", "sleep 1"], {"reconnects": at_least(2)}),
    "no_ack": ({}, (), ["no-ack count=3", "reset all", "sleep 1"], {"reconnects": at_least(2)}),
    "overflow": ({}, (), ["overflow", "sleep 0.5"], {}),
    "overflow_trades": ({}, (), ["overflow trade", "sleep 0.5"], {}),
    "channel_error": ({}, (), ["channel-error", "sleep 0.5"], {}),
    "cap": ({}, (), ["cap 7", "reset all", "sleep 1"], {"reconnects": at_least(2)}),
    "too_many": ({}, (), ["too-many count=3", "gap", "sleep 0.5"], {}),
    "negative": ({}, (), ["negative", "sleep 0.5"], {}),
    "first_seq": ({}, (), ["first-seq count=4", "reset all", "sleep 1"], {"reconnects": at_least(2)}),
    "malformed": ({}, (), ["malformed", "malformed sid=trade", "sleep 1"], {"malformed": 2}),
    "bad_utf8": ({}, (), ["bad-utf8", "sleep 0.5"], {}),
    "oversized": ({}, (), ["oversized", "sleep 0.5"], {"reconnects": 1}),
    "bad_frame": ({}, (), ["bad-frame", "sleep 0.5"], {"reconnects": 1}),
    "unknown": ({}, (), ["unknown-fields", "unknown-type", "sleep 0.5"], {"gaps": 0}),
    "reset": ({}, (), ["reset", "sleep 1"], {"reconnects": 1}),
    "reset_all": ({}, (), ["reset all", "sleep 1"], {"reconnects": at_least(2)}),
    "close": ({}, (), ["close", "sleep 1"], {"reconnects": 1}),
    "stall": ({}, (), ["stall seconds=5s pings=off", "sleep 5"], {}),
    "stall_pings": ({}, (), ["stall seconds=5s pings=on", "sleep 5"], {}),
    "slow": ({}, (), ["slow bytes=20000 seconds=1s", "sleep 1.5"], {}),
    "burst": ({}, (), ["burst 5000", "sleep 0.5"], {"gaps": 0}),
    "refuse": ({}, (), ["refuse 503 1s", "reset all", "sleep 2"], {"reconnects": at_least(2)}),
    "rest_error": ({}, (), ["rest-error 503 1s", "gap trade", "sleep 1.5"], {}),
    "rest_hang": ({}, (), ["rest-hang 1s", "gap trade", "sleep 1.5"], {}),
    "rest_cut": ({}, (), ["rest-cut 1s", "gap trade", "sleep 1.5"], {}),
    "rest_bodies": ({}, (), ["rest-html 200 0.5s", "gap trade", "sleep 0.7", "rest-short 0.5s", "gap trade", "sleep 0.7", "rest-chunk-cut 0.5s",
                             "rest-big 20M 1s", "gap trade", "sleep 1.5"], {}),
    "rest_pages": ({}, (), ["page-twice 2s", "page-mixed 2s", "page-empty count=2", "gap trade", "sleep 1", "page-loop 0.5s", "cursor-refused count=1",
                            "gap trade", "sleep 1.5"], {}),
    "clock": ({}, (), ["clock 1h", "reset all", "sleep 1"], {"reconnects": at_least(2)}),
    "maintenance": ({}, (), ["maintenance 2s", "sleep 3"], {}),
    "lives": ({}, (), ["mass-cancel", "ticks", "new-market 2", "close-now", "settle-now", "deactivate", "sleep 1"],
              {"gaps": 0}),
}

# of these a random mix is drawn; each may follow any other
SIM_MIXABLE = ["gap", "gap count=30", "gap sid=trade", "gap lifecycle 1", "lose count=2", "duplicate", "no-snapshot",
               "ignore-get-snapshot", "early-data", "no-ack", "overflow", "overflow trade", "channel-error",
               "channel-error trade", "too-many", "negative", "first-seq", "malformed", "malformed sid=trade", "bad-utf8",
               "oversized", "bad-frame", "unknown-fields", "unknown-type", "reset", "reset all", "close", "slow 20000 1s",
               "burst", "refuse 503 1s", "rest-error 503 1s", "rest-hang 1s", "rest-cut 1s", "mass-cancel", "ticks",
               "new-market", "settle-now", "close-now", "deactivate", "stall 1s", "stall 1s pings=off", "big-snapshot 200000"]
