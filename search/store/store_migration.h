/* Migration of a run.db from an older schema to the newest one, one step per schema version.
 *
 * To add schema version N: add the CREATE TABLE statement of each new or changed SQL table as NAME_N (store_schema.h),
 * use it in the list of the newest tables (store_schema.c), set STORE_SCHEMA to N, add the step from N - 1
 * (store_migration.c), and a test of a run of schema N - 1 (test_migration.c). Older statements and steps do not
 * change.
 */
#ifndef LONGROPE_SEARCH_STORE_MIGRATION_H
#define LONGROPE_SEARCH_STORE_MIGRATION_H

#include <stdint.h>

#include "search/store/database.h"

/* Migrates a database of schema `version`, 1..STORE_SCHEMA, to STORE_SCHEMA, in one transaction: after a failure, or a
 * kill at any moment, the database is as it was. A database of the newest schema is not changed. Call it before foreign
 * keys are enforced. STATUS_FAILED, as damaged, where a row refers to a missing row. */
int store_migrate(struct database *database, int64_t version, struct error *error);

#endif
