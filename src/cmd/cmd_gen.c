/* cmd_gen.c - kdp gen: a made-up session as a file, for tests, demonstrations and as much load as asked. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>
#include <zstd.h>

#include "bulk.h"
#include "clock.h"
#include "command.h"
#include "commands.h"
#include "decimal.h"
#include "error.h"
#include "gen.h"
#include "gen_line.h"
#include "screen.h"

#define BUFFER_BYTES (1u << 20)

enum packing { PLAIN, GZIP, ZSTD };

struct output {
    FILE *file;
    const char *path;
    enum packing packing;
    z_stream gzip;
    ZSTD_CStream *zstd;
    char *buffer, *packed;
    size_t used, room;
    uint64_t text_bytes, file_bytes;
};

static int
cannot_write(const struct output *out)
{
    return kdpi_fail_errno(errno, "cannot write: %s", out->path);
}

static int
put_bytes(struct output *out, const void *bytes, size_t len)
{
    out->file_bytes += len;
    return fwrite(bytes, 1, len, out->file) == len ? 0 : cannot_write(out);
}

static int
flush_gzip(struct output *out, bool end)
{
    int rc;

    out->gzip.next_in = (Bytef *)out->buffer;
    out->gzip.avail_in = (unsigned)out->used;
    do {
        out->gzip.next_out = (Bytef *)out->packed;
        out->gzip.avail_out = BUFFER_BYTES;
        rc = deflate(&out->gzip, end ? Z_FINISH : Z_NO_FLUSH);
        if (rc == Z_STREAM_ERROR)
            return kdpi_fail(KDP_EIO, "cannot compress: %s: zlib gives no reason", out->path);
        rc = put_bytes(out, out->packed, BUFFER_BYTES - out->gzip.avail_out);
        if (rc != 0)
            return rc;
    } while (out->gzip.avail_out == 0);
    return 0;
}

static int
flush_zstd(struct output *out, bool end)
{
    ZSTD_inBuffer in = {out->buffer, out->used, 0};
    size_t left;

    do {
        ZSTD_outBuffer packed = {out->packed, BUFFER_BYTES, 0};
        int rc;

        left = ZSTD_compressStream2(out->zstd, &packed, &in, end ? ZSTD_e_end : ZSTD_e_continue);
        if (ZSTD_isError(left))
            return kdpi_fail(KDP_EIO, "cannot compress: %s: %s", out->path, ZSTD_getErrorName(left));
        rc = put_bytes(out, packed.dst, packed.pos);
        if (rc != 0)
            return rc;
    } while (in.pos < in.size || (end && left != 0));
    return 0;
}

static int
flush(struct output *out, bool end)
{
    int rc = out->packing == GZIP   ? flush_gzip(out, end)
             : out->packing == ZSTD ? flush_zstd(out, end)
                                    : put_bytes(out, out->buffer, out->used);

    out->text_bytes += out->used;
    out->used = 0;
    return rc;
}

static bool
ends_with(const char *text, const char *end)
{
    size_t len = strlen(text), end_len = strlen(end);

    return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

static int
output_open(struct output *out, const char *path)
{
    out->path = path;
    out->packing = ends_with(path, ".gz") ? GZIP : ends_with(path, ".zst") ? ZSTD : PLAIN;
    out->room = BUFFER_BYTES;
    out->buffer = malloc(out->room);
    out->packed = malloc(BUFFER_BYTES);
    if (out->buffer == NULL || out->packed == NULL)
        return kdpi_fail(KDP_ENOMEM, "no memory to write %s", path);
    if (out->packing == GZIP &&
        deflateInit2(&out->gzip, 1, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY) != Z_OK)
        return kdpi_fail(KDP_ENOMEM, "no memory to compress %s", path);
    if (out->packing == ZSTD) {
        out->zstd = ZSTD_createCStream();
        if (out->zstd == NULL || ZSTD_isError(ZSTD_CCtx_setParameter(out->zstd, ZSTD_c_checksumFlag, 1)))
            return kdpi_fail(KDP_ENOMEM, "no memory to compress %s", path);
    }
    out->file = strcmp(path, "-") == 0 ? stdout : fopen(path, "we");
    if (out->file == NULL)
        return kdpi_fail_errno(errno, "cannot write: %s", path);
    return 0;
}

/* Ends the file; what could not be written is an error even when all of it had been taken before. */
static int
output_close(struct output *out, int rc)
{
    if (out->file != NULL && rc == 0)
        rc = flush(out, true);
    if (out->file != NULL && out->file != stdout && fclose(out->file) != 0 && rc == 0)
        rc = cannot_write(out);
    if (out->packing == GZIP)
        deflateEnd(&out->gzip);
    ZSTD_freeCStream(out->zstd);
    free(out->buffer);
    free(out->packed);
    return rc;
}

static int
put_line(struct output *out, const struct kdp_gen_frame *frame, enum kdp_gen_form form)
{
    size_t need = kdp_gen_line_max(frame->len);

    if (out->room - out->used < need) {
        int rc = flush(out, false);

        if (rc != 0)
            return rc;
    }
    if (out->room < need) {
        char *grown = realloc(out->buffer, need);

        if (grown == NULL)
            return kdpi_fail(KDP_ENOMEM, "no memory for a frame of %zu bytes", frame->len);
        out->buffer = grown;
        out->room = need;
    }
    out->used += kdp_gen_line(out->buffer + out->used, frame, form);
    return 0;
}

static void
put_side(FILE *file, const char *name, const struct kdp_gen_level *levels, uint32_t count)
{
    char price[KDPI_DECIMAL_TEXT], size[KDPI_DECIMAL_TEXT];

    if (count == 0) {
        fprintf(file, ",\"%s\":null,\"%s_size\":null", name, name);
        return;
    }
    kdpi_decimal_format(price, levels[0].price_e4, 4);
    kdpi_decimal_format(size, levels[0].size_e2, 2);
    fprintf(file, ",\"%s\":\"%s\",\"%s_size\":\"%s\"", name, price, name, size);
}

/* The books as the client must have them after these frames, in the words of replay's summary. */
static int
write_books(struct kdp_gen *gen, const char *path)
{
    static const char *const states[] = {"", "live", "stale", "closed"};
    FILE *file = fopen(path, "we");
    bool first = true;

    if (file == NULL)
        return kdpi_fail_errno(errno, "cannot write: %s", path);
    fputs("{\"markets\":[", file);
    for (uint32_t i = 0; i < kdp_gen_market_count(gen); i++) {
        struct kdp_gen_market m;
        char bid_total[KDPI_DECIMAL_TEXT], ask_total[KDPI_DECIMAL_TEXT];

        kdp_gen_market_at(gen, i, true, &m);
        if (m.state == KDP_GEN_UNSEEN)
            continue;
        kdpi_decimal_format(bid_total, m.bid_size_total_e2, 2);
        kdpi_decimal_format(ask_total, m.ask_size_total_e2, 2);
        fprintf(file, "%s\n{\"ticker\":\"%s\",\"state\":\"%s\"", first ? "" : ",", m.ticker, states[m.state]);
        put_side(file, "yes_bid", m.bids, m.bid_levels);
        put_side(file, "yes_ask", m.asks, m.ask_levels);
        fprintf(file,
                ",\"bid_levels\":%u,\"ask_levels\":%u,\"bid_size_total\":\"%s\",\"ask_size_total\":\"%s\","
                "\"bbo_changes\":%llu,\"trades\":%llu}",
                m.bid_levels, m.ask_levels, bid_total, ask_total, (unsigned long long)m.bbo_changes,
                (unsigned long long)m.trades);
        first = false;
    }
    fputs("\n]}\n", file);
    if (ferror(file) != 0 || fclose(file) != 0)
        return kdpi_fail_errno(errno, "cannot write: %s", path);
    return 0;
}

static int
read_config(struct kdp_cli *cli, struct kdp_gen_config *config, enum kdp_gen_form *formp)
{
    static const char *const forms[] = {"wrapped", "bare", "blueprint", "recv_ms"};
    const char *form = kdp_cli_text(cli, "form"), *faults = kdp_cli_text(cli, "faults"),
               *leg = kdp_cli_text(cli, "leg");
    unsigned which = 0;

    kdp_gen_config_init(config);
    while (strcmp(forms[which], form) != 0)
        which++;
    *formp = (enum kdp_gen_form)which;
    config->seed = (uint64_t)kdp_cli_count(cli, "seed");
    config->markets = (uint32_t)kdp_cli_count(cli, "markets");
    if (kdp_cli_given(cli, "rate"))
        config->rate = (uint32_t)kdp_cli_count(cli, "rate");
    config->connections = kdp_cli_given(cli, "connections") ? (uint32_t)kdp_cli_count(cli, "connections")
                          : which == KDP_GEN_WRAPPED        ? 2
                                                            : 1;
    config->frames = (uint64_t)kdp_cli_count(cli, "frames");
    config->span_ns = kdp_cli_count(cli, "seconds");
    if (config->frames == 0 && config->span_ns == 0)
        config->span_ns = 60 * KDP_NS_PER_S;
    config->leg_yes = leg != NULL && strcmp(leg, "yes") == 0;
    config->commands = kdp_cli_switch(cli, "commands");
    config->created = kdp_cli_switch(cli, "created");
    config->track = kdp_cli_text(cli, "books") != NULL;
    if (kdp_cli_given(cli, "start") && kdp_cli_time(cli, "start", &config->start_ns) != 0)
        return -KDP_EUSAGE;
    if (which != KDP_GEN_WRAPPED && config->connections > 1) {
        kdpi_fail(KDP_EUSAGE,
                  "--connections %u with --form %s: its lines do not say to which connection they belong",
                  config->connections, form);
        kdpi_hint("Use --form wrapped, or one connection");
        return -KDP_EUSAGE;
    }
    if (which != KDP_GEN_WRAPPED && config->commands) {
        kdpi_fail(KDP_EUSAGE, "--commands with --form %s: its lines are frames only", form);
        kdpi_hint("Use --form wrapped");
        return -KDP_EUSAGE;
    }
    return faults != NULL ? kdp_gen_faults_parse(faults, config->fault_ppm) : 0;
}

static void
summarize(const struct kdp_cli *cli, const struct output *out, struct kdp_gen *gen,
          const struct kdp_gen_config *config, uint64_t frames, int64_t last_ns)
{
    FILE *to = out->file == stdout ? stderr : stdout; /* beside the session, not in it */
    char a[KDPI_SCREEN_TEXT], b[KDPI_SCREEN_TEXT], c[KDPI_SCREEN_TEXT], from[KDPI_TIME_TEXT];

    if (kdp_cli_quiet(cli))
        return;
    kdpi_time_format(from, config->start_ns, 0);
    fprintf(to, "session    %s frames, %s of exchange time from %s, seed %llu\n",
            kdpi_screen_count(a, frames), kdpi_screen_span(b, last_ns - config->start_ns), from,
            (unsigned long long)config->seed);
    fprintf(to, "markets    %s, %s of them new since the start, connections %u\n",
            kdpi_screen_count(a, kdp_gen_market_count(gen)),
            kdpi_screen_count(b, kdp_gen_market_count(gen) - config->markets), config->connections);
    if (out->file != stdout)
        fprintf(to, "file       %s, %s of text in %s\nnext       kdp replay --input %s\n", out->path,
                kdpi_screen_bytes(b, out->text_bytes), kdpi_screen_bytes(c, out->file_bytes), out->path);
}

/* kdp gen --bulk: a day's bulk file in the place of a session. */
static int
write_bulk(struct kdp_cli *cli, const char *path)
{
    struct kdp_bulk bulk = {.seed = (uint64_t)kdp_cli_count(cli, "seed"),
                            .rows = (uint64_t)kdp_cli_count(cli, "rows"),
                            .markets = (uint64_t)kdp_cli_count(cli, "markets"),
                            .day = 20715 /* 2026-09-19 */};
    char a[KDPI_SCREEN_TEXT], b[KDPI_SCREEN_TEXT], c[KDPI_SCREEN_TEXT];
    struct output out = {0};
    struct kdp_progress progress;
    int64_t day_ns;
    uint64_t row = 0;
    int rc;

    bulk.kind = strcmp(kdp_cli_text(cli, "bulk"), "trades") == 0 ? KDP_BULK_TRADES : KDP_BULK_MARKETS;
    if (kdp_cli_given(cli, "date") && kdp_cli_time(cli, "date", &day_ns) == 0)
        bulk.day = kdpi_day_of(day_ns);
    rc = output_open(&out, path);
    kdp_progress_start(&progress, cli, "gen");
    do {
        if (rc == 0 && out.room - out.used < KDP_BULK_ROW_MAX)
            rc = flush(&out, false);
        if (rc != 0 || kdp_cli_interrupted() != 0)
            break;
        out.used += kdp_bulk_text(&bulk, row, out.buffer + out.used);
        if ((++row & 16383) == 0 && kdp_progress_due(&progress))
            kdp_progress_update(&progress, (double)row, (double)bulk.rows, "%llu rows",
                                (unsigned long long)row);
    } while (row < bulk.rows);
    kdp_progress_end(&progress);
    rc = output_close(&out, rc);
    if (rc != 0 && !(out.file == stdout && errno == EPIPE))
        return kdp_cli_error(cli, rc);
    if (kdp_cli_interrupted() != 0) /* a file that was cut short would look like damage later */
        return kdp_cli_finish(cli, kdp_cli_stopped(cli));
    if (out.file != stdout && !kdp_cli_quiet(cli))
        printf(
            "rows       %s, seed %llu\nfile       %s, %s of text in %s\nnext       kdp preview --file %s\n",
            kdpi_screen_count(a, bulk.rows), (unsigned long long)bulk.seed, path,
            kdpi_screen_bytes(b, out.text_bytes), kdpi_screen_bytes(c, out.file_bytes), path);
    return kdp_cli_finish(cli, KDP_EXIT_DONE);
}

int
kdp_cmd_gen(struct kdp_cli *cli)
{
    const char *path = kdp_cli_text(cli, "output"), *books = kdp_cli_text(cli, "books");
    struct output out = {0};
    struct kdp_gen_config config;
    struct kdp_gen *gen = NULL;
    struct kdp_gen_frame frame;
    struct kdp_progress progress;
    enum kdp_gen_form form;
    uint64_t frames = 0;
    int64_t last_ns;
    int rc, got = 1, signal;

    if (kdp_cli_given(cli, "bulk"))
        return write_bulk(cli, path != NULL ? path : "-");
    rc = read_config(cli, &config, &form);
    if (rc == 0)
        rc = kdp_gen_open(&gen, &config);
    if (rc == -KDP_ERANGE)
        rc = -KDP_EUSAGE;
    if (rc != 0)
        return kdp_cli_error(cli, rc);
    last_ns = config.start_ns;
    rc = output_open(&out, path != NULL ? path : "-");
    kdp_progress_start(&progress, cli, "gen");
    while (rc == 0 && kdp_cli_interrupted() == 0 && (got = kdp_gen_next(gen, &frame)) == 1) {
        rc = put_line(&out, &frame, form);
        frames += frame.kind == KDP_GEN_FRAME;
        last_ns = frame.recv_ns;
        if ((frames & 4095) == 0 && kdp_progress_due(&progress))
            kdp_progress_update(&progress,
                                config.frames != 0 ? (double)frames : (double)(last_ns - config.start_ns),
                                config.frames != 0 ? (double)config.frames : (double)config.span_ns,
                                "%llu frames", (unsigned long long)frames);
    }
    kdp_progress_end(&progress);
    if (got < 0)
        rc = got;
    rc = output_close(&out, rc);
    if (rc == 0 && books != NULL)
        rc = write_books(gen, books);
    signal = kdp_cli_interrupted();
    if (rc == 0)
        summarize(cli, &out, gen, &config, frames, last_ns);
    kdp_gen_close(gen);
    if (rc != 0 && !(out.file == stdout && errno == EPIPE))
        return kdp_cli_error(cli, rc);
    return kdp_cli_finish(cli, signal != 0 ? 128 + signal : KDP_EXIT_DONE);
}
