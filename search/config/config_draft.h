/* Private to search/config: what the YAML file and --set give for each key, before it becomes a value. */
#ifndef LONGROPE_SEARCH_CONFIG_DRAFT_H
#define LONGROPE_SEARCH_CONFIG_DRAFT_H

#include "search/config/config.h"
#include "search/config/config_keys.h"
#include "search/config/yaml.h"

/* The nodes of one level, the top of the file or a stage; of a stage with what it takes from the top. */
struct config_draft {
    const struct yaml_tree *node[CONFIG_KEYS]; /* NULL: the key is not given */
};

/* Reads every value of a draft; keys that are not given get their defaults. The caller frees *out with
 * config_stage_free(), whatever is returned. */
int config_draft_read(const struct config_draft *draft, const char *folder, struct stage_config *out,
                      struct error *error);
void config_stage_free(struct stage_config *stage);

/* Is shown every level once it is read: the top first, then each stage. What it is shown is valid during the call. */
struct config_visitor {
    /* `folder` is the one that paths are relative to; at the top, stage->name is the run's. */
    int (*visit)(void *data, bool top, const struct config_draft *draft, const struct stage_config *stage,
                 const char *folder, struct error *error);
    void *data;
};

/* As config_read(); `visitor` may be NULL. */
int config_read_visited(const char *path, char *const *overrides, size_t override_count,
                        const struct config_visitor *visitor, struct config *out, struct error *error);

#endif
