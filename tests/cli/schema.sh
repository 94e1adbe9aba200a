#!/bin/bash
# kdp schema: the tables, one table's columns with exact types, the records.
. "$(dirname "$0")/lib.sh"

kdp schema --format csv; exits 0; silent
for table in trades orderbook_deltas orderbook_snapshots ticker bbo lifecycle events definitions gaps states; do
    prints $'\n'"$table,"
done
kdp schema trades --format csv; exits 0
for column in 'ticker,VARCHAR' 'timestamp,TIMESTAMP_NS' 'trade_id,UUID' 'price,"DECIMAL(9,4)"' 'volume,"DECIMAL(18,2)"' \
    'taker_side,VARCHAR' 'sequence,BIGINT' 'origin,VARCHAR' 'recv_ts,TIMESTAMP_NS' 'seq,BIGINT'; do
    prints $'\n'"$column,"
done
kdp schema orderbook_deltas --format csv; prints $'\nside,'; prints $'\ndelta_size,'
kdp schema candles --format csv; exits 0; prints $'\nticker,VARCHAR,no,'; prints $'\nprice_mean,"DECIMAL(18,6)",yes,'; prints $'\nseen_ts,TIMESTAMP_NS,no,'
kdp schema candle; exits 2; says 'Did you mean candles?'
kdp schema --records --format csv; exits 0; prints $'1,trade,trades,1001,80,'
kdp schema trade; exits 2; says 'no table trade'; says 'Did you mean trades?'
kdp schema trades --records; exits 2
kdp schema --format json; exits 0; prints '"table": "trades"'
done_testing
