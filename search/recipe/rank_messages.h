/* What rank 0 (search/recipe/stage_workers.h) and the others (search/recipe/serve.h) tell each other, as structs: all
 * ranks are the same program on machines of one kind, which ranks_open() made sure of.
 *
 * A rank says hello once. Of each stage rank 0 says that it begins, and each of the others, when it has loaded model
 * and text, that it is ready and what it has loaded. It gets units then, and gives results, until the stage ends. */
#ifndef LONGROPE_SEARCH_RANK_MESSAGES_H
#define LONGROPE_SEARCH_RANK_MESSAGES_H

#include <stdint.h>

#include "search/ranks/ranks.h"
#include "search/ranks/workers.h"
#include "search/recipe/score_keys.h"

enum rank_message {
    /* to rank 0 */
    RANK_HELLO = RANKS_FIRST, /* struct rank_arithmetic */
    RANK_READY,               /* struct rank_ready */
    RANK_RESULT,              /* struct rank_result, then its blocks as floats */
    RANK_TROUBLE,             /* struct rank_trouble: instead of a result */
    /* to the others */
    RANK_STAGE,  /* int64_t: a stage begins */
    RANK_UNIT,   /* struct work_unit */
    RANK_CANCEL, /* uint64_t: id of a unit */
    RANK_CLOSE,  /* the stage ends; units under way are not required */
};

struct rank_ready {
    int64_t stage;
    char model[SCORE_KEY_SIZE], windows[SCORE_KEY_SIZE]; /* fingerprints: struct score_keys */
    char arithmetic[sizeof((struct score_keys *)0)->arithmetic];
};

struct rank_result {
    int64_t stage;
    uint64_t unit;
    double seconds, nats;
    uint64_t blocks; /* how many follow */
};

struct rank_trouble {
    int64_t stage;
    uint64_t unit;
    int64_t status;
    double seconds;
    struct error error;
};

#endif
