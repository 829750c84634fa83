#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "eval/base/file.h"
#include "eval/checkpoint.h"
#include "search/base/json.h"
#include "search/base/output_stream.h"
#include "search/base/signals.h"
#include "search/base/version.h"
#include "search/cli/checkpoint_options.h"
#include "search/cli/commands.h"
#include "search/cli/estimate_measure.h"
#include "search/cli/estimate_print.h"
#include "search/cli/next_steps.h"
#include "search/cli/options.h"
#include "search/config/config.h"
#include "search/config/config_print.h"
#include "search/ranks/launcher.h"
#include "search/ranks/ranks.h"
#include "search/recipe/estimate.h"
#include "search/recipe/recipe.h"
#include "search/recipe/serve.h"
#include "search/report/report.h"

struct search_options {
    char *config;  /* NULL only with print_config */
    char *run_dir; /* NULL: results/NAME */
    char *cache;   /* NULL: "cache" in the configuration, else RUN_DIR/scores.db */
    struct string_list overrides;
    bool resume, dry_run, json, print_config;
    int64_t threads; /* 0: all */
    double rate;     /* GFLOP/s; 0: not given */
    struct integer_list ranks;
    struct checkpoint_options checkpoint;
};

#define AT(field) offsetof(struct search_options, field)

static const struct option_row argument_rows[] = {
    {.kind = OPTION_TEXT,
     .word = "CONFIG.yaml",
     .offset = AT(config),
     .help = "the configuration; its paths are relative to its folder"},
};

static const struct option_row option_rows[] = {
    {.name = "output",
     .letter = 'o',
     .kind = OPTION_TEXT,
     .word = "RUN_DIR",
     .offset = AT(run_dir),
     .help = "folder of the run (default: results/NAME, with the name in the configuration)"},
    {.name = "set",
     .kind = OPTION_TEXTS,
     .word = "KEY=VALUE",
     .offset = AT(overrides),
     .help = "overrides a key of the configuration: search.seed=2, stages.0.target_length=4096; paths are relative to "
             "the folder of CONFIG.yaml; may be repeated"},
    {.name = "resume",
     .kind = OPTION_FLAG,
     .offset = AT(resume),
     .help = "continues the run in RUN_DIR. A stage that is done searches on if its budget (search.iterations, "
             "search.evaluations) is larger now and no other stage or model rests on its table. Starts a new run if "
             "there is none"},
    {.name = "cache",
     .kind = OPTION_TEXT,
     .word = "FILE",
     .offset = AT(cache),
     .help = "where the scores of windows are stored, so that no window is evaluated twice; runs on one machine can "
             "share a file, also at the same time (default: \"cache\" in the configuration, else RUN_DIR/scores.db)"},
    {.name = "threads",
     .kind = OPTION_INTEGER,
     .word = "N",
     .offset = AT(threads),
     .low = 1,
     .high = 4096,
     .help = "number of threads, on each rank if mpirun or srun starts several (default: all, or a rank's share of its "
             "node's); results do not depend on it"},
    {.name = "dry-run",
     .kind = OPTION_FLAG,
     .offset = AT(dry_run),
     .help =
         "does not search, but prints the most that each stage can need: evaluations, tokens, operations, "
         "memory, and hours on this machine. Only config.json of the models is read, and the files of data need not "
         "exist; a model that is not fine-tuned yet is assumed to "
         "have the shape of the model that its fine-tuning starts from. Work already stored in RUN_DIR is not "
         "subtracted"},
    {.name = "rate",
     .kind = OPTION_NUMBER,
     .word = "GFLOPS",
     .offset = AT(rate),
     .least = 1e-3,
     .most = 1e12,
     .help = "with --dry-run: 10^9 operations per second that hours are stated at, as longrope bench measures them "
             "(default: this machine's rate, measured in a few seconds)"},
    {.name = "ranks",
     .kind = OPTION_INTEGERS,
     .word = "N[,N...]",
     .offset = AT(ranks),
     .low = 1,
     .high = 65536,
     .needs = "dry-run",
     .help = "with --dry-run: also simulates the search on N ranks, each at the rate that hours are stated at: hours, "
             "efficiency and idle share, how many ranks are worth having, and which population would use N; may be "
             "repeated"},
    {.name = "print-config",
     .kind = OPTION_FLAG,
     .offset = AT(print_config),
     .help = "does not search, but prints every key of CONFIG.yaml, its value and where the value comes from; without "
             "CONFIG.yaml: the default, range and meaning of every key"},
    {.name = "json",
     .kind = OPTION_FLAG,
     .offset = AT(json),
     .help = "with --dry-run or --print-config: prints JSON instead of the table; for a run use longrope show RUN_DIR "
             "--json"},
};

static const struct option_group groups[] = {
    OPTION_GROUP("Arguments", argument_rows, 0),
    OPTION_GROUP("Options", option_rows, 0),
    OPTION_GROUP("Checkpoints", checkpoint_rows, AT(checkpoint)),
};

static const char *const usage[] = {"CONFIG.yaml [-o RUN_DIR] [--set KEY=VALUE]... [--resume] [OPTION]...",
                                    "CONFIG.yaml --dry-run [--rate GFLOPS] [--ranks N[,N...]] [--json] [OPTION]...",
                                    "--print-config [CONFIG.yaml] [--json] [--set KEY=VALUE]...", NULL};

static const char *const examples[] = {
    "longrope search configs/demo/demo.yaml -o results/demo",
    "longrope search configs/demo/demo.yaml -o results/short --set search.evaluations=20",
    "longrope search configs/demo/demo.yaml --dry-run", "longrope search --print-config", NULL};

static int check(const struct option_table *table, void *options, struct error *error) {
    const struct search_options *o = options;
    if (!o->config && !o->print_config) return options_wrong(table, error, "missing CONFIG.yaml");
    if (!o->config && o->overrides.count) {
        return options_wrong(table, error, "--set requires a configuration, CONFIG.yaml");
    }
    if (o->print_config && (o->dry_run || o->run_dir || o->cache || o->resume || o->threads || o->rate > 0.0 ||
                            o->ranks.count || o->checkpoint.folder)) {
        return options_wrong(table, error, "--print-config takes no other options than --set and --json");
    }
    if ((o->run_dir && strcmp(o->run_dir, "-") == 0) || (o->cache && strcmp(o->cache, "-") == 0)) {
        return options_wrong(table, error, "a run and its cache cannot be written to standard output (./- is a path)");
    }
    if (o->rate > 0.0 && !o->dry_run) return options_wrong(table, error, "--rate requires --dry-run");
    if (!o->json || o->dry_run || o->print_config) return STATUS_OK;
    return options_wrong(table, error, "--json requires --dry-run or --print-config");
}

static const struct option_table search_option_table = {
    .command = "search",
    .summary = "searches rescale factors for a model and a target length; resumable",
    .usage = usage,
    .text =
        "Every scored table is saved in RUN_DIR/run.db at once. SIGINT, SIGTERM, SIGQUIT, SIGHUP (unless ignored, as "
        "under nohup), SIGUSR1, SIGUSR2, SIGXCPU, SIGVTALRM, SIGALRM, SIGPWR and SIGPIPE stop the search with exit "
        "status 75, and its "
        "fine-tuning command with it. --resume continues it, also after a kill, with the same result on the same kind "
        "of processor.\n"
        "A stage can require a model that is fine-tuned with the table of an earlier stage. The configuration's "
        "own command makes that model; without a command the search prints what to run, does all other work and "
        "ends with status 75.",
    .groups = groups,
    .group_count = sizeof groups / sizeof *groups,
    .examples = examples,
    .stopped = "stopped by a signal, or waiting for a fine-tuned model; everything is saved, and --resume continues "
               "the run",
    .size = sizeof(struct search_options),
    .check = check,
};

/* The cache that several runs share; NULL: the run's own. */
static const char *shared_cache(const struct config *config, const struct search_options *options) {
    return options->cache ? options->cache : config->cache;
}

static int estimate(const struct config *config, const struct search_options *options, struct error *error) {
    struct estimate estimate = {0};
    struct rank_plan plan = {.count = 0};
    const struct rank_plan *ranks = options->ranks.count ? &plan : NULL;
    int status = output_stream_check(stdout, error);
    if (status == STATUS_OK) status = estimate_make(config, options->run_dir, (int)options->threads, &estimate, error);
    if (status != STATUS_OK) return status;
    for (size_t i = 0; i < estimate.stage_count; i++) {
        const struct estimate_stage *stage = &estimate.stages[i];
        model_warn_sliding(&stage->architecture, stage->config->name, stage->config->target_length, stderr);
    }
    if (options->rate > 0.0) {
        estimate_set_rate(&estimate, options->rate * 1e9);
    } else {
        status = estimate_measure(&estimate, error);
    }
    if (status == STATUS_OK && ranks) {
        signals_end_at_once("nothing was printed\n"); /* large searches on many ranks take minutes to simulate */
        status = rank_plan_make(&estimate, options->ranks.items, options->ranks.count, &plan, error);
        signals_end_at_once(NULL);
    }
    if (status == STATUS_OK && options->json) {
        status = estimate_print_json(&estimate, ranks, stdout, error);
    } else if (status == STATUS_OK) {
        estimate_print(&estimate, ranks, stdout);
    }
    rank_plan_free(&plan);
    estimate_free(&estimate);
    return status;
}

/* Reads what the run stores about its configuration: file, overrides, program version. The caller frees *out with
 * configuration_record_free(), also after an error. */
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
    status = report_overview(context->store, &(struct report_options){.stage = NULL}, stdout, error);
    fflush(stdout); /* before what follows on stderr */
    return status == STATUS_OK ? next_steps_print(context->store, context->config, context->run_dir, stderr, error)
                               : status;
}

static int open_cache(const struct config *config, const struct search_options *options, struct score_cache **out,
                      struct error *error) {
    const char *given = shared_cache(config, options);
    char *own = NULL;
    if (!given && asprintf(&own, "%s/scores.db", options->run_dir) < 0) return error_memory(error, 0, "a path");
    int status = given ? score_cache_open(given, signals_caught(), out, error)
                       : score_cache_open_own(own, signals_caught(), out, error);
    free(own);
    return status;
}

/* Sets options->run_dir to results/NAME if it is not given. The caller frees *own. */
static int name_run_dir(const struct config *config, struct search_options *options, char **own, struct error *error) {
    if (options->run_dir) return STATUS_OK;
    if (asprintf(own, "results/%s", config->name) < 0) {
        *own = NULL;
        return error_memory(error, 0, "a path");
    }
    options->run_dir = *own;
    return STATUS_OK;
}

/* Tables that this program wrote are replaced, as those of the repository's own runs are. */
static bool is_own_factors(const char *path) {
    char begin[128] = "";
    FILE *file = fopen(path, "rb");
    if (file && !fread(begin, 1, sizeof begin - 1, file)) begin[0] = '\0';
    if (file) fclose(file);
    return strstr(begin, "\"longrope-factors\"");
}

/* The tables are written when a stage ends, hours later. */
static int check_factors(const struct search_options *options, struct error *error) {
    struct stat info;
    char *path = NULL;
    if (asprintf(&path, "%s/factors.json", options->run_dir) < 0) return error_memory(error, 0, "a path");
    int status = STATUS_OK;
    if (lstat(path, &info) == 0) {
        if (stat(path, &info) != 0 || !S_ISREG(info.st_mode)) {
            status = error_set(error, STATUS_INPUT,
                               "%s: is not a file, and the tables are to be written there; delete it, or choose "
                               "another folder with -o",
                               path);
        } else if (!store_exists(options->run_dir) && !is_own_factors(path)) {
            status = error_set(
                error, STATUS_INPUT,
                "%s: is not a file of this program, and the tables are to be written there; move it, or choose "
                "another folder with -o",
                path);
        }
    }
    free(path);
    return status;
}

/* Whether the file lies in the folder itself. */
static bool lies_in(const char *file, const char *folder) {
    char *own = file_folder(file);
    bool same = own && file_will_be_same(own, folder);
    free(own);
    return same;
}

/* A search makes the folder of the run before it opens the cache. */
static int check_cache(const struct config *config, const struct search_options *options, struct error *error) {
    char *own = NULL;
    const char *cache = shared_cache(config, options);
    if (!cache && asprintf(&own, "%s/scores.db", options->run_dir) < 0) return error_memory(error, 0, "a path");
    if (!cache) cache = own;
    bool made = lies_in(cache, options->run_dir) && access(options->run_dir, F_OK) != 0;
    int status = made ? STATUS_OK : score_cache_check(cache, error);
    free(own);
    return status;
}

/* Before a search makes the folder of its run; also of a dry run, which refuses what the search would refuse. A run
 * that is there, also one that is searched, is no obstacle to that: what it costs is a question beside it. */
static int check_outputs(const struct config *config, const struct search_options *options, struct error *error) {
    const char *checkpoints = options->checkpoint.folder;
    int status = checkpoints ? checkpoints_check_folder(checkpoints, error) : STATUS_OK;
    if (status == STATUS_OK) status = check_factors(options, error);
    return status == STATUS_OK ? check_cache(config, options, error) : status;
}

static int run_config(struct search_context *context, const struct search_options *options, struct error *error) {
    const struct config *config = context->config;
    bool resume = options->resume && store_exists(options->run_dir);
    if (options->resume && !resume) fprintf(stderr, "starting a new run in %s\n", options->run_dir);
    int status = check_outputs(config, options, error);
    if (status != STATUS_OK) return status;
    status = store_open(options->run_dir, resume ? STORE_RESUME : STORE_CREATE, &context->store, error);
    if (status == STATUS_OK) status = store_set_name(context->store, config->name, error);
    if (status == STATUS_OK && !resume) {
        status = store_set_stage_count(context->store, (int64_t)config->stage_count, error);
    }
    if (status == STATUS_OK) status = open_cache(config, options, &context->cache, error);
    if (status == STATUS_OK) status = run_stages(context, options, error);
    score_cache_close(context->cache);
    store_close(context->store);
    return status;
}

static int run_rank(const struct config *config, const struct search_options *options, struct ranks *ranks,
                    struct error *error) {
    struct search_context context = {.config = config,
                                     .config_path = options->config,
                                     .run_dir = options->run_dir,
                                     .ranks = ranks,
                                     .threads = (int)options->threads,
                                     .checkpoints = options->checkpoint.folder,
                                     .checkpoint_interval = options->checkpoint.every,
                                     .stop = signals_caught()};
    int status = context.checkpoints ? checkpoints_check_folder(context.checkpoints, error) : STATUS_OK;
    if (status != STATUS_OK) return status;
    if (ranks_index(ranks) > 0) return serve_run(&context, error);
    if (ranks) {
        fprintf(stderr, "%s: ", config->name);
        ranks_print(ranks, "one search", context.threads, stderr);
    }
    return run_config(&context, options, error);
}

/* ---- all that --dry-run and --print-config do not need ---- */

/* What has to be equal on all ranks. */
static char *command_text(const struct search_options *options) {
    size_t size = 0;
    char *text = NULL;
    FILE *out = open_memstream(&text, &size);
    if (!out) return NULL;
    fprintf(out, "search %s -o %s", options->config, options->run_dir ? options->run_dir : "");
    for (size_t i = 0; i < options->overrides.count; i++) fprintf(out, " --set %s", options->overrides.items[i]);
    if (options->checkpoint.folder) fprintf(out, " --checkpoint %s", options->checkpoint.folder);
    return fclose(out) == 0 ? text : NULL;
}

static int open_ranks(const struct search_options *options, struct ranks **out, struct error *error) {
    char *command = command_text(options);
    if (!command) return error_memory(error, 0, "the command line");
    int status = ranks_open(command, out, error);
    free(command);
    return status;
}

static int search(const void *given, struct error *error) {
    struct search_options options = *(const struct search_options *)given;
    struct config config = {0};
    struct ranks *ranks = NULL;
    char *run_dir = NULL;
    if ((options.print_config || options.dry_run) && launcher_find().rank > 0) return STATUS_OK; /* rank 0 prints */
    if (options.print_config) {
        return config_print(options.config, options.overrides.items, options.overrides.count, options.json, stdout,
                            error);
    }
    int status = options.dry_run ? STATUS_OK : open_ranks(&options, &ranks, error);
    if (status != STATUS_OK) return status;
    status = (options.dry_run ? config_read_without_data : config_read)(options.config, options.overrides.items,
                                                                        options.overrides.count, &config, error);
    if (status == STATUS_OK) status = name_run_dir(&config, &options, &run_dir, error);
    if (status == STATUS_OK && ranks_index(ranks) == 0) status = store_check_path(options.run_dir, error);
    if (status == STATUS_OK && options.dry_run) status = check_outputs(&config, &options, error);
    if (status == STATUS_OK) {
        status = options.dry_run ? estimate(&config, &options, error) : run_rank(&config, &options, ranks, error);
    }
    config_free(&config);
    free(run_dir);
    return ranks_end(ranks, status, error);
}

const struct command search_command = {&search_option_table, search};
