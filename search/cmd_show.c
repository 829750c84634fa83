#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "search/commands.h"
#include "search/options.h"
#include "search/report.h"

static const char usage[] = "usage: longrope show RUN_DIR [--json]\n"
                            "\n"
                            "What the run in RUN_DIR has found, finished or not, also while it goes on.\n"
                            "\n"
                            "  --json   one JSON object instead of the table\n"
                            "\n"
                            "  longrope show results/demo\n"
                            "  longrope show results/demo --json | jq '.stages[0].best.perplexity'\n";

int cmd_show(int argc, char **argv, struct error *error) {
    static const struct option options[] = {{"json", no_argument, NULL, 'j'}, {"help", no_argument, NULL, 'h'}, {0}};
    bool json = false;
    opterr = 0;
    for (int c; (c = getopt_long(argc, argv, ":h", options, NULL)) != -1;) {
        switch (c) {
        case 'j':
            json = true;
            break;
        case 'h':
            fputs(usage, stdout);
            return STATUS_OK;
        default:
            return option_unknown(argv, options, c, error);
        }
    }
    if (argc - optind != 1) return error_set(error, STATUS_INPUT, "show wants one run directory; see --help");
    struct store *store = NULL;
    int status = store_open(argv[optind], STORE_READ, &store, error);
    if (status == STATUS_OK) status = (json ? report_json : report_table)(store, stdout, error);
    store_close(store);
    return status;
}
