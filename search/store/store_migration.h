/* Migration of a run.db from an older schema to the newest one. */
#ifndef LONGROPE_SEARCH_STORE_MIGRATION_H
#define LONGROPE_SEARCH_STORE_MIGRATION_H

#include <stdint.h>

#include "search/store/database.h"

/* Migrates a database of schema `version`, 1..STORE_SCHEMA, to STORE_SCHEMA, in one transaction: after a failure, or a
 * kill at any moment, the database is as it was. A database of the newest schema is not changed. Call it before foreign
 * keys are enforced. STATUS_FAILED, as damaged, where a row refers to a missing row. */
int store_migrate(struct database *database, int64_t version, struct error *error);

#endif
