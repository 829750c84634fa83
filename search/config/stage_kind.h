/* What a stage is for, as the progressive recipe has it (LongRoPE, arXiv 2402.13753, section 3.3). */
#ifndef LONGROPE_SEARCH_STAGE_KIND_H
#define LONGROPE_SEARCH_STAGE_KIND_H

#include <stdbool.h>

enum stage_kind {
    STAGE_EXTEND, /* a longer window: the searched table multiplies what the model was fine-tuned with */
    STAGE_RECOVER /* a short window of the extended model: the searched table takes the place of that */
};

/* "extend", "recover"; configurations, the store and reports use these words. */
const char *stage_kind_name(enum stage_kind kind);
/* False, with *out untouched, for a name that is neither. */
bool stage_kind_parse(const char *name, enum stage_kind *out);

#endif
