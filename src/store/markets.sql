-- markets.sql - the view markets_asof and the macro markets_at: what a market was by its terms, and when.
--
-- Made of definitions and lifecycle (the stream) and of market_terms and event_terms (what REST said); rules and reasons are
-- in docs/design/metadata.md.  A statement about one ticker is pushed down through all the steps, since each groups by ticker
-- and none is materialized.  Comments are whole lines; the build makes one line of each statement.

CREATE OR REPLACE VIEW markets_asof AS
WITH
-- An answer that was touched before one seen earlier came out of a cache, and says nothing but what had been replaced.
-- What REST said, each version with the time from which it held (since), and from which its result was known (ended; NULL: not
-- before another version's).  A result must never stand earlier than it was known: the exchange may have touched updated_time
-- long before, so that counts for a result only behind the close.
rest AS NOT MATERIALIZED (
  SELECT * EXCLUDE (held), CASE WHEN ended < held THEN ended ELSE held END AS since
  FROM (
    SELECT *,
      CASE
        WHEN updated_time <= seen_ts AND (updated_before IS NULL OR updated_time > updated_before) THEN updated_time
        ELSE seen_ts
      END AS held,
      CASE
        WHEN result IS NULL OR result_before IS NOT NULL THEN NULL
        WHEN settlement_time <= seen_ts THEN settlement_time
        WHEN updated_time >= close_time AND updated_time <= seen_ts THEN updated_time
        ELSE seen_ts
      END AS ended
    FROM (
      SELECT *, lag(result) OVER w AS result_before, lag(updated_time) OVER w AS updated_before
      FROM (
        SELECT * FROM market_terms
        QUALIFY result IS NOT NULL OR coalesce(updated_time >= max(updated_time) OVER (
          PARTITION BY ticker ORDER BY seen_ts ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), true))
      WINDOW w AS (PARTITION BY ticker ORDER BY seen_ts)))),
-- What became known and when.  The status of a version is of seen_ts: at the time from which the terms held it may not have
-- been reached, and what the clock did in between is told by the times themselves.
facts AS NOT MATERIALIZED (
  SELECT ticker, since, seen_ts AS seen, 0::BIGINT AS seq, 'rest' AS source,
    CASE
      WHEN since = seen_ts OR since >= ended OR status = 'initialized' THEN status
      WHEN since < open_time THEN 'initialized'
      WHEN since >= close_time THEN CASE WHEN ended IS NULL THEN status ELSE 'closed' END
      WHEN status <> 'inactive' THEN 'active'
    END AS status,
    event_ticker, title, title AS any_title, yes_sub_title, strike_type, floor_strike, cap_strike, price_level_structure,
    price_ranges, open_time, close_time, expiration_time,
    CASE WHEN ended IS NULL OR since >= ended THEN result END AS result,
    CASE WHEN ended IS NULL OR since >= ended THEN settlement_value END AS settlement_value,
    CASE WHEN ended IS NULL OR since >= ended THEN settlement_time END AS settlement_time,
    CASE WHEN ended IS NULL OR since >= ended THEN expiration_value END AS expiration_value,
    struct_pack(created_time := created_time, subtitle := subtitle, no_sub_title := no_sub_title,
      functional_strike := functional_strike, custom_strike := custom_strike,
      mve_collection_ticker := mve_collection_ticker, legs := legs, primary_participant := primary_participant,
      can_close_early := can_close_early, early_close_hash := early_close_hash, rules_primary_hash := rules_primary_hash,
      rules_secondary_hash := rules_secondary_hash, settlement_bounds := settlement_bounds, provisional := provisional,
      exchange_index := exchange_index) AS terms
  FROM rest
  UNION ALL BY NAME
  SELECT ticker, ended AS since, seen_ts AS seen, 4::BIGINT AS seq, 'rest' AS source, status, result, settlement_value,
    settlement_time, expiration_value
  FROM rest WHERE ended > since
  UNION ALL BY NAME
  SELECT ticker, open_time AS since, seen_ts AS seen, 1::BIGINT AS seq, 'rest' AS source, 'active' AS status
  FROM rest WHERE status <> 'initialized' AND open_time > since AND open_time <= seen_ts
  UNION ALL BY NAME
  SELECT ticker, close_time AS since, seen_ts AS seen, 2::BIGINT AS seq, 'rest' AS source, 'closed' AS status
  FROM rest
  WHERE status NOT IN ('initialized', 'active', 'inactive') AND close_time > since AND close_time <= seen_ts
  UNION ALL BY NAME
  SELECT ticker, seen_ts AS since, seen_ts AS seen, 3::BIGINT AS seq, 'rest' AS source, status
  FROM rest WHERE status = 'inactive' AND since < seen_ts
  UNION ALL BY NAME
  -- titles are cut in the stream; a long one is taken only where there is no other
  SELECT ticker, timestamp AS since, recv_ts AS seen, seq, 'stream' AS source, nullif(status, 'unknown') AS status,
    event_ticker, CASE WHEN strlen(title) < 200 THEN title END AS title, title AS any_title, yes_sub_title, strike_type,
    floor_strike, cap_strike, price_level_structure, price_ranges, open_time, close_time, expiration_time,
    can_close_early AS early, exchange_index AS shard
  FROM definitions WHERE NOT provisional
  UNION ALL BY NAME
  SELECT ticker, timestamp AS since, recv_ts AS seen, seq, 'stream' AS source,
    CASE event_type WHEN 'opened' THEN 'active' WHEN 'closed' THEN 'closed' END AS status, result, settlement_value,
    CASE WHEN event_type = 'settled' THEN at_time END AS settlement_time
  FROM lifecycle WHERE event_type IN ('opened', 'closed', 'determined', 'settled')),
-- At each instant the last known value of each column; what only REST says is taken over whole, so that it can end.
carried AS NOT MATERIALIZED (
  SELECT ticker, since, seen, source,
    last_value(event_ticker IGNORE NULLS) OVER w AS event_ticker,
    coalesce(last_value(title IGNORE NULLS) OVER w, last_value(any_title IGNORE NULLS) OVER w) AS title,
    last_value(yes_sub_title IGNORE NULLS) OVER w AS yes_sub_title,
    last_value(status IGNORE NULLS) OVER w AS status,
    last_value(strike_type IGNORE NULLS) OVER w AS strike_type,
    last_value(floor_strike IGNORE NULLS) OVER w AS floor_strike,
    last_value(cap_strike IGNORE NULLS) OVER w AS cap_strike,
    last_value(price_level_structure IGNORE NULLS) OVER w AS price_level_structure,
    last_value(price_ranges IGNORE NULLS) OVER w AS price_ranges,
    last_value(open_time IGNORE NULLS) OVER w AS open_time,
    last_value(close_time IGNORE NULLS) OVER w AS close_time,
    last_value(expiration_time IGNORE NULLS) OVER w AS expiration_time,
    last_value(result IGNORE NULLS) OVER w AS result,
    last_value(settlement_value IGNORE NULLS) OVER w AS settlement_value,
    last_value(settlement_time IGNORE NULLS) OVER w AS settlement_time,
    last_value(expiration_value IGNORE NULLS) OVER w AS expiration_value,
    last_value(early IGNORE NULLS) OVER w AS early,
    last_value(shard IGNORE NULLS) OVER w AS shard,
    last_value(terms IGNORE NULLS) OVER w AS terms
  FROM facts
  WINDOW w AS (PARTITION BY ticker ORDER BY since, seen, seq ROWS UNBOUNDED PRECEDING)
  QUALIFY row_number() OVER (PARTITION BY ticker, since ORDER BY seen DESC, seq DESC) = 1),
-- The instants after which something was different.
changes AS NOT MATERIALIZED (
  SELECT ticker, since, seen, source,
    struct_pack(
      event_ticker := event_ticker, title := title, yes_sub_title := yes_sub_title, status := status,
      strike_type := strike_type, floor_strike := floor_strike, cap_strike := cap_strike,
      functional_strike := terms.functional_strike, custom_strike := terms.custom_strike,
      price_level_structure := price_level_structure, price_ranges := price_ranges, open_time := open_time,
      close_time := close_time, expiration_time := expiration_time,
      can_close_early := coalesce(terms.can_close_early, early), result := result, settlement_value := settlement_value,
      settlement_time := settlement_time, expiration_value := expiration_value,
      rules_primary_hash := terms.rules_primary_hash, rules_secondary_hash := terms.rules_secondary_hash,
      early_close_hash := terms.early_close_hash, subtitle := terms.subtitle, no_sub_title := terms.no_sub_title,
      mve_collection_ticker := terms.mve_collection_ticker, legs := terms.legs,
      primary_participant := terms.primary_participant, settlement_bounds := terms.settlement_bounds,
      provisional := terms.provisional, exchange_index := coalesce(terms.exchange_index, shard, 0),
      created_time := terms.created_time) AS market
  FROM carried
  QUALIFY market IS DISTINCT FROM lag(market) OVER (PARTITION BY ticker ORDER BY since)),
-- Before the first of them the same terms are assumed, without what may have come later: a close that could be moved up tells
-- when the thing happened.
spans AS NOT MATERIALIZED (
  SELECT ticker, since, seen, source, false AS assumed, unnest(market) FROM changes
  UNION ALL BY NAME
  SELECT * REPLACE (
      coalesce(created_time, open_time) AS since, NULL AS status, NULL AS result, NULL AS settlement_value,
      NULL AS settlement_time, NULL AS expiration_value,
      CASE WHEN NOT can_close_early THEN close_time END AS close_time,
      CASE WHEN NOT can_close_early THEN expiration_time END AS expiration_time)
  FROM (
    SELECT ticker, since, seen, source, true AS assumed, unnest(market)
    FROM (SELECT * FROM changes QUALIFY row_number() OVER (PARTITION BY ticker ORDER BY since) = 1))
  WHERE coalesce(created_time, open_time) < since)
SELECT spans.ticker, since AS valid_from,
  lead(since, 1, 'infinity'::TIMESTAMP_NS) OVER (PARTITION BY spans.ticker ORDER BY since) AS valid_to,
  seen AS seen_ts, source, assumed, known.series_ticker, spans.* EXCLUDE (ticker, since, seen, source, assumed)
FROM spans
LEFT JOIN (
  SELECT event_ticker AS of_event, arg_max(series_ticker, seen_ts) AS series_ticker FROM event_terms GROUP BY 1) AS known
ON known.of_event = spans.event_ticker;

CREATE OR REPLACE MACRO markets_at(t) AS TABLE
SELECT * FROM markets_asof WHERE valid_from <= t AND t < valid_to;
