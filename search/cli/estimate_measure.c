#include "search/cli/estimate_measure.h"

#include <stdlib.h>
#include <string.h>

#include "search/base/signals.h"

/* Whether rates of one stage are those of another: recipes have many stages on one shape. */
static bool is_alike(const struct estimate_stage *a, const struct estimate_stage *b) {
    const struct model_config *x = &a->architecture, *y = &b->architecture;
    return a->kernels == b->kernels && a->config->target_length == b->config->target_length && x->hidden == y->hidden &&
           x->heads == y->heads && x->kv_heads == y->kv_heads && x->head_width == y->head_width &&
           x->intermediate == y->intermediate && x->vocabulary == y->vocabulary &&
           x->sliding_window == y->sliding_window && memcmp(x->layer_kinds, y->layer_kinds, sizeof x->layer_kinds) == 0;
}

/* Windows of needles leave a part of a pass out; its operations are counted, so its share of the time is known. */
static double seconds_of(const struct estimate_stage *stage, const struct machine_rate *rate) {
    const struct model_config *model = &stage->architecture;
    int64_t length = stage->config->target_length;
    return machine_rate_seconds(rate, model, length) * stage->operations / work_pass(model, length);
}

void estimate_set_rates(struct estimate *estimate, const struct machine_rate *rates) {
    estimate->seconds = 0.0;
    for (size_t i = 0; i < estimate->stage_count; i++) {
        struct estimate_stage *stage = &estimate->stages[i];
        stage->seconds = seconds_of(stage, &rates[i]);
        estimate->seconds += stage->seconds;
        estimate->measured_threads = rates[i].threads;
    }
    estimate->rate = estimate->operations / estimate->seconds;
}

int estimate_measure(struct estimate *estimate, struct error *error) {
    struct machine_rate *rates = calloc(estimate->stage_count, sizeof *rates);
    int status = rates ? STATUS_OK : error_memory(error, (double)estimate->stage_count * sizeof *rates, "the rates");
    for (size_t i = 0; i < estimate->stage_count && status == STATUS_OK; i++) {
        const struct estimate_stage *stage = &estimate->stages[i];
        if (i > 0 && is_alike(stage, stage - 1)) {
            rates[i] = rates[i - 1];
        } else {
            status = machine_rate_measure(&stage->architecture, stage->kernels, stage->config->target_length,
                                          estimate->threads, signals_caught(), &rates[i], error);
        }
    }
    if (status == STATUS_STOPPED) error_set(error, status, "stopped by %s; nothing was printed", signals_name());
    if (status == STATUS_OK) estimate_set_rates(estimate, rates);
    free(rates);
    return status;
}
