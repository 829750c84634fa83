#include "search/cli/commands.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "eval/base/name.h"
#include "eval/base/trace.h"
#include "search/base/signals.h"
#include "search/base/version.h"

const struct command *const commands[COMMANDS] = {&init_command,   &search_command,  &show_command,   &report_command,
                                                  &eval_command,   &passkey_command, &choice_command, &tokenize_command,
                                                  &export_command, &bench_command};

static const char help_end[] =
    "\n"
    "longrope COMMAND --help explains the command, with examples.\n"
    "\n"
    "Options:\n"
    "  -h, --help  prints this text\n"
    "  --version   prints the version\n"
    "\n"
    "Examples:\n"
    "  longrope search configs/demo/demo.yaml -o results/demo\n"
    "  longrope show results/demo\n"
    "\n"
    "Exit status:\n"
    "  0   done\n"
    "  1   failed: memory, disk, a number that is not finite\n"
    "  2   the command line or a file it names is wrong\n"
    "  75  stopped by a signal, or waiting for a fine-tuned model; search has saved everything, and\n"
    "      --resume continues it\n"
    "\n"
    "Environment:\n"
    "  LONGROPE_KERNELS  name of the kernels to compute with, instead of the fastest that the processor\n"
    "                    supports; longrope bench lists them\n"
    "  LONGROPE_TRACE    comma-separated parts of the program that print their decisions on stderr:\n"
    "                    ";

static void print_help(void) {
    char rooms[256];
    fputs("longrope: searches, measures and exports RoPE rescale factors (LongRoPE)\n"
          "\n"
          "Usage: longrope COMMAND [OPTION]...\n"
          "\n"
          "Commands:\n",
          stdout);
    for (size_t i = 0; i < COMMANDS; i++) {
        printf("  %-8s  %s\n", commands[i]->table->command, commands[i]->table->summary);
    }
    fputs(help_end, stdout);
    name_list(trace_room_names, TRACE_ROOMS, "or", rooms, sizeof rooms);
    printf("%s; or all\n", rooms);
}

int command_run(const struct command *command, int argc, char **argv, struct error *error) {
    const struct option_table *table = command->table;
    bool help = false;
    void *options = calloc(1, table->size);
    if (!options) return error_memory(error, (double)table->size, "the options");
    int status = options_read(table, argc, argv, options, &help, error);
    if (status == STATUS_OK && help) {
        options_print_help(table, stdout);
    } else if (status == STATUS_OK) {
        if (table->stopped) signals_caught(); /* from the first moment on */
        status = command->run(options, error);
    }
    options_free(table, options);
    free(options);
    return status;
}

static int unknown_command(const char *name, struct error *error) {
    const char *names[COMMANDS];
    for (size_t i = 0; i < COMMANDS; i++) names[i] = commands[i]->table->command;
    return name_unknown("", "command", name, names, COMMANDS, error);
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

int commands_main(int argc, char **argv, struct error *error) {
    if (argc < 2) return error_set(error, STATUS_INPUT, "missing command; see longrope --help");
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
        print_help();
        return STATUS_OK;
    }
    if (strcmp(argv[1], "--version") == 0) {
        puts(program_version);
        return STATUS_OK;
    }
    int status = check_trace(error);
    if (status != STATUS_OK) return status;
    for (size_t i = 0; i < COMMANDS; i++) {
        if (strcmp(argv[1], commands[i]->table->command) == 0) {
            return command_run(commands[i], argc - 1, argv + 1, error);
        }
    }
    return unknown_command(argv[1], error);
}
