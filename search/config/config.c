#include "search/config/config.h"

#include <stdlib.h>
#include <string.h>

#include "eval/base/file.h"
#include "eval/base/name.h"
#include "search/base/text.h"
#include "search/config/config_draft.h"
#include "search/config/config_keys.h"
#include "search/config/yaml.h"

/* ---- blocks ---- */

static int collect(const struct yaml_tree *map, const char *name, unsigned block, struct config_draft *draft,
                   struct error *error) {
    /* "search:" with nothing below it, or only comments, is an empty block */
    if (map->kind == YAML_TREE_SCALAR && !*map->scalar) return STATUS_OK;
    if (map->kind != YAML_TREE_MAP) {
        return yaml_tree_error(&map->where, error, "%s must be a map, with a 'key: value' for each setting", name);
    }
    int status = STATUS_OK;
    for (size_t i = 0; status == STATUS_OK && i < map->count; i++) {
        const struct yaml_entry *entry = &map->entries[i];
        const struct config_key *key = config_key_find(entry->key, block);
        if (!key) return config_key_unknown(entry, block, error);
        draft->node[key - config_keys] = entry->value;
        if (key->opens) status = collect(entry->value, entry->key, key->opens, draft, error);
    }
    return status;
}

/* Text and tokens exclude each other. */
static int check_data(const struct config_draft *draft, struct error *error) {
    const struct yaml_tree *tokens = draft->node[KEY_TOKENS];
    if (!tokens) return STATUS_OK;
    if (draft->node[KEY_TEXT]) {
        return yaml_tree_error(&tokens->where, error, "'data' has both 'text' and 'tokens'; give one of them");
    }
    return STATUS_OK;
}

/* Gives a stage the keys of the top of the file that it does not give itself. */
static void inherit(struct config_draft *stage, const struct config_draft *top) {
    bool text = stage->node[KEY_TEXT] != NULL, tokens = stage->node[KEY_TOKENS] != NULL;
    bool based = stage->node[KEY_BASE] != NULL; /* its model is the one that was fine-tuned */
    for (int id = 0; id < CONFIG_KEYS; id++) {
        bool own = config_key_only_in_stages(&config_keys[id]) || id == KEY_NAME || id == KEY_STAGES;
        bool replaced = (text && id == KEY_TOKENS) || (tokens && (id == KEY_TEXT || id == KEY_TOKENIZER)) ||
                        (based && id == KEY_MODEL);
        if (!stage->node[id] && !own && !replaced) stage->node[id] = top->node[id];
    }
}

/* Keys of the published algorithms; parents and iterations are also those of cma-es. */
static const int published_keys[] = {KEY_MUTATIONS, KEY_CROSSOVERS, KEY_MUTATION_PROBABILITY, KEY_PARENTS,
                                     KEY_ITERATIONS};
enum { PUBLISHED_KEYS = sizeof published_keys / sizeof *published_keys, GENETIC_KEYS = 3 };

/* No algorithm is given. A configuration with keys of the published algorithm is one for that algorithm. */
static void choose_algorithm(const struct config_draft *draft, struct stage_config *stage) {
    bool published = false;
    for (size_t i = 0; i < PUBLISHED_KEYS; i++) published = published || draft->node[published_keys[i]];
    if (published) config_choose_algorithm(stage, ALGORITHM_PAPER);
}

int config_draft_read(const struct config_draft *draft, const char *folder, struct stage_config *stage,
                      struct error *error) {
    int status = STATUS_OK;
    *stage = config_defaults;
    for (int id = 0; status == STATUS_OK && id < CONFIG_KEYS; id++) {
        const struct config_key *key = &config_keys[id];
        if (id == KEY_ALGORITHM && !draft->node[id]) choose_algorithm(draft, stage);
        if (!draft->node[id] || !key->kind->read || id == KEY_CACHE) continue;
        struct config_value value = {key, draft->node[id], folder, stage};
        status = key->kind->read(&value, (char *)stage + key->target, error);
    }
    stage->reads_tokens = draft->node[KEY_TOKENS] != NULL;
    /* a short table has the attention factor of the long one; the published algorithms do not search it */
    bool searched = stage->search.algorithm == ALGORITHM_BAYESIAN && stage->kind == STAGE_EXTEND;
    if (!draft->node[KEY_ATTENTION_FACTOR]) stage->attention_rule = searched ? ATTENTION_SEARCH : ATTENTION_LONGROPE;
    return status;
}

/* ---- stages ---- */

void config_stage_free(struct stage_config *stage) {
    free(stage->name);
    free(stage->finetune.model);
    free(stage->finetune.output);
    free(stage->finetune.command);
    free(stage->model);
    free(stage->tokenizer);
    free(stage->missing);
    for (size_t i = 0; i < CONFIG_MAX_INITIAL; i++) {
        free(stage->initial_files[i].source), free(stage->initial_files[i].where);
    }
    string_list_free_copies(&stage->text);
    string_list_free_copies(&stage->tokens);
}

static int check_complete(const struct config_draft *draft, const struct yaml_tree *node, size_t number,
                          struct error *error) {
    static const int needed[] = {KEY_NAME, KEY_TARGET_LENGTH, KEY_MODEL};
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++) {
        if (draft->node[needed[i]] || (needed[i] == KEY_MODEL && draft->node[KEY_BASE])) continue;
        return yaml_tree_error(&node->where, error, "stage %zu has no '%s'%s", number, config_keys[needed[i]].name,
                               needed[i] == KEY_MODEL ? "; give it here or at the top of the file" : "");
    }
    if (draft->node[KEY_TEXT] || draft->node[KEY_TOKENS]) return STATUS_OK;
    return yaml_tree_error(&node->where, error,
                           "stage %zu has no data; give 'text' or 'tokens' in 'data', here or at the top of the file",
                           number);
}

/* STATUS_INPUT at the first of these keys that is given. */
static int refuse(const struct config_draft *draft, const int *ids, size_t count, const char *stage,
                  const char *condition, struct error *error) {
    for (size_t i = 0; i < count; i++) {
        const struct yaml_tree *node = draft->node[ids[i]];
        if (!node) continue;
        char path[CONFIG_PATH_SIZE];
        config_key_path(&config_keys[ids[i]], path);
        return yaml_tree_error(&node->where, error, "stage '%s': '%s' is not used %s", stage, path, condition);
    }
    return STATUS_OK;
}

/* Refuses settings that would have no effect, also those that come from the top of the file: without the error they
 * would seem to be in force. */
static int check_used(const struct config_draft *draft, const struct stage_config *stage, struct error *error) {
    static const int needle[] = {KEY_PROMPT, KEY_DIGITS, KEY_NEEDLE_SEED};
    static const int risk[] = {KEY_RACING_RISK}, tokenizer[] = {KEY_TOKENIZER}, critical[] = {KEY_CRITICAL_PAIR},
                     first_windows[] = {KEY_FIRST_WINDOWS};
    int status = STATUS_OK;
    if (stage->search.algorithm == ALGORITHM_CMA_ES) {
        status = refuse(draft, published_keys, GENETIC_KEYS, stage->name,
                        "with 'algorithm: cma-es'; leave it out, or give it in the stages that have another algorithm",
                        error);
    }
    if (stage->search.algorithm == ALGORITHM_BAYESIAN) {
        status = refuse(
            draft, published_keys, PUBLISHED_KEYS, stage->name,
            "with 'algorithm: bayesian'; leave it out, or give it in the stages that have another algorithm", error);
        if (status == STATUS_OK) {
            status = refuse(draft, first_windows, 1, stage->name,
                            "with 'algorithm: bayesian', which scores each candidate on one window first; leave it "
                            "out, or give it in the stages that have another algorithm",
                            error);
        }
    }
    if (status == STATUS_OK && stage->objective != OBJECTIVE_NEEDLE) {
        status = refuse(draft, needle, 3, stage->name, "without 'objective: needle'; leave it out", error);
        if (status == STATUS_OK && draft->node[KEY_TOKENS]) {
            status = refuse(draft, tokenizer, 1, stage->name, "beside 'tokens'; leave it out", error);
        }
    }
    if (status == STATUS_OK && stage->kind == STAGE_RECOVER && stage->critical_rule != CRITICAL_NONE) {
        status = refuse(draft, critical, 1, stage->name,
                        "with 'kind: recover', as LongRoPE2 keeps the unchanged model at short windows; set it to none "
                        "in this stage",
                        error);
    }
    if (status == STATUS_OK && !racing_risks(stage->racing)) {
        status = refuse(draft, risk, 1, stage->name, "without 'racing: statistical' or 'racing: blocks'; leave it out",
                        error);
    }
    return status;
}

/* Conditions between values. */
static int check_search(const struct config_draft *draft, const struct yaml_tree *node,
                        const struct stage_config *stage, struct error *error) {
    const struct evolve_settings *search = &stage->search;
    if (search->parents > search->population) {
        const struct yaml_tree *at = draft->node[KEY_PARENTS];
        if (!at) at = draft->node[KEY_POPULATION];
        return yaml_tree_error(&at->where, error,
                               "stage '%s': 'parents' is %zu, more than the 'population' of %zu; lower it", stage->name,
                               search->parents, search->population);
    }
    bool bred = search->algorithm != ALGORITHM_CMA_ES && search->algorithm != ALGORITHM_BAYESIAN;
    bool childless = bred && search->mutations + search->crossovers == 0;
    if (search->iterations > 0 && childless) {
        const struct yaml_tree *at = draft->node[KEY_MUTATIONS];
        return yaml_tree_error(
            at ? &at->where : &node->where, error,
            "stage '%s': 'mutations' and 'crossovers' are both 0; raise one, or set 'iterations' to 0", stage->name);
    }
    return STATUS_OK;
}

static int check_budget(const struct config_draft *draft, const struct yaml_tree *node,
                        const struct stage_config *stage, struct error *error) {
    const struct yaml_tree *given = draft->node[KEY_EVALUATIONS];
    if (stage->search.algorithm != ALGORITHM_BAYESIAN || stage->search.evaluations > 0) return STATUS_OK;
    return yaml_tree_error(given ? &given->where : &node->where, error,
                           "stage '%s': 'evaluations' is 0, and 'algorithm: bayesian' has no other limit; raise it",
                           stage->name);
}

/* The genetic operators breed genes of knots, which pairs before a critical pair do not have. */
static int check_knots(const struct config_draft *draft, const struct stage_config *stage, struct error *error) {
    enum algorithm algorithm = stage->search.algorithm;
    bool supported = algorithm == ALGORITHM_BAYESIAN || algorithm == ALGORITHM_CMA_ES;
    if (stage->search.knots == 0 || supported || stage->critical_rule == CRITICAL_NONE) return STATUS_OK;
    return yaml_tree_error(&draft->node[KEY_KNOTS]->where, error,
                           "stage '%s': 'knots' with 'critical_pair' requires 'algorithm: bayesian' or cma-es, not %s",
                           stage->name, algorithm_name(algorithm));
}

static int check_initial(const struct config_draft *draft, const struct stage_config *stage, struct error *error) {
    for (size_t i = 0; i < stage->initial_count; i++) {
        if (stage->initial[i] != ORIGIN_CRITICAL_NTK || stage->critical_rule != CRITICAL_NONE) continue;
        return yaml_tree_error(&draft->node[KEY_INITIAL]->where, error,
                               "stage '%s': 'initial: %s' requires 'search.critical_pair'; give one, or begin with ntk",
                               stage->name, origin_name(stage->initial[i]));
    }
    return STATUS_OK;
}

static int check_unique(const struct config *config, const struct stage_config *stage, const struct yaml_tree *name,
                        struct error *error) {
    for (const struct stage_config *other = config->stages; other < stage; other++) {
        if (strcmp(other->name, stage->name) != 0) continue;
        return yaml_tree_error(&name->where, error, "two stages have the name '%s'; rename one", stage->name);
    }
    return STATUS_OK;
}

/* Finds the earlier stage that `node` names; it must have a 'finetune' block. */
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
        if (config->stages[i].finetune.given) return STATUS_OK;
        return yaml_tree_error(&node->where, error, "stage '%s': its base '%s' has no 'finetune'; give it one",
                               stage->name, wanted);
    }
    return yaml_tree_error(&node->where, error, "stage '%s': 'base' must name an earlier stage, not '%.80s'%s%s%s",
                           stage->name, wanted, nearest ? " (did you mean '" : "", nearest ? nearest : "",
                           nearest ? "'?)" : "");
}

/* The fine-tuned model is made under another name and moved to this one. */
static bool is_new_name(const char *path) {
    const char *name = path + file_folder_length(path);
    return *name && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

/* A model that is there already is not fine-tuned again: it would be taken for this stage's, whatever its table. */
static int check_output(const struct config *config, const struct config_draft *draft, const struct stage_config *stage,
                        struct error *error) {
    const struct yaml_tree *node = draft->node[KEY_OUTPUT];
    const char *from = stage->finetune.model ? stage->finetune.model : stage->model;
    char *output = stage->finetune.output;
    if (!output) return STATUS_OK;
    output[file_trimmed_length(output)] = '\0'; /* suffixes are appended to it */
    for (const struct stage_config *other = config->stages; other < stage; other++) {
        if (!other->finetune.output || !file_will_be_same(other->finetune.output, output)) continue;
        return yaml_tree_error(&node->where, error, "stage '%s': 'finetune.output' is that of stage '%s'; name another",
                               stage->name, other->name);
    }
    if (stage->finetune.base == CONFIG_NO_STAGE && from && file_will_be_same(from, output)) {
        return yaml_tree_error(
            &node->where, error,
            "stage '%s': 'finetune.output' is the model that the fine-tuning begins from; name another", stage->name);
    }
    if (is_new_name(output)) return STATUS_OK;
    return yaml_tree_error(&node->where, error,
                           "stage '%s': 'finetune.output' is a folder that cannot be new; give the fine-tuned model a "
                           "name of its own",
                           stage->name);
}

static int check_finetune(const struct config *config, const struct config_draft *draft, struct stage_config *stage,
                          struct error *error) {
    const struct yaml_tree *block = draft->node[KEY_FINETUNE], *base = draft->node[KEY_FINETUNE_BASE];
    stage->finetune.given = block != NULL;
    if (!block) return STATUS_OK;
    if (stage->kind == STAGE_RECOVER) {
        return yaml_tree_error(
            &block->where, error,
            "stage '%s': a stage of 'kind: recover' cannot have 'finetune', as models are fine-tuned "
            "with the tables of longer windows; leave 'finetune' out",
            stage->name);
    }
    if (base && draft->node[KEY_FINETUNE_MODEL]) {
        return yaml_tree_error(&base->where, error,
                               "stage '%s': 'finetune' has both 'base' and 'model'; give the one that training begins "
                               "from",
                               stage->name);
    }
    int status = base ? find_base(config, stage, base, &stage->finetune.base, error) : STATUS_OK;
    return status == STATUS_OK ? check_output(config, draft, stage, error) : status;
}

/* Conditions of the progressive recipe. */
static int check_recipe(const struct config *config, const struct config_draft *draft, const struct yaml_tree *node,
                        struct stage_config *stage, struct error *error) {
    const struct yaml_tree *base = draft->node[KEY_BASE], *kind = draft->node[KEY_KIND];
    if (stage->kind == STAGE_RECOVER && stage->lambda_max == 0.0) {
        return yaml_tree_error(kind ? &kind->where : &node->where, error,
                               "stage '%s': 'kind: recover' requires 'search.lambda_max', the largest factor of the "
                               "short window; the target length does not determine it",
                               stage->name);
    }
    int status = base ? find_base(config, stage, base, &stage->base, error) : STATUS_OK;
    return status == STATUS_OK ? check_finetune(config, draft, stage, error) : status;
}

/* What reading passes on. */
struct reader {
    const char *folder; /* that paths are relative to */
    const struct config_visitor *visitor;
    struct config *config;
    bool without_data; /* files of 'data' need not exist */
};

static int check_files(const struct reader *reader, const struct stage_config *stage, struct error *error) {
    if (reader->without_data || !stage->missing) return STATUS_OK;
    return error_set(error, STATUS_INPUT, "%s", stage->missing);
}

static int visit(const struct reader *reader, bool top, const struct config_draft *draft,
                 const struct stage_config *stage, struct error *error) {
    const struct config_visitor *visitor = reader->visitor;
    return visitor ? visitor->visit(visitor->data, top, draft, stage, reader->folder, error) : STATUS_OK;
}

static int read_stage(const struct reader *reader, const struct yaml_tree *node, const struct config_draft *top,
                      struct error *error) {
    struct config *config = reader->config;
    struct config_draft draft = {{NULL}};
    struct stage_config *stage = &config->stages[config->stage_count];
    int status = collect(node, "a stage", IN_STAGE, &draft, error);
    if (status == STATUS_OK) status = check_data(&draft, error);
    if (status != STATUS_OK) return status;
    inherit(&draft, top);
    config->stage_count++; /* from here on config_free() frees it */
    status = check_complete(&draft, node, config->stage_count, error);
    if (status == STATUS_OK) status = check_data(&draft, error);
    if (status == STATUS_OK) status = config_draft_read(&draft, reader->folder, stage, error);
    if (status == STATUS_OK) status = check_files(reader, stage, error);
    if (status == STATUS_OK) status = check_used(&draft, stage, error);
    if (status == STATUS_OK) status = check_search(&draft, node, stage, error);
    if (status == STATUS_OK) status = check_budget(&draft, node, stage, error);
    if (status == STATUS_OK) status = check_knots(&draft, stage, error);
    if (status == STATUS_OK) status = check_initial(&draft, stage, error);
    if (status == STATUS_OK) status = check_unique(config, stage, draft.node[KEY_NAME], error);
    if (status == STATUS_OK) status = check_recipe(config, &draft, node, stage, error);
    if (status == STATUS_OK) status = visit(reader, false, &draft, stage, error);
    return status;
}

static int read_stages(const struct reader *reader, const struct config_draft *top, struct error *error) {
    const struct yaml_tree *list = top->node[KEY_STAGES];
    if (list->kind != YAML_TREE_LIST || list->count == 0) {
        return yaml_tree_error(&list->where, error, "'stages' must be a list of at least one stage");
    }
    reader->config->stages = calloc(list->count, sizeof *reader->config->stages);
    if (!reader->config->stages) {
        return error_memory(error, (double)(list->count * sizeof *reader->config->stages), "stages");
    }
    int status = STATUS_OK;
    for (size_t i = 0; status == STATUS_OK && i < list->count; i++) {
        status = read_stage(reader, list->entries[i].value, top, error);
    }
    return status;
}

/* Values at the top of the file are checked even where every stage overrides them. */
static int read_top(const struct reader *reader, const struct config_draft *top, struct error *error) {
    struct stage_config values;
    int status = config_draft_read(top, reader->folder, &values, error);
    if (status == STATUS_OK) status = check_files(reader, &values, error);
    if (status == STATUS_OK && top->node[KEY_CACHE]) {
        const struct config_value cache = {&config_keys[KEY_CACHE], top->node[KEY_CACHE], reader->folder, &values};
        status = cache.key->kind->read(&cache, &reader->config->cache, error);
    }
    if (status == STATUS_OK) status = visit(reader, true, top, &values, error);
    if (status == STATUS_OK) {
        reader->config->name = values.name;
        values.name = NULL;
    }
    config_stage_free(&values);
    return status;
}

static int read_root(const struct reader *reader, const struct yaml_tree *root, struct error *error) {
    struct config_draft top = {{NULL}};
    int status = collect(root, "a configuration", IN_TOP, &top, error);
    if (status == STATUS_OK) status = check_data(&top, error);
    if (status != STATUS_OK) return status;
    if (!top.node[KEY_NAME]) return yaml_tree_error(&root->where, error, "there is no 'name' for the run");
    if (!top.node[KEY_STAGES]) return yaml_tree_error(&root->where, error, "there are no 'stages'; give at least one");
    status = read_top(reader, &top, error);
    if (status == STATUS_OK) status = read_stages(reader, &top, error);
    return status;
}

/* Takes the tree, which came from `path`. */
static int read_tree(struct yaml_tree *root, const char *path, char *const *overrides, size_t override_count,
                     struct reader *reader, struct error *error) {
    struct config *out = reader->config;
    int status = STATUS_OK;
    for (size_t i = 0; status == STATUS_OK && i < override_count; i++) {
        status = yaml_tree_set(root, overrides[i], error);
    }
    if (status == STATUS_OK) {
        char *folder = strndup(path, file_folder_length(path));
        reader->folder = folder;
        out->folder = strdup(folder && *folder ? folder : ".");
        status = folder && out->folder ? read_root(reader, root, error)
                                       : error_memory(error, (double)strlen(path), "a configuration");
        free(folder);
    }
    yaml_tree_free(root);
    if (status != STATUS_OK) config_free(out);
    return status;
}

static int read_file(const char *path, char *const *overrides, size_t override_count, struct reader *reader,
                     struct error *error) {
    struct yaml_tree *root = NULL;
    *reader->config = (struct config){0};
    int status = yaml_tree_read(path, &root, error);
    return status == STATUS_OK ? read_tree(root, path, overrides, override_count, reader, error) : status;
}

int config_read_visited(const char *path, char *const *overrides, size_t override_count,
                        const struct config_visitor *visitor, struct config *out, struct error *error) {
    struct reader reader = {.visitor = visitor, .config = out};
    return read_file(path, overrides, override_count, &reader, error);
}

int config_read(const char *path, char *const *overrides, size_t override_count, struct config *out,
                struct error *error) {
    return config_read_visited(path, overrides, override_count, NULL, out, error);
}

int config_read_without_data(const char *path, char *const *overrides, size_t override_count, struct config *out,
                             struct error *error) {
    struct reader reader = {.config = out, .without_data = true};
    return read_file(path, overrides, override_count, &reader, error);
}

int config_read_stored(const char *text, const char *path, char *const *overrides, size_t override_count,
                       struct config *out, struct error *error) {
    struct reader reader = {.config = out, .without_data = true};
    struct yaml_tree *root = NULL;
    *out = (struct config){0};
    int status = yaml_tree_parse(text, strlen(text), path, &root, error);
    return status == STATUS_OK ? read_tree(root, path, overrides, override_count, &reader, error) : status;
}

bool stage_config_needs_blocks(const struct stage_config *stage) {
    return stage->racing == RACING_BLOCKS || stage->search.first_windows > 0;
}

void config_free(struct config *config) {
    for (size_t i = 0; i < config->stage_count; i++) config_stage_free(&config->stages[i]);
    free(config->stages);
    free(config->name);
    free(config->folder);
    free(config->cache);
    *config = (struct config){0};
}
