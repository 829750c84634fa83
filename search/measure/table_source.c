#include "search/measure/table_source.h"

#include <assert.h>
#include <math.h>

#include "search/run/run_tables.h"

/* Whether a table leaves nothing to the scale that a request may give: its factors are made for its own. */
static bool has_scale(const struct factor_entry *entry) { return entry->scale > 0.0 && entry->attention_factor > 0.0; }

/* Scale and original length give what a table leaves open. */
static int check_scale(const struct table_source *source, struct error *error) {
    const struct factor_file *file = &source->factors;
    const struct table_request *o = source->request;
    bool scale = o->scale != TABLE_REQUEST_UNSET, original = o->original_length != TABLE_REQUEST_UNSET;
    bool all = scale || original;
    for (size_t i = 0; i < file->count; i++) all = all && has_scale(&file->tables[i]);
    if (!all) return STATUS_OK;
    return error_set(error, STATUS_INPUT,
                     "%s has no effect on %.300s, whose tables state their scale and attention factor; leave it out",
                     scale ? "--scale" : "--original-length", o->factors);
}

int table_source_open(const struct table_request *request, const struct model_config *config, struct table_source *out,
                      struct error *error) {
    *out = (struct table_source){.request = request, .config = config};
    if (!request->factors) return STATUS_OK;
    int status = run_tables_source(request->factors, &out->factors, error);
    if (status == STATUS_OK) status = factors_check(&out->factors, request->factors, &config->rope, error);
    return status == STATUS_OK ? check_scale(out, error) : status;
}

void table_source_close(struct table_source *source) { factors_free(&source->factors); }

size_t table_source_count(const struct table_source *source) {
    return source->request->factors ? 1 : source->request->methods.count;
}

/* L0: that of the factor file where it says, else the model's window. */
static int64_t original_length_of(const struct table_source *source) {
    if (source->request->original_length != TABLE_REQUEST_UNSET) return source->request->original_length;
    return source->factors.original_length > 0 ? source->factors.original_length : source->config->window;
}

static struct rope_setting setting_of(const struct table_source *source, int64_t length) {
    const struct table_request *o = source->request;
    int64_t original = original_length_of(source);
    double scale = o->scale != TABLE_REQUEST_UNSET ? o->scale : fmax(1.0, (double)length / (double)original);
    return (struct rope_setting){
        .model = &source->config->rope, .original_length = original, .scale = scale, .length = length};
}

/* The factor file's table for this length. */
static void choose_entry(const struct table_source *source, struct rope_setting *setting, struct chosen_table *out) {
    const struct factor_entry *entry =
        factors_for_length(source->factors.tables, source->factors.count, setting->length);
    if (has_scale(entry) || (entry->scale > 0.0 && source->request->scale == TABLE_REQUEST_UNSET)) {
        setting->scale = entry->scale;
    }
    factor_entry_table(entry, setting->model, setting->length,
                       rope_longrope_attention_factor(setting->scale, setting->original_length), &out->rope);
    out->method = "factors", out->name = entry->name;
}

static void choose_method(const char *method, const struct rope_setting *setting, struct chosen_table *out) {
    enum rope_method known = ROPE_NONE;
    bool found = rope_method_parse(method, &known);
    assert(found), (void)found;
    rope_closed_form(&out->rope, known, setting);
    out->method = method, out->name = NULL;
}

void table_source_get(const struct table_source *source, size_t index, int64_t length, struct chosen_table *out) {
    const struct table_request *o = source->request;
    struct rope_setting setting = setting_of(source, length);
    assert(index < table_source_count(source));
    if (o->factors) {
        choose_entry(source, &setting, out);
    } else {
        choose_method(o->methods.items[index], &setting, out);
    }
    out->scale = setting.scale;
    if (o->attention_factor != TABLE_REQUEST_UNSET) out->rope.attention_factor = o->attention_factor;
    if (o->start_tokens != TABLE_REQUEST_UNSET) out->rope.start_tokens = o->start_tokens;
}
