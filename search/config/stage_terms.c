#include "search/config/stage_terms.h"

#include "eval/base/name.h"

const char *const stage_kind_names[STAGE_KINDS] = {[STAGE_EXTEND] = "extend", [STAGE_RECOVER] = "recover"};
const char *const objective_names[OBJECTIVES] = {[OBJECTIVE_PERPLEXITY] = "perplexity", [OBJECTIVE_NEEDLE] = "needle"};

const char *stage_kind_name(enum stage_kind kind) { return stage_kind_names[kind]; }

const char *objective_name(enum objective objective) { return objective_names[objective]; }

bool stage_kind_parse(const char *name, enum stage_kind *out) {
    int kind = name_find(stage_kind_names, STAGE_KINDS, name);
    if (kind != NAME_UNKNOWN) *out = (enum stage_kind)kind;
    return kind != NAME_UNKNOWN;
}

bool objective_parse(const char *name, enum objective *out) {
    int objective = name_find(objective_names, OBJECTIVES, name);
    if (objective != NAME_UNKNOWN) *out = (enum objective)objective;
    return objective != NAME_UNKNOWN;
}
