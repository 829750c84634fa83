#include "search/report/report_setup.h"

#include "search/base/json.h"

/* ---- the run ---- */

/* null where the text is not a JSON array of strings: the database is damaged. */
static json_t *overrides_json(const char *text) {
    json_t *array = json_loads(text, 0, NULL);
    for (size_t i = 0; i < json_array_size(array); i++) {
        if (json_is_string(json_array_get(array, i))) continue;
        json_decref(array);
        return json_null();
    }
    if (json_is_array(array)) return array;
    json_decref(array);
    return json_null();
}

int report_configuration_json(struct store *store, json_t **out, struct error *error) {
    struct configuration_record record;
    bool found;
    *out = NULL;
    int status = store_configuration(store, &record, &found, error);
    if (status == STATUS_OK) {
        *out = !found ? json_null()
                      : json_pack("{s:o, s:o, s:o, s:o}", "program", json_name(record.program), "path",
                                  json_name(record.path), "overrides", overrides_json(record.overrides), "content",
                                  json_name(record.content));
        if (!*out) status = error_memory(error, 0, "the configuration");
    }
    configuration_record_free(&record);
    return status;
}

/* ---- a stage ---- */

static json_t *name_or_null(const char *name) { return *name ? json_name(name) : json_null(); }

static json_t *samples_json(const struct stage_view *stage) {
    json_t *array = json_array();
    for (size_t i = 0; i < stage->windows; i++) {
        const struct window_record *one = &stage->window_records[i];
        json_array_append_new(array, json_pack("{s:o, s:I, s:I}", "document", json_name(one->document), "start",
                                               (json_int_t)one->start, "tokens", (json_int_t)one->tokens));
    }
    return array;
}

static json_t *settings_json(const struct stage_view *stage) {
    json_t *object = json_object();
    for (size_t i = 0; i < stage->setting_count; i++) {
        json_object_set_new(object, stage->settings[i].key, json_name(stage->settings[i].value));
    }
    return object;
}

json_t *report_setup_json(const struct stage_view *stage) {
    const struct stage_record *record = stage->record;
    int64_t pair = stage_view_window_pair(stage);
    return json_pack("{s:s, s:o, s:o, s:I, s:I, s:f, s:f, s:I, s:o, s:I, s:o, s:o}", "kind",
                     stage_kind_name(record->kind), "model", name_or_null(record->model), "base",
                     name_or_null(record->base), "original_length", (json_int_t)record->original_length,
                     "pretrained_length", (json_int_t)record->pretrained_length, "scale", record->scale, "rope_theta",
                     record->rope_theta, "pairs", (json_int_t)record->space.pairs, "window_pair",
                     pair < record->space.pairs ? json_integer(pair) : json_null(), "planned",
                     (json_int_t)record->planned, "samples", samples_json(stage), "settings", settings_json(stage));
}
