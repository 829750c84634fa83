#include "search/measure/measurement_log.h"

#include <stdio.h>
#include <string.h>

int measurement_log_open(const char *into, const char *label, struct measurement_log *out, struct error *error) {
    *out = (struct measurement_log){.label = label};
    if (label && !into) return error_set(error, STATUS_INPUT, "--label names what --into RUN_DIR records; give both");
    int status = label ? store_check_label(label, error) : STATUS_OK;
    return status == STATUS_OK && into ? store_open(into, STORE_RECORD, &out->store, error) : status;
}

void measurement_log_close(struct measurement_log *log) {
    store_close(log->store);
    log->store = NULL;
}

/* Names in factor files can be any text. */
static const char *own_label(const char *name) {
    struct error ignored;
    return store_check_label(name, &ignored) == STATUS_OK ? name : "factors";
}

void measurement_log_describe(const struct measurement_log *log, const struct measurement_setup *setup,
                              struct measurement *out) {
    const struct rope_table *table = setup->table;
    *out = (struct measurement){.length = setup->length,
                                .scale = setup->scale,
                                .start_tokens = table->start_tokens,
                                .attention_factor = table->attention_factor,
                                .pairs = table->pairs,
                                .seconds = setup->seconds};
    snprintf(out->label, sizeof out->label, "%s", log->label ? log->label : own_label(setup->name));
    snprintf(out->model, sizeof out->model, "%s", setup->model);
    memcpy(out->factors, table->factors, (size_t)table->pairs * sizeof *table->factors);
    snprintf(out->dtype, sizeof out->dtype, "%s", number_type_name(setup->kernels->type));
    snprintf(out->kernels, sizeof out->kernels, "%s", setup->kernels->name);
    snprintf(out->angles, sizeof out->angles, "%s", rope_angles_name(setup->angles));
}
