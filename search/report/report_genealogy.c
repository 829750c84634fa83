#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>

#include "search/base/json.h"
#include "search/report/report.h"
#include "search/report/report_frame.h"

/* ---- ancestors ---- */

static int by_id(const void *key, const void *item) {
    int64_t id = *(const int64_t *)key, other = ((const struct individual_record *)item)->individual.id;
    return (id > other) - (id < other);
}

/* NULL where the stage has no individual with this id. */
static const struct individual_record *find(const struct stage_view *stage, int64_t id) {
    if (!stage->individual_count) return NULL;
    return bsearch(&id, stage->individuals, stage->individual_count, sizeof *stage->individuals, by_id);
}

/* An individual and its ancestors, as marks on those of the stage. */
struct kin {
    const struct individual *youngest; /* NULL where the stage has no individual yet */
    size_t count;                      /* marks */
    bool *marked;                      /* [stage->individual_count] */
};

/* Parents are older than their child, so they come before it; a damaged database may lack them. */
static int mark_parents(const struct stage_view *stage, const struct individual *child, struct kin *kin,
                        struct error *error) {
    for (int p = 0; p < 2; p++) {
        if (child->parents[p] == EVOLVE_NO_PARENT) continue;
        const struct individual_record *parent = find(stage, child->parents[p]);
        if (!parent) {
            return error_set(error, STATUS_FAILED,
                             "stage '%s': the database is damaged: it lacks individual %" PRId64
                             ", a parent of %" PRId64 "; restore a copy of run.db",
                             stage->record->name, child->parents[p], child->id);
        }
        kin->marked[parent - stage->individuals] = true;
    }
    return STATUS_OK;
}

/* Of individual `id` or the best; the caller frees out->marked, also after an error. */
static int find_kin(const struct stage_view *stage, int64_t id, struct kin *out, struct error *error) {
    *out = (struct kin){.youngest = stage_view_best(stage).any, .marked = calloc(stage->individual_count + 1, 1)};
    if (!out->marked) return error_memory(error, (double)stage->individual_count, "the ancestors");
    if (id != REPORT_BEST) {
        const struct individual_record *asked = find(stage, id);
        if (!asked) {
            return error_set(error, STATUS_INPUT,
                             "--genealogy: stage '%s' has no individual %" PRId64 "; it has %zu, counted from 0",
                             stage->record->name, id, stage->individual_count);
        }
        out->youngest = &asked->individual;
    }
    if (!out->youngest) return STATUS_OK;
    size_t youngest = (size_t)(find(stage, out->youngest->id) - stage->individuals);
    out->marked[youngest] = true;
    for (size_t i = youngest + 1; i-- > 0;) {
        if (!out->marked[i]) continue;
        out->count++;
        int status = mark_parents(stage, &stage->individuals[i].individual, out, error);
        if (status != STATUS_OK) return status;
    }
    return STATUS_OK;
}

/* Factors, n_hat and, where they are searched, the attention factor and the critical pair. */
static int64_t genes_of(const struct genome_space *space) {
    return space->pairs + 1 + (space->attention_unit != 0) + (space->critical_low < space->critical_high);
}

static int64_t genes_that_differ(const struct genome_space *space, const struct genome *a, const struct genome *b) {
    int64_t count = (a->start != b->start) + (a->attention != b->attention) + (a->critical != b->critical);
    for (int64_t i = 0; i < space->pairs; i++) count += a->genes[i] != b->genes[i];
    return count;
}

/* From parent 0 or 1 of an individual that has it, both marked. */
static int64_t genes_differing(const struct stage_view *stage, const struct individual *child, int parent) {
    const struct individual_record *from = find(stage, child->parents[parent]);
    return genes_that_differ(&stage->record->space, &from->individual.genome, &child->genome);
}

/* ---- for people ---- */

static void print_individual(FILE *out, const struct stage_view *stage, const struct individual_record *record) {
    const struct individual *one = &record->individual;
    char parents[96] = "";
    size_t used = 0;
    for (int p = 0; p < 2; p++) {
        if (one->parents[p] == EVOLVE_NO_PARENT) continue;
        used += (size_t)snprintf(parents + used, sizeof parents - used, "%s%" PRId64 " (%" PRId64 ")",
                                 used ? " and " : "", one->parents[p], genes_differing(stage, one, p));
    }
    struct factor_entry table;
    stage_view_entry(stage, one, &table);
    fprintf(out, "  %5" PRId64 "  %10" PRId64 "  %-11s  %5" PRId64 "  %9.4f  ", one->id, one->generation,
            origin_name(one->origin), table.start_tokens, table.attention_factor);
    if (isnan(one->score)) {
        fprintf(out, "%10s", one->failed ? "failed" : one->stopped ? "cut short" : "n/a");
    } else {
        fprintf(out, "%10.4f", exp(one->score));
    }
    fprintf(out, "  %7zu", record->scored.windows);
    fprintf(out, "%s%s\n", used ? "  " : "", parents);
}

static void print_kin(FILE *out, const struct stage_view *stage, const struct kin *kin) {
    fprintf(out, "  individual %" PRId64 " and its ancestors, %zu in all, of %" PRId64 " genes each\n",
            kin->youngest->id, kin->count, genes_of(&stage->record->space));
    fprintf(out, "  %5s  %10s  %-11s  %5s  %9s  %10s  %7s  %s\n", "id", "generation", "origin", "n_hat", "attention",
            "perplexity", "windows", "parents (genes that differ)");
    for (size_t i = 0; i < stage->individual_count; i++) {
        if (kin->marked[i]) print_individual(out, stage, &stage->individuals[i]);
    }
}

static int print_stage(const void *state, const struct stage_view *stage, FILE *out, struct error *error) {
    struct kin kin;
    int status = find_kin(stage, *(const int64_t *)state, &kin, error);
    if (status == STATUS_OK && kin.youngest) print_kin(out, stage, &kin);
    if (status == STATUS_OK && !kin.youngest) fputs("  no evaluation yet\n", out);
    free(kin.marked);
    return status;
}

/* ---- for programs ---- */

static json_t *individual_json(const struct stage_view *stage, const struct individual_record *record) {
    const struct individual *one = &record->individual;
    json_t *parents = json_array();
    for (int p = 0; p < 2; p++) {
        if (one->parents[p] == EVOLVE_NO_PARENT) continue;
        json_array_append_new(parents, json_pack("{s:I, s:I}", "id", (json_int_t)one->parents[p], "genes_differing",
                                                 (json_int_t)genes_differing(stage, one, p)));
    }
    struct factor_entry table;
    stage_view_entry(stage, one, &table);
    return json_pack("{s:I, s:I, s:s, s:o, s:o, s:b, s:b, s:I, s:I, s:f}", "id", (json_int_t)one->id, "generation",
                     (json_int_t)one->generation, "origin", origin_name(one->origin), "parents", parents, "perplexity",
                     json_number_or_null(exp(one->score)), "stopped", (int)one->stopped, "failed", (int)one->failed,
                     "windows", (json_int_t)record->scored.windows, "start_tokens", (json_int_t)table.start_tokens,
                     "attention_factor", table.attention_factor);
}

static json_t *kin_json(const struct stage_view *stage, const struct kin *kin) {
    json_t *array = json_array();
    for (size_t i = 0; i < stage->individual_count; i++) {
        if (!kin->marked[i]) continue;
        json_array_append_new(array, individual_json(stage, &stage->individuals[i]));
    }
    return array;
}

static int stage_json(const void *state, const struct stage_view *stage, json_t **out, struct error *error) {
    struct kin kin;
    int status = find_kin(stage, *(const int64_t *)state, &kin, error);
    if (status == STATUS_OK) {
        json_t *id = kin.youngest ? json_integer(kin.youngest->id) : json_null();
        *out = json_pack("{s:o, s:I, s:o}", "individual", id, "genes", (json_int_t)genes_of(&stage->record->space),
                         "genealogy", kin_json(stage, &kin));
    }
    free(kin.marked);
    return status;
}

/* ---- the report ---- */

static int check_one_stage(struct store *store, const struct report_options *options, struct error *error) {
    struct run_view run;
    int status = run_view_open(store, options->stage, &run, error);
    if (status != STATUS_OK) return status;
    if (run.count > 1) {
        status = error_set(error, STATUS_INPUT,
                           "--genealogy: ids count within a stage, and the run '%s' has %zu stages; choose one, for "
                           "example --stage %s",
                           run.name, run.count, run.stages[0].name);
    }
    run_view_close(&run);
    return status;
}

const struct report_view report_view_genealogy = {.print = print_stage, .to_json = stage_json};

int report_genealogy(struct store *store, const struct report_options *options, int64_t id, FILE *out,
                     struct error *error) {
    int status = id == REPORT_BEST ? STATUS_OK : check_one_stage(store, options, error);
    return status == STATUS_OK ? report_stages(store, options, &report_view_genealogy, &id, out, error) : status;
}
