#include "search/config.h"

#include <errno.h>
#include <glob.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "search/text.h"
#include "search/yaml.h"

enum {
    CONFIG_NAME_MAX = 127,   /* characters of a name: file names and the store have to hold it */
    CONFIG_MANY = 1000000,   /* largest count of anything */
    CONFIG_LONG = 1000000000 /* largest length in tokens */
};

/* ---- what may stand where ---- */

/* Places that keys stand in, as bits: some stand in two. */
enum place { IN_TOP = 1, IN_STAGE = 2, IN_DATA = 4, IN_SEARCH = 8, IN_FINETUNE = 16, IN_NEEDLE = 32 };

enum key_id {
    KEY_NAME,
    KEY_CACHE,
    KEY_STAGES,
    KEY_KIND, /* before target_length, for whose sake they are, the keys that defaults depend on */
    KEY_TARGET_LENGTH,
    KEY_BASE,
    KEY_FINETUNE,
    KEY_FINETUNE_MODEL,
    KEY_FINETUNE_BASE,
    KEY_OUTPUT,
    KEY_COMMAND,
    KEY_MODEL,
    KEY_TYPE,
    KEY_ATTENTION_FACTOR,
    KEY_OBJECTIVE,
    KEY_NEEDLE,
    KEY_FORM,
    KEY_DIGITS,
    KEY_NEEDLE_SEED,
    KEY_DATA,
    KEY_SEARCH,
    KEY_TEXT,
    KEY_TOKENS,
    KEY_TOKENIZER,
    KEY_SAMPLES,
    KEY_ALGORITHM, /* before the keys whose defaults depend on it */
    KEY_POPULATION,
    KEY_PARENTS,
    KEY_MUTATIONS,
    KEY_CROSSOVERS,
    KEY_ITERATIONS,
    KEY_MUTATION_PROBABILITY,
    KEY_LAMBDA_STEP,
    KEY_LAMBDA_MAX,
    KEY_START_TOKENS,
    KEY_SEED,
    KEY_INITIAL,
    KEY_RACING,
    KEY_RACING_RISK,
    KEY_COUNT
};

struct value {
    const char *name;             /* of its key */
    const struct yaml_tree *node; /* what was written */
    const char *folder;           /* that paths are relative to; ends in a slash or is empty */
    int64_t low, high;            /* the range of an integer */
};

struct key {
    const char *name;
    unsigned in;    /* places */
    unsigned opens; /* the place that its own keys stand in; 0 where it has none */
    /* Checks the value and stores it in the stage; NULL for keys that hold others, and for `cache`, which
     * is no stage's. */
    int (*read)(const struct value *value, void *target, struct error *error);
    size_t target;     /* offset into struct stage_config */
    int64_t low, high; /* for integers */
};

static int read_name(const struct value *value, void *target, struct error *error);
static int read_kind(const struct value *value, void *target, struct error *error);
static int read_target_length(const struct value *value, void *target, struct error *error);
static int read_command(const struct value *value, void *target, struct error *error);
static int read_path(const struct value *value, void *target, struct error *error);
static int read_files(const struct value *value, void *target, struct error *error);
static int read_tokenizer(const struct value *value, void *target, struct error *error);
static int read_type(const struct value *value, void *target, struct error *error);
static int read_attention(const struct value *value, void *target, struct error *error);
static int read_objective(const struct value *value, void *target, struct error *error);
static int read_form(const struct value *value, void *target, struct error *error);
static int read_integer(const struct value *value, void *target, struct error *error);
static int read_size(const struct value *value, void *target, struct error *error);
static int read_seed(const struct value *value, void *target, struct error *error);
static int read_probability(const struct value *value, void *target, struct error *error);
static int read_lambda_step(const struct value *value, void *target, struct error *error);
static int read_lambda_max(const struct value *value, void *target, struct error *error);
static int read_start_tokens(const struct value *value, void *target, struct error *error);
static int read_algorithm(const struct value *value, void *target, struct error *error);
static int read_initial(const struct value *value, void *target, struct error *error);
static int read_racing(const struct value *value, void *target, struct error *error);
static int read_risk(const struct value *value, void *target, struct error *error);

#define AT(field) offsetof(struct stage_config, field)

static const struct key keys[KEY_COUNT] = {
    /* the name at the top is read as a stage's and then handed to the configuration */
    [KEY_NAME] = {"name", IN_TOP | IN_STAGE, 0, read_name, AT(name), 0, 0},
    [KEY_CACHE] = {"cache", IN_TOP, 0, NULL, 0, 0, 0},
    [KEY_STAGES] = {"stages", IN_TOP, 0, NULL, 0, 0, 0},
    [KEY_KIND] = {"kind", IN_STAGE, 0, read_kind, 0, 0, 0},
    [KEY_TARGET_LENGTH] = {"target_length", IN_STAGE, 0, read_target_length, 0, 2, CONFIG_LONG},
    /* names of stages, which are looked up when all that comes before is read */
    [KEY_BASE] = {"base", IN_STAGE, 0, NULL, 0, 0, 0},
    [KEY_FINETUNE] = {"finetune", IN_STAGE, IN_FINETUNE, NULL, 0, 0, 0},
    [KEY_FINETUNE_MODEL] = {"model", IN_FINETUNE, 0, read_path, AT(finetune.model), 0, 0},
    [KEY_FINETUNE_BASE] = {"base", IN_FINETUNE, 0, NULL, 0, 0, 0},
    [KEY_OUTPUT] = {"output", IN_FINETUNE, 0, read_path, AT(finetune.output), 0, 0},
    [KEY_COMMAND] = {"command", IN_FINETUNE, 0, read_command, AT(finetune.command), 0, 0},
    [KEY_MODEL] = {"model", IN_TOP | IN_STAGE, 0, read_path, AT(model), 0, 0},
    [KEY_TYPE] = {"dtype", IN_TOP | IN_STAGE, 0, read_type, AT(type), 0, 0},
    [KEY_ATTENTION_FACTOR] = {"attention_factor", IN_TOP | IN_STAGE, 0, read_attention, 0, 0, 0},
    [KEY_OBJECTIVE] = {"objective", IN_TOP | IN_STAGE, 0, read_objective, AT(objective), 0, 0},
    [KEY_NEEDLE] = {"needle", IN_TOP | IN_STAGE, IN_NEEDLE, NULL, 0, 0, 0},
    [KEY_FORM] = {"form", IN_NEEDLE, 0, read_form, AT(needle.form), 0, 0},
    [KEY_DIGITS] = {"digits", IN_NEEDLE, 0, read_integer, AT(needle.digits), 1, NEEDLE_MOST_DIGITS},
    [KEY_NEEDLE_SEED] = {"seed", IN_NEEDLE, 0, read_seed, AT(needle.seed), 0, UINT32_MAX},
    [KEY_DATA] = {"data", IN_TOP | IN_STAGE, IN_DATA, NULL, 0, 0, 0},
    [KEY_SEARCH] = {"search", IN_TOP | IN_STAGE, IN_SEARCH, NULL, 0, 0, 0},
    [KEY_TEXT] = {"text", IN_DATA, 0, read_files, AT(text), 0, 0},
    [KEY_TOKENS] = {"tokens", IN_DATA, 0, read_files, AT(tokens), 0, 0},
    [KEY_TOKENIZER] = {"tokenizer", IN_DATA, 0, read_tokenizer, AT(tokenizer), 0, 0},
    [KEY_SAMPLES] = {"samples", IN_DATA, 0, read_size, AT(samples), 0, CONFIG_MANY},
    [KEY_ALGORITHM] = {"algorithm", IN_SEARCH, 0, read_algorithm, 0, 0, 0},
    [KEY_POPULATION] = {"population", IN_SEARCH, 0, read_size, AT(search.population), 1, CONFIG_MANY},
    [KEY_PARENTS] = {"parents", IN_SEARCH, 0, read_size, AT(search.parents), 1, CONFIG_MANY},
    [KEY_MUTATIONS] = {"mutations", IN_SEARCH, 0, read_size, AT(search.mutations), 0, CONFIG_MANY},
    [KEY_CROSSOVERS] = {"crossovers", IN_SEARCH, 0, read_size, AT(search.crossovers), 0, CONFIG_MANY},
    [KEY_ITERATIONS] = {"iterations", IN_SEARCH, 0, read_size, AT(search.iterations), 0, CONFIG_MANY},
    [KEY_MUTATION_PROBABILITY] = {"mutation_probability", IN_SEARCH, 0, read_probability,
                                  AT(search.mutation_probability), 0, 0},
    [KEY_LAMBDA_STEP] = {"lambda_step", IN_SEARCH, 0, read_lambda_step, AT(lattice_unit), 0, 0},
    [KEY_LAMBDA_MAX] = {"lambda_max", IN_SEARCH, 0, read_lambda_max, AT(lambda_max), 0, 0},
    [KEY_START_TOKENS] = {"start_tokens", IN_SEARCH, 0, read_start_tokens, 0, 0, CONFIG_LONG},
    [KEY_SEED] = {"seed", IN_SEARCH, 0, read_seed, AT(search.seed), 0, UINT32_MAX},
    [KEY_INITIAL] = {"initial", IN_SEARCH, 0, read_initial, 0, 0, 0},
    [KEY_RACING] = {"racing", IN_SEARCH, 0, read_racing, AT(racing), 0, 0},
    [KEY_RACING_RISK] = {"racing_risk", IN_SEARCH, 0, read_risk, AT(racing_risk), 0, 0},
};

#undef AT

/* What holds where nothing is said: the published settings (arXiv 2402.13753, appendix A). */
static const struct stage_config published = {
    .kind = STAGE_EXTEND,
    .base = CONFIG_NO_STAGE,
    .finetune = {.base = CONFIG_NO_STAGE},
    .type = MODEL_AUTO,
    .samples = 5,
    .objective = OBJECTIVE_PERPLEXITY,
    .needle = {.form = NEEDLE_PUBLISHED, .digits = 5, .seed = 1},
    .search = {.population = 64,
               .parents = 32,
               .mutations = 16,
               .crossovers = 16,
               .iterations = 40,
               .mutation_probability = 0.3,
               .seed = 1},
    .initial_count = 3,
    .initial = {ORIGIN_PI, ORIGIN_NTK, ORIGIN_YARN},
    .racing = RACING_BOUND,
    .racing_risk = 0.05,
    .lattice_unit = 100,
    .lambda_max = 0,
    .start_count = 14,
    .start_tokens = {0, 1, 2, 4, 8, 12, 16, 20, 24, 28, 32, 64, 128, 256},
    .attention_rule = ATTENTION_LONGROPE,
    .attention_factor = 0,
};

/* With algorithm: cma-es, what stands in the place of the published settings: chosen on the demo model, for
 * less than half of the published evaluations. */
static const struct evolve_settings cma_es = {
    .algorithm = ALGORITHM_CMA_ES, .population = 12, .parents = 6, .iterations = 50, .seed = 1};

/* The published budget beyond CONFIG_HALVED_BEYOND tokens. Parents stay as many: all of the first population. */
static struct evolve_settings halved(struct evolve_settings search) {
    search.population /= 2;
    search.mutations /= 2;
    search.crossovers /= 2;
    return search;
}

/* ---- unknown keys ---- */

/* The key of a place that is spelled most like `name`; NULL where none is close. */
static const char *closest_key(const char *name, unsigned place) {
    const char *names[KEY_COUNT];
    size_t count = 0;
    for (size_t i = 0; i < KEY_COUNT; i++) {
        if (keys[i].in & place) names[count++] = keys[i].name;
    }
    return nearest_name(name, names, count);
}

static const struct key *find_key(const char *name, unsigned place) {
    for (size_t i = 0; i < KEY_COUNT; i++) {
        if (keys[i].in & place && strcmp(keys[i].name, name) == 0) return &keys[i];
    }
    return NULL;
}

static int unknown_key(const struct yaml_entry *entry, unsigned place, struct error *error) {
    const struct key *elsewhere = find_key(entry->key, ~place & (IN_DATA | IN_SEARCH | IN_FINETUNE | IN_NEEDLE));
    if (elsewhere) {
        const char *block = elsewhere->in & IN_DATA       ? "data"
                            : elsewhere->in & IN_SEARCH   ? "search"
                            : elsewhere->in & IN_FINETUNE ? "finetune"
                                                          : "needle";
        return yaml_tree_error(&entry->where, error, "unknown key '%s' here (did you mean '%s.%s'?)", entry->key, block,
                               entry->key);
    }
    const char *closest = closest_key(entry->key, place);
    if (!closest) return yaml_tree_error(&entry->where, error, "unknown key '%.80s'", entry->key);
    return yaml_tree_error(&entry->where, error, "unknown key '%.80s' (did you mean '%s'?)", entry->key, closest);
}

/* ---- values ---- */

static int wrong(const struct value *value, const char *must, struct error *error) {
    const struct yaml_tree *node = value->node;
    if (!node->scalar) {
        const char *kind = node->kind == YAML_TREE_LIST ? "a list" : "a map";
        return yaml_tree_error(&node->where, error, "'%s' must be %s, not %s", value->name, must, kind);
    }
    if (!*node->scalar) return yaml_tree_error(&node->where, error, "'%s' must be %s; it is empty", value->name, must);
    return yaml_tree_error(&node->where, error, "'%s' must be %s, not '%.80s'", value->name, must, node->scalar);
}

static bool scalar_integer(const struct yaml_tree *node, int64_t *out) {
    return node->kind == YAML_TREE_SCALAR && parse_integer(node->scalar, out);
}

static bool scalar_number(const struct yaml_tree *node, double *out) {
    return node->kind == YAML_TREE_SCALAR && parse_number(node->scalar, out);
}

static int read_integer(const struct value *value, void *target, struct error *error) {
    char must[80];
    int64_t *out = target;
    if (scalar_integer(value->node, out) && *out >= value->low && *out <= value->high) return STATUS_OK;
    snprintf(must, sizeof must, "an integer from %lld to %lld", (long long)value->low, (long long)value->high);
    return wrong(value, must, error);
}

/* The settings that the stage begins with where its target is this far; keys that are read later change them. */
static int read_target_length(const struct value *value, void *target, struct error *error) {
    struct stage_config *stage = target;
    int status = read_integer(value, &stage->target_length, error);
    if (status != STATUS_OK || stage->target_length <= CONFIG_HALVED_BEYOND) return status;
    stage->search = halved(published.search);
    stage->samples = 3;
    return STATUS_OK;
}

static int read_size(const struct value *value, void *target, struct error *error) {
    int64_t number = 0;
    int status = read_integer(value, &number, error);
    if (status == STATUS_OK) *(size_t *)target = (size_t)number;
    return status;
}

static int read_seed(const struct value *value, void *target, struct error *error) {
    int64_t number = 0;
    int status = read_integer(value, &number, error);
    if (status == STATUS_OK) *(unsigned long *)target = (unsigned long)number;
    return status;
}

static int read_probability(const struct value *value, void *target, struct error *error) {
    double number;
    if (!scalar_number(value->node, &number) || number <= 0 || number > 1) {
        return wrong(value, "a number above 0 and at most 1", error);
    }
    *(double *)target = number;
    return STATUS_OK;
}

/* Genes are integers, so a step has to divide 1. */
static int read_lambda_step(const struct value *value, void *target, struct error *error) {
    double number;
    bool good = scalar_number(value->node, &number) && number > 0;
    double unit = good ? round(1 / number) : 0;
    if (!good || fabs(1 / number - unit) > 1e-9 || unit < 1 || unit > 10000) {
        return wrong(value, "1, or 1 divided by an integer of at most 10000, such as 0.01", error);
    }
    *(int32_t *)target = (int32_t)unit;
    return STATUS_OK;
}

static int read_lambda_max(const struct value *value, void *target, struct error *error) {
    double number;
    /* the largest gene, 1e5 / 1e-4, fits 32 bits */
    if (!scalar_number(value->node, &number) || (number != 0 && number < 1) || number > 1e5) {
        return wrong(value, "a number from 1 to 100000, or 0 for 1.25 times the scale", error);
    }
    *(double *)target = fabs(number); /* no negative zero */
    return STATUS_OK;
}

static int read_type(const struct value *value, void *target, struct error *error) {
    if (value->node->scalar && parse_model_type(value->node->scalar, target)) return STATUS_OK;
    return wrong(value, "auto, f32 or bf16", error);
}

static int read_objective(const struct value *value, void *target, struct error *error) {
    if (value->node->scalar && objective_parse(value->node->scalar, target)) return STATUS_OK;
    return wrong(value, "perplexity or needle", error);
}

static int read_form(const struct value *value, void *target, struct error *error) {
    if (value->node->scalar && needle_form_parse(value->node->scalar, target)) return STATUS_OK;
    return wrong(value, "published or demo", error);
}

static const char *const attention_rules[] = {
    [ATTENTION_LONGROPE] = "longrope",
    [ATTENTION_YARN] = "yarn",
    [ATTENTION_NONE] = "none",
    [ATTENTION_SEARCH] = "search",
};

const char *attention_rule_name(enum attention_rule rule) { return attention_rules[rule]; }

static int read_attention(const struct value *value, void *target, struct error *error) {
    struct stage_config *stage = target;
    for (int rule = ATTENTION_LONGROPE; rule <= ATTENTION_SEARCH && value->node->scalar; rule++) {
        if (strcmp(value->node->scalar, attention_rules[rule]) != 0) continue;
        stage->attention_rule = (enum attention_rule)rule;
        return STATUS_OK;
    }
    double number;
    if (!scalar_number(value->node, &number) || number <= 0 || number > 1000) {
        return wrong(value, "longrope, yarn, none, search, or a number above 0 and at most 1000", error);
    }
    stage->attention_rule = ATTENTION_NUMBER;
    stage->attention_factor = number;
    return STATUS_OK;
}

/* The settings that the algorithm begins with; keys that are read later change them. */
static int read_algorithm(const struct value *value, void *target, struct error *error) {
    struct stage_config *stage = target;
    enum algorithm algorithm;
    if (!value->node->scalar || !algorithm_parse(value->node->scalar, &algorithm)) {
        return wrong(value, "paper, microsoft or cma-es", error);
    }
    if (algorithm == ALGORITHM_CMA_ES) stage->search = cma_es;
    stage->search.algorithm = algorithm;
    return STATUS_OK;
}

static int read_racing(const struct value *value, void *target, struct error *error) {
    if (value->node->scalar && racing_parse(value->node->scalar, target)) return STATUS_OK;
    return wrong(value, "none, bound or statistical", error);
}

static int read_risk(const struct value *value, void *target, struct error *error) {
    double number;
    if (!scalar_number(value->node, &number) || number <= 0 || number >= 0.5) {
        return wrong(value, "a number above 0 and below 0.5", error);
    }
    *(double *)target = number;
    return STATUS_OK;
}

/* A single value stands for a list of one. */
static size_t list_count(const struct yaml_tree *node) {
    return node->kind == YAML_TREE_SCALAR ? *node->scalar != '\0' : node->count;
}

static const struct yaml_tree *list_item(const struct yaml_tree *node, size_t i) {
    return node->kind == YAML_TREE_SCALAR ? node : node->entries[i].value;
}

static int read_start_tokens(const struct value *value, void *target, struct error *error) {
    struct stage_config *stage = target;
    size_t count = list_count(value->node);
    if (value->node->kind == YAML_TREE_MAP || count == 0 || count > GENOME_MAX_STARTS) {
        char must[80];
        snprintf(must, sizeof must, "a list of 1 to %d integers", GENOME_MAX_STARTS);
        return wrong(value, must, error);
    }
    for (size_t i = 0; i < count; i++) {
        struct value item = *value;
        item.node = list_item(value->node, i);
        int status = read_integer(&item, &stage->start_tokens[i], error);
        if (status != STATUS_OK) return status;
        if (i > 0 && stage->start_tokens[i] <= stage->start_tokens[i - 1]) {
            return wrong(&item, "a list in which each number is larger than the one before", error);
        }
    }
    stage->start_count = count;
    if (stage->start_tokens[0] == 0) return STATUS_OK;
    /* tables without n_hat are what engines read: the search has to be able to find one */
    return yaml_tree_error(&value->node->where, error, "'%s' must begin with 0", value->name);
}

static bool is_initial(const struct stage_config *stage, enum origin origin) {
    for (size_t i = 0; i < stage->initial_count; i++) {
        if (stage->initial[i] == origin) return true;
    }
    return false;
}

static int read_initial(const struct value *value, void *target, struct error *error) {
    static const char must[] = "a list of pi, ntk, yarn, yarn-lambda, dynamic-ntk, none and own, each at most once";
    struct stage_config *stage = target;
    size_t count = list_count(value->node);
    if (value->node->kind == YAML_TREE_MAP || count == 0) return wrong(value, must, error);
    stage->initial_count = 0;
    for (size_t i = 0; i < count; i++) {
        struct value item = *value;
        item.node = list_item(value->node, i);
        enum origin origin;
        bool known = item.node->scalar && origin_parse(item.node->scalar, &origin) && origin <= ORIGIN_OWN;
        /* so there are never more than CONFIG_MAX_INITIAL */
        if (!known || is_initial(stage, origin)) return wrong(&item, must, error);
        stage->initial[stage->initial_count++] = origin;
    }
    return STATUS_OK;
}

/* A short window's search begins with what is known to be good there: the model untouched, and the table that it
 * was fine-tuned with, between which the paper's own short tables lie; keys that are read later change that. */
static int read_kind(const struct value *value, void *target, struct error *error) {
    static const enum origin recover[] = {ORIGIN_NONE, ORIGIN_OWN, ORIGIN_NTK, ORIGIN_YARN};
    struct stage_config *stage = target;
    if (!value->node->scalar || !stage_kind_parse(value->node->scalar, &stage->kind)) {
        return wrong(value, "extend or recover", error);
    }
    if (stage->kind == STAGE_EXTEND) return STATUS_OK;
    stage->initial_count = sizeof recover / sizeof *recover;
    memcpy(stage->initial, recover, sizeof recover);
    return STATUS_OK;
}

static int set_string(char **target, char *text, struct error *error) {
    if (!text) return error_memory(error, CONFIG_NAME_MAX, "a configuration");
    free(*target);
    *target = text;
    return STATUS_OK;
}

static int read_name(const struct value *value, void *target, struct error *error) {
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    const char *text = value->node->scalar;
    size_t length = text ? strlen(text) : 0;
    bool good = length > 0 && length <= CONFIG_NAME_MAX && strspn(text, letters) == length;
    if (!good || strcmp(text, ".") == 0 || strcmp(text, "..") == 0) {
        return wrong(value, "a name of at most 127 letters, digits, '.', '_' and '-'", error);
    }
    return set_string(target, strdup(text), error);
}

static int read_command(const struct value *value, void *target, struct error *error) {
    const char *text = value->node->scalar;
    if (!text || !text[strspn(text, " \t\n")]) return wrong(value, "a command for the shell", error);
    return set_string(target, strdup(text), error);
}

/* ---- paths ---- */

/* folder + path, or path where it is absolute. For glob(3) what the folder's own name holds of its
 * special characters is escaped. NULL for lack of memory. */
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

static int read_path(const struct value *value, void *target, struct error *error) {
    if (!value->node->scalar || !*value->node->scalar) return wrong(value, "a path", error);
    return set_string(target, join(value->folder, value->node->scalar, false), error);
}

static int read_tokenizer(const struct value *value, void *target, struct error *error) {
    const char *text = value->node->scalar;
    if (!text || !*text) return wrong(value, "bytes, or a path of a tokenizer.model", error);
    if (strcmp(text, "bytes") == 0) return set_string(target, strdup(text), error);
    return read_path(value, target, error);
}

static void free_list(struct string_list *list) {
    for (size_t i = 0; i < list->count; i++) free(list->items[i]);
    free(list->items);
    *list = (struct string_list){0, NULL};
}

static bool list_has(const struct string_list *list, const char *text) {
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->items[i], text) == 0) return true;
    }
    return false;
}

static int list_add(struct string_list *list, const char *text, struct error *error) {
    size_t size = (list->count + 1) * sizeof *list->items;
    char **items = realloc(list->items, size);
    if (!items) return error_memory(error, (double)size, "a list of files");
    list->items = items;
    items[list->count] = strdup(text);
    if (!items[list->count]) return error_memory(error, (double)strlen(text), "a list of files");
    list->count++;
    return STATUS_OK;
}

static bool is_folder(const char *path) {
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

static int compare_strings(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

/* Appends what a pattern matches, in the order of bytes whatever the locale; folders are passed
 * over, and files that an earlier pattern found. */
static int add_matches(const struct value *value, const glob_t *found, struct string_list *list, struct error *error) {
    size_t files = 0;
    for (size_t i = 0; i < found->gl_pathc; i++) {
        const char *path = found->gl_pathv[i];
        if (is_folder(path)) continue;
        files++;
        int status = list_has(list, path) ? STATUS_OK : list_add(list, path, error);
        if (status != STATUS_OK) return status;
    }
    if (files > 0) return STATUS_OK;
    return yaml_tree_error(&value->node->where, error,
                           "'%s': no file matches '%.200s' (looked for in %s); put it there, or name other files with "
                           "--set data.%s=[FILE]",
                           value->name, value->node->scalar, *value->folder ? value->folder : "the current folder",
                           value->name);
}

static int add_pattern(const struct value *value, struct string_list *list, struct error *error) {
    if (!value->node->scalar || !*value->node->scalar) return wrong(value, "a list of files or patterns", error);
    char *pattern = join(value->folder, value->node->scalar, true);
    if (!pattern) return error_memory(error, (double)strlen(value->node->scalar), "a pattern");
    glob_t found = {0};
    int failed = glob(pattern, 0, NULL, &found);
    free(pattern);
    int status = STATUS_OK;
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

static int read_files(const struct value *value, void *target, struct error *error) {
    struct string_list *list = target;
    free_list(list);
    if (value->node->kind == YAML_TREE_MAP || list_count(value->node) == 0) {
        return wrong(value, "a list of files or patterns", error);
    }
    int status = STATUS_OK;
    for (size_t i = 0; status == STATUS_OK && i < list_count(value->node); i++) {
        struct value item = *value;
        item.node = list_item(value->node, i);
        status = add_pattern(&item, list, error);
    }
    return status;
}

/* ---- blocks ---- */

/* What was written for each key, in one place of the file or after inheritance; NULL: nothing. */
struct draft {
    const struct yaml_tree *node[KEY_COUNT];
};

static int collect(const struct yaml_tree *map, const char *name, unsigned place, struct draft *draft,
                   struct error *error) {
    /* "search:" with nothing below it, or only comments, is an empty block */
    if (map->kind == YAML_TREE_SCALAR && !*map->scalar) return STATUS_OK;
    if (map->kind != YAML_TREE_MAP) {
        return yaml_tree_error(&map->where, error, "%s must be a map, with a 'key: value' for each setting", name);
    }
    int status = STATUS_OK;
    for (size_t i = 0; status == STATUS_OK && i < map->count; i++) {
        const struct yaml_entry *entry = &map->entries[i];
        const struct key *key = find_key(entry->key, place);
        if (!key) return unknown_key(entry, place, error);
        draft->node[key - keys] = entry->value;
        if (key->opens) status = collect(entry->value, entry->key, key->opens, draft, error);
    }
    return status;
}

/* Text and tokens are two ways to give the same thing. */
static int check_data(const struct draft *draft, struct error *error) {
    const struct yaml_tree *tokens = draft->node[KEY_TOKENS];
    if (!tokens) return STATUS_OK;
    if (draft->node[KEY_TEXT]) {
        return yaml_tree_error(&tokens->where, error, "'data' has both 'text' and 'tokens'; give one of them");
    }
    return STATUS_OK;
}

/* Settings without what they belong to. */
static int check_objective(const struct draft *draft, const struct stage_config *stage, struct error *error) {
    static const int needle[] = {KEY_FORM, KEY_DIGITS, KEY_NEEDLE_SEED};
    if (stage->objective == OBJECTIVE_NEEDLE) return STATUS_OK;
    for (size_t i = 0; i < sizeof needle / sizeof *needle; i++) {
        const struct yaml_tree *node = draft->node[needle[i]];
        if (!node) continue;
        return yaml_tree_error(&node->where, error,
                               "stage '%s': 'needle.%s' has no use without 'objective: needle'; leave it out",
                               stage->name, keys[needle[i]].name);
    }
    const struct yaml_tree *tokenizer = draft->node[KEY_TOKENIZER];
    if (!tokenizer || !draft->node[KEY_TOKENS]) return STATUS_OK;
    return yaml_tree_error(&tokenizer->where, error, "'tokenizer' has no use beside 'tokens'; leave it out");
}

/* Stands only in stages, or in blocks that do. */
static bool only_in_stages(const struct key *key) { return key->in & (IN_STAGE | IN_FINETUNE) && !(key->in & IN_TOP); }

/* Fills what a stage leaves open from the top of the file. */
static void inherit(struct draft *stage, const struct draft *top) {
    bool text = stage->node[KEY_TEXT] != NULL, tokens = stage->node[KEY_TOKENS] != NULL;
    bool based = stage->node[KEY_BASE] != NULL; /* its model is the one that was fine-tuned */
    for (int id = 0; id < KEY_COUNT; id++) {
        bool own = only_in_stages(&keys[id]) || id == KEY_NAME || id == KEY_STAGES;
        bool replaced = (text && id == KEY_TOKENS) || (tokens && (id == KEY_TEXT || id == KEY_TOKENIZER)) ||
                        (based && id == KEY_MODEL);
        if (!stage->node[id] && !own && !replaced) stage->node[id] = top->node[id];
    }
}

static int read_values(const struct draft *draft, const char *folder, struct stage_config *stage, struct error *error) {
    int status = STATUS_OK;
    *stage = published;
    for (int id = 0; status == STATUS_OK && id < KEY_COUNT; id++) {
        const struct key *key = &keys[id];
        if (!draft->node[id] || !key->read) continue;
        struct value value = {key->name, draft->node[id], folder, key->low, key->high};
        status = key->read(&value, (char *)stage + key->target, error);
    }
    return status;
}

/* ---- stages ---- */

static void free_stage(struct stage_config *stage) {
    free(stage->name);
    free(stage->finetune.model);
    free(stage->finetune.output);
    free(stage->finetune.command);
    free(stage->model);
    free(stage->tokenizer);
    free_list(&stage->text);
    free_list(&stage->tokens);
}

static int check_complete(const struct draft *draft, const struct yaml_tree *node, size_t number, struct error *error) {
    static const int needed[] = {KEY_NAME, KEY_TARGET_LENGTH, KEY_MODEL};
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++) {
        if (draft->node[needed[i]] || (needed[i] == KEY_MODEL && draft->node[KEY_BASE])) continue;
        return yaml_tree_error(&node->where, error, "stage %zu has no '%s'%s", number, keys[needed[i]].name,
                               needed[i] == KEY_MODEL ? "; give it here or at the top of the file" : "");
    }
    if (draft->node[KEY_TEXT] || draft->node[KEY_TOKENS]) return STATUS_OK;
    return yaml_tree_error(&node->where, error,
                           "stage %zu has no data; give 'text' or 'tokens' in 'data', here or at the top of the file",
                           number);
}

/* What CMA-ES makes no use of is refused also where it comes from the top: silence would let one believe
 * that it was done. */
static int check_algorithm(const struct draft *draft, const struct stage_config *stage, struct error *error) {
    static const int genetic[] = {KEY_MUTATIONS, KEY_CROSSOVERS, KEY_MUTATION_PROBABILITY};
    if (stage->search.algorithm != ALGORITHM_CMA_ES) return STATUS_OK;
    for (size_t i = 0; i < sizeof genetic / sizeof *genetic; i++) {
        const struct yaml_tree *node = draft->node[genetic[i]];
        if (!node) continue;
        return yaml_tree_error(&node->where, error,
                               "stage '%s': '%s' has no use with 'algorithm: cma-es'; leave it out, or give it in the "
                               "stages that have another algorithm",
                               stage->name, keys[genetic[i]].name);
    }
    return STATUS_OK;
}

/* A risk without the test that it belongs to. */
static int check_racing(const struct draft *draft, const struct stage_config *stage, struct error *error) {
    const struct yaml_tree *risk = draft->node[KEY_RACING_RISK];
    if (!risk || stage->racing == RACING_STATISTICAL) return STATUS_OK;
    return yaml_tree_error(&risk->where, error,
                           "stage '%s': 'racing_risk' has no use without 'racing: statistical'; leave it out",
                           stage->name);
}

/* What one value alone cannot tell. */
static int check_search(const struct draft *draft, const struct yaml_tree *node, const struct stage_config *stage,
                        struct error *error) {
    const struct evolve_settings *search = &stage->search;
    if (search->parents > search->population) {
        const struct yaml_tree *at = draft->node[KEY_PARENTS];
        if (!at) at = draft->node[KEY_POPULATION];
        return yaml_tree_error(&at->where, error,
                               "stage '%s': 'parents' is %zu, more than the 'population' of %zu; lower it", stage->name,
                               search->parents, search->population);
    }
    bool childless = search->algorithm != ALGORITHM_CMA_ES && search->mutations + search->crossovers == 0;
    if (search->iterations > 0 && childless) {
        const struct yaml_tree *at = draft->node[KEY_MUTATIONS];
        return yaml_tree_error(
            at ? &at->where : &node->where, error,
            "stage '%s': 'mutations' and 'crossovers' are both 0; raise one, or set 'iterations' to 0", stage->name);
    }
    return STATUS_OK;
}

static int check_unique(const struct config *config, const struct stage_config *stage, const struct yaml_tree *name,
                        struct error *error) {
    for (const struct stage_config *other = config->stages; other < stage; other++) {
        if (strcmp(other->name, stage->name) != 0) continue;
        return yaml_tree_error(&name->where, error, "there are two stages of the name '%s'; rename one", stage->name);
    }
    return STATUS_OK;
}

/* The earlier stage that `node` names, which is one that a model is fine-tuned for. */
static int find_base(const struct config *config, const struct stage_config *stage, const struct yaml_tree *node,
                     int *out, struct error *error) {
    size_t earlier = (size_t)(stage - config->stages);
    const char *wanted = node->scalar ? node->scalar : "";
    const char **names = calloc(earlier + 1, sizeof *names);
    if (!names) return error_memory(error, (double)(earlier * sizeof *names), "the stages' names");
    for (size_t i = 0; i < earlier; i++) names[i] = config->stages[i].name;
    const char *nearest = nearest_name(wanted, names, earlier);
    free(names);
    for (size_t i = 0; i < earlier; i++) {
        if (strcmp(config->stages[i].name, wanted) != 0) continue;
        *out = (int)i;
        if (config->stages[i].finetune.wanted) return STATUS_OK;
        return yaml_tree_error(&node->where, error, "stage '%s': its base '%s' has no 'finetune'; give it one",
                               stage->name, wanted);
    }
    return yaml_tree_error(&node->where, error, "stage '%s': 'base' must name an earlier stage, not '%.80s'%s%s%s",
                           stage->name, wanted, nearest ? " (did you mean '" : "", nearest ? nearest : "",
                           nearest ? "'?)" : "");
}

static int check_finetune(const struct config *config, const struct draft *draft, struct stage_config *stage,
                          struct error *error) {
    const struct yaml_tree *block = draft->node[KEY_FINETUNE], *base = draft->node[KEY_FINETUNE_BASE];
    stage->finetune.wanted = block != NULL;
    if (!block) return STATUS_OK;
    if (stage->kind == STAGE_RECOVER) {
        return yaml_tree_error(&block->where, error,
                               "stage '%s': models are fine-tuned with the tables of longer windows; leave 'finetune' "
                               "out of a stage of 'kind: recover'",
                               stage->name);
    }
    if (base && draft->node[KEY_FINETUNE_MODEL]) {
        return yaml_tree_error(&base->where, error,
                               "stage '%s': 'finetune' has both 'base' and 'model'; give the one that it begins from",
                               stage->name);
    }
    return base ? find_base(config, stage, base, &stage->finetune.base, error) : STATUS_OK;
}

/* What the progressive recipe asks of a stage. */
static int check_recipe(const struct config *config, const struct draft *draft, const struct yaml_tree *node,
                        struct stage_config *stage, struct error *error) {
    const struct yaml_tree *base = draft->node[KEY_BASE], *kind = draft->node[KEY_KIND];
    if (stage->kind == STAGE_RECOVER && stage->lambda_max == 0.0) {
        return yaml_tree_error(kind ? &kind->where : &node->where, error,
                               "stage '%s': 'kind: recover' wants 'search.lambda_max', the largest factor of the short "
                               "window, which the target length does not give",
                               stage->name);
    }
    int status = base ? find_base(config, stage, base, &stage->base, error) : STATUS_OK;
    return status == STATUS_OK ? check_finetune(config, draft, stage, error) : status;
}

static int read_stage(const struct yaml_tree *node, const struct draft *top, const char *folder, struct config *config,
                      struct error *error) {
    struct draft draft = {{NULL}};
    struct stage_config *stage = &config->stages[config->stage_count];
    int status = collect(node, "a stage", IN_STAGE, &draft, error);
    if (status == STATUS_OK) status = check_data(&draft, error);
    if (status != STATUS_OK) return status;
    inherit(&draft, top);
    config->stage_count++; /* from here on config_free() sees to it */
    status = check_complete(&draft, node, config->stage_count, error);
    if (status == STATUS_OK) status = check_data(&draft, error);
    if (status == STATUS_OK) status = read_values(&draft, folder, stage, error);
    if (status == STATUS_OK) status = check_algorithm(&draft, stage, error);
    if (status == STATUS_OK) status = check_objective(&draft, stage, error);
    if (status == STATUS_OK) status = check_racing(&draft, stage, error);
    if (status == STATUS_OK) status = check_search(&draft, node, stage, error);
    if (status == STATUS_OK) status = check_unique(config, stage, draft.node[KEY_NAME], error);
    if (status == STATUS_OK) status = check_recipe(config, &draft, node, stage, error);
    return status;
}

static int read_stages(const struct yaml_tree *list, const struct draft *top, const char *folder, struct config *config,
                       struct error *error) {
    if (list->kind != YAML_TREE_LIST || list->count == 0) {
        return yaml_tree_error(&list->where, error, "'stages' must be a list of at least one stage");
    }
    config->stages = calloc(list->count, sizeof *config->stages);
    if (!config->stages) return error_memory(error, (double)(list->count * sizeof *config->stages), "stages");
    int status = STATUS_OK;
    for (size_t i = 0; status == STATUS_OK && i < list->count; i++) {
        status = read_stage(list->entries[i].value, top, folder, config, error);
    }
    return status;
}

/* What is written at the top is checked even where every stage overrides it. */
static int read_top(const struct draft *top, const char *folder, struct config *config, struct error *error) {
    struct stage_config unused;
    int status = read_values(top, folder, &unused, error);
    if (status == STATUS_OK && top->node[KEY_CACHE]) {
        const struct value cache = {keys[KEY_CACHE].name, top->node[KEY_CACHE], folder, 0, 0};
        status = read_path(&cache, &config->cache, error);
    }
    if (status == STATUS_OK) {
        config->name = unused.name;
        unused.name = NULL;
    }
    free_stage(&unused);
    return status;
}

static int read_root(const struct yaml_tree *root, const char *folder, struct config *config, struct error *error) {
    struct draft top = {{NULL}};
    int status = collect(root, "a configuration", IN_TOP, &top, error);
    if (status == STATUS_OK) status = check_data(&top, error);
    if (status != STATUS_OK) return status;
    if (!top.node[KEY_NAME]) return yaml_tree_error(&root->where, error, "there is no 'name' for the run");
    if (!top.node[KEY_STAGES]) return yaml_tree_error(&root->where, error, "there are no 'stages'; give at least one");
    status = read_top(&top, folder, config, error);
    if (status == STATUS_OK) status = read_stages(top.node[KEY_STAGES], &top, folder, config, error);
    return status;
}

int config_read(const char *path, char *const *overrides, size_t override_count, struct config *out,
                struct error *error) {
    *out = (struct config){0};
    struct yaml_tree *root = NULL;
    int status = yaml_tree_read(path, &root, error);
    for (size_t i = 0; status == STATUS_OK && i < override_count; i++) {
        status = yaml_tree_set(root, overrides[i], error);
    }
    if (status == STATUS_OK) {
        const char *slash = strrchr(path, '/');
        char *folder = strndup(path, slash ? (size_t)(slash - path) + 1 : 0);
        out->folder = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
        status = folder && out->folder ? read_root(root, folder, out, error)
                                       : error_memory(error, (double)strlen(path), "a configuration");
        free(folder);
    }
    yaml_tree_free(root);
    if (status != STATUS_OK) config_free(out);
    return status;
}

void config_free(struct config *config) {
    for (size_t i = 0; i < config->stage_count; i++) free_stage(&config->stages[i]);
    free(config->stages);
    free(config->name);
    free(config->folder);
    free(config->cache);
    *config = (struct config){0};
}
