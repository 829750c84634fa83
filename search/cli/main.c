#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "eval/base/name.h"
#include "eval/base/trace.h"
#include "search/base/version.h"
#include "search/cli/commands.h"

static const char usage[] =
    "longrope finds LongRoPE rescale factors by evolutionary search.\n"
    "\n"
    "usage: longrope COMMAND [OPTIONS]\n"
    "\n"
    "  search CONFIG.yaml   evolve factors for a model and a target length; resumable\n"
    "  show RUN_DIR         what a run has found so far\n"
    "  report RUN_DIR       the same as a page to look at and to send\n"
    "  eval                 perplexity of a model with a closed-form method or a factor table\n"
    "  passkey              which keys hidden in long texts a model finds again, with such a table\n"
    "  export SOURCE...     tables in the forms that inference engines read\n"
    "  bench                how fast this machine evaluates\n"
    "\n"
    "`longrope COMMAND --help` explains each with examples. A first run, from the source tree:\n"
    "\n"
    "  longrope search configs/demo/demo.yaml -o results/demo\n"
    "\n"
    "Exit status: 0 done; 1 it failed; 2 the command line or a file it was given is wrong;\n"
    "75 stopped by a signal, or waiting for a model to be fine-tuned; search has saved everything and goes\n"
    "on with --resume.\n";

struct command {
    const char *name;
    int (*run)(int argc, char **argv, struct error *error);
};

static const struct command commands[] = {{"search", cmd_search}, {"show", cmd_show},       {"report", cmd_report},
                                          {"eval", cmd_eval},     {"passkey", cmd_passkey}, {"export", cmd_export},
                                          {"bench", cmd_bench}};
enum { COMMANDS = sizeof commands / sizeof *commands };

static int unknown_command(const char *name, struct error *error) {
    const char *names[COMMANDS];
    for (size_t i = 0; i < COMMANDS; i++) names[i] = commands[i].name;
    const char *nearest = name_nearest(names, COMMANDS, name);
    if (!nearest) return error_set(error, STATUS_INPUT, "unknown command '%s'; see longrope --help", name);
    return error_set(error, STATUS_INPUT, "unknown command '%s' (did you mean '%s'?)", name, nearest);
}

/* STATUS_INPUT if LONGROPE_TRACE names a room that does not exist. */
static int check_trace(struct error *error) {
    char *unknown = trace_unknown_room();
    if (!unknown) return STATUS_OK;
    const char *names[TRACE_ROOMS + 1];
    memcpy(names, trace_room_names, sizeof trace_room_names);
    names[TRACE_ROOMS] = "all";
    int status = name_unknown("LONGROPE_TRACE", "room", unknown, names, TRACE_ROOMS + 1, error);
    free(unknown);
    return status;
}

static int run(int argc, char **argv, struct error *error) {
    if (argc < 2)
        return error_set(error, STATUS_INPUT,
                         "which command? search, show, report, eval, passkey, export or bench; see longrope --help");
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
        fputs(usage, stdout);
        return STATUS_OK;
    }
    if (strcmp(argv[1], "--version") == 0) {
        puts(program_version);
        return STATUS_OK;
    }
    int status = check_trace(error);
    if (status != STATUS_OK) return status;
    for (size_t i = 0; i < COMMANDS; i++) {
        if (strcmp(argv[1], commands[i].name) == 0) return commands[i].run(argc - 1, argv + 1, error);
    }
    return unknown_command(argv[1], error);
}

int main(int argc, char **argv) {
    struct error error = {""};
    int status = run(argc, argv, &error);
    if (status == STATUS_OK && (fflush(stdout) != 0 || ferror(stdout))) {
        status = error_set(&error, STATUS_FAILED, "standard output could not be written; is the disk full?");
    }
    if (status != STATUS_OK) fprintf(stderr, "longrope: %s\n", error.message);
    return status;
}
