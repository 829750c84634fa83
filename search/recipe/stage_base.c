#include "search/recipe/stage_base.h"

#include <math.h>
#include <string.h>

int64_t stage_pretrained_length(const struct model_config *model) {
    switch (model->rope.type) {
    case ROPE_TYPE_LLAMA3:
    case ROPE_TYPE_YARN:
    case ROPE_TYPE_LONGROPE:
        return model->rope.original_length;
    case ROPE_TYPE_LINEAR:
        return (int64_t)fmax(1.0, (double)model->window / model->rope.factor);
    case ROPE_TYPE_DEFAULT:
    case ROPE_TYPE_DYNAMIC: /* of these config.json keeps the window as it was */
    case ROPE_TYPE_CLEX:
    case ROPE_TYPES:
        break;
    }
    return model->window;
}

int64_t stage_window(enum stage_kind kind, const struct model_config *model, int64_t base_length) {
    if (kind == STAGE_RECOVER) return stage_pretrained_length(model);
    return base_length ? base_length : model->window;
}

/* A scaling with that table at every length. */
static struct rope_model model_with_table(const struct rope_model *plain, const struct factor_entry *table,
                                          int64_t pretrained_length) {
    struct rope_model model = *plain;
    model.type = ROPE_TYPE_LONGROPE;
    model.factor = table->scale;
    model.original_length = pretrained_length;
    model.attention_factor = table->attention_factor;
    memcpy(model.short_factors, table->factors, sizeof model.short_factors);
    memcpy(model.long_factors, table->factors, sizeof model.long_factors);
    return model;
}

/* Trainers round to f32, or to the digits that they print. */
static bool nearly(double a, double b) { return fabs(a - b) <= 1e-5 * fabs(b); }

/* A scaling that varies with the length is no single table. */
static bool has_table(const struct rope_model *rope, const struct factor_entry *table) {
    struct rope_table own;
    if (rope_type_varies(rope->type)) return false;
    rope_model_table(&own, rope, rope->original_length + 1);
    if (!nearly(own.own_attention_factor, table->attention_factor)) return false;
    for (int64_t i = 0; i < rope->pairs; i++) {
        if (!nearly(own.own_factors[i], table->factors[i])) return false;
    }
    return true;
}

int stage_base_resolve(const struct stage_config *config, const struct model_config *model,
                       const struct factor_entry *base, struct stage_base *out, struct error *error) {
    const struct rope_model *rope = &model->rope;
    *out = (struct stage_base){.own = *rope,
                               .window = stage_window(config->kind, model, base ? base->max_length : 0),
                               .pretrained_length = stage_pretrained_length(model)};
    if (base && base->pairs != rope->pairs) {
        return error_set(error, STATUS_INPUT,
                         "stage '%s': the table of its base '%s' has %d factors, but its model %d rotary pairs; is it "
                         "the model that was fine-tuned?",
                         config->name, base->name, (int)base->pairs, (int)rope->pairs);
    }
    if (base && rope->type == ROPE_TYPE_DEFAULT) {
        out->own = model_with_table(rope, base, model->window);
    } else if (base && !has_table(rope, base)) {
        return error_set(error, STATUS_INPUT,
                         "stage '%s': its model's own scaling (%s) is not the table of its base '%s'; fine-tune with "
                         "the table of this run",
                         config->name, rope_type_name(rope->type), base->name);
    }
    out->searched = config->kind == STAGE_RECOVER ? rope_model_plain(rope->pairs, rope->theta) : out->own;
    return STATUS_OK;
}

void stage_base_own_table(const struct stage_base *base, int64_t target_length, struct rope_table *out) {
    bool varies = rope_type_varies(base->own.type);
    rope_model_table(out, &base->own, varies ? target_length : base->own.original_length + 1);
}
