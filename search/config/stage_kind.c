#include "search/config/stage_kind.h"

#include <string.h>

static const char *const names[] = {[STAGE_EXTEND] = "extend", [STAGE_RECOVER] = "recover"};

const char *stage_kind_name(enum stage_kind kind) { return names[kind]; }

bool stage_kind_parse(const char *name, enum stage_kind *out) {
    for (int kind = STAGE_EXTEND; kind <= STAGE_RECOVER; kind++) {
        if (strcmp(name, names[kind]) != 0) continue;
        *out = (enum stage_kind)kind;
        return true;
    }
    return false;
}
