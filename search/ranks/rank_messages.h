/* What rank 0 (search/ranks/rank_workers.h) and the others (search/ranks/rank_service.h) tell each other, as structs:
 * all ranks are the same program on machines of one kind, which ranks_open() made sure of.
 *
 * A rank says hello once. Of each stage rank 0 says that it begins, and each of the others, when it has loaded model
 * and text, that it is ready and what it has loaded. It gets units then, and gives results, until the stage ends. A
 * measurement is one stage, 0. */
#ifndef LONGROPE_SEARCH_RANK_MESSAGES_H
#define LONGROPE_SEARCH_RANK_MESSAGES_H

#include <stdint.h>

#include "search/ranks/ranks.h"
#include "search/ranks/workers.h"

enum rank_message {
    /* to rank 0 */
    RANK_HELLO = RANKS_FIRST, /* struct rank_arithmetic */
    RANK_READY,               /* struct rank_ready */
    RANK_RESULT,              /* struct rank_result, then its details */
    RANK_TROUBLE,             /* struct rank_trouble: instead of a result */
    RANK_NOTE,                /* int64_t, the stage, then a line about a checkpoint, with its NUL */
    /* to the others */
    RANK_STAGE,  /* a stage begins: int64_t, its number, then what else the caller says of it */
    RANK_UNIT,   /* struct work_unit */
    RANK_CANCEL, /* uint64_t: id of a unit that is not required */
    RANK_STOP,   /* the work breaks off, to be continued later: checkpoints stay */
    RANK_CLOSE,  /* the stage ends; int: whether its results are final, and what is kept of windows can go */
};

/* Fingerprints of what a rank has loaded: those of struct score_keys. */
struct rank_loaded {
    char model[64], windows[64], arithmetic[160];
};

struct rank_ready {
    int64_t stage;
    struct rank_loaded loaded;
};

struct rank_result {
    int64_t stage;
    uint64_t unit;
    double seconds, nats;
    uint64_t size; /* bytes that follow */
};

struct rank_trouble {
    int64_t stage;
    uint64_t unit;
    int64_t status;
    double seconds;
    struct error error;
};

#endif
