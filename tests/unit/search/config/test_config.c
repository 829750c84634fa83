/* Configurations: what they come out as, and what is said about those that are wrong. */
#include "search/config/config.h"

#include "tests/unit/scratch.h"

#include <math.h>
#include <sys/stat.h>

/* A folder with x.yaml and files for its globs to find ------------------------------------------ */

struct fixture {
    struct scratch scratch;
    char *yaml; /* path of x.yaml */
    struct config config;
    struct error error;
};

static void write_file(const struct fixture *f, const char *name, const char *text) {
    char *path = scratch_path(&f->scratch, name);
    scratch_write(path, text, strlen(text));
    free(path);
}

static void make_folder(const struct fixture *f, const char *name) {
    char *path = scratch_path(&f->scratch, name);
    assert_int_equal(mkdir(path, 0700), 0);
    free(path);
}

static int set_up(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    if (!f) return -1;
    f->scratch = scratch_make();
    f->yaml = scratch_path(&f->scratch, "x.yaml");
    make_folder(f, "corpus");
    make_folder(f, "corpus/c.txt"); /* a folder that looks like a file */
    make_folder(f, "odd[1]");
    write_file(f, "corpus/b.txt", "b");
    write_file(f, "corpus/a.txt", "a");
    write_file(f, "corpus/B.txt", "B");
    write_file(f, "t0.npy", "0");
    write_file(f, "t1.npy", "1");
    write_file(f, "odd[1]/a.txt", "a");
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *f = *state;
    config_free(&f->config);
    scratch_remove(&f->scratch);
    free(f->yaml);
    free(f);
    return 0;
}

static int read_with(struct fixture *f, const char *text, char *const *overrides, size_t count) {
    write_file(f, "x.yaml", text);
    config_free(&f->config);
    f->error.message[0] = '\0';
    return config_read(f->yaml, overrides, count, &f->config, &f->error);
}

static void read_good(struct fixture *f, const char *text) {
    if (read_with(f, text, NULL, 0) != STATUS_OK) fail_msg("%s", f->error.message);
}

/* The error is of the caller's making, begins with the file and the line, and holds the words. */
static void read_bad(struct fixture *f, const char *text, int line, const char *words) {
    char place[300];
    assert_int_equal(read_with(f, text, NULL, 0), STATUS_INPUT);
    snprintf(place, sizeof place, "%s:%d: ", f->yaml, line);
    if (strncmp(f->error.message, place, strlen(place)) != 0) fail_msg("not in line %d: %s", line, f->error.message);
    assert_message(f->error.message, words);
    assert_null(f->config.stages);
    assert_null(f->config.name);
}

static void set_good(struct fixture *f, const char *text, const char *set) {
    char *const overrides[] = {(char *)set};
    if (read_with(f, text, overrides, 1) != STATUS_OK) fail_msg("%s", f->error.message);
}

static void set_bad(struct fixture *f, const char *text, const char *set, const char *words) {
    char *const overrides[] = {(char *)set};
    char place[300];
    assert_int_equal(read_with(f, text, overrides, 1), STATUS_INPUT);
    snprintf(place, sizeof place, "--set %s: ", set);
    if (strncmp(f->error.message, place, strlen(place)) != 0) fail_msg("not --set %s: %s", set, f->error.message);
    assert_message(f->error.message, words);
}

static void assert_path(const struct fixture *f, const char *path, const char *name) {
    char *expected = scratch_path(&f->scratch, name);
    assert_string_equal(path, expected);
    free(expected);
}

static const char minimal[] = "name: demo\n"
                              "model: model\n"
                              "data: {text: [corpus/*.txt], tokenizer: bytes}\n"
                              "stages:\n"
                              "  - {name: one, target_length: 2048}\n";

/* What comes out ------------------------------------------------------------------------------- */

static void test_defaults(void **state) {
    static const int64_t starts[] = {0, 1, 2, 4, 8, 12, 16, 20, 24, 28, 32, 64, 128, 256};
    struct fixture *f = *state;
    read_good(f, minimal);
    assert_string_equal(f->config.name, "demo");
    assert_int_equal(f->config.stage_count, 1);
    const struct stage_config *stage = &f->config.stages[0];
    assert_string_equal(stage->name, "one");
    assert_int_equal(stage->target_length, 2048);
    assert_path(f, stage->model, "model");
    assert_int_equal(stage->type, MODEL_AUTO);
    assert_string_equal(stage->tokenizer, "bytes");
    assert_int_equal(stage->samples, 5);
    assert_int_equal(stage->search.algorithm, ALGORITHM_BAYESIAN);
    assert_int_equal(stage->search.population, 1);
    assert_int_equal(stage->search.parents, 1);
    assert_int_equal(stage->search.evaluations, 60);
    assert_int_equal(stage->search.knots, 8);
    assert_int_equal(stage->search.seed, 1);
    assert_int_equal(stage->objective, OBJECTIVE_PERPLEXITY);
    assert_int_equal(stage->needle.prompt, NEEDLE_PUBLISHED);
    assert_int_equal(stage->needle.digits, 5);
    assert_int_equal(stage->needle.seed, 1);
    assert_int_equal(stage->initial_count, 0); /* the baselines */
    assert_int_equal(stage->racing, RACING_BOUND);
    assert_true(stage->racing_risk == 0.05);
    assert_null(f->config.cache);
    assert_int_equal(stage->lattice_unit, 100);
    assert_true(stage->lambda_max == 0);
    assert_int_equal(stage->attention_rule, ATTENTION_SEARCH);
    assert_int_equal(stage->start_count, sizeof starts / sizeof *starts);
    assert_memory_equal(stage->start_tokens, starts, sizeof starts);
}

/* The published settings come with the algorithm's name, or with a key that only the published algorithms have. */
static void test_published_settings(void **state) {
    static char *const sets[] = {"search.algorithm=paper",    "search.mutations=16", "search.crossovers=16",
                                 "search.iterations=40",      "search.parents=32",   "search.mutation_probability=0.3",
                                 "search.algorithm=microsoft"};
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
        set_good(f, minimal, sets[i]);
        const struct stage_config *stage = &f->config.stages[0];
        assert_int_equal(stage->search.algorithm, i == 6 ? ALGORITHM_MICROSOFT : ALGORITHM_PAPER);
        assert_int_equal(stage->search.population, 64);
        assert_int_equal(stage->search.parents, 32);
        assert_int_equal(stage->search.mutations, 16);
        assert_int_equal(stage->search.crossovers, 16);
        assert_int_equal(stage->search.iterations, 40);
        assert_true(stage->search.mutation_probability == 0.3);
        assert_true(stage->search.evaluations == 0 && stage->search.knots == 0 && stage->search.first_windows == 0);
        assert_int_equal(stage->search.seed, 1);
        assert_int_equal(stage->initial_count, 3);
        assert_true(stage->initial[0] == ORIGIN_PI && stage->initial[1] == ORIGIN_NTK &&
                    stage->initial[2] == ORIGIN_YARN);
        assert_int_equal(stage->attention_rule, ATTENTION_LONGROPE);
    }
    set_good(f, minimal, "search.evaluations=30");
    assert_int_equal(f->config.stages[0].search.algorithm, ALGORITHM_BAYESIAN);
    set_good(f, minimal, "search={algorithm: bayesian, knots: all}");
    assert_int_equal(f->config.stages[0].search.knots, 0);
    assert_int_equal(f->config.stages[0].search.first_windows, 0);
    set_good(f, minimal, "search={algorithm: cma-es, first_windows: 2}");
    assert_int_equal(f->config.stages[0].search.first_windows, 2);
    set_good(f, minimal, "search={algorithm: cma-es, first_windows: all}");
    assert_int_equal(f->config.stages[0].search.first_windows, 0);
}

/* A short table has the attention factor of the long one, which is not searched again. */
static void test_only_extensions_search_the_attention_factor(void **state) {
    struct fixture *f = *state;
    set_good(f, minimal, "stages.0={name: one, target_length: 256, kind: recover, search: {lambda_max: 2}}");
    assert_int_equal(f->config.stages[0].search.algorithm, ALGORITHM_BAYESIAN);
    assert_int_equal(f->config.stages[0].attention_rule, ATTENTION_LONGROPE);
    assert_int_equal(f->config.stages[0].initial_count, 4);
    set_good(f, minimal, "attention_factor=yarn");
    assert_int_equal(f->config.stages[0].attention_rule, ATTENTION_YARN);
}

static const char progressive[] =
    "name: demo\n"
    "model: model\n"
    "data: {text: [corpus/*.txt], tokenizer: bytes}\n"
    "search: {algorithm: paper}\n"
    "stages:\n"
    "  - {name: short, target_length: 1024, finetune: }\n"
    "  - name: middle\n"
    "    target_length: 2048\n"
    "    finetune: {base: short, output: tuned, command: train --steps 3}\n"
    "  - {name: long, target_length: 524289, base: middle}\n"
    "  - {name: back, target_length: 256, kind: recover, base: middle, search: {lambda_max: 4}}\n"
    "  - {name: other, target_length: 524288, model: elsewhere, finetune: {model: start}}\n";

static void test_progressive_recipe(void **state) {
    struct fixture *f = *state;
    read_good(f, progressive);
    const struct stage_config *s = f->config.stages;
    assert_true(s[0].kind == STAGE_EXTEND && s[0].base == CONFIG_NO_STAGE && s[0].finetune.given);
    assert_null(s[0].finetune.model);
    assert_null(s[0].finetune.output);
    assert_null(s[0].finetune.command);
    assert_int_equal(s[0].finetune.base, CONFIG_NO_STAGE);
    assert_int_equal(s[1].finetune.base, 0);
    assert_path(f, s[1].finetune.output, "tuned");
    assert_string_equal(s[1].finetune.command, "train --steps 3");
    assert_int_equal(s[2].base, 1);
    assert_null(s[2].model); /* that of its base */
    assert_false(s[2].finetune.given);
    assert_int_equal(s[2].search.population, 32); /* beyond 512k tokens the published budget is half */
    assert_int_equal(s[2].search.mutations, 8);
    assert_int_equal(s[2].search.crossovers, 8);
    assert_int_equal(s[2].search.parents, 32);
    assert_int_equal(s[2].samples, 3);
    assert_true(s[3].kind == STAGE_RECOVER && s[3].base == 1 && s[3].lambda_max == 4);
    assert_int_equal(s[3].initial_count, 4);
    assert_true(s[3].initial[0] == ORIGIN_NONE && s[3].initial[1] == ORIGIN_OWN);
    assert_path(f, s[4].model, "elsewhere");
    assert_path(f, s[4].finetune.model, "start");
    assert_int_equal(s[4].search.population, 64);
    assert_int_equal(s[4].samples, 5);

    set_good(f, progressive, "stages.2.search.population=40"); /* what is set is not halved */
    assert_int_equal(f->config.stages[2].search.population, 40);
    assert_int_equal(f->config.stages[2].search.mutations, 8);
    set_good(f, progressive, "data.samples=7");
    assert_int_equal(f->config.stages[2].samples, 7);
    set_good(f, progressive, "stages.3.search.initial=[own]");
    assert_int_equal(f->config.stages[3].initial_count, 1);
    set_good(f, progressive, "stages.4.finetune={model: start, output: elsewhere}");
    assert_path(f, f->config.stages[4].finetune.output, "elsewhere");
}

static void test_recipes_that_do_not_hold(void **state) {
    struct fixture *f = *state;
    static const char *const cases[][2] = {
        {"stages.2.base=midle",
         "stage 'long': 'base' must name an earlier stage, not 'midle' (did you mean 'middle'?)"},
        {"stages.2.base=long", "'base' must name an earlier stage, not 'long'"},
        {"stages.0.base=middle", "'base' must name an earlier stage, not 'middle'"},
        {"stages.4.base=long", "its base 'long' has no 'finetune'"},
        {"stages.2.base=[middle]", "'base' must name an earlier stage"},
        {"stages.1.finetune.base=long", "'base' must name an earlier stage, not 'long'"},
        {"stages.1.finetune.model=x", "'finetune' has both 'base' and 'model'"},
        {"stages.0.finetune.output=tuned", "stage 'middle': 'finetune.output' is that of stage 'short'; name another"},
        {"stages.1.finetune={model: x, output: x}", "'finetune.output' is the model that the fine-tuning begins from"},
        {"stages.0.finetune.output=.//tuned/.",
         "stage 'middle': 'finetune.output' is that of stage 'short'; name another"},
        {"stages.1.finetune={model: x, output: ./x/}",
         "'finetune.output' is the model that the fine-tuning begins from"},
        {"stages.1.finetune={model: ., output: corpus/..}", "is the model that the fine-tuning begins from"},
        {"stages.4.finetune={output: elsewhere}", "'finetune.output' is the model that the fine-tuning begins from"},
        {"stages.1.finetune.command=", "'command' must be a command for the shell; it is empty"},
        {"stages.1.finetune.outptu=x", "unknown key 'outptu' (did you mean 'output'?)"},
        {"stages.1.command=x", "unknown key 'command' here (did you mean 'finetune.command'?)"},
        {"stages.3.search.lambda_max=0", "'kind: recover' requires 'search.lambda_max'"},
        {"stages.3.kind=shorten", "'kind' must be extend or recover, not 'shorten'"},
        {"stages.3.finetune.output=x", "a stage of 'kind: recover' cannot have 'finetune'|leave 'finetune' out"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *const overrides[] = {(char *)cases[i][0]};
        assert_int_equal(read_with(f, progressive, overrides, 1), STATUS_INPUT);
        assert_message(f->error.message, cases[i][1]);
    }
    set_bad(f, minimal, "finetune.output=x", "unknown key 'finetune'");
    set_bad(f, minimal, "kind=recover", "unknown key 'kind'");
}

static void test_globs_are_sorted_and_find_files_only(void **state) {
    struct fixture *f = *state;
    read_good(f, minimal);
    const struct string_list *text = &f->config.stages[0].text;
    assert_int_equal(text->count, 3);
    assert_path(f, text->items[0], "corpus/B.txt");
    assert_path(f, text->items[1], "corpus/a.txt");
    assert_path(f, text->items[2], "corpus/b.txt");
    assert_int_equal(f->config.stages[0].tokens.count, 0);
}

static void test_patterns_keep_their_order_without_repetitions(void **state) {
    struct fixture *f = *state;
    set_good(f, minimal, "data.text=[corpus/b.txt, \"corpus/*.txt\"]");
    const struct string_list *text = &f->config.stages[0].text;
    assert_int_equal(text->count, 3);
    assert_path(f, text->items[0], "corpus/b.txt");
    assert_path(f, text->items[1], "corpus/B.txt");
}

static void test_folder_of_the_yaml_is_no_pattern(void **state) {
    struct fixture *f = *state;
    char *path = scratch_path(&f->scratch, "odd[1]/y.yaml");
    write_file(f, "odd[1]/y.yaml",
               "{name: n, model: /m, data: {text: '*.txt'}, stages: [{name: a, target_length: 9}]}");
    int status = config_read(path, NULL, 0, &f->config, &f->error);
    free(path);
    assert_int_equal(status, STATUS_OK);
    assert_path(f, f->config.stages[0].text.items[0], "odd[1]/a.txt");
    assert_string_equal(f->config.stages[0].model, "/m");
}

static const char inheritance[] = "name: two\n"
                                  "model: base\n"
                                  "attention_factor: yarn\n"
                                  "data: {text: [corpus/a.txt], tokenizer: bytes, samples: 7}\n"
                                  "search: {population: 8, parents: 4, seed: 9, start_tokens: [0, 3]}\n"
                                  "stages:\n"
                                  "  - name: first\n"
                                  "    target_length: 4096\n"
                                  "  - name: second\n"
                                  "    target_length: 8192\n"
                                  "    model: tuned\n"
                                  "    attention_factor: 1.25\n"
                                  "    data: {tokens: [t*.npy]}\n"
                                  "    search:\n"
                                  "      # everything but these as above\n"
                                  "      population: 16\n"
                                  "      lambda_step: 0.005\n"
                                  "      lambda_max: 40.5\n"
                                  "  - name: third\n"
                                  "    target_length: 2\n"
                                  "    attention_factor: none\n"
                                  "    data: {samples: 0}\n"
                                  "    search:\n";

static void test_stages_override_key_by_key(void **state) {
    struct fixture *f = *state;
    read_good(f, inheritance);
    const struct stage_config *first = &f->config.stages[0], *second = first + 1, *third = first + 2;
    assert_int_equal(f->config.stage_count, 3);
    assert_path(f, first->model, "base");
    assert_int_equal(first->attention_rule, ATTENTION_YARN);
    assert_int_equal(first->search.population, 8);
    assert_int_equal(first->start_count, 2);

    assert_path(f, second->model, "tuned");
    assert_int_equal(second->attention_rule, ATTENTION_NUMBER);
    assert_true(second->attention_factor == 1.25);
    assert_int_equal(second->text.count, 0);
    assert_int_equal(second->tokens.count, 2);
    assert_path(f, second->tokens.items[1], "t1.npy");
    assert_int_equal(second->samples, 7);
    assert_int_equal(second->search.population, 16);
    assert_int_equal(second->search.parents, 4);
    assert_int_equal(second->search.seed, 9);
    assert_int_equal(second->lattice_unit, 200);
    assert_true(second->lambda_max == 40.5);

    assert_int_equal(third->samples, 0);
    assert_int_equal(third->text.count, 1);
    assert_int_equal(third->attention_rule, ATTENTION_NONE);
    assert_int_equal(third->search.population, 8);
}

static void test_tokenizers_and_types(void **state) {
    struct fixture *f = *state;
    read_good(f, "name: n\nmodel: m\ndtype: f32\ndata: {text: [corpus/a.txt], tokenizer: m/tokenizer.model}\n"
                 "stages:\n"
                 "- {name: a, target_length: 9}\n"
                 "- {name: b, target_length: 9, dtype: bf16, data: {tokenizer: bytes}}\n"
                 "- {name: c, target_length: 9, dtype: auto, data: {tokenizer: ./bytes}}\n"
                 "- {name: d, target_length: 9, data: {tokens: t0.npy}}\n");
    const struct stage_config *stages = f->config.stages;
    assert_path(f, stages[0].tokenizer, "m/tokenizer.model");
    assert_int_equal(stages[0].type, MODEL_F32);
    assert_string_equal(stages[1].tokenizer, "bytes");
    assert_int_equal(stages[1].type, MODEL_BF16);
    assert_path(f, stages[2].tokenizer, "./bytes"); /* a file of that name */
    assert_int_equal(stages[2].type, MODEL_AUTO);
    assert_null(stages[3].tokenizer);
    read_good(f, "name: n\nmodel: m\ndata: {text: [corpus/a.txt]}\nstages: [{name: a, target_length: 9}]\n");
    assert_null(f->config.stages[0].tokenizer); /* as the model wants */
}

static void test_text_replaces_tokens(void **state) {
    struct fixture *f = *state;
    read_good(f, "name: n\nmodel: m\ndata: {tokens: t0.npy}\n"
                 "stages: [{name: a, target_length: 9, data: {text: [corpus/a.txt], tokenizer: bytes}}]\n");
    assert_int_equal(f->config.stages[0].tokens.count, 0);
    assert_int_equal(f->config.stages[0].text.count, 1);
}

static void test_set(void **state) {
    struct fixture *f = *state;
    set_good(f, minimal, "search.population=100");
    assert_int_equal(f->config.stages[0].search.population, 100);
    set_good(f, minimal, "search={seed: 4294967295, iterations: 0, mutations: 0, crossovers: 0}");
    assert_true(f->config.stages[0].search.seed == 4294967295u);
    set_good(f, minimal, "search.start_tokens=[0, 5]");
    assert_int_equal(f->config.stages[0].start_count, 2);
    assert_int_equal(f->config.stages[0].start_tokens[1], 5);
    set_good(f, inheritance, "search.start_tokens.1=6");
    assert_int_equal(f->config.stages[0].start_tokens[1], 6);
    set_good(f, inheritance, "stages.1.target_length=4097");
    assert_int_equal(f->config.stages[1].target_length, 4097);
    set_good(f, inheritance, "stages.2.search.seed=77");
    assert_int_equal(f->config.stages[2].search.seed, 77);
    set_good(f, minimal, "attention_factor=2");
    assert_int_equal(f->config.stages[0].attention_rule, ATTENTION_NUMBER);
    set_good(f, minimal, "model=/a=b");
    assert_string_equal(f->config.stages[0].model, "/a=b");
}

static void test_algorithms(void **state) {
    struct fixture *f = *state;
    set_good(f, minimal, "search.algorithm=microsoft");
    assert_int_equal(f->config.stages[0].search.algorithm, ALGORITHM_MICROSOFT);
    assert_int_equal(f->config.stages[0].search.population, 64);
    assert_int_equal(f->config.stages[0].search.mutations, 16);

    set_good(f, minimal, "search.algorithm=cma-es");
    const struct evolve_settings *search = &f->config.stages[0].search;
    assert_int_equal(search->algorithm, ALGORITHM_CMA_ES);
    assert_true(search->population == 12 && search->parents == 6 && search->iterations == 50 && search->seed == 1);
    assert_true(search->mutations == 0 && search->crossovers == 0 && search->mutation_probability == 0);

    /* What is said counts, whether it stands before the algorithm or after it. */
    set_good(f, minimal, "search={seed: 5, population: 9, algorithm: cma-es, parents: 4, iterations: 3}");
    search = &f->config.stages[0].search;
    assert_true(search->population == 9 && search->parents == 4 && search->iterations == 3 && search->seed == 5);
    set_good(f, minimal, "search={population: 2, parents: 1, iterations: 0, algorithm: paper}");
    assert_int_equal(f->config.stages[0].search.population, 2);
}

/* What only the genetic algorithms use, with one that does not: wherever it was said. */
static void test_settings_without_use(void **state) {
    struct fixture *f = *state;
    static const char inherited[] = "name: n\nmodel: m\ndata: {text: corpus/a.txt}\n"
                                    "search:\n  seed: 3\n  crossovers: 4\n"
                                    "stages:\n"
                                    "- {name: a, target_length: 9}\n"
                                    "- {name: b, target_length: 9, search: {algorithm: cma-es}}\n";
    read_bad(f, inherited, 6,
             "stage 'b': 'search.crossovers' is not used with 'algorithm: cma-es'|stages that have another");
    set_bad(f, minimal, "search={algorithm: cma-es, mutations: 1}", "stage 'one': 'search.mutations' is not used");
    set_bad(f, minimal, "stages.0.search={algorithm: cma-es, mutation_probability: 0.3}",
            "'search.mutation_probability' is not used");
    read_good(f,
              "name: n\nmodel: m\ndata: {text: corpus/a.txt}\nsearch: {algorithm: cma-es, population: 8, parents: 4}\n"
              "stages:\n"
              "- {name: a, target_length: 9}\n"
              "- {name: b, target_length: 9, search: {algorithm: paper, mutations: 4}}\n");
    assert_int_equal(f->config.stages[0].search.mutations, 0);
    assert_int_equal(f->config.stages[1].search.mutations, 4);
    assert_int_equal(f->config.stages[1].search.crossovers, 16);
    assert_int_equal(f->config.stages[1].search.population, 8);
}

/* The default of parents is never more than the population, whichever key lowers that. */
static void test_parents_follow_the_population(void **state) {
    static const struct {
        const char *set;
        size_t population, parents;
    } cases[] = {
        {"search={algorithm: paper, population: 31}", 31, 31},
        {"search={algorithm: paper, population: 32}", 32, 32},
        {"search={algorithm: paper, population: 1}", 1, 1},
        {"search.population=31", 31, 1},
        {"search={algorithm: cma-es, population: 4}", 4, 4},
        {"search={algorithm: cma-es, population: 8}", 8, 6},
        {"search={algorithm: microsoft, population: 8}", 8, 8},
        {"stages.0={name: one, target_length: 524289, search: {algorithm: paper, population: 9}}", 9, 9},
        {"stages.0.search={algorithm: paper, population: 9}", 9, 9},
        {"search={parents: 5, population: 9}", 9, 5},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        set_good(f, minimal, cases[i].set);
        assert_int_equal(f->config.stages[0].search.population, cases[i].population);
        assert_int_equal(f->config.stages[0].search.parents, cases[i].parents);
    }
    /* parents that are given at the top of the file are given: no stage changes them */
    char *const overrides[] = {"search.parents=8", "stages.0.search.population=7"};
    assert_int_equal(read_with(f, minimal, overrides, 2), STATUS_INPUT);
    assert_message(f->error.message, "stage 'one': 'parents' is 8, more than the 'population' of 7");
}

static void test_initial_tables(void **state) {
    struct fixture *f = *state;
    set_good(f, minimal, "search.initial=[yarn-lambda, pi, yarn, ntk]");
    const struct stage_config *stage = &f->config.stages[0];
    assert_int_equal(stage->initial_count, 4);
    assert_true(stage->initial[0] == ORIGIN_YARN_LAMBDA && stage->initial[1] == ORIGIN_PI);
    assert_true(stage->initial[2] == ORIGIN_YARN && stage->initial[3] == ORIGIN_NTK);
    set_good(f, minimal, "search.initial=[]"); /* the default */
    assert_int_equal(f->config.stages[0].initial_count, 0);
    set_good(f, minimal, "search.initial=yarn");
    assert_int_equal(f->config.stages[0].initial_count, 1);
    assert_int_equal(f->config.stages[0].initial[0], ORIGIN_YARN);
}

/* Words, and files beside them: relative to the YAML file, with the line that names each. */
static void test_initial_files(void **state) {
    struct fixture *f = *state;
    char *file = scratch_path(&f->scratch, "t0.npy"), *plain = scratch_path(&f->scratch, "table");
    char where[300];
    scratch_write(plain, "1", 1);
    read_good(f, "name: n\nmodel: m\ndata: {text: corpus/a.txt}\n"
                 "search:\n  initial:\n  - yarn\n  - t0.npy\n  - table\n  - 1.0,1.5\n"
                 "stages:\n- {name: a, target_length: 9}\n"
                 "- {name: b, target_length: 9, search: {initial: t0.npy}}\n"
                 "- {name: c, target_length: 9, search: {initial: ntk}}\n");
    const struct stage_config *stage = f->config.stages;
    assert_int_equal(stage->initial_count, 4);
    assert_int_equal(stage->initial[0], ORIGIN_YARN);
    assert_null(stage->initial_files[0].source);
    for (int i = 1; i < 4; i++) assert_int_equal(stage->initial[i], ORIGIN_FILE);
    assert_string_equal(stage->initial_files[1].source, file);
    snprintf(where, sizeof where, "%s:7", f->yaml);
    assert_string_equal(stage->initial_files[1].where, where);
    assert_string_equal(stage->initial_files[2].source, plain); /* a file without a suffix */
    assert_string_equal(stage->initial_files[3].source, "1.0,1.5");
    assert_int_equal(stage[1].initial_count, 1);
    assert_string_equal(stage[1].initial_files[0].source, file);
    assert_null(stage[2].initial_files[0].source);
    set_good(f, minimal, "search.initial=[t1.npy, t1.npy]");
    assert_int_equal(f->config.stages[0].initial_count, 2);
    assert_string_equal(f->config.stages[0].initial_files[1].where, "--set search.initial=[t1.npy, t1.npy]");
    free(file), free(plain);
}

static void test_critical_pair(void **state) {
    struct fixture *f = *state;
    const struct stage_config *stage;
    read_good(f, minimal);
    assert_int_equal(f->config.stages[0].critical_rule, CRITICAL_NONE);
    set_good(f, minimal, "search.critical_pair=30");
    stage = f->config.stages;
    assert_int_equal(stage->critical_rule, CRITICAL_NUMBER);
    assert_int_equal(stage->critical_pair, 30);
    assert_true(stage->initial[0] == ORIGIN_CRITICAL_NTK && stage->initial_count == 3);
    assert_true(stage->search.population == 1 && stage->start_count == 14); /* of the algorithm */
    set_good(f, minimal, "search={algorithm: cma-es, critical_pair: theoretical, initial: [yarn]}");
    stage = f->config.stages;
    assert_int_equal(stage->critical_rule, CRITICAL_THEORETICAL);
    assert_true(stage->initial[0] == ORIGIN_YARN && stage->initial_count == 1);

    set_good(f, minimal, "search.algorithm=longrope2");
    stage = f->config.stages;
    assert_int_equal(stage->search.algorithm, ALGORITHM_LONGROPE2);
    assert_int_equal(stage->critical_rule, CRITICAL_SEARCHED);
    assert_int_equal(stage->search.population, 128);
    assert_true(stage->search.parents == 32 && stage->search.mutations == 16 && stage->search.crossovers == 16);
    assert_true(stage->search.iterations == 40 && stage->search.mutation_probability == 0.3);
    assert_true(stage->start_count == 1 && stage->start_tokens[0] == 0);
    assert_int_equal(stage->initial[0], ORIGIN_CRITICAL_NTK);
    set_good(f, minimal, "search={algorithm: longrope2, critical_pair: none, start_tokens: [0, 1]}");
    stage = f->config.stages;
    assert_true(stage->critical_rule == CRITICAL_NONE && stage->initial[0] == ORIGIN_PI && stage->start_count == 2);

    /* The budget beyond 512k tokens, and a short window, which has no critical pair. */
    read_good(f, "name: n\nmodel: m\ndata: {text: corpus/a.txt}\nsearch: {algorithm: longrope2}\nstages:\n"
                 "- {name: a, target_length: 600000}\n"
                 "- {name: b, target_length: 9, kind: recover, search: {lambda_max: 2}}\n");
    stage = f->config.stages;
    assert_true(stage[0].search.population == 64 && stage[0].search.mutations == 8);
    assert_int_equal(stage[0].critical_rule, CRITICAL_SEARCHED);
    assert_int_equal(stage[1].critical_rule, CRITICAL_NONE);
    assert_int_equal(stage[1].initial[0], ORIGIN_NONE);
    read_bad(f,
             "name: n\nmodel: m\ndata: {text: corpus/a.txt}\nsearch: {critical_pair: 7}\nstages:\n"
             "- {name: b, target_length: 9, kind: recover, search: {lambda_max: 2}}\n",
             4, "stage 'b': 'search.critical_pair' is not used with 'kind: recover'|set it to none in this stage");
    set_bad(f, minimal, "search.initial=[critical-ntk]",
            "stage 'one': 'initial: critical-ntk' requires 'search.critical_pair'");
}

static void test_racing_and_cache(void **state) {
    struct fixture *f = *state;
    read_good(f, "name: n\nmodel: m\ncache: sub/scores.db\ndata: {text: corpus/a.txt}\nsearch: {racing: none}\n"
                 "stages:\n"
                 "- {name: a, target_length: 9, attention_factor: search}\n"
                 "- {name: b, target_length: 9, search: {racing: statistical, racing_risk: 0.125}}\n"
                 "- {name: c, target_length: 9, search: {racing: bound}}\n"
                 "- {name: d, target_length: 9, search: {racing: blocks, racing_risk: 0.25}}\n");
    assert_path(f, f->config.cache, "sub/scores.db");
    const struct stage_config *stages = f->config.stages;
    assert_int_equal(stages[0].racing, RACING_NONE);
    assert_int_equal(stages[0].attention_rule, ATTENTION_SEARCH);
    assert_int_equal(stages[1].racing, RACING_STATISTICAL);
    assert_true(stages[1].racing_risk == 0.125);
    assert_int_equal(stages[2].racing, RACING_BOUND);
    assert_int_equal(stages[3].racing, RACING_BLOCKS);
    assert_true(stages[3].racing_risk == 0.25);
    set_good(f, minimal, "cache=/var/scores.db");
    assert_string_equal(f->config.cache, "/var/scores.db");
    read_bad(f, "name: n\nmodel: m\ndata: {text: corpus/a.txt}\nstages:\n- name: a\n  target_length: 9\n  cache: x\n",
             7, "unknown key 'cache'");
}

static void test_later_overrides_win(void **state) {
    struct fixture *f = *state;
    char *const overrides[] = {"search.seed=5", "name=other", "search.seed=6"};
    assert_int_equal(read_with(f, minimal, overrides, 3), STATUS_OK);
    assert_int_equal(f->config.stages[0].search.seed, 6);
    assert_string_equal(f->config.name, "other");
}

/* What is refused ------------------------------------------------------------------------------ */

static void test_unknown_keys(void **state) {
    struct fixture *f = *state;
    read_bad(f, "name: n\nsearch:\n  seed: 1\n  populaton: 3\n", 4,
             "unknown key 'populaton' (did you mean 'population'?)");
    read_bad(f, "nmae: n\n", 1, "unknown key 'nmae' (did you mean 'name'?)");
    read_bad(f, "name: n\nwhatever: 1\n", 2, "unknown key 'whatever'");
    assert_null(strstr(f->error.message, "did you mean"));
    read_bad(f, "name: n\npopulation: 1\n", 2, "did you mean 'search.population'?");
    read_bad(f, "name: n\ntext: 1\n", 2, "did you mean 'data.text'?");
    read_bad(f, "name: n\ntarget_length: 1\n", 2, "unknown key 'target_length'");
    read_bad(f, "name: n\nmodel: m\ndata: {text: corpus/a.txt}\nstages:\n- name: a\n  target_lenght: 1\n", 6,
             "did you mean 'target_length'?");
    read_bad(f, "name: n\n? [a]\n: 1\n", 2, "a key must be a word");
    set_bad(f, minimal, "search.populaton=3", "unknown key 'populaton' (did you mean 'population'?)");
    set_bad(f, minimal, "serach.population=3", "unknown key 'serach' (did you mean 'search'?)");
    set_bad(f, minimal, "stages.0.x=3", "unknown key 'x'");
}

static void test_bad_yaml(void **state) {
    struct fixture *f = *state;
    read_bad(f, "name: n\nmodel: [a, b\nstages: 3\n", 3, "not valid YAML");
    read_bad(f, "name: n\n\tmodel: m\n", 2, "not valid YAML|tab");
    read_bad(f, "name: n\nmodel: a\nname: b\n", 3, "'name' is given twice|line 1");
    read_bad(f, "name: n\n---\nname: b\n", 2, "second document");
    read_bad(f, "name: n\n...\n---\n", 3, "second document");
    read_bad(f, "name: n\ndata: {text: [*.txt]}\n", 2, "not valid YAML|alias|quotes");
    read_bad(f, "name: &x n\nmodel: *x\n", 2, "aliases|'*x'");
    read_bad(f, "name: n\nmodel: !!str 3\n", 2, "tags");
    read_bad(f, "name: n\nmodel: \"a\\0b\"\n", 2, "NUL");
    read_bad(f, "- name\n", 1, "must be a map");
    read_bad(f, "just words\n", 1, "must be a map");
    read_bad(f, "name: n\nmodel: \xff\xfe\x01\n", 2, "not valid YAML");
    read_bad(f,
             "\x7f"
             "ELF\x01\x02\n",
             1, "not valid YAML");
    read_bad(f, "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]\n", 1, "nested");
}

static void test_files_that_are_no_configuration(void **state) {
    struct fixture *f = *state;
    struct config config;
    assert_int_equal(config_read(f->scratch.dir, NULL, 0, &config, &f->error), STATUS_INPUT);
    assert_message(f->error.message, "directory");
    char *missing = scratch_path(&f->scratch, "missing.yaml");
    assert_int_equal(config_read(missing, NULL, 0, &config, &f->error), STATUS_INPUT);
    assert_message(f->error.message, "missing.yaml: |No such file");
    free(missing);
    assert_int_equal(read_with(f, "", NULL, 0), STATUS_INPUT);
    assert_message(f->error.message, "x.yaml: |empty");
    assert_int_equal(read_with(f, "# nothing\n\n", NULL, 0), STATUS_INPUT);
    assert_message(f->error.message, "x.yaml: |empty");

    char *large = calloc(1, (1 << 20) + 2);
    assert_non_null(large);
    memset(large, 'a', (1 << 20) + 1);
    assert_int_equal(read_with(f, large, NULL, 0), STATUS_INPUT);
    assert_message(f->error.message, "x.yaml: |1 MiB");
    free(large);
}

static void test_missing_parts(void **state) {
    struct fixture *f = *state;
    read_bad(f, "model: m\n", 1, "no 'name'");
    read_bad(f, "name: n\n", 1, "no 'stages'");
    read_bad(f, "name: n\nstages: []\n", 2, "at least one stage");
    read_bad(f, "name: n\nstages: 3\n", 2, "at least one stage");
    read_bad(f, "name: n\nstages:\n- target_length: 9\n", 3, "stage 1 has no 'name'");
    read_bad(f, "name: n\nmodel: m\nstages:\n- name: a\n", 4, "stage 1 has no 'target_length'");
    read_bad(f, "name: n\nstages:\n- name: a\n  target_length: 9\n", 3, "stage 1 has no 'model'|top of the file");
    read_bad(f, "name: n\nmodel: m\nstages:\n- name: a\n  target_length: 9\n", 4, "stage 1 has no data|text|tokens");
    read_bad(f,
             "name: n\nmodel: m\ndata: {text: corpus/a.txt}\nstages:\n- {name: a, target_length: 9}\n"
             "- {name: b, target_length: 9}\n- {name: a, target_length: 9}\n",
             7, "two stages have the name 'a'");
    read_bad(f, "name: n\nmodel: m\ndata: {text: corpus/a.txt}\nstages:\n- a\n", 5, "a stage must be a map");
    read_bad(f, "name: n\nsearch: [1]\n", 2, "search must be a map");
}

/* What candidates are scored by, and settings of needles where there are some. */
static void test_objective(void **state) {
    struct fixture *f = *state;
    read_good(f, "name: n\nmodel: m\ndata: {tokens: t0.npy, tokenizer: bytes}\nobjective: needle\n"
                 "needle: {digits: 7, prompt: demo}\nstages:\n- {name: a, target_length: 9}\n"
                 "- {name: b, target_length: 9, data: {tokens: t1.npy}, needle: {seed: 3, prompt: published}}\n");
    const struct stage_config *stages = f->config.stages;
    assert_int_equal(stages[0].objective, OBJECTIVE_NEEDLE);
    assert_int_equal(stages[0].needle.prompt, NEEDLE_DEMO);
    assert_int_equal(stages[0].needle.digits, 7);
    assert_int_equal(stages[0].needle.seed, 1);
    assert_string_equal(stages[0].tokenizer, "bytes"); /* of the needles' words */
    assert_int_equal(stages[1].needle.prompt, NEEDLE_PUBLISHED);
    assert_int_equal(stages[1].needle.digits, 7);
    assert_int_equal(stages[1].needle.seed, 3);
    assert_null(stages[1].tokenizer); /* tokens of its own need not be of the same kind */

    set_good(f, minimal, "stages.0.objective=needle");
    assert_int_equal(f->config.stages[0].objective, OBJECTIVE_NEEDLE);
    set_bad(f, minimal, "objective=needles", "'objective' must be perplexity or needle, not 'needles'");
    set_bad(f, minimal, "objective=[needle]", "'objective' must be perplexity or needle, not a list");
    set_bad(f, minimal, "needle.prompt=paper", "'prompt' must be published or demo, not 'paper'");
    set_bad(f, minimal, "needle.digits=0", "'digits' must be an integer from 1 to 32");
    set_bad(f, minimal, "needle.digits=33", "not '33'");
    set_bad(f, minimal, "needle.seed=-1", "'seed' must be");
    set_bad(f, minimal, "needle.depth=0.5", "unknown key 'depth'");
    set_bad(f, minimal, "digits=5", "did you mean 'needle.digits'?");
    set_bad(f, minimal, "needle.digits=4", "stage 'one': 'needle.digits' is not used without 'objective: needle'");
    read_bad(f,
             "name: n\nmodel: m\ndata: {text: corpus/a.txt}\nneedle: {seed: 4}\nstages:\n"
             "- {name: a, target_length: 9, objective: needle}\n- {name: b, target_length: 9}\n",
             4, "stage 'b': 'needle.seed' is not used without");
}

static void test_data(void **state) {
    struct fixture *f = *state;
    read_bad(f, "name: n\ndata:\n  text: corpus/a.txt\n  tokens: t0.npy\n", 4, "both 'text' and 'tokens'");
    read_bad(f,
             "name: n\ndata:\n  tokenizer: bytes\n  tokens: t0.npy\nmodel: m\nstages:\n- {name: a, target_length: 9}\n",
             3, "'data.tokenizer' is not used beside 'tokens'");
    read_bad(f,
             "name: n\nmodel: m\ndata: {tokens: t0.npy}\nstages:\n- name: a\n  target_length: 9\n"
             "  data: {tokenizer: bytes}\n",
             7, "'data.tokenizer' is not used beside 'tokens'");
    read_bad(f, "name: n\ndata: {text: corpus/a.txt, tokenizer: [a]}\nstages: []\n", 2,
             "'tokenizer' must be bytes, or a path of a tokenizer.json or tokenizer.model, not a list");
    read_bad(f, "name: n\ndata: {text: corpus/a.txt, tokenizer: ''}\nstages: []\n", 2, "'tokenizer' must be|empty");
    read_bad(f, "name: n\ndtype: f16\nstages: []\n", 2, "'dtype' must be auto, f32 or bf16, not 'f16'");
    read_bad(f, "name: n\ndtype: {a: b}\nstages: []\n", 2, "'dtype' must be auto, f32 or bf16, not a map");
    read_bad(f, "name: n\ndata:\n  text:\n  - corpus/a.txt\n  - corpus/*.md\nstages: []\n", 5,
             "no file matches 'corpus/*.md'");
    read_bad(f, "name: n\ndata: {tokens: [u*.npy]}\nstages: []\n", 2, "'tokens': no file matches 'u*.npy'");
    read_bad(f, "name: n\ndata: {text: corpus}\nstages: []\n", 2, "no file matches 'corpus'");
    read_bad(f, "name: n\ndata: {text: []}\nstages: []\n", 2, "'text' must be a list of files");
    read_bad(f, "name: n\ndata: {text: [[a]]}\nstages: []\n", 2, "an item of 'text' is a list|a single value");
    read_bad(f, "name: n\ndata: {text: }\nstages: []\n", 2, "'text' must be a list of files|empty");
    read_bad(f, "name: n\nmodel: \nstages: []\n", 2, "'model' must be a path|empty");
    read_bad(f, "name: n\nmodel: [a]\nstages: []\n", 2, "'model' must be a path, not a list");
}

static void test_values_out_of_range(void **state) {
    static const struct {
        const char *key, *value, *words;
    } cases[] = {
        {"search.population", "0", "'population' must be an integer from 1 to 1000000, not '0'"},
        {"search.population", "1000001", "not '1000001'"},
        {"search.population", "1e3", "not '1e3'"},
        {"search.population", "64 x", "not '64 x'"},
        {"search.population", "6.0", "not '6.0'"},
        {"search.population", "+6", "not '+6'"},
        {"search.population", "0x10", "not '0x10'"},
        {"search.population", "010", "not '010'"},
        {"search.population", "99999999999999999999999", "integer"},
        {"search.population", "[1]", "not a list"},
        {"search.population", "{a: 1}", "not a map"},
        {"search.population", "", "it is empty"},
        {"search.parents", "0", "'parents'"},
        {"search.parents", "65", "'parents' is 65, more than the 'population' of 64"},
        {"search", "{population: 31, parents: 32}", "'parents' is 32, more than the 'population' of 31"},
        {"search", "{mutations: 0, crossovers: 0}", "'mutations' and 'crossovers' are both 0"},
        {"search.mutations", "-1", "'mutations'"},
        {"search.iterations", "1000001", "'iterations'"},
        {"search.mutation_probability", "0", "'mutation_probability' must be a number above 0 and at most 1"},
        {"search.mutation_probability", "1.01", "not '1.01'"},
        {"search.mutation_probability", "nan", "not 'nan'"},
        {"search.mutation_probability", "1e1", "not '1e1'"},
        {"search.lambda_step", "0.003", "'lambda_step' must be|divided by an integer"},
        {"search.lambda_step", "0", "'lambda_step'"},
        {"search.lambda_step", "2", "'lambda_step'"},
        {"search.lambda_step", "0.00001", "'lambda_step'"},
        {"search.lambda_step", ".", "'lambda_step'"},
        {"search.lambda_max", "0.5", "'lambda_max'"},
        {"search.lambda_max", ".inf", "'lambda_max'"},
        {"search.lambda_max", "100001", "'lambda_max'"},
        {"search.start_tokens", "[]", "'start_tokens' must be a list of 1 to 32 integers"},
        {"search.start_tokens", "{a: 1}", "not a map"},
        {"search.start_tokens", "[1, 2]", "'start_tokens' must begin with 0"},
        {"search.start_tokens", "[0, 2, 2]", "larger than the one before|'2'"},
        {"search.start_tokens", "[-1, 0]", "'-1'"},
        {"search.start_tokens", "[0, x]", "'x'"},
        {"search.start_tokens",
         "[0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31,32]", "1 to 32"},
        {"search.first_windows", "0", "'first_windows' must be all, or an integer from 1 to 1000000, not '0'"},
        {"search", "{algorithm: bayesian, first_windows: 1}",
         "'search.first_windows' is not used with 'algorithm: bayesian', which scores each candidate on one window "
         "first"},
        {"search.knots", "1", "'knots' must be all, or an integer from 2 to 256, not '1'"},
        {"search.knots", "every", "not 'every'"},
        {"search", "{algorithm: longrope2, knots: 8}", "'critical_pair' requires 'algorithm: bayesian' or cma-es"},
        {"search", "{evaluations: 0}", "'evaluations' is 0, and 'algorithm: bayesian' has no other limit"},
        {"search", "{algorithm: bayesian, parents: 3}", "'search.parents' is not used with 'algorithm: bayesian'"},
        {"search", "{algorithm: bayesian, iterations: 3}", "'search.iterations' is not used"},
        {"search.seed", "-1", "from 0 to 4294967295"},
        {"search.seed", "4294967296", "'seed'"},
        {"data.samples", "1000001", "'samples'"},
        {"stages.0.target_length", "1", "'target_length' must be an integer from 2"},
        {"stages.0.target_length", "8k", "'8k'"},
        {"search.algorithm", "cmaes",
         "'algorithm' must be paper, microsoft, cma-es, longrope2 or bayesian, not 'cmaes' (did you mean 'cma-es'?)"},
        {"search.algorithm", "genetic", "not 'genetic'"},
        {"search.racing", "bonud", "not 'bonud' (did you mean 'bound'?)"},
        {"search.initial", "[pi, dynamic-nkt]", "not 'dynamic-nkt' (did you mean 'dynamic-ntk'?)"},
        {"stages.0.kind", "recovery", "'kind' must be extend or recover, not 'recovery' (did you mean 'recover'?)"},
        {"objective", "needel", "not 'needel' (did you mean 'needle'?)"},
        {"needle.prompt", "publised", "not 'publised' (did you mean 'published'?)"},
        {"dtype", "bf61", "'dtype' must be auto, f32 or bf16, not 'bf61' (did you mean 'bf16'?)"},
        {"search.algorithm", "[paper]", "not a list"},
        {"search", "{algorithm: paper, initial: []}",
         "'initial' must be a list of pi, ntk, yarn, yarn-lambda, dynamic-ntk, ntk-pi, resonance-yarn, none, own and "
         "critical-ntk|list is empty"},
        {"search.initial", "[[pi]]", "an item of 'initial' is a list, but must be a single value"},
        {"search.initial", "[pi, mutation]", "not 'mutation'"},
        {"search.initial", "[pi, ntk, pi]", "'initial' has 'pi' twice; name it once"},
        {"search.initial", "[pi, ntk, yarn, yarn-lambda, pi]", "'pi' twice"},
        {"search.initial", "{pi: 1}", "not a map"},
        {"search.initial", "[pi, none.json]", "'initial': 'none.json': No such file or directory (looked for in "},
        {"search.initial", "[tables/a]", "'initial': 'tables/a': No such file"},
        {"search.initial",
         "[a.csv,a.csv,a.csv,a.csv,a.csv,a.csv,a.csv,a.csv,a.csv,a.csv,a.csv,a.csv,a.csv,a.csv,a.csv,"
         "a.csv,a.csv]",
         "at most 16"},
        {"search.critical_pair", "0",
         "'critical_pair' must be none, theoretical, searched or an integer from 1 to 255"},
        {"search.critical_pair", "256", "not '256'"},
        {"search.critical_pair", "3.5", "not '3.5'"},
        {"search.critical_pair", "serched", "not 'serched' (did you mean 'searched'?)"},
        {"search.critical_pair", "[3]", "not a list"},
        {"search.initial", "", "it is empty"},
        {"search.racing", "yes", "'racing' must be none, bound, statistical or blocks, not 'yes'"},
        {"search.racing", "{a: 1}", "not a map"},
        {"search.racing_risk", "0", "'racing_risk' must be a number above 0 and below 0.5"},
        {"search.racing_risk", "0.5", "not '0.5'"},
        {"search.racing_risk", "nan", "not 'nan'"},
        {"search", "{algorithm: cma-es, parents: 1000}", "'parents' is 1000, more than the 'population'"},
        {"cache", "", "'cache' must be a path; it is empty"},
        {"cache", "[a]", "'cache' must be a path, not a list"},
        {"attention_factor", "longrop",
         "longrope, yarn, none, search or a number above 0 and at most 1000, not 'longrop' (did you mean 'longrope'?)"},
        {"attention_factor", "0", "'attention_factor'"},
        {"attention_factor", "-1", "'attention_factor'"},
        {"attention_factor", "[1]", "not a list"},
        {"name", "a b", "'name' must be a name"},
        {"name", "a/b", "'name' must be a name"},
        {"name", "..", "'name' must be a name"},
        {"stages.0.name", "", "it is empty"},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char set[300];
        snprintf(set, sizeof set, "%s=%s", cases[i].key, cases[i].value);
        set_bad(f, minimal, set, cases[i].words);
    }
    read_bad(f, "name: n\nsearch:\n  seed: 1\n  parents: x\n  population: 3\nstages: []\n", 4, "'parents'|'x'");
    read_bad(f,
             "name: n\nmodel: m\nsearch:\n  population: 3\n  parents: 4\ndata: {text: corpus/a.txt}\n"
             "stages: [{name: a, target_length: 2}]\n",
             5, "stage 'a': 'parents' is 4");
}

/* No shell reads a configuration, and a search must not make a folder of the name ~. */
static void test_home_folders(void **state) {
    static const char *const sets[] = {
        "model=~/m",
        "cache=~/scores.db",
        "data={text: [corpus/a.txt, ~/x/*.txt]}",
        "data={tokens: ~/x.npy}",
        "data={text: corpus/a.txt, tokenizer: ~/t.json}",
        "search.initial=[pi, ~/f.json]",
        "stages.0.finetune={model: ~/m}",
        "stages.0.finetune={output: ~somebody/m}",
        "model=~",
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
        set_bad(f, minimal, sets[i], "write the path of your home folder instead of ~, which only a shell knows");
    }
    read_bad(f, "name: n\ndata:\n  text:\n  - corpus/a.txt\n  - ~/b.txt\nstages: []\n", 5, "'text': '~/b.txt': write");
    /* A file may have such a name, and so may a folder. */
    set_bad(f, minimal, "data.text=[~b.txt]", "no file matches '~b.txt'");
    make_folder(f, "~");
    set_good(f, minimal, "model=~/m");
    set_bad(f, minimal, "data.text=[~/b.txt]", "no file matches '~/b.txt'");
}

/* What the top says is checked even where no stage uses it. */
static void test_top_is_checked_where_it_is_overridden(void **state) {
    struct fixture *f = *state;
    read_bad(f,
             "name: n\nmodel: m\nsearch: {population: x}\ndata: {text: corpus/a.txt}\n"
             "stages: [{name: a, target_length: 2, search: {population: 50}}]\n",
             3, "'population'");
}

static void test_bad_sets(void **state) {
    struct fixture *f = *state;
    set_bad(f, minimal, "search.population", "key.path=value");
    set_bad(f, minimal, "=3", "empty");
    set_bad(f, minimal, "search..population=3", "empty");
    set_bad(f, minimal, "search.population=[1", "not valid YAML");
    set_bad(f, minimal, "data.text=*.txt", "quotes");
    set_bad(f, minimal, "search={seed: 1, seed: 2}", "'seed' is given twice");
    set_bad(f, minimal, "name.x=3", "no 'x' below the single value 'demo'");
    set_bad(f, minimal, "stages.1.name=b", "no item '1'|0 to 0");
    set_bad(f, minimal, "stages.first.name=b", "no item 'first'");
    set_bad(f, minimal, "stages.99999999999999999999.name=b", "no item");
    set_bad(f, minimal, "data.tokens=t0.npy", "both 'text' and 'tokens'");
    char *const two[] = {"search=\n--- a\n--- b"};
    assert_int_equal(read_with(f, minimal, two, 1), STATUS_INPUT);
    assert_message(f->error.message, "--set search=|second document");
}

int main(void) {
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_defaults),
        TEST(test_progressive_recipe),
        TEST(test_recipes_that_do_not_hold),
        TEST(test_globs_are_sorted_and_find_files_only),
        TEST(test_patterns_keep_their_order_without_repetitions),
        TEST(test_folder_of_the_yaml_is_no_pattern),
        TEST(test_stages_override_key_by_key),
        TEST(test_tokenizers_and_types),
        TEST(test_text_replaces_tokens),
        TEST(test_set),
        TEST(test_algorithms),
        TEST(test_settings_without_use),
        TEST(test_parents_follow_the_population),
        TEST(test_initial_tables),
        TEST(test_initial_files),
        TEST(test_critical_pair),
        TEST(test_racing_and_cache),
        TEST(test_later_overrides_win),
        TEST(test_unknown_keys),
        TEST(test_bad_yaml),
        TEST(test_files_that_are_no_configuration),
        TEST(test_missing_parts),
        TEST(test_objective),
        TEST(test_data),
        TEST(test_published_settings),
        TEST(test_only_extensions_search_the_attention_factor),
        TEST(test_values_out_of_range),
        TEST(test_top_is_checked_where_it_is_overridden),
        TEST(test_home_folders),
        TEST(test_bad_sets),
    };
    return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
