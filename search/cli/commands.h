/* The commands: what each accepts, and what it runs. */
#ifndef LONGROPE_SEARCH_COMMANDS_H
#define LONGROPE_SEARCH_COMMANDS_H

#include <stddef.h>

#include "eval/base/error.h"
#include "search/cli/options.h"

struct command {
    const struct option_table *table;
    /* The exit status; `options` as the table describes. A message that is empty was said already. */
    int (*run)(const void *options, struct error *error);
};

extern const struct command bench_command, choice_command, eval_command, export_command, init_command, passkey_command,
    report_command, search_command, show_command, tokenize_command;

enum { COMMANDS = 10 };
extern const struct command *const commands[COMMANDS]; /* in the order of `longrope --help` */

/* Reads argv, which begins with the command's name, and runs the command or prints its help. */
int command_run(const struct command *command, int argc, char **argv, struct error *error);

/* `longrope ARGUMENT...`: argv begins with the program's name. */
int commands_main(int argc, char **argv, struct error *error);

#endif
