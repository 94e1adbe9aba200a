/* setting_table.c - the table itself.  A command names the rows it takes (src/cmd/command.h); a row is shared
 * by all commands that have an option of that name, so its words hold for each of them; where one makes something else of it, help.c has the
 * words of that command.
 *
 * Order of the columns: name, variable, type, unit, default, min, max, choices, about, section. */
#include "setting.h"
#include "clock.h"
#include "error.h"
#include "words.h"

#include <string.h>

#define S KDP_NS_PER_S
#define MS KDP_NS_PER_MS
#define MIB (INT64_C(1) << 20)
#define GIB (INT64_C(1) << 30)

static const struct kdp_setting table[] = {
    /* what every command takes */
    {"data", "KDP_DATA", KDP_SETTING_PATH, "DIR", "./data", 0, 0, NULL, "the data folder",
     KDP_SECTION_GENERAL},
    {"log-level", "LOG_LEVEL", KDP_SETTING_CHOICE, "L", "warning", 0, 0,
     "error|warning|info|debug|critical|warn", "least weight of a log line", KDP_SECTION_GENERAL},
    {"log-file", "KDP_LOG_FILE", KDP_SETTING_PATH, "FILE", NULL, 0, 0, NULL,
     "where the log goes: a file, or - for stderr", KDP_SECTION_GENERAL},
    {"color", "KDP_COLOR", KDP_SETTING_CHOICE, "WHEN", "auto", 0, 0, "auto|always|never",
     "colours on the screen", KDP_SECTION_GENERAL},
    {"env-file", NULL, KDP_SETTING_PATH, "FILE", "./.env", 0, 0, NULL, "settings file", KDP_SECTION_COMMAND},
    {"quiet", NULL, KDP_SETTING_SWITCH, NULL, NULL, 0, 0, NULL, "answers and errors only",
     KDP_SECTION_COMMAND},

    /* the exchange */
    {"api-key", "KALSHI_API_KEY", KDP_SETTING_SECRET, "ID", NULL, 0, 0, NULL,
     "key ID of the exchange account", KDP_SECTION_EXCHANGE},
    {"private-key", "KALSHI_PRIVATE_KEY_PATH", KDP_SETTING_PATH, "FILE", NULL, 0, 0, NULL,
     "RSA or Ed25519 key, PEM", KDP_SECTION_EXCHANGE},
    {"base-url", "KALSHI_BASE_URL", KDP_SETTING_URL, "URL", "https://external-api.kalshi.com/trade-api/v2", 0,
     0, "https|http", "REST address", KDP_SECTION_EXCHANGE},
    {"ws-url", "KALSHI_WS_URL", KDP_SETTING_URL, "URL", "wss://external-api-ws.kalshi.com/trade-api/ws/v2", 0,
     0, "wss|ws", "stream address", KDP_SECTION_EXCHANGE},
    {"ws-auth-token", "KALSHI_WS_AUTH_TOKEN", KDP_SETTING_SECRET, "TOKEN", NULL, 0, 0, NULL,
     "token of old setups", KDP_SECTION_EXCHANGE},
    {"ca-file", "KALSHI_CA_FILE", KDP_SETTING_PATH, "FILE", NULL, 0, 0, NULL, "further roots, PEM",
     KDP_SECTION_EXCHANGE},
    {"keyless", "KDP_KEYLESS", KDP_SETTING_SWITCH, NULL, NULL, 0, 0, NULL,
     "no key: trades polled, books sampled", KDP_SECTION_EXCHANGE},
    {"simulated", "KDP_SIMULATED", KDP_SETTING_SWITCH, NULL, NULL, 0, 0, NULL,
     "the addresses are a simulator's", KDP_SECTION_EXCHANGE},

    {"bulk-url", "KALSHI_BULK_URL", KDP_SETTING_URL, "URL",
     "https://kalshi-public-docs.s3.amazonaws.com/reporting", 0, 0, "https|http",
     "folder of the daily bulk files", KDP_SECTION_EXCHANGE},

    /* the plant and its stores */
    {"rules", "KDP_RULES", KDP_SETTING_PATH, "FILE", NULL, 0, 0, NULL, "file of rules; read again at SIGHUP",
     KDP_SECTION_CAPTURE},
    {"deflate", "KDP_DEFLATE", KDP_SETTING_SWITCH, NULL, NULL, 0, 0, NULL,
     "the exchange may compress the stream", KDP_SECTION_CAPTURE},
    {"busy-poll", "KDP_BUSY_POLL", KDP_SETTING_SPAN, "SPAN", NULL, 0, 10 * MS, NULL, "the feed never sleeps",
     KDP_SECTION_CAPTURE},
    {"test-pace", NULL, KDP_SETTING_COUNT, "PERCENT", "100", 1, 100, NULL, "for tests: the waits are shorter",
     KDP_SECTION_COMMAND},
    {"ring-size", "KDP_RING_SIZE", KDP_SETTING_BYTES, "SIZE", "256M", 64 * 1024, 64 * GIB, NULL,
     "shared memory of records", KDP_SECTION_CAPTURE},
    {"raw-ring-size", "KDP_RAW_RING_SIZE", KDP_SETTING_BYTES, "SIZE", "64M", 64 * 1024, 64 * GIB, NULL,
     "that of inputs", KDP_SECTION_CAPTURE},
    {"max-markets", "KDP_MAX_MARKETS", KDP_SETTING_COUNT, "N", "262144", 1, 16777216, NULL, "most books",
     KDP_SECTION_CAPTURE},
    {"segment-size", "KDP_SEGMENT_SIZE", KDP_SETTING_BYTES, "SIZE", "256M", MIB, 16 * GIB, NULL,
     "length of a tape file", KDP_SECTION_CAPTURE},
    {"sync-interval", "KDP_SYNC_INTERVAL", KDP_SETTING_SPAN, "SPAN", "10ms", 1 * MS, 60 * S, NULL,
     "of the tape to disk", KDP_SECTION_CAPTURE},
    {"tape-keep", "KDP_TAPE_KEEP", KDP_SETTING_SPAN, "SPAN", "2d", 60 * S, 36500 * KDP_NS_PER_DAY, NULL,
     "live: age of the tape's end", KDP_SECTION_CAPTURE},
    {"raw-keep", "KDP_RAW_KEEP", KDP_SETTING_SPAN, "SPAN", "7d", 60 * S, 36500 * KDP_NS_PER_DAY, NULL,
     "live: that of the raw tape", KDP_SECTION_CAPTURE},
    {"tape-quota", "KDP_TAPE_QUOTA", KDP_SETTING_BYTES, "SIZE", NULL, MIB, INT64_MAX, NULL,
     "live: most that both take", KDP_SECTION_CAPTURE},
    {"lake-compression", "KDP_LAKE_COMPRESSION", KDP_SETTING_CHOICE, "C", "snappy", 0, 0, "snappy|zstd",
     "of the lake's files: snappy is read faster, zstd is smaller", KDP_SECTION_CAPTURE},

    /* QuestDB */
    {"questdb-rdb-host", "QUESTDB_RDB_HOST", KDP_SETTING_TEXT, "HOST", NULL, 0, 0, NULL, "hot database",
     KDP_SECTION_QUESTDB},
    {"questdb-rdb-port", "QUESTDB_RDB_PORT", KDP_SETTING_COUNT, "PORT", "9000", 1, 65535, NULL,
     "its HTTP port", KDP_SECTION_QUESTDB},
    {"questdb-hdb-host", "QUESTDB_HDB_HOST", KDP_SETTING_TEXT, "HOST", NULL, 0, 0, NULL,
     "historical database", KDP_SECTION_QUESTDB},
    {"questdb-hdb-port", "QUESTDB_HDB_PORT", KDP_SETTING_COUNT, "PORT", "9000", 1, 65535, NULL,
     "its HTTP port", KDP_SECTION_QUESTDB},

    /* what to look at */
    {"ticker", NULL, KDP_SETTING_LIST, "GLOB", NULL, 0, 0, NULL, "markets, * and ? allowed; may be repeated",
     KDP_SECTION_COMMAND},
    {"series", NULL, KDP_SETTING_LIST, "S", NULL, 0, 0, NULL, "series; may be repeated", KDP_SECTION_COMMAND},
    {"event", NULL, KDP_SETTING_LIST, "E", NULL, 0, 0, NULL, "events; may be repeated", KDP_SECTION_COMMAND},
    {"min-volume", NULL, KDP_SETTING_COUNT, "N", NULL, 0, INT64_MAX / 100, NULL,
     "at least so many contracts in 24 hours", KDP_SECTION_COMMAND},
    {"combos", NULL, KDP_SETTING_SWITCH, NULL, NULL, 0, 0, NULL, "combination markets too",
     KDP_SECTION_COMMAND},
    {"types", NULL, KDP_SETTING_LIST, "LIST", NULL, 0, 0, NULL, "record types, trade,bbo for example",
     KDP_SECTION_COMMAND},
    {"columns", NULL, KDP_SETTING_LIST, "LIST", NULL, 0, 0, NULL, "columns to show, in this order",
     KDP_SECTION_COMMAND},

    /* when */
    {"start", NULL, KDP_SETTING_TIME, "TIME", NULL, 0, 0, NULL, "start of the range, included (UTC)",
     KDP_SECTION_COMMAND},
    {"end", NULL, KDP_SETTING_TIME, "TIME", NULL, 0, 0, NULL, "end of the range, not included (UTC)",
     KDP_SECTION_COMMAND},
    {"date", NULL, KDP_SETTING_TIME, "DAY", NULL, 0, 0, NULL, "one day (UTC)", KDP_SECTION_COMMAND},
    {"at", NULL, KDP_SETTING_TIME, "TIME", NULL, 0, 0, NULL, "as received by this time (UTC)",
     KDP_SECTION_COMMAND},
    {"at-seq", NULL, KDP_SETTING_COUNT, "SEQ", NULL, 1, INT64_MAX, NULL, "as of this sequence number",
     KDP_SECTION_COMMAND},
    {"from", NULL, KDP_SETTING_PLACE, "PLACE", NULL, 0, 0, "oldest|now",
     "first record: oldest, now, SEQ or TIME", KDP_SECTION_COMMAND},
    {"to", NULL, KDP_SETTING_PLACE, "PLACE", NULL, 0, 0, "end", "stop there: end, SEQ or TIME",
     KDP_SECTION_COMMAND},
    {"seconds", NULL, KDP_SETTING_SPAN, "N", NULL, 0, 36500 * KDP_NS_PER_DAY, NULL, "end after so long",
     KDP_SECTION_COMMAND},
    {"follow", NULL, KDP_SETTING_SWITCH, NULL, NULL, 0, 0, NULL, "wait for more at the end",
     KDP_SECTION_COMMAND},

    /* recordings in */
    {"input", NULL, KDP_SETTING_FILES, "FILE", NULL, 0, 0, NULL,
     "plain, .gz or .zst, - is stdin; may be repeated", KDP_SECTION_COMMAND},
    {"feed-file", NULL, KDP_SETTING_PATH, "FILE", NULL, 0, 0, NULL,
     "messages, one a line; plain, .gz or .zst, - is stdin", KDP_SECTION_COMMAND},
    {"questdb-host", NULL, KDP_SETTING_TEXT, "HOST", NULL, 0, 0, NULL, "understood; that store comes later",
     KDP_SECTION_COMMAND},
    {"questdb-port", NULL, KDP_SETTING_COUNT, "PORT", NULL, 1, 65535, NULL, "its port", KDP_SECTION_COMMAND},
    {"speed", NULL, KDP_SETTING_TEXT, "N|max", "max", 0, 0, NULL, "times the recorded pace",
     KDP_SECTION_COMMAND},
    {"append", NULL, KDP_SETTING_SWITCH, NULL, NULL, 0, 0, NULL, "go on in a data folder that has a tape",
     KDP_SECTION_COMMAND},
    {"leg", NULL, KDP_SETTING_CHOICE, "no|yes", NULL, 0, 0, "no|yes",
     "scale of NO prices, where the recording does not say", KDP_SECTION_COMMAND},
    {"raw", NULL, KDP_SETTING_SWITCH, NULL, "yes", 0, 0, NULL, "write the raw tape", KDP_SECTION_COMMAND},
    {"tape", NULL, KDP_SETTING_SWITCH, NULL, "yes", 0, 0, NULL, "write the record tape", KDP_SECTION_COMMAND},
    {"lake", NULL, KDP_SETTING_SWITCH, NULL, "yes", 0, 0, NULL, "seal what came into the lake",
     KDP_SECTION_COMMAND},

    /* answers */
    {"format", NULL, KDP_SETTING_CHOICE, "F", "table", 0, 0, "table|csv|json", "table, csv or json",
     KDP_SECTION_COMMAND},
    {"summary", NULL, KDP_SETTING_CHOICE, "json", NULL, 0, 0, "json", "one JSON object at the end",
     KDP_SECTION_COMMAND},
    {"limit", NULL, KDP_SETTING_COUNT, "N", NULL, 1, INT64_MAX, NULL, "at most so many rows",
     KDP_SECTION_COMMAND},
    {"depth", NULL, KDP_SETTING_COUNT, "N", NULL, 1, 10001, NULL, "levels a side", KDP_SECTION_COMMAND},
    {"interval", NULL, KDP_SETTING_SPAN, "SPAN", "1m", 1 * S, 366 * KDP_NS_PER_DAY, NULL,
     "length of a bar: 1s, 5m, 1h, 1d", KDP_SECTION_COMMAND},
    {"local", NULL, KDP_SETTING_SWITCH, NULL, NULL, 0, 0, NULL, "times of the local zone",
     KDP_SECTION_COMMAND},
    {"progress", NULL, KDP_SETTING_SWITCH, NULL, NULL, 0, 0, NULL, "lines, no screen; --no-progress: neither",
     KDP_SECTION_COMMAND},
    {"output", NULL, KDP_SETTING_PATH, "FILE", NULL, 0, 0, NULL, "file to write, - is stdout",
     KDP_SECTION_COMMAND},
    {"yes", NULL, KDP_SETTING_SWITCH, NULL, NULL, 0, 0, NULL, "do it without asking", KDP_SECTION_COMMAND},

    /* synthetic sessions */
    {"markets", NULL, KDP_SETTING_COUNT, "N", "600", 1, 10000000, NULL, "number of markets",
     KDP_SECTION_COMMAND},
    {"seed", NULL, KDP_SETTING_COUNT, "N", "7", 0, INT64_MAX, NULL, "the same seed gives the same session",
     KDP_SECTION_COMMAND},
    {"rate", NULL, KDP_SETTING_COUNT, "N", NULL, 0, 10000000, NULL, "frames a second", KDP_SECTION_COMMAND},
    {"frames", NULL, KDP_SETTING_COUNT, "N", NULL, 1, INT64_MAX, NULL, "number of frames",
     KDP_SECTION_COMMAND},

    {"connections", NULL, KDP_SETTING_COUNT, "N", NULL, 1, 16, NULL, "WebSocket connections",
     KDP_SECTION_COMMAND},
    {"form", NULL, KDP_SETTING_CHOICE, "F", "wrapped", 0, 0, "wrapped|bare|blueprint|recv_ms",
     "form of the lines", KDP_SECTION_COMMAND},
    {"created", NULL, KDP_SETTING_SWITCH, NULL, "yes", 0, 0, NULL,
     "begin with every market's created message", KDP_SECTION_COMMAND},
    {"commands", NULL, KDP_SETTING_SWITCH, NULL, NULL, 0, 0, NULL, "the client's commands too",
     KDP_SECTION_COMMAND},
    {"faults", NULL, KDP_SETTING_TEXT, "LIST", NULL, 0, 0, NULL, "what shall go wrong; the man page lists it",
     KDP_SECTION_COMMAND},
    {"books", NULL, KDP_SETTING_PATH, "FILE", NULL, 0, 0, NULL,
     "the books a client must have in the end, as JSON", KDP_SECTION_COMMAND},

    /* daily bulk files */
    {"file", NULL, KDP_SETTING_PATH, "FILE", NULL, 0, 0, NULL, "plain, .gz or .zst; - is stdin",
     KDP_SECTION_COMMAND},
    {"url", NULL, KDP_SETTING_TEXT, "URL", NULL, 0, 0, NULL, "https://, http:// or file://",
     KDP_SECTION_COMMAND},
    {"interactive", NULL, KDP_SETTING_SWITCH, NULL, NULL, 0, 0, NULL, "page and search on the terminal",
     KDP_SECTION_COMMAND},
    {"to-lake", NULL, KDP_SETTING_SWITCH, NULL, NULL, 0, 0, NULL, "file the rows into the lake",
     KDP_SECTION_COMMAND},
    {"where", NULL, KDP_SETTING_FILES, "TEST", NULL, 0, 0, NULL, "'price >= 90'; may be repeated",
     KDP_SECTION_COMMAND},
    {"bulk", NULL, KDP_SETTING_CHOICE, "KIND", NULL, 0, 0, "markets|trades",
     "a daily bulk file instead of a session", KDP_SECTION_COMMAND},
    {"rows", NULL, KDP_SETTING_COUNT, "N", "100000", 0, INT64_MAX, NULL, "rows of a bulk file",
     KDP_SECTION_COMMAND},

    /* kdp sim */
    {"port", NULL, KDP_SETTING_COUNT, "N", "0", 0, 65535, NULL, "TCP port, 0: a free one",
     KDP_SECTION_COMMAND},
    {"address", NULL, KDP_SETTING_TEXT, "A", "127.0.0.1", 0, 0, NULL, "address to listen on",
     KDP_SECTION_COMMAND},
    {"dir", NULL, KDP_SETTING_PATH, "DIR", NULL, 0, 0, NULL, "folder of its keys and settings; a fresh one",
     KDP_SECTION_COMMAND},
    {"plain", NULL, KDP_SETTING_SWITCH, NULL, NULL, 0, 0, NULL, "no TLS", KDP_SECTION_COMMAND},
    {"combo-rate", NULL, KDP_SETTING_COUNT, "N", NULL, 0, 10000, NULL, "combination markets made a second",
     KDP_SECTION_COMMAND},
    {"history", NULL, KDP_SETTING_SPAN, "SPAN", NULL, 0, 3650 * KDP_NS_PER_DAY, NULL,
     "made-up trades before the start", KDP_SECTION_COMMAND},
    {"history-trades", NULL, KDP_SETTING_COUNT, "N", NULL, 0, 100000000, NULL,
     "exactly so many, of markets that are settled", KDP_SECTION_COMMAND},
    {"history-markets", NULL, KDP_SETTING_COUNT, "N", "300", 1, 20000, NULL, "markets of that past",
     KDP_SECTION_COMMAND},
    {"trades", NULL, KDP_SETTING_FILES, "FILE", NULL, 0, 0, NULL, "trades recorded over REST, as the past",
     KDP_SECTION_COMMAND},
    {"answers", NULL, KDP_SETTING_FILES, "PATH", NULL, 0, 0, NULL, "recorded market objects, file or folder",
     KDP_SECTION_COMMAND},
    {"shift", NULL, KDP_SETTING_SWITCH, NULL, "yes", 0, 0, NULL, "move recorded trades to now",
     KDP_SECTION_COMMAND},
    {"cutoff", NULL, KDP_SETTING_SPAN, "SPAN", NULL, 0, 36500 * KDP_NS_PER_DAY, NULL,
     "the tiers part so long before now", KDP_SECTION_COMMAND},
    {"loop", NULL, KDP_SETTING_SWITCH, NULL, NULL, 0, 0, NULL, "recordings begin again at their end",
     KDP_SECTION_COMMAND},
    {"hold", NULL, KDP_SETTING_SWITCH, NULL, NULL, 0, 0, NULL, "recordings wait for: kdp sim ctl go",
     KDP_SECTION_COMMAND},
    {"per-record", NULL, KDP_SETTING_CHOICE, "N", NULL, 0, 0, "1|8|60",
     "frames in a TLS record; as they come", KDP_SECTION_COMMAND},
    {"sending-ts", NULL, KDP_SETTING_SWITCH, NULL, NULL, 0, 0, NULL, "sending_ts_ms in every message",
     KDP_SECTION_COMMAND},
    {"taker-side", NULL, KDP_SETTING_SWITCH, NULL, "yes", 0, 0, NULL,
     "give trades their deprecated taker_side", KDP_SECTION_COMMAND},
    {"read-tokens", NULL, KDP_SETTING_COUNT, "N", NULL, 0, 1000000000, NULL,
     "REST tokens a second, a request takes 10", KDP_SECTION_COMMAND},
    {"read-capacity", NULL, KDP_SETTING_COUNT, "N", NULL, 0, 1000000000, NULL,
     "tokens at most; three seconds of them", KDP_SECTION_COMMAND},
    {"tier", NULL, KDP_SETTING_CHOICE, "T", NULL, 0, 0,
     "basic|advanced|expert|premier|paragon|prime|prestige", "the account's, with its tokens",
     KDP_SECTION_COMMAND},
    {"script", NULL, KDP_SETTING_PATH, "FILE", NULL, 0, 0, NULL, "fault lines, with AT 12.5s and EVERY 60s",
     KDP_SECTION_COMMAND},

    /* kdp backfill */
    {"what", NULL, KDP_SETTING_LIST, "LIST", NULL, 0, 0, NULL, "trades,candles,markets for example",
     KDP_SECTION_COMMAND},
    {"dry-run", NULL, KDP_SETTING_SWITCH, NULL, NULL, 0, 0, NULL,
     "what would be asked, and how long it takes", KDP_SECTION_COMMAND},
    {"verify", NULL, KDP_SETTING_SWITCH, NULL, NULL, 0, 0, NULL, "only check what is here",
     KDP_SECTION_COMMAND},
    {"parallel", NULL, KDP_SETTING_COUNT, "N", "8", 1, 64, NULL, "requests under way at once",
     KDP_SECTION_COMMAND},

    /* kdp schema */
    {"versions", NULL, KDP_SETTING_SWITCH, NULL, NULL, 0, 0, NULL, "all versions and what changed",
     KDP_SECTION_COMMAND},
    {"terms", NULL, KDP_SETTING_SWITCH, NULL, "yes", 0, 0, NULL, "file rules and terms out of the raw tape",
     KDP_SECTION_COMMAND},
    {"refresh", NULL, KDP_SETTING_SWITCH, NULL, NULL, 0, 0, NULL, "ask the exchange again",
     KDP_SECTION_COMMAND},
    {"fetch", NULL, KDP_SETTING_SWITCH, NULL, "yes", 0, 0, NULL, "ask the exchange for what is not here",
     KDP_SECTION_COMMAND},
    {"records", NULL, KDP_SETTING_SWITCH, NULL, NULL, 0, 0, NULL, "the records of the stream",
     KDP_SECTION_COMMAND},

    /* kdp config */
    {"all", NULL, KDP_SETTING_SWITCH, NULL, NULL, 0, 0, NULL, "all there are", KDP_SECTION_COMMAND},
    {"defaults", NULL, KDP_SETTING_SWITCH, NULL, NULL, 0, 0, NULL,
     "the table of settings with their defaults", KDP_SECTION_COMMAND},
    {"check", NULL, KDP_SETTING_SWITCH, NULL, NULL, 0, 0, NULL, "only say whether all values fit",
     KDP_SECTION_COMMAND},
    {"env-example", NULL, KDP_SETTING_SWITCH, NULL, NULL, 0, 0, NULL, "print env.example",
     KDP_SECTION_COMMAND},
};

const struct kdp_setting *
kdpi_setting_find(const char *name)
{
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (strcmp(table[i].name, name) == 0)
            return &table[i];
    }
    return NULL;
}

const struct kdp_setting *
kdpi_setting_at(size_t index)
{
    return index < sizeof table / sizeof table[0] ? &table[index] : NULL;
}

size_t
kdpi_setting_index(const struct kdp_setting *setting)
{
    KDP_ASSERT(setting >= table && setting < table + sizeof table / sizeof table[0]);
    return (size_t)(setting - table);
}

const char *
kdpi_setting_nearest_env(const char *name)
{
    const char *best = NULL;
    unsigned least = 1000;

    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        unsigned distance;

        if (table[i].env == NULL)
            continue;
        distance = kdpi_word_distance(name, table[i].env);
        if (distance < least && kdpi_word_near(name, table[i].env, distance)) {
            least = distance;
            best = table[i].env;
        }
    }
    return best;
}
