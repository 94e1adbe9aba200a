/* commands.h - the run functions of all commands; each lives in cmd_NAME.c. */
#ifndef KDPI_COMMANDS_H
#define KDPI_COMMANDS_H

struct kdp_cli;

int kdp_cmd_backfill(struct kdp_cli *cli);
int kdp_cmd_book(struct kdp_cli *cli);
int kdp_cmd_complete(struct kdp_cli *cli);
int kdp_cmd_completion(struct kdp_cli *cli);
int kdp_cmd_config(struct kdp_cli *cli);
int kdp_cmd_demo(struct kdp_cli *cli);
int kdp_cmd_gen(struct kdp_cli *cli);
int kdp_cmd_preview(struct kdp_cli *cli);
int kdp_cmd_record(struct kdp_cli *cli);
int kdp_cmd_replay(struct kdp_cli *cli);
int kdp_cmd_market(struct kdp_cli *cli);
int kdp_cmd_ohlc(struct kdp_cli *cli);
int kdp_cmd_query(struct kdp_cli *cli);
int kdp_cmd_run(struct kdp_cli *cli);
int kdp_cmd_schema(struct kdp_cli *cli);
int kdp_cmd_seal(struct kdp_cli *cli);
int kdp_cmd_status(struct kdp_cli *cli);
int kdp_cmd_sim(struct kdp_cli *cli);
int kdp_cmd_tap(struct kdp_cli *cli);
int kdp_cmd_tape(struct kdp_cli *cli);
int kdp_cmd_version(struct kdp_cli *cli);

#endif
