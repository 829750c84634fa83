#include "search/config/config.h"

#include <stdlib.h>
#include <string.h>

#include "eval/base/name.h"
#include "search/base/text.h"
#include "search/config/config_values.h"
#include "search/config/yaml.h"

enum {
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
    KEY_DATA,
    KEY_SEARCH,
    KEY_TEXT,
    KEY_TOKENS,
    KEY_TOKENIZER,
    KEY_SAMPLES,
    KEY_ALGORITHM,  /* before the keys whose defaults depend on it */
    KEY_POPULATION, /* before parents */
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
    KEY_PROMPT, /* last: a 'seed' where none belongs is more likely the search's */
    KEY_DIGITS,
    KEY_NEEDLE_SEED,
    KEY_COUNT
};

struct key {
    const char *name;
    unsigned in;    /* places */
    unsigned opens; /* the place that its own keys stand in; 0 where it has none */
    /* Checks the value and stores it in the stage; NULL for keys that hold others, and for `cache`, which
     * is no stage's. */
    int (*read)(const struct config_value *value, void *target, struct error *error);
    size_t target;     /* offset into struct stage_config */
    int64_t low, high; /* for integers */
};

#define AT(field) offsetof(struct stage_config, field)

static const struct key keys[KEY_COUNT] = {
    /* the name at the top is read as a stage's and then handed to the configuration */
    [KEY_NAME] = {"name", IN_TOP | IN_STAGE, 0, config_value_name, AT(name), 0, 0},
    [KEY_CACHE] = {"cache", IN_TOP, 0, NULL, 0, 0, 0},
    [KEY_STAGES] = {"stages", IN_TOP, 0, NULL, 0, 0, 0},
    [KEY_KIND] = {"kind", IN_STAGE, 0, config_value_kind, 0, 0, 0},
    [KEY_TARGET_LENGTH] = {"target_length", IN_STAGE, 0, config_value_target_length, 0, 2, CONFIG_LONG},
    /* names of stages, which are looked up when all that comes before is read */
    [KEY_BASE] = {"base", IN_STAGE, 0, NULL, 0, 0, 0},
    [KEY_FINETUNE] = {"finetune", IN_STAGE, IN_FINETUNE, NULL, 0, 0, 0},
    [KEY_FINETUNE_MODEL] = {"model", IN_FINETUNE, 0, config_value_path, AT(finetune.model), 0, 0},
    [KEY_FINETUNE_BASE] = {"base", IN_FINETUNE, 0, NULL, 0, 0, 0},
    [KEY_OUTPUT] = {"output", IN_FINETUNE, 0, config_value_path, AT(finetune.output), 0, 0},
    [KEY_COMMAND] = {"command", IN_FINETUNE, 0, config_value_command, AT(finetune.command), 0, 0},
    [KEY_MODEL] = {"model", IN_TOP | IN_STAGE, 0, config_value_path, AT(model), 0, 0},
    [KEY_TYPE] = {"dtype", IN_TOP | IN_STAGE, 0, config_value_type, AT(type), 0, 0},
    [KEY_ATTENTION_FACTOR] = {"attention_factor", IN_TOP | IN_STAGE, 0, config_value_attention, 0, 0, 0},
    [KEY_OBJECTIVE] = {"objective", IN_TOP | IN_STAGE, 0, config_value_objective, AT(objective), 0, 0},
    [KEY_NEEDLE] = {"needle", IN_TOP | IN_STAGE, IN_NEEDLE, NULL, 0, 0, 0},
    [KEY_DATA] = {"data", IN_TOP | IN_STAGE, IN_DATA, NULL, 0, 0, 0},
    [KEY_SEARCH] = {"search", IN_TOP | IN_STAGE, IN_SEARCH, NULL, 0, 0, 0},
    [KEY_TEXT] = {"text", IN_DATA, 0, config_value_files, AT(text), 0, 0},
    [KEY_TOKENS] = {"tokens", IN_DATA, 0, config_value_files, AT(tokens), 0, 0},
    [KEY_TOKENIZER] = {"tokenizer", IN_DATA, 0, config_value_tokenizer, AT(tokenizer), 0, 0},
    [KEY_SAMPLES] = {"samples", IN_DATA, 0, config_value_size, AT(samples), 0, CONFIG_MANY},
    [KEY_ALGORITHM] = {"algorithm", IN_SEARCH, 0, config_value_algorithm, 0, 0, 0},
    [KEY_POPULATION] = {"population", IN_SEARCH, 0, config_value_population, 0, 1, CONFIG_MANY},
    [KEY_PARENTS] = {"parents", IN_SEARCH, 0, config_value_size, AT(search.parents), 1, CONFIG_MANY},
    [KEY_MUTATIONS] = {"mutations", IN_SEARCH, 0, config_value_size, AT(search.mutations), 0, CONFIG_MANY},
    [KEY_CROSSOVERS] = {"crossovers", IN_SEARCH, 0, config_value_size, AT(search.crossovers), 0, CONFIG_MANY},
    [KEY_ITERATIONS] = {"iterations", IN_SEARCH, 0, config_value_size, AT(search.iterations), 0, CONFIG_MANY},
    [KEY_MUTATION_PROBABILITY] = {"mutation_probability", IN_SEARCH, 0, config_value_probability,
                                  AT(search.mutation_probability), 0, 0},
    [KEY_LAMBDA_STEP] = {"lambda_step", IN_SEARCH, 0, config_value_lambda_step, AT(lattice_unit), 0, 0},
    [KEY_LAMBDA_MAX] = {"lambda_max", IN_SEARCH, 0, config_value_lambda_max, AT(lambda_max), 0, 0},
    [KEY_START_TOKENS] = {"start_tokens", IN_SEARCH, 0, config_value_start_tokens, 0, 0, CONFIG_LONG},
    [KEY_SEED] = {"seed", IN_SEARCH, 0, config_value_seed, AT(search.seed), 0, UINT32_MAX},
    [KEY_INITIAL] = {"initial", IN_SEARCH, 0, config_value_initial, 0, 0, 0},
    [KEY_RACING] = {"racing", IN_SEARCH, 0, config_value_racing, AT(racing), 0, 0},
    [KEY_RACING_RISK] = {"racing_risk", IN_SEARCH, 0, config_value_risk, AT(racing_risk), 0, 0},
    [KEY_PROMPT] = {"prompt", IN_NEEDLE, 0, config_value_prompt, AT(needle.prompt), 0, 0},
    [KEY_DIGITS] = {"digits", IN_NEEDLE, 0, config_value_integer, AT(needle.digits), 1, NEEDLE_MOST_DIGITS},
    [KEY_NEEDLE_SEED] = {"seed", IN_NEEDLE, 0, config_value_seed, AT(needle.seed), 0, UINT32_MAX},
};

#undef AT

/* ---- unknown keys ---- */

/* The key of a place that is spelled most like `name`; NULL where none is close. */
static const char *closest_key(const char *name, unsigned place) {
    const char *names[KEY_COUNT];
    size_t count = 0;
    for (size_t i = 0; i < KEY_COUNT; i++) {
        if (keys[i].in & place) names[count++] = keys[i].name;
    }
    return name_nearest(names, count, name);
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
    static const int needle[] = {KEY_PROMPT, KEY_DIGITS, KEY_NEEDLE_SEED};
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
    *stage = config_defaults;
    for (int id = 0; status == STATUS_OK && id < KEY_COUNT; id++) {
        const struct key *key = &keys[id];
        if (!draft->node[id] || !key->read) continue;
        struct config_value value = {key->name, draft->node[id], folder, key->low, key->high};
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
    string_list_free_copies(&stage->text);
    string_list_free_copies(&stage->tokens);
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
    const char *nearest = name_nearest(names, earlier, wanted);
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
        const struct config_value cache = {keys[KEY_CACHE].name, top->node[KEY_CACHE], folder, 0, 0};
        status = config_value_path(&cache, &config->cache, error);
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
