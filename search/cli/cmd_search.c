#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "eval/base/file.h"
#include "search/base/json.h"
#include "search/base/signals.h"
#include "search/base/version.h"
#include "search/cli/commands.h"
#include "search/cli/options.h"
#include "search/config/config.h"
#include "search/config/config_print.h"
#include "search/recipe/estimate.h"
#include "search/recipe/recipe.h"
#include "search/report/report.h"

static const char usage[] =
    "usage: longrope search CONFIG.yaml [-o RUN_DIR] [--set KEY=VALUE]... [--resume] [--cache FILE]\n"
    "                       [--threads N]\n"
    "       longrope search CONFIG.yaml --dry-run [--json] [-o RUN_DIR] [--set KEY=VALUE]... [--threads N]\n"
    "       longrope search --print-config [CONFIG.yaml] [--json] [--set KEY=VALUE]...\n"
    "\n"
    "Evolves rescale factors as CONFIG.yaml says. Every scored table is saved in RUN_DIR/run.db at\n"
    "once; SIGINT and SIGTERM stop the search with exit status 75, and --resume goes on from\n"
    "there, or from wherever a kill left it, to the same result on the same kind of processor.\n"
    "Stages may need a model that is fine-tuned with an earlier stage's table: the configuration's own\n"
    "command makes it, or the search says what to run, does all else and ends with status 75.\n"
    "\n"
    "  -o, --output RUN_DIR   where the run is kept (default: results/NAME, NAME being the\n"
    "                         configuration's)\n"
    "      --set KEY=VALUE    overrides a key of the configuration: search.seed=2,\n"
    "                         stages.0.target_length=4096; may be given several times\n"
    "      --resume           goes on with the run in RUN_DIR; begins it if there is none\n"
    "      --cache FILE       where the scores of windows are kept, so that no window is computed twice;\n"
    "                         runs on one machine may share one, also at the same time (default:\n"
    "                         RUN_DIR/scores.db, or the configuration's \"cache\")\n"
    "      --threads N        threads to compute with (default: all); results do not depend on it\n"
    "      --dry-run          searches nothing, but prints what each stage would take at most:\n"
    "                         evaluations, tokens, operations and memory. Of the models only config.json\n"
    "                         is read; a model that is yet to be fine-tuned is taken to be like the one\n"
    "                         that the fine-tuning begins from. What RUN_DIR holds already is not taken off\n"
    "      --print-config     searches nothing, but prints every key of CONFIG.yaml: its value, and where\n"
    "                         the value comes from; without CONFIG.yaml the default, range and meaning\n"
    "                         of every key\n"
    "      --json             with --dry-run, --print-config: JSON instead of the table\n"
    "\n"
    "  longrope search configs/demo/demo.yaml -o results/demo\n"
    "  longrope search configs/demo/demo.yaml -o results/short --set search.iterations=5\n"
    "  longrope search configs/demo/demo.yaml --dry-run\n";

struct search_options {
    const char *config;
    char *run_dir;     /* owned */
    const char *cache; /* NULL where it is not given */
    struct string_list overrides;
    bool resume, dry_run, json, help, print_config;
    int64_t threads;
};

static int parse(int argc, char **argv, struct search_options *out, struct error *error) {
    static const struct option options[] = {
        {"output", required_argument, NULL, 'o'}, {"set", required_argument, NULL, 's'},
        {"resume", no_argument, NULL, 'r'},       {"threads", required_argument, NULL, 't'},
        {"cache", required_argument, NULL, 'c'},  {"dry-run", no_argument, NULL, 'd'},
        {"json", no_argument, NULL, 'j'},         {"print-config", no_argument, NULL, 'p'},
        {"help", no_argument, NULL, 'h'},         {0}};
    int status = STATUS_OK;
    opterr = 0;
    for (int c; status == STATUS_OK && (c = getopt_long(argc, argv, ":o:h", options, NULL)) != -1;) {
        switch (c) {
        case 'o':
            free(out->run_dir);
            out->run_dir = strdup(optarg);
            break;
        case 's':
            status = string_list_add(&out->overrides, optarg, error);
            break;
        case 'r':
            out->resume = true;
            break;
        case 'c':
            if (!*optarg) return error_set(error, STATUS_INPUT, "--cache wants the path of a file, not ''");
            out->cache = optarg;
            break;
        case 't':
            status = option_integer("threads", optarg, 1, 4096, &out->threads, error);
            break;
        case 'd':
            out->dry_run = true;
            break;
        case 'j':
            out->json = true;
            break;
        case 'p':
            out->print_config = true;
            break;
        case 'h':
            out->help = true;
            return STATUS_OK;
        default:
            return option_unknown(argv, options, c, error);
        }
    }
    if (status != STATUS_OK) return status;
    bool listing = out->print_config && argc == optind && out->overrides.count == 0; /* all keys, of no configuration */
    if (listing) return STATUS_OK;
    if (argc - optind != 1) return error_set(error, STATUS_INPUT, "search wants one configuration file; see --help");
    out->config = argv[optind];
    if (!out->json || out->dry_run || out->print_config) return STATUS_OK;
    return error_set(error, STATUS_INPUT,
                     "--json goes with --dry-run and --print-config; `longrope show RUN_DIR --json` tells of a run");
}

static int estimate(const struct config *config, const struct search_options *options, struct error *error) {
    struct estimate estimate = {0};
    int status = estimate_make(config, options->run_dir, (int)options->threads, &estimate, error);
    if (status != STATUS_OK) return status;
    if (options->json) {
        status = estimate_print_json(&estimate, stdout, error);
    } else {
        estimate_print(&estimate, stdout);
    }
    estimate_free(&estimate);
    return status;
}

/* What the configuration was read from. The caller frees *out with configuration_record_free(), whatever is
 * returned. */
static int read_configuration(const struct search_options *options, struct configuration_record *out,
                              struct error *error) {
    unsigned char *content = NULL;
    size_t size;
    json_t *overrides = json_array();
    *out = (struct configuration_record){.program = strdup(program_version)};
    int status = file_read(options->config, &content, &size, error);
    for (size_t i = 0; i < options->overrides.count; i++) {
        json_array_append_new(overrides, json_name(options->overrides.items[i]));
    }
    if (status == STATUS_OK) {
        char *path = realpath(options->config, NULL);
        out->path = path ? path : strdup(options->config);
        out->content = strndup((const char *)content, size);
        out->overrides = json_dumps(overrides, JSON_COMPACT);
        bool whole = out->program && out->path && out->content && out->overrides;
        status = whole ? STATUS_OK : error_memory(error, (double)size, "the configuration");
    }
    json_decref(overrides);
    free(content);
    return status;
}

static int run_stages(struct search_context *context, const struct search_options *options, struct error *error) {
    struct configuration_record configuration;
    int status = read_configuration(options, &configuration, error);
    context->configuration = &configuration;
    if (status == STATUS_OK) status = recipe_run(context, error);
    configuration_record_free(&configuration);
    if (status != STATUS_OK) return status;
    return report_overview(context->store, &(struct report_options){.stage = NULL}, stdout, error);
}

static int open_cache(const struct config *config, const struct search_options *options, struct score_cache **out,
                      struct error *error) {
    const char *given = options->cache ? options->cache : config->cache;
    char *own = NULL;
    if (!given && asprintf(&own, "%s/scores.db", options->run_dir) < 0) return error_memory(error, 0, "a path");
    int status = score_cache_open(given ? given : own, signals_caught(), out, error);
    free(own);
    return status;
}

static int name_run_dir(const struct config *config, struct search_options *options, struct error *error) {
    if (options->run_dir || asprintf(&options->run_dir, "results/%s", config->name) >= 0) return STATUS_OK;
    options->run_dir = NULL;
    return error_memory(error, 0, "a path");
}

static int run_config(const struct config *config, const struct search_options *options, struct error *error) {
    bool resume = options->resume && store_exists(options->run_dir);
    if (options->resume && !resume) fprintf(stderr, "starting a new run in %s\n", options->run_dir);
    struct search_context context = {.config = config,
                                     .config_path = options->config,
                                     .run_dir = options->run_dir,
                                     .threads = (int)options->threads,
                                     .stop = signals_caught()};
    int status = store_open(options->run_dir, resume ? STORE_RESUME : STORE_CREATE, &context.store, error);
    if (status == STATUS_OK) status = store_set_name(context.store, config->name, error);
    if (status == STATUS_OK) status = store_set_stage_count(context.store, (int64_t)config->stage_count, error);
    if (status == STATUS_OK) status = open_cache(config, options, &context.cache, error);
    if (status == STATUS_OK) status = run_stages(&context, options, error);
    score_cache_close(context.cache);
    store_close(context.store);
    return status;
}

int cmd_search(int argc, char **argv, struct error *error) {
    struct search_options options = {.threads = 0};
    struct config config = {0};
    int status = parse(argc, argv, &options, error);
    if (status == STATUS_OK && options.help) {
        fputs(usage, stdout);
    } else if (status == STATUS_OK && options.print_config) {
        status =
            config_print(options.config, options.overrides.items, options.overrides.count, options.json, stdout, error);
    } else if (status == STATUS_OK) {
        signals_caught(); /* from here on: what follows takes its time */
        status = config_read(options.config, options.overrides.items, options.overrides.count, &config, error);
        if (status == STATUS_OK) status = name_run_dir(&config, &options, error);
        if (status == STATUS_OK) {
            status = options.dry_run ? estimate(&config, &options, error) : run_config(&config, &options, error);
        }
    }
    config_free(&config);
    free(options.overrides.items);
    free(options.run_dir);
    return status;
}
