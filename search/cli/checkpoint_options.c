#include "search/cli/checkpoint_options.h"

#define AT(field) offsetof(struct checkpoint_options, field)

const struct option_row checkpoint_rows[CHECKPOINT_ROWS] = {
    {.name = "checkpoint",
     .kind = OPTION_TEXT,
     .word = "DIR",
     .offset = AT(folder),
     .help = "keeps in this folder how far the evaluation of a window is, for windows that take hours. After a kill or "
             "a signal, the same command continues there, to the same bits. A checkpoint of another model, window or "
             "table or of other kernels is never used. Files are deleted when they are no longer needed. On several "
             "nodes it is a folder that all of them share: any rank continues what another one began"},
    {.name = "checkpoint-every",
     .kind = OPTION_NUMBER,
     .word = "SECONDS",
     .offset = AT(every),
     .least = 0.0,
     .most = 1e6,
     .needs = "checkpoint",
     .initial = "600",
     .help = "work between two checkpoints, at least; windows that take less have none"},
};
