#include "search/config/stage_terms.h"

#include <string.h>

static const char *const names[] = {[OBJECTIVE_PERPLEXITY] = "perplexity", [OBJECTIVE_NEEDLE] = "needle"};

const char *objective_name(enum objective objective) { return names[objective]; }

bool objective_parse(const char *name, enum objective *out) {
    for (int objective = OBJECTIVE_PERPLEXITY; objective <= OBJECTIVE_NEEDLE; objective++) {
        if (strcmp(name, names[objective]) != 0) continue;
        *out = (enum objective)objective;
        return true;
    }
    return false;
}
