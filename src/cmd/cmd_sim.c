/* cmd_sim.c - kdp sim: a simulated exchange to practise on, and kdp sim ctl, which tells it what shall go wrong. */
#include <errno.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "command.h"
#include "commands.h"
#include "error.h"
#include "screen.h"
#include "server.h"
#include "words.h"

#define LINES_MAX 64u

/* ---- kdp sim ctl ---- */

/* Without --dir: the one simulator of this machine that was started without one; those that do not answer were killed. */
static int
find_dir(char *dir, size_t size)
{
    const char *tmp = getenv("TMPDIR");
    char pattern[4096], one[4096], *reply;
    unsigned count = 0;
    glob_t found = {0};
    size_t len;
    int rc = 0;

    if (tmp == NULL || tmp[0] == 0)
        tmp = "/tmp";
    snprintf(pattern, sizeof pattern, "%s/kdp-sim.*/control", tmp);
    glob(pattern, 0, NULL, &found);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        snprintf(one, sizeof one, "%.*s", (int)(strlen(found.gl_pathv[i]) - strlen("/control")),
                 found.gl_pathv[i]);
        if (kdp_sim_ask(one, "help", &reply, &len) != 0)
            continue;
        free(reply);
        snprintf(dir, size, "%s", one);
        count++;
    }
    globfree(&found);
    if (count == 0) {
        rc = kdpi_fail(KDP_EUSAGE, "no simulator is running in %s", tmp);
        kdpi_hint("Start one with kdp sim, or say which with --dir");
    } else if (count > 1) {
        rc = kdpi_fail(KDP_EUSAGE, "%u simulators are running here", count);
        kdpi_hint("Say which with --dir: %s, for example", dir);
    }
    return rc;
}

static int
control(struct kdp_cli *cli, const char *const *words, unsigned count)
{
    const char *dir = kdp_cli_text(cli, "dir");
    char found[4096], cwd[4096], line[1024], *reply = NULL;
    size_t used = 0, len = 0;
    int rc = 0;

    if (count == 0)
        return kdp_cli_usage(cli, "kdp sim ctl help lists what it understands",
                             "nothing to tell the simulator");
    for (unsigned i = 0; i < count; i++) {
        bool file =
            i == 1 && strcmp(words[0], "trades") == 0 && words[1][strspn(words[1], "0123456789")] != 0;
        /* the simulator writes that file, and may run in another folder */
        bool here = file && words[1][0] != '/' && getcwd(cwd, sizeof cwd) != NULL;
        int n = snprintf(line + used, sizeof line - used, "%s%s%s%s", i == 0 ? "" : " ", here ? cwd : "",
                         here ? "/" : "", words[i]);

        if (n < 0 || (size_t)n >= sizeof line - used)
            return kdp_cli_usage(cli, NULL, "a control line of more than %zu bytes", sizeof line - 1);
        used += (size_t)n;
    }
    if (strpbrk(line, "\r\n") != NULL)
        return kdp_cli_usage(cli, NULL, "one control line at a time");
    if (dir == NULL && (rc = find_dir(found, sizeof found)) == 0)
        dir = found;
    if (rc == 0)
        rc = kdp_sim_ask(dir, line, &reply, &len);
    if (rc != 0)
        return kdp_cli_error(cli, rc);
    fwrite(reply, 1, len, stdout);
    free(reply);
    return KDP_EXIT_DONE;
}

/* ---- kdp sim ---- */
static int
read_config(struct kdp_cli *cli, struct kdp_sim_config *config, char *lines, const char *list[LINES_MAX])
{
    const char *speed = kdp_cli_text(cli, "speed"), *per_record = kdp_cli_text(cli, "per-record");
    char *end, *at, *state = NULL;

    config->exchange.input_count = kdp_cli_list(cli, "input", &config->exchange.inputs);
    config->exchange.seed = (uint64_t)kdp_cli_count(cli, "seed");
    if ((config->exchange.input_count == 0 && !kdp_cli_given(cli, "trades") &&
         !kdp_cli_given(cli, "answers")) ||
        kdp_cli_given(cli, "markets"))
        config->exchange.markets = (uint32_t)kdp_cli_count(cli, "markets");
    config->exchange.rate = kdp_cli_given(cli, "rate") ? (uint32_t)kdp_cli_count(cli, "rate") : 1000;
    config->exchange.combo_rate = (uint32_t)kdp_cli_count(cli, "combo-rate");
    config->exchange.loop = kdp_cli_switch(cli, "loop");
    config->exchange.hold = kdp_cli_switch(cli, "hold");
    config->exchange.history_ns = kdp_cli_count(cli, "history");
    config->past.trades = (uint64_t)kdp_cli_count(cli, "history-trades");
    config->past.markets = (uint32_t)kdp_cli_count(cli, "history-markets");
    config->past.span_ns = config->exchange.history_ns;
    config->past.file_count = kdp_cli_list(cli, "trades", &config->past.files);
    config->past.answer_count = kdp_cli_list(cli, "answers", &config->past.answers);
    config->past.no_shift = !kdp_cli_switch(cli, "shift");
    config->cutoff_back_ns = kdp_cli_count(cli, "cutoff");
    if (config->past.trades > 0 && config->past.file_count + config->past.answer_count > 0)
        return kdp_cli_usage(cli, "Leave one of them out",
                             "--history-trades makes a past up, --trades and --answers give a recorded one");
    if (config->past.trades > 0 && config->past.span_ns == 0)
        return kdp_cli_usage(cli, "Say how far back: --history 30d, for example",
                             "--history-trades without --history");
    config->exchange.speed = strtod(speed, &end);
    if (*end != 0 || !(config->exchange.speed > 0) || config->exchange.speed > 10000)
        return kdp_cli_usage(cli, "Recordings are served at 0.1 to 10000 times their pace; 1 is as it was",
                             "--speed \"%s\" is not a number", speed);
    config->dir = kdp_cli_text(cli, "dir");
    config->address = kdp_cli_text(cli, "address");
    config->port = (uint16_t)kdp_cli_count(cli, "port");
    config->plain = kdp_cli_switch(cli, "plain");
    config->deflate = kdp_cli_switch(cli, "deflate");
    config->sending_ts = kdp_cli_switch(cli, "sending-ts");
    config->taker_side = kdp_cli_switch(cli, "taker-side");
    config->per_record = per_record != NULL ? (unsigned)strtoul(per_record, NULL, 10) : 0;
    config->read_refill = kdp_cli_count(cli, "read-tokens");
    config->read_capacity = kdp_cli_count(cli, "read-capacity");
    config->tier = kdp_cli_text(cli, "tier");
    config->script = kdp_cli_text(cli, "script");
    config->faults = list;
    for (at = strtok_r(lines, ";", &state); at != NULL; at = strtok_r(NULL, ";", &state)) {
        if (config->fault_count == LINES_MAX)
            return kdp_cli_usage(cli, "Put them in a file: --script FILE", "more than %u fault lines",
                                 LINES_MAX);
        list[config->fault_count++] = at;
    }
    return KDP_EXIT_DONE;
}

static void
announce(const struct kdp_cli *cli, const struct kdp_sim *sim, const struct kdp_sim_config *config)
{
    struct kdp_sim_stats stats;
    char count[KDPI_SCREEN_TEXT], base[300], stream[300], env[4200];
    const char *s = config->plain ? "" : "s", *host = config->address;
    bool six = strchr(host, ':') != NULL;

    kdp_sim_stats(sim, &stats);
    snprintf(base, sizeof base, "http%s://%s%s%s:%u", s, six ? "[" : "", host, six ? "]" : "",
             kdp_sim_port(sim));
    snprintf(stream, sizeof stream, "ws%s%s", s, base + 4 + strlen(s));
    snprintf(env, sizeof env, "%s/sim.env", kdp_sim_dir(sim));
    if (kdp_cli_format(cli) == KDP_FORMAT_JSON) {
        printf("{\"port\":%u,\"dir\":", kdp_sim_port(sim));
        kdpi_json_text(stdout, kdp_sim_dir(sim), strlen(kdp_sim_dir(sim)));
        printf(",\"base_url\":\"%s/trade-api/v2\",\"ws_url\":\"%s/trade-api/ws/v2\",\"env\":", base, stream);
        kdpi_json_text(stdout, env, strlen(env));
        printf(",\"markets\":%u,\"past_markets\":%u,\"past_trades\":%llu,\"seed\":%llu,\"simulated\":true}\n",
               stats.markets, stats.past_markets, (unsigned long long)stats.past_trades,
               (unsigned long long)config->exchange.seed);
    } else if (kdp_cli_format(cli) == KDP_FORMAT_CSV) {
        printf("port,base_url,ws_url,env\n%u,%s/trade-api/v2,%s/trade-api/ws/v2,", kdp_sim_port(sim), base,
               stream);
        kdp_cli_csv_text(stdout, env, strlen(env));
        putchar('\n');
    } else {
        printf("SIMULATED exchange on %s, %s markets, ", base, kdpi_screen_count(count, stats.markets));
        if (stats.past_markets > 0) {
            printf("a past of %s trades", kdpi_screen_count(count, stats.past_trades));
            printf(" of %s, ", kdpi_screen_count(count, stats.past_markets));
        }
        printf("seed %llu; settings: %s\n", (unsigned long long)config->exchange.seed, env);
    }
    fflush(stdout);
}

static int
write_books(const struct kdp_sim *sim, const char *path)
{
    FILE *file = fopen(path, "we");
    bool failed;

    if (file == NULL)
        return kdpi_fail_errno(errno, "cannot write: %s", path);
    kdp_sim_books(sim, file);
    failed = ferror(file) != 0;
    if (fclose(file) != 0 || failed)
        return kdpi_fail_errno(errno, "cannot write: %s", path);
    return 0;
}

static int
serve(struct kdp_cli *cli, const struct kdp_sim_config *config)
{
    const char *books = kdp_cli_text(cli, "books");
    int64_t span_ns = kdp_cli_count(cli, "seconds"), end_ns;
    char a[KDPI_SCREEN_TEXT], b[KDPI_SCREEN_TEXT], c[KDPI_SCREEN_TEXT];
    struct kdp_sim_stats stats;
    struct kdp_sim *sim;
    int rc = kdp_sim_open(&sim, config);

    if (rc != 0)
        return kdp_cli_error(cli, rc == -KDP_ERANGE ? -KDP_EUSAGE : rc);
    announce(cli, sim, config);
    end_ns = span_ns > 0 ? kdpi_mono_ns() + span_ns : INT64_MAX;
    while (rc == 0 && kdp_cli_interrupted() == 0 && !kdp_cli_output_failed()) {
        int64_t left = end_ns - kdpi_mono_ns();

        if (left <= 0)
            break;
        rc = kdp_sim_work(sim, left < 200 * KDP_NS_PER_MS ? (int)(left / KDP_NS_PER_MS) + 1 : 200);
    }
    if (rc >= 0 && books != NULL)
        rc = write_books(sim, books);
    kdp_sim_stats(sim, &stats);
    kdp_sim_close(sim);
    if (rc < 0)
        return kdp_cli_error(cli, rc);
    kdp_cli_say(cli, "sent %s frames to %s clients, answered %s requests; faults %llu",
                kdpi_screen_count(a, stats.frames_sent), kdpi_screen_count(b, stats.clients_seen),
                kdpi_screen_count(c, stats.rest_requests), (unsigned long long)stats.faults_done);
    return KDP_EXIT_DONE;
}

int
kdp_cmd_sim(struct kdp_cli *cli)
{
    const char *const *words, *faults = kdp_cli_text(cli, "faults");
    const char *list[LINES_MAX];
    unsigned count = kdp_cli_positional(cli, &words);
    struct kdp_sim_config config = {0};
    char *lines;
    int code;

    if (count > 0 && strcmp(words[0], "ctl") == 0)
        return control(cli, words + 1, count - 1);
    if (count > 0)
        return kdp_cli_usage(cli, "kdp sim [options], or: kdp sim ctl COMMAND", "no such argument: %s",
                             words[0]);
    lines = strdup(faults != NULL ? faults : "");
    if (lines == NULL)
        return kdp_cli_error(cli, kdpi_fail(KDP_ENOMEM, "no memory for a simulator"));
    code = read_config(cli, &config, lines, list);
    if (code == KDP_EXIT_DONE)
        code = serve(cli, &config);
    free(lines);
    return code;
}
