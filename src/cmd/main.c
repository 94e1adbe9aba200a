/* main.c - the table of commands and nothing that any of them does. */
#include "cli_private.h"
#include "commands.h"
#include "error.h"
#include "log.h"

#include <locale.h>
#include <stdlib.h>
#include <string.h>

/* A row stands here from the day its command works (command.h says what belongs to it). */
static const struct kdp_command commands[] = {
    {"demo", "look", "a series: markets, book, trades",
     "demo --series S|--event E|--ticker T [--depth N] [--limit N] [options]",
     "Shows an event of the exchange: its markets, the busiest book and last trades.\n"
     "Of a series the open event that closes first. No key is needed.",
     "what: series event ticker depth limit|access: base-url ca-file api-key private-key ws-auth-token "
     "simulated|output: format",
     "0 done, 1 failed, or nothing of that name, 2 usage, 130 stopped by Ctrl-C",
     "kdp demo --series KXHIGHNY\n"
     "kdp demo --series KXHIGHNY --format json",
     0, 0, kdp_cmd_demo},
    {"status", "look", "is all well?", "status [options]",
     "Asks the exchange, tries the key, looks at plant and stores.",
     "access: api-key private-key base-url ca-file ws-auth-token|stores: data tape-quota tape-keep "
     "raw-keep questdb-rdb-host|output: format",
     "0 well, 1 something that is set up is not, 2 usage, 3 the exchange pauses",
     "kdp status\n"
     "kdp status --format json",
     0, 0, kdp_cmd_status},
    {"run", "capture", "the plant: stream, books, lake",
     "run [--series S|--event E|--ticker GLOB ...] [options]",
     "Every book and trade, onto the tape and into the lake, until Ctrl-C or SIGTERM.",
     "which: series event ticker min-volume combos rules|access: api-key private-key base-url ws-url ca-file "
     "ws-auth-token keyless simulated|how: seconds connections=2 deflate busy-poll max-markets "
     "test-pace|into: data lake "
     "ring-size raw-ring-size segment-size sync-interval tape-keep raw-keep tape-quota|"
     "output: summary progress",
     "0 done, also by Ctrl-C; 1 failed; 2 usage or settings; 143 by SIGTERM",
     "kdp run --seconds 5 --summary json\n"
     "kdp run --ticker 'KX*' --seconds 5",
     0, 0, kdp_cmd_run},
    {"replay", "capture", "a recording, through the plant",
     "replay --input FILE [--input FILE ...] [options]",
     "Plays recordings of the exchange's stream as if they arrived now: books,\n"
     "records, tape and lake come out as a live run would have made them.",
     "what: *input speed leg|into: data append lake tape raw max-markets ring-size=8M "
     "raw-ring-size=16M segment-size sync-interval|output: summary progress",
     "0 done, 1 failed or not read to the end, 2 usage, 130 stopped by Ctrl-C",
     "kdp replay --input session.jsonl --data replayed\n"
     "kdp replay --input session.jsonl --data replayed --append --summary json",
     0, 0, kdp_cmd_replay},
    {"record", "capture", "JSONL into stores", "record --feed-file FILE [options]",
     "Files recorded messages of any form: the exchange's of today and of before\n"
     "2026, and other recorders'. Stopped or killed, the same command goes on.",
     "what: *feed-file speed leg|into: data lake questdb-host questdb-port max-markets ring-size=8M "
     "raw-ring-size=16M segment-size sync-interval|output: summary progress",
     "0 done, 1 failed or not read to the end, 2 usage, 130 stopped by Ctrl-C",
     "kdp record --feed-file session.jsonl --data recorded\n"
     "kdp record --feed-file session.jsonl --data recorded --summary json",
     0, 0, kdp_cmd_record},
    {"tap", "ask", "the stream itself", "tap [--from PLACE] [--to PLACE] [options]",
     "Prints records as they come, from the tape and then from the running plant.\n"
     "Without --to it follows the plant; a folder without one is read to its end.",
     "where: from=now to follow seconds limit|which: types ticker|output: columns format data",
     "0 done, also by Ctrl-C; 1 failed, or records are missing; 2 usage",
     "kdp tap --from oldest --to end --types trade,bbo --format csv\n"
     "kdp tap --from oldest --ticker KXHIGHNY-26NOV22-B51.5 --limit 20",
     0, 0, kdp_cmd_tap},
    {"query", "ask", "SQL over lake and tape", "query \"SQL\" [options]",
     "Runs SQL over the sealed files and the stream's tail, as one set of tables at\n"
     "one cut. - reads the SQL from standard input. kdp schema lists the tables.",
     "when: at-seq|output: format data", "0 done, 1 failed, 2 usage, 130 stopped by Ctrl-C",
     "kdp query \"FROM trades LIMIT 5\" --format csv\n"
     "kdp query \"SELECT ticker, sum(volume) FROM trades GROUP BY 1 ORDER BY 2 DESC\"",
     1, 1, kdp_cmd_query},
    {"ohlc", "ask", "bars", "ohlc --ticker T [--interval 1m] [--start TIME] [--end TIME] [options]",
     "Open, high, low, close and volume of one market by exchange time.",
     "what: *ticker interval|when: start end at-seq|output: format data",
     "0 done, 1 failed, 2 usage, 130 stopped by Ctrl-C",
     "kdp ohlc --ticker KXBTC15M-26NOV221015-15 --interval 1m\n"
     "kdp ohlc --ticker KXBTC15M-26NOV221015-15 --interval 1h --format json",
     0, 0, kdp_cmd_ohlc},
    {"book", "ask", "at any instant", "book --ticker T [--at TIME] [--depth N] [options]",
     "The order book of one market as it stood when everything received by a time\n"
     "was in it, now without --at. A book not known to be right shows no prices.",
     "what: *ticker depth|when: at|output: format data", "0 done, 1 failed, 2 usage, 130 stopped by Ctrl-C",
     "kdp book --ticker KXBTC15M-26NOV221015-15\n"
     "kdp book --ticker KXBTC15M-26NOV221015-15 --format json",
     0, 0, kdp_cmd_book},
    {"market", "look", "terms of a market, now or then",
     "market --ticker T [--at TIME] [--versions] [options]",
     "Rules, strikes, ticks, times, fees and result of one market, as they stood at a\n"
     "time. One that is not known here is asked for, without a key, and kept.",
     "what: *ticker versions|when: at|access: refresh fetch base-url ca-file api-key private-key "
     "test-pace|output: format data",
     "0 done, 1 failed, 2 usage, 130 stopped by Ctrl-C",
     "kdp market --ticker KXBTC15M-26NOV221015-15\n"
     "kdp market --ticker KXBTC15M-26NOV221015-15 --versions",
     0, 0, kdp_cmd_market},
    {"backfill", "history", "past trades, proven complete",
     "backfill --ticker T|--series S|--event E|--all --start D --end D",
     "Fetches past trades of both tiers, files each once, proves that none is missing.",
     "which: ticker series event all|when: *start *end|how: what=trades interval dry-run verify read-tokens "
     "parallel test-pace|access: api-key private-key base-url ca-file ws-auth-token simulated|"
     "output: format summary progress data lake-compression",
     "0 complete, 1 failed or incomplete, 2 usage, 130 stopped by Ctrl-C",
     "kdp backfill --series KXHIGHNY --start 2026-11-01 --end 2026-11-22\n"
     "kdp backfill --series KXHIGHNY --start 2026-11-01 --end 2026-11-22 --dry-run",
     0, 0, kdp_cmd_backfill},
    {"preview", "history", "daily bulk files",
     "preview --file FILE|--url URL|--date DAY [--what trades|markets] [options]",
     "Shows what a daily bulk file of the exchange holds: members, first rows, sums.\n"
     "Read as a stream, from a file, a pipe or the network; no key is needed.",
     "from: file url date what bulk-url ca-file|which: ticker series start end where limit|"
     "output: interactive columns summary format progress to-lake data",
     "0 done, 1 failed or not whole, 2 usage, 130 stopped by Ctrl-C",
     "kdp gen --bulk trades --rows 500 | kdp preview --file -\n"
     "kdp gen --bulk markets --rows 99 | kdp preview --file - --format csv",
     0, 0, kdp_cmd_preview},
    {"seal", "tend", "the tape, into the lake", "seal [--follow] [options]",
     "Seals what the tape has and the lake lacks. kdp replay does it by itself.",
     "how: follow lake-compression terms|output: summary data", NULL,
     "kdp seal --summary json\n"
     "kdp seal --data ./data --summary json",
     0, 0, kdp_cmd_seal},
    {"config", "tend", "settings and sources", "config [--all|--defaults|--check|--env-example] [options]",
     "Shows the settings that are not at their defaults and where each came from.\n"
     "Any setting that has a variable can be given as an option, to see its effect.",
     "what: all defaults check env-example|output: format", NULL,
     "kdp config --all\n"
     "kdp config --log-level debug --format json",
     0, 0, kdp_cmd_config},
    {"gen", "capture", "a made-up session", "gen [--output FILE] [--frames N|--seconds N] [options]",
     "Writes a made-up session of the exchange: the same seed, the same bytes.\n"
     "Ends after 60 s of exchange time unless --frames or --seconds says otherwise.",
     "size: frames seconds markets rate start seed|what: connections leg created commands faults|"
     "bulk: bulk rows date|output: output form books progress",
     NULL,
     "kdp gen --frames 100000 --output session.jsonl.zst\n"
     "kdp gen --seconds 20 --faults gap,resync,dup --books books.json",
     0, 0, kdp_cmd_gen},
    {"sim", "capture", "a simulated exchange", "sim [options] | sim ctl [--dir DIR] COMMAND...",
     "Serves a made-up or recorded exchange, REST and WebSocket over TLS, until Ctrl-C.\n"
     "ctl tells a running one what to do: kdp sim ctl help, kdp sim ctl faults.",
     "where: port address dir plain|what: markets rate seed combo-rate input speed=1 loop hold|"
     "past: history history-trades history-markets trades answers shift cutoff|"
     "how: per-record deflate sending-ts taker-side tier read-tokens read-capacity|faults: faults script|"
     "output: seconds books format",
     "0 done, also by Ctrl-C; 1 failed, or refused by the simulator; 2 usage",
     "kdp sim --markets 50 --seconds 1\n"
     "kdp sim --markets 50 --seconds 2 --faults 'AT 1s burst' --books b.json",
     0, 64, kdp_cmd_sim},
    {"schema", "tend", "tables, columns", "schema [TABLE] [--records] [options]",
     "Lists the tables of the lake, the columns of one, or the records of the stream.",
     "what: records|output: format", NULL,
     "kdp schema trades\n"
     "kdp schema --records --format csv",
     0, 1, kdp_cmd_schema},
    {"tape", "tend", "check the stream's files", "tape verify|info|repair [DIR] [options]",
     "Verify reads every block of the tape and names all damage; info tells what is on it.\n"
     "Repair saves what is whole, notes what is lost, and keeps the damaged files.",
     "what: yes|from: data|output: format progress",
     "0 well or repaired, 1 damaged or not repaired, 2 usage, 130 stopped by Ctrl-C",
     "kdp tape verify\n"
     "kdp tape info --format json",
     1, 2, kdp_cmd_tape},
    {"completion", "tend", "bash, zsh, fish", "completion bash|zsh|fish",
     "Prints a script that lets the shell complete commands, options and values.\n"
     "bash: eval \"$(kdp completion bash)\"    fish: kdp completion fish | source",
     "", NULL,
     "kdp completion bash\n"
     "kdp completion zsh",
     1, 1, kdp_cmd_completion},
    {"version", "tend", "version and build", "version", "Prints the version and how the program was built.",
     "", NULL,
     "kdp version\n"
     "kdp --version",
     0, 0, kdp_cmd_version},
    {"__complete", NULL, "", "__complete WORD...",
     "Prints the candidates for the last word; the shell scripts ask it.", "", NULL, "", 0, 1000,
     kdp_cmd_complete},
};

const struct kdp_command *
kdp_command_at(size_t index)
{
    return index < sizeof commands / sizeof commands[0] ? &commands[index] : NULL;
}

const struct kdp_command *
kdp_command_find(const char *name)
{
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    }
    return NULL;
}

static int
help(int argc, char **argv)
{
    const struct kdp_command *command;

    if (argc == 0) {
        kdp_help_main(stdout);
        return KDP_EXIT_DONE;
    }
    command = kdp_command_find(argv[0]);
    if (command == NULL)
        return kdp_unknown_command(argv[0]);
    kdp_help_command(stdout, command);
    return KDP_EXIT_DONE;
}

static int
run(struct kdp_cli *cli, int argc, char **argv)
{
    int code = kdpi_settings_new(&cli->settings);

    if (code != 0)
        return kdp_cli_error(cli, code);
    code = cli->command->run == kdp_cmd_complete ? 0 : kdp_args_read(cli, argc, argv);
    if (code != 0)
        return code;
    if (cli->help) {
        kdp_help_command(stdout, cli->command);
        return KDP_EXIT_DONE;
    }
    if (cli->command->group ==
        NULL) { /* completion: the words are no arguments of ours, and .env is not asked */
        cli->positional = calloc((size_t)argc + 1, sizeof *cli->positional);
        if (cli->positional == NULL)
            return KDP_EXIT_FAILED;
        for (int i = 0; i < argc; i++)
            cli->positional[cli->positional_count++] = argv[i];
        return cli->command->run(cli);
    }
    code = kdp_args_settle(cli);
    if (code != 0)
        return code;
    code = cli->command->run(cli);
    kdpi_log_close();
    return code;
}

int
main(int argc, char **argv)
{
    struct kdp_cli cli = {0};
    const char *name = argc > 1 ? argv[1] : NULL;
    int code;

    setlocale(LC_CTYPE, "");
    kdp_signals_install();
    if (name == NULL) {
        kdp_help_main(stderr);
        return KDP_EXIT_USAGE;
    }
    if (strcmp(name, "-h") == 0 || strcmp(name, "--help") == 0)
        return kdp_cli_finish(&cli, help(0, NULL));
    if (strcmp(name, "help") == 0)
        return kdp_cli_finish(&cli, help(argc - 2, argv + 2));
    if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0)
        name = "version";
    if (name[0] == '-') {
        code = kdpi_fail(KDP_EUSAGE, "no option %s before the command", name);
        kdpi_hint("Options follow the command: kdp COMMAND [options]; kdp -h lists the commands");
        return kdp_cli_error(&cli, code);
    }
    cli.command = kdp_command_find(name);
    if (cli.command == NULL)
        return kdp_unknown_command(name);
    code = run(&cli, argc - 2, argv + 2);
    code = kdp_cli_finish(&cli, code);
    kdpi_settings_free(cli.settings);
    free(cli.positional);
    return code;
}
