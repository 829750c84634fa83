#include "search/config/config_values.h"

#include <assert.h>
#include <errno.h>
#include <glob.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "eval/base/file.h"
#include "eval/base/name.h"
#include "search/base/json.h"
#include "search/base/text.h"

enum { MOST_WORDS = 8 /* of a key that also takes a number */ };
enum { CONFIG_NAME_MAX = 127 /* characters of a name: file names and the store have to hold it */ };

/* ---- defaults ---- */

/* A twentieth of the published work: 60 evaluations instead of 1344. */
#define BAYESIAN                                                                                                       \
    { .algorithm = ALGORITHM_BAYESIAN, .population = 1, .parents = 1, .evaluations = 60, .knots = 8, .seed = 1 }

const struct stage_config config_defaults = {
    .kind = STAGE_EXTEND,
    .base = CONFIG_NO_STAGE,
    .finetune = {.base = CONFIG_NO_STAGE},
    .type = MODEL_AUTO,
    .samples = 5,
    .held_out = 32,
    .objective = OBJECTIVE_PERPLEXITY,
    .needle = {.prompt = NEEDLE_PUBLISHED, .digits = 5, .seed = 1},
    .search = BAYESIAN,
    .initial_count = 0, /* the baselines */
    .racing = RACING_BOUND,
    .racing_risk = 0.05,
    .lattice_unit = 100,
    .lambda_max = 0,
    .start_count = 14,
    .start_tokens = {0, 1, 2, 4, 8, 12, 16, 20, 24, 28, 32, 64, 128, 256},
    .attention_rule = ATTENTION_SEARCH,
    .attention_factor = 0,
};

/* The settings that belong to an algorithm. Those of paper and microsoft are the published ones (arXiv 2402.13753,
 * appendix A), those of longrope2 its published code's (arXiv 2502.20082), which begins with twice the tables of a
 * generation. Those of cma-es and bayesian were chosen on the demo model. */
static const struct evolve_settings standard_settings[ALGORITHMS] = {
    [ALGORITHM_PAPER] = {.population = 64,
                         .parents = 32,
                         .mutations = 16,
                         .crossovers = 16,
                         .iterations = 40,
                         .mutation_probability = 0.3},
    [ALGORITHM_MICROSOFT] = {.population = 64,
                             .parents = 32,
                             .mutations = 16,
                             .crossovers = 16,
                             .iterations = 40,
                             .mutation_probability = 0.3},
    [ALGORITHM_CMA_ES] = {.population = 12, .parents = 6, .iterations = 50},
    [ALGORITHM_LONGROPE2] = {.population = 128,
                             .parents = 32,
                             .mutations = 16,
                             .crossovers = 16,
                             .iterations = 40,
                             .mutation_probability = 0.3},
    [ALGORITHM_BAYESIAN] = BAYESIAN,
};

/* The published budget is halved beyond CONFIG_HALVED_BEYOND tokens. The number of parents stays: the whole first
 * population. */
static struct evolve_settings settings_for(enum algorithm algorithm, int64_t target_length) {
    struct evolve_settings settings = standard_settings[algorithm];
    settings.algorithm = algorithm;
    settings.seed = 1;
    if (target_length <= CONFIG_HALVED_BEYOND || settings.mutations == 0) return settings;
    settings.population /= 2;
    settings.mutations /= 2;
    settings.crossovers /= 2;
    return settings;
}

/* ---- messages ---- */

/* " (did you mean 'word'?)", where a word of the key is spelled much like the value; else "". */
static void hint(const struct config_value *value, char *out, size_t size) {
    const struct config_key *key = value->key;
    const char *near = name_nearest(key->names, key->name_count, value->node->scalar);
    out[0] = '\0';
    if (near && strcmp(near, value->node->scalar) != 0) snprintf(out, size, " (did you mean '%s'?)", near);
}

static int wrong_value(const struct config_value *value, const char *must, struct error *error) {
    const struct yaml_tree *node = value->node;
    const char *name = value->key->name;
    if (node->kind == YAML_TREE_LIST && node->count == 0) {
        return yaml_tree_error(&node->where, error, "'%s' must be %s; the list is empty", name, must);
    }
    if (node->kind == YAML_TREE_LIST && strncmp(must, "a list", 6) == 0) {
        return yaml_tree_error(&node->where, error, "'%s' must be %s; this list has %zu items", name, must,
                               node->count);
    }
    if (!node->scalar) {
        const char *kind = node->kind == YAML_TREE_LIST ? "a list" : "a map";
        return yaml_tree_error(&node->where, error, "'%s' must be %s, not %s", name, must, kind);
    }
    if (!*node->scalar) return yaml_tree_error(&node->where, error, "'%s' must be %s; it is empty", name, must);
    char meant[80];
    hint(value, meant, sizeof meant);
    return yaml_tree_error(&node->where, error, "'%s' must be %s, not '%.80s'%s", name, must, node->scalar, meant);
}

static int wrong(const struct config_value *value, struct error *error) {
    const struct config_key *key = value->key;
    char range[CONFIG_TEXT_SIZE] = "", must[CONFIG_TEXT_SIZE + 40];
    if (key->kind->range) key->kind->range(key, range, sizeof range);
    snprintf(must, sizeof must, "%s%s%s", key->kind->must, *key->kind->must && *range ? " " : "", range);
    return wrong_value(value, must, error);
}

/* ---- numbers ---- */

static void integer_range(const struct config_key *key, char *out, size_t size) {
    snprintf(out, size, "from %.0f to %.0f", key->low, key->high);
}

static int read_integer(const struct config_value *value, int64_t *out, struct error *error) {
    const struct yaml_tree *node = value->node;
    bool good = node->kind == YAML_TREE_SCALAR && text_to_integer(node->scalar, out);
    if (good && (double)*out >= value->key->low && (double)*out <= value->key->high) return STATUS_OK;
    char range[80], must[100];
    integer_range(value->key, range, sizeof range);
    snprintf(must, sizeof must, "an integer %s", range);
    return wrong_value(value, must, error);
}

static int read_int64(const struct config_value *value, void *target, struct error *error) {
    return read_integer(value, target, error);
}

static int read_size(const struct config_value *value, void *target, struct error *error) {
    int64_t number = 0;
    int status = read_integer(value, &number, error);
    if (status == STATUS_OK) *(size_t *)target = (size_t)number;
    return status;
}

static int read_seed(const struct config_value *value, void *target, struct error *error) {
    int64_t number = 0;
    int status = read_integer(value, &number, error);
    if (status == STATUS_OK) *(unsigned long *)target = (unsigned long)number;
    return status;
}

/* Sets the settings of a target beyond CONFIG_HALVED_BEYOND tokens; keys that are read later replace them. */
static int read_target_length(const struct config_value *value, void *target, struct error *error) {
    int status = read_int64(value, target, error);
    if (status == STATUS_OK && value->stage->target_length > CONFIG_HALVED_BEYOND) value->stage->samples = 3;
    return status;
}

/* Lowers the default of parents to the population; 'parents', read later, replaces it. */
static int read_population(const struct config_value *value, void *target, struct error *error) {
    struct evolve_settings *search = &value->stage->search;
    int status = read_size(value, target, error);
    if (search->parents > search->population) search->parents = search->population;
    return status;
}

static json_t *show_int64(const struct config_key *key, const void *target) {
    (void)key;
    return json_integer((json_int_t) * (const int64_t *)target);
}

static json_t *show_size(const struct config_key *key, const void *target) {
    (void)key;
    return json_integer((json_int_t) * (const size_t *)target);
}

static json_t *show_seed(const struct config_key *key, const void *target) {
    (void)key;
    return json_integer((json_int_t) * (const unsigned long *)target);
}

static void number_range(const struct config_key *key, char *out, size_t size) {
    snprintf(out, size, "%s %g and %s %g", key->above ? "above" : "from", key->low, key->below ? "below" : "at most",
             key->high);
}

/* False for what is no number, or one out of the key's range. */
static bool number_in_range(const struct config_value *value, double *out) {
    const struct config_key *key = value->key;
    if (value->node->kind != YAML_TREE_SCALAR || !text_to_number(value->node->scalar, out)) return false;
    bool low = key->above ? *out > key->low : *out >= key->low;
    return low && (key->below ? *out < key->high : *out <= key->high);
}

static int read_number(const struct config_value *value, void *target, struct error *error) {
    double number;
    if (!number_in_range(value, &number)) return wrong(value, error);
    *(double *)target = number;
    return STATUS_OK;
}

static json_t *show_number(const struct config_key *key, const void *target) {
    (void)key;
    return json_real(*(const double *)target);
}

static void lambda_step_range(const struct config_key *key, char *out, size_t size) {
    snprintf(out, size, "1, or 1 divided by an integer of at most %.0f, such as 0.01", 1 / key->low);
}

/* Genes are integers, so a step has to divide 1. */
static int read_lambda_step(const struct config_value *value, void *target, struct error *error) {
    double number;
    bool good = number_in_range(value, &number);
    double unit = good ? round(1 / number) : 0;
    if (!good || fabs(1 / number - unit) > 1e-9) return wrong(value, error);
    *(int32_t *)target = (int32_t)unit;
    return STATUS_OK;
}

static json_t *show_lambda_step(const struct config_key *key, const void *target) {
    (void)key;
    return json_real(1.0 / *(const int32_t *)target);
}

static void lambda_max_range(const struct config_key *key, char *out, size_t size) {
    snprintf(out, size, "from %.0f to %.0f, or 0 for 1.25 times the scale, with critical_pair 2 times", key->low,
             key->high);
}

static int read_lambda_max(const struct config_value *value, void *target, struct error *error) {
    double number = -1;
    if (!number_in_range(value, &number) && number != 0) return wrong(value, error);
    *(double *)target = fabs(number); /* no negative zero */
    return STATUS_OK;
}

/* ---- words ---- */

static void word_range(const struct config_key *key, char *out, size_t size) {
    name_list(key->names, key->name_count, "or", out, size);
}

static int find_word(const struct config_value *value) {
    const struct config_key *key = value->key;
    return value->node->scalar ? name_find(key->names, key->name_count, value->node->scalar) : NAME_UNKNOWN;
}

/* The target is an enumeration. */
static int read_word(const struct config_value *value, void *target, struct error *error) {
    int word = find_word(value);
    if (word == NAME_UNKNOWN) return wrong(value, error);
    *(unsigned *)target = (unsigned)word;
    return STATUS_OK;
}

static json_t *show_word(const struct config_key *key, const void *target) {
    return json_string(key->names[*(const unsigned *)target]);
}

/* The search of a short window begins with tables that are good there: the unchanged model, and the table of the
 * fine-tuning; the paper's short tables lie between these two. 'initial', read later, replaces them. */
static int read_stage_kind(const struct config_value *value, void *target, struct error *error) {
    static const enum origin recover[] = {ORIGIN_NONE, ORIGIN_OWN, ORIGIN_NTK, ORIGIN_YARN};
    struct stage_config *stage = value->stage;
    int status = read_word(value, target, error);
    if (status != STATUS_OK || stage->kind == STAGE_EXTEND) return status;
    stage->initial_count = sizeof recover / sizeof *recover;
    memcpy(stage->initial, recover, sizeof recover);
    return STATUS_OK;
}

static void begin_with(struct stage_config *stage, const enum origin *initial, size_t count) {
    stage->initial_count = count;
    memcpy(stage->initial, initial, count * sizeof *initial);
}

/* The closed forms, which bayesian knows from the baselines. */
static void begin_as_published(struct stage_config *stage) {
    static const enum origin published[] = {ORIGIN_PI, ORIGIN_NTK, ORIGIN_YARN};
    bool known = stage->search.algorithm == ALGORITHM_BAYESIAN;
    begin_with(stage, published, known ? 0 : sizeof published / sizeof *published);
}

/* PI is flat, and so are NTK and YaRN within LongRoPE2's bounds: there is hardly room between their neighbours for
 * mutations. So a table that rises evenly comes first. 'initial', read later, replaces them. */
static void set_critical_rule(struct stage_config *stage, enum critical_rule rule) {
    static const enum origin critical[] = {ORIGIN_CRITICAL_NTK, ORIGIN_NTK, ORIGIN_YARN};
    bool before = stage->critical_rule != CRITICAL_NONE, now = rule != CRITICAL_NONE;
    stage->critical_rule = rule;
    if (before == now || stage->kind == STAGE_RECOVER) return;
    if (now) begin_with(stage, critical, sizeof critical / sizeof *critical);
    if (!now) begin_as_published(stage);
}

void config_choose_algorithm(struct stage_config *stage, enum algorithm algorithm) {
    stage->search = settings_for(algorithm, stage->target_length);
    if (stage->kind == STAGE_EXTEND) begin_as_published(stage);
    if (algorithm != ALGORITHM_LONGROPE2) return;
    stage->start_count = 1; /* no n_hat: the first value is 0 */
    if (stage->kind == STAGE_EXTEND) set_critical_rule(stage, CRITICAL_SEARCHED);
}

/* Keys that are read later replace what belongs to the algorithm. */
static int read_algorithm(const struct config_value *value, void *target, struct error *error) {
    int status = read_word(value, target, error);
    if (status == STATUS_OK) config_choose_algorithm(value->stage, value->stage->search.algorithm);
    return status;
}

const char *const config_attention_names[ATTENTION_NUMBER] = {
    [ATTENTION_LONGROPE] = "longrope",
    [ATTENTION_YARN] = "yarn",
    [ATTENTION_NONE] = "none",
    [ATTENTION_SEARCH] = "search",
};

const char *attention_rule_name(enum attention_rule rule) { return config_attention_names[rule]; }

/* The key's words, or a number that `described` describes. */
static void words_or_number(const struct config_key *key, const char *described, char *out, size_t size) {
    const char *names[MOST_WORDS + 1];
    assert(key->name_count <= MOST_WORDS);
    memcpy(names, key->names, key->name_count * sizeof *names);
    names[key->name_count] = described;
    name_list(names, key->name_count + 1, "or", out, size);
}

static void attention_range(const struct config_key *key, char *out, size_t size) {
    char range[80], number[100];
    number_range(key, range, sizeof range);
    snprintf(number, sizeof number, "a number %s", range);
    words_or_number(key, number, out, size);
}

const char *const config_critical_names[CRITICAL_NUMBER] = {
    [CRITICAL_NONE] = "none", [CRITICAL_THEORETICAL] = "theoretical", [CRITICAL_SEARCHED] = "searched"};

const char *critical_rule_name(enum critical_rule rule) { return config_critical_names[rule]; }

static void critical_range(const struct config_key *key, char *out, size_t size) {
    char range[80], number[100];
    integer_range(key, range, sizeof range);
    snprintf(number, sizeof number, "an integer %s", range);
    words_or_number(key, number, out, size);
}

/* The target is the stage. */
static int read_critical(const struct config_value *value, void *target, struct error *error) {
    struct stage_config *stage = target;
    const struct config_key *key = value->key;
    const struct yaml_tree *node = value->node;
    int rule = find_word(value);
    if (rule == NAME_UNKNOWN) {
        int64_t *pair = &stage->critical_pair;
        bool integer = node->kind == YAML_TREE_SCALAR && text_to_integer(node->scalar, pair);
        if (!integer || (double)*pair < key->low || (double)*pair > key->high) return wrong(value, error);
        rule = CRITICAL_NUMBER;
    }
    set_critical_rule(stage, (enum critical_rule)rule);
    return STATUS_OK;
}

static json_t *show_critical(const struct config_key *key, const void *target) {
    const struct stage_config *stage = target;
    bool number = stage->critical_rule == CRITICAL_NUMBER;
    return number ? json_integer(stage->critical_pair) : json_string(key->names[stage->critical_rule]);
}

/* ---- all, or a number ---- */

static const char all_word[] = "all";

static void all_range(const struct config_key *key, char *out, size_t size) {
    char range[80];
    integer_range(key, range, sizeof range);
    snprintf(out, size, "%s, or an integer %s", all_word, range);
}

/* all is 0. */
static int read_all_or_size(const struct config_value *value, void *target, struct error *error) {
    const struct yaml_tree *node = value->node;
    int64_t number = 0;
    bool all = node->kind == YAML_TREE_SCALAR && strcmp(node->scalar, all_word) == 0;
    bool integer = node->kind == YAML_TREE_SCALAR && text_to_integer(node->scalar, &number);
    bool good = all || (integer && (double)number >= value->key->low && (double)number <= value->key->high);
    if (!good) return wrong(value, error);
    *(size_t *)target = (size_t)number;
    return STATUS_OK;
}

static json_t *show_all_or_size(const struct config_key *key, const void *target) {
    (void)key;
    size_t number = *(const size_t *)target;
    return number == 0 ? json_string(all_word) : json_integer((json_int_t)number);
}

/* ---- lists ---- */

/* A single value stands for a list of one. */
static size_t list_count(const struct yaml_tree *node) {
    return node->kind == YAML_TREE_SCALAR ? *node->scalar != '\0' : node->count;
}

/* A list or a map as an item of a list. */
static int nested(const struct config_value *item, struct error *error) {
    return yaml_tree_error(&item->node->where, error, "an item of '%s' is %s, but must be a single value",
                           item->key->name, item->node->kind == YAML_TREE_LIST ? "a list" : "a map");
}

static const struct yaml_tree *list_item(const struct yaml_tree *node, size_t i) {
    return node->kind == YAML_TREE_SCALAR ? node : node->entries[i].value;
}

static void start_tokens_range(const struct config_key *key, char *out, size_t size) {
    snprintf(out, size, "1 to %d integers from %.0f to %.0f, increasing, the first 0", GENOME_MAX_STARTS, key->low,
             key->high);
}

/* The target is the stage. */
static int read_start_tokens(const struct config_value *value, void *target, struct error *error) {
    struct stage_config *stage = target;
    size_t count = list_count(value->node);
    if (value->node->kind == YAML_TREE_MAP || count == 0 || count > GENOME_MAX_STARTS) return wrong(value, error);
    for (size_t i = 0; i < count; i++) {
        struct config_value item = *value;
        item.node = list_item(value->node, i);
        int status = read_integer(&item, &stage->start_tokens[i], error);
        if (status != STATUS_OK) return status;
        if (i > 0 && stage->start_tokens[i] <= stage->start_tokens[i - 1]) {
            return wrong_value(&item, "a list in which each number is larger than the one before", error);
        }
    }
    stage->start_count = count;
    if (stage->start_tokens[0] == 0) return STATUS_OK;
    /* engines support only tables without n_hat: the search has to be able to find one */
    return yaml_tree_error(&value->node->where, error, "'%s' must begin with 0", value->key->name);
}

static json_t *show_start_tokens(const struct config_key *key, const void *target) {
    (void)key;
    const struct stage_config *stage = target;
    json_t *list = json_array();
    for (size_t i = 0; i < stage->start_count; i++) json_array_append_new(list, json_integer(stage->start_tokens[i]));
    return list;
}

/* The target is the stage. */
static int read_attention(const struct config_value *value, void *target, struct error *error) {
    struct stage_config *stage = target;
    int rule = find_word(value);
    if (rule == NAME_UNKNOWN) {
        rule = ATTENTION_NUMBER;
        if (!number_in_range(value, &stage->attention_factor)) return wrong(value, error);
    }
    stage->attention_rule = (enum attention_rule)rule;
    return STATUS_OK;
}

static json_t *show_attention(const struct config_key *key, const void *target) {
    const struct stage_config *stage = target;
    bool number = stage->attention_rule == ATTENTION_NUMBER;
    return number ? json_real(stage->attention_factor) : json_string(key->names[stage->attention_rule]);
}

/* ---- text ---- */

static int set_string(char **target, char *text, struct error *error) {
    if (!text) return error_memory(error, CONFIG_NAME_MAX, "a configuration");
    free(*target);
    *target = text;
    return STATUS_OK;
}

static json_t *show_string(const struct config_key *key, const void *target) {
    (void)key;
    const char *text = *(char *const *)target;
    return text ? json_name(text) : json_null();
}

static void name_range(const struct config_key *key, char *out, size_t size) {
    (void)key;
    snprintf(out, size, "of at most %d letters, digits, '.', '_' and '-'", CONFIG_NAME_MAX);
}

static int read_name(const struct config_value *value, void *target, struct error *error) {
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    const char *text = value->node->scalar;
    size_t length = text ? strlen(text) : 0;
    bool good = length > 0 && length <= CONFIG_NAME_MAX && strspn(text, letters) == length;
    if (!good || strcmp(text, ".") == 0 || strcmp(text, "..") == 0) return wrong(value, error);
    return set_string(target, strdup(text), error);
}

static int read_command(const struct config_value *value, void *target, struct error *error) {
    const char *text = value->node->scalar;
    if (!text || !text[strspn(text, " \t\n")]) return wrong(value, error);
    return set_string(target, strdup(text), error);
}

/* ---- paths ---- */

/* folder + path, or the path if it is absolute. For glob(3), special characters in the name of the folder are escaped.
 * NULL for lack of memory. */
static char *join(const char *folder, const char *path, bool pattern) {
    size_t used = 0;
    char *out = malloc(2 * strlen(folder) + strlen(path) + 1);
    if (!out) return NULL;
    for (const char *c = folder; *path != '/' && *c; c++) {
        if (pattern && strchr("*?[\\", *c)) out[used++] = '\\';
        out[used++] = *c;
    }
    strcpy(out + used, path);
    return out;
}

/* No shell reads a configuration. A path that a search is to write would otherwise become a folder of the name ~. */
static int check_home(const struct config_value *value, struct error *error) {
    const char *text = value->node->scalar, *advice = *text == '~' ? file_home_advice(text) : NULL;
    if (!advice) return STATUS_OK;
    char *home = join(value->folder, text, false);
    if (!home) return error_memory(error, (double)strlen(text), "a path");
    home[strlen(home) - strlen(text) + strcspn(text, "/")] = '\0';
    bool found = access(home, F_OK) == 0;
    free(home);
    return found ? STATUS_OK
                 : yaml_tree_error(&value->node->where, error, "'%s': '%.200s': %s", value->key->name, text, advice);
}

static int read_path(const struct config_value *value, void *target, struct error *error) {
    if (!value->node->scalar || !*value->node->scalar) return wrong(value, error);
    int status = check_home(value, error);
    if (status != STATUS_OK) return status;
    return set_string(target, join(value->folder, value->node->scalar, false), error);
}

static int read_tokenizer(const struct config_value *value, void *target, struct error *error) {
    const char *text = value->node->scalar;
    if (!text || !*text) return wrong(value, error);
    if (strcmp(text, "bytes") == 0) return set_string(target, strdup(text), error);
    return read_path(value, target, error);
}

static bool is_folder(const char *path) {
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

static int compare_strings(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

/* The first pattern without a file is kept: whoever requires the files reports it. */
static int note_missing(const struct config_value *value, struct error *error) {
    struct error missing;
    if (value->stage->missing) return STATUS_OK;
    yaml_tree_error(&value->node->where, &missing,
                    "'%s': no file matches '%.200s' (looked for in %s); put it there, or name other files with "
                    "--set data.%s=[FILE]",
                    value->key->name, value->node->scalar, *value->folder ? value->folder : "the current folder",
                    value->key->name);
    value->stage->missing = strdup(missing.message);
    return value->stage->missing ? STATUS_OK : error_memory(error, (double)sizeof missing.message, "a configuration");
}

/* Appends the files that a pattern matches, in byte order in every locale; skips folders, and files that an earlier
 * pattern found. */
static int add_matches(const struct config_value *value, const glob_t *found, struct string_list *list,
                       struct error *error) {
    const size_t earlier = list->count; /* one pattern, which may match many thousands, finds none twice */
    size_t files = 0;
    for (size_t i = 0; i < found->gl_pathc; i++) {
        const char *path = found->gl_pathv[i];
        const struct string_list before = {earlier, list->items};
        if (is_folder(path)) continue;
        files++;
        int status = string_list_has(&before, path) ? STATUS_OK : string_list_copy(list, path, error);
        if (status != STATUS_OK) return status;
    }
    if (files > 0) return STATUS_OK;
    return note_missing(value, error);
}

static int add_pattern(const struct config_value *value, struct string_list *list, struct error *error) {
    if (!value->node->scalar) return nested(value, error);
    if (!*value->node->scalar) return wrong(value, error);
    int status = check_home(value, error);
    if (status != STATUS_OK) return status;
    char *pattern = join(value->folder, value->node->scalar, true);
    if (!pattern) return error_memory(error, (double)strlen(value->node->scalar), "a pattern");
    glob_t found = {0};
    int failed = glob(pattern, 0, NULL, &found);
    free(pattern);
    if (failed && failed != GLOB_NOMATCH) {
        status = error_set(error, STATUS_FAILED, "'%.200s': files could not be listed: %s", value->node->scalar,
                           strerror(errno));
    } else {
        if (found.gl_pathc > 0) qsort(found.gl_pathv, found.gl_pathc, sizeof *found.gl_pathv, compare_strings);
        status = add_matches(value, &found, list, error);
    }
    globfree(&found);
    return status;
}

static int read_files(const struct config_value *value, void *target, struct error *error) {
    struct string_list *list = target;
    string_list_free_copies(list);
    if (value->node->kind == YAML_TREE_MAP || list_count(value->node) == 0) {
        return wrong(value, error);
    }
    int status = STATUS_OK;
    for (size_t i = 0; status == STATUS_OK && i < list_count(value->node); i++) {
        struct config_value item = *value;
        item.node = list_item(value->node, i);
        status = add_pattern(&item, list, error);
    }
    return status;
}

static json_t *show_files(const struct config_key *key, const void *target) {
    (void)key;
    const struct string_list *files = target;
    if (files->count == 0) return json_null();
    json_t *list = json_array();
    for (size_t i = 0; i < files->count; i++) json_array_append_new(list, json_name(files->items[i]));
    return list;
}

/* ---- tables that a search begins with ---- */

static void initial_range(const struct config_key *key, char *out, size_t size) {
    char list[CONFIG_TEXT_SIZE];
    name_list(key->names, key->name_count, "and", list, sizeof list);
    snprintf(out, size, "%.200s, each at most once, and factor files; at most %d", list, CONFIG_MAX_INITIAL);
}

static bool is_initial(const struct stage_config *stage, enum origin origin) {
    for (size_t i = 0; i < stage->initial_count; i++) {
        if (stage->initial[i] == origin) return true;
    }
    return false;
}

static void drop_initial(struct stage_config *stage) {
    for (size_t i = 0; i < CONFIG_MAX_INITIAL; i++) {
        free(stage->initial_files[i].source);
        free(stage->initial_files[i].where);
        stage->initial_files[i] = (struct initial_file){NULL, NULL};
    }
    stage->initial_count = 0;
}

/* Numbers in the place of a file: at least two. */
static bool is_inline(const char *text) {
    return text[strspn(text, "0123456789.eE+-, ")] == '\0' && text[strcspn(text, ", ")] != '\0';
}

/* A word that no name is spelled like is a file only if there is one, so that a misspelt name is reported as such. */
static int add_initial_file(const struct config_value *item, struct error *error) {
    struct stage_config *stage = item->stage;
    const char *text = item->node->scalar;
    if (!text) return nested(item, error);
    if (!*text) return wrong(item, error);
    int status = check_home(item, error);
    if (status != STATUS_OK) return status;
    struct initial_file *file = &stage->initial_files[stage->initial_count];
    file->source = join(is_inline(text) ? "" : item->folder, text, false);
    file->where = yaml_where_text(&item->node->where);
    if (!file->source || !file->where) return error_memory(error, (double)strlen(text), "a configuration");
    if (!is_inline(text) && access(file->source, F_OK) != 0) {
        if (!strpbrk(text, "./")) return wrong(item, error);
        return yaml_tree_error(&item->node->where, error, "'%s': '%.200s': %s (looked for in %s)", item->key->name,
                               text, strerror(errno), *item->folder ? item->folder : "the current folder");
    }
    stage->initial[stage->initial_count++] = ORIGIN_FILE;
    return STATUS_OK;
}

static int read_initial(const struct config_value *value, void *target, struct error *error) {
    struct stage_config *stage = value->stage;
    size_t count = list_count(value->node);
    (void)target;
    bool none = value->node->kind == YAML_TREE_LIST && count == 0;
    if (none && stage->initial_count == 0) return STATUS_OK; /* as is the default */
    if (value->node->kind == YAML_TREE_MAP || count == 0 || count > CONFIG_MAX_INITIAL) return wrong(value, error);
    drop_initial(stage);
    for (size_t i = 0; i < count; i++) {
        struct config_value item = *value;
        item.node = list_item(value->node, i);
        int origin = find_word(&item), status = STATUS_OK;
        if (origin == NAME_UNKNOWN) {
            status = add_initial_file(&item, error);
        } else if (is_initial(stage, (enum origin)origin)) {
            status = yaml_tree_error(&item.node->where, error, "'%s' has '%s' twice; name it once", value->key->name,
                                     item.node->scalar);
        } else {
            stage->initial[stage->initial_count++] = (enum origin)origin;
        }
        if (status != STATUS_OK) return status;
    }
    return STATUS_OK;
}

static json_t *show_initial(const struct config_key *key, const void *target) {
    const struct stage_config *stage = target;
    json_t *list = json_array();
    for (size_t i = 0; i < stage->initial_count; i++) {
        const char *file = stage->initial_files[i].source;
        json_array_append_new(list, file ? json_name(file) : json_string(key->names[stage->initial[i]]));
    }
    return list;
}

/* ---- kinds ---- */

const struct config_kind config_kind_name = {"name", "a name", name_range, read_name, show_string};
const struct config_kind config_kind_path = {"path", "a path", NULL, read_path, show_string};
const struct config_kind config_kind_command = {"command", "a command for the shell", NULL, read_command, show_string};
const struct config_kind config_kind_files = {"list of paths", "a list of files or patterns", NULL, read_files,
                                              show_files};
const struct config_kind config_kind_tokenizer = {
    "word or path", "bytes, or a path of a tokenizer.json or tokenizer.model", NULL, read_tokenizer, show_string};
const struct config_kind config_kind_word = {"word", "", word_range, read_word, show_word};
const struct config_kind config_kind_stage_kind = {"word", "", word_range, read_stage_kind, show_word};
const struct config_kind config_kind_algorithm = {"word", "", word_range, read_algorithm, show_word};
const struct config_kind config_kind_integer = {"integer", "an integer", integer_range, read_int64, show_int64};
const struct config_kind config_kind_target_length = {"integer", "an integer", integer_range, read_target_length,
                                                      show_int64};
const struct config_kind config_kind_size = {"integer", "an integer", integer_range, read_size, show_size};
const struct config_kind config_kind_population = {"integer", "an integer", integer_range, read_population, show_size};
const struct config_kind config_kind_all_or_size = {"word or integer", "", all_range, read_all_or_size,
                                                    show_all_or_size};
const struct config_kind config_kind_seed = {"integer", "an integer", integer_range, read_seed, show_seed};
const struct config_kind config_kind_number = {"number", "a number", number_range, read_number, show_number};
const struct config_kind config_kind_lambda_step = {"number", "", lambda_step_range, read_lambda_step,
                                                    show_lambda_step};
const struct config_kind config_kind_lambda_max = {"number", "a number", lambda_max_range, read_lambda_max,
                                                   show_number};
const struct config_kind config_kind_start_tokens = {"list of integers", "a list of", start_tokens_range,
                                                     read_start_tokens, show_start_tokens};
const struct config_kind config_kind_initial = {"list of words or paths", "a list of", initial_range, read_initial,
                                                show_initial};
const struct config_kind config_kind_critical_pair = {"word or integer", "", critical_range, read_critical,
                                                      show_critical};
const struct config_kind config_kind_attention = {"word or number", "", attention_range, read_attention,
                                                  show_attention};
const struct config_kind config_kind_stage_name = {"stage name", "", NULL, NULL, NULL};
const struct config_kind config_kind_stages = {"list of maps", "", NULL, NULL, NULL};
const struct config_kind config_kind_block = {"map", "", NULL, NULL, NULL};
