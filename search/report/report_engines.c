#include "search/report/report_engines.h"

#include "search/base/json.h"
#include "search/run/engine_tables.h"

static json_t *table_json(const struct factor_entry *table) {
    return json_pack("{s:o, s:o}", "stage", json_name(table->name), "factors",
                     json_number_array(table->factors, table->pairs));
}

int report_engines_json(struct store *store, json_t **out, struct error *error) {
    struct engine_tables tables;
    *out = NULL;
    int status = engine_tables_read(store, &tables, error);
    if (status != STATUS_OK) return status;
    const struct factor_entry *longest = &tables.long_table;
    *out = !tables.found ? json_null()
                         : json_pack("{s:I, s:I, s:f, s:f, s:b, s:o, s:o}", "original_length",
                                     (json_int_t)tables.original_length, "max_length", (json_int_t)longest->max_length,
                                     "factor", (double)longest->max_length / (double)tables.original_length,
                                     "attention_factor", longest->attention_factor, "formula", (int)tables.formula,
                                     "short", table_json(&tables.short_table), "long", table_json(longest));
    return *out ? STATUS_OK : error_memory(error, 0, "the report");
}
