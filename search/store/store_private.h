/* What store_open.c (the file and its folder) and store.c (its rows) know of each other. */
#ifndef LONGROPE_SEARCH_STORE_PRIVATE_H
#define LONGROPE_SEARCH_STORE_PRIVATE_H

#include "search/store/database.h"

struct store {
    char *dir;                /* as it was given */
    struct database database; /* dir/run.db */
    int lock;                 /* of run.lock; -1 for who takes none */
};

#endif
