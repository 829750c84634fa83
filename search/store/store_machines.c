#include "search/store/store_machines.h"

#include "search/store/store_values.h"

int store_add_machine(struct store *store, int64_t stage, const struct machine_record *machine, struct error *error) {
    const struct database_value values[] = {
        database_set_integer("stage", stage),
        database_set_text("host", machine->host),
        database_set_text("processor", machine->processor),
        database_set_integer("threads", machine->threads),
    };
    const struct database_row row = {"machines", values, sizeof values / sizeof *values,
                                     .replaces = "stage, host, processor, threads"};
    int status = database_begin(&store->database, error);
    if (status != STATUS_OK) return status;
    return database_end(&store->database, database_insert(&store->database, &row, error), error);
}

static int read_machine(const struct store *store, sqlite3_stmt *row, const struct stage_record *stage, void *item,
                        struct error *error) {
    struct machine_record *out = item;
    (void)stage;
    bool valid = store_values_name(row, "host", out->host, sizeof out->host);
    valid = store_values_name(row, "processor", out->processor, sizeof out->processor) && valid;
    out->threads = database_integer(row, "threads");
    valid = valid && out->threads > 0;
    return valid ? STATUS_OK : database_damaged(&store->database, "a row of machines is not valid", error);
}

int store_machines(struct store *store, const struct stage_record *stage, struct machine_record **out, size_t *count,
                   struct error *error) {
    const struct store_reader reader = {sizeof **out, read_machine, stage};
    void *items = NULL;
    int status = store_values_read(store, "SELECT host, processor, threads FROM machines WHERE stage = ?1 ORDER BY id",
                                   &reader, &items, count, error);
    *out = items;
    return status;
}
