#include "search/run/engine_tables.h"

#include <math.h>
#include <string.h>

#include "search/run/run_tables.h"

static void choose(const struct factor_file *file, struct engine_tables *out) {
    const struct factor_entry *longest = factors_for_length(file->tables, file->count, INT64_MAX);
    if (!longest || longest->max_length <= file->original_length) return;
    const struct factor_entry *shortest = factors_for_length(file->tables, file->count, file->original_length);
    const struct factor_entry *used = factors_without_start_tokens(file, longest);
    const struct factor_entry *used_short = factors_without_start_tokens(file, shortest);
    if (!used || !used_short) return;
    out->found = true;
    out->original_length = file->original_length;
    out->long_table = *used;
    out->short_table = *used_short;
    double scale = (double)used->max_length / (double)file->original_length;
    double formula = rope_longrope_attention_factor(scale, file->original_length);
    out->formula = fabs(used->attention_factor / formula - 1.0) < 1e-7; /* equal in float32 */
}

int engine_tables_read(struct store *store, struct engine_tables *out, struct error *error) {
    struct factor_file file;
    memset(out, 0, sizeof *out);
    int status = run_tables_read(store, NULL, &file, error);
    if (status == STATUS_OK) choose(&file, out);
    factors_free(&file);
    return status;
}
