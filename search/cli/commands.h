/* The subcommands. Each takes argv from its own name on and returns the exit status; where that is
 * neither 0 nor printed as help, `error` holds the line to print. */
#ifndef LONGROPE_SEARCH_COMMANDS_H
#define LONGROPE_SEARCH_COMMANDS_H

#include "eval/base/error.h"

int cmd_bench(int argc, char **argv, struct error *error);
int cmd_eval(int argc, char **argv, struct error *error);
int cmd_export(int argc, char **argv, struct error *error);
int cmd_passkey(int argc, char **argv, struct error *error);
int cmd_report(int argc, char **argv, struct error *error);
int cmd_search(int argc, char **argv, struct error *error);
int cmd_show(int argc, char **argv, struct error *error);

#endif
