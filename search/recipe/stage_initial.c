#include "search/recipe/stage_initial.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "search/factors/factors.h"
#include "search/recipe/stage_space.h"
#include "search/run/run_tables.h"

/* Where critical-ntk ends, in multiples of s: the middle of the space. */
static const double critical_end = 1.5;

enum { MOST_CHANGES = 5 /* lines for the pairs of a file; the rest is counted */ };

/* ---- closed forms ---- */

/* A short window is no extension: its scale is the one whose largest factor, 1.25 s, would be lambda_max. */
static struct rope_setting setting_of(const struct stage_config *config, const struct stage_base *base,
                                      const struct stage_record *record) {
    struct rope_setting setting = stage_space_setting(record, &base->searched);
    if (config->kind == STAGE_RECOVER) setting.scale = fmax(1.0, config->lambda_max / 1.25);
    return setting;
}

static void critical_ntk(const struct stage_record *record, struct rope_table *table) {
    const struct genome_space *space = &record->space;
    int64_t critical = space->critical_high, after = space->pairs - 1 - critical;
    for (int64_t i = 0; i < space->pairs; i++) {
        double share = i > critical ? (double)(i - critical) / (double)after : 0.0;
        table->factors[i] = i < critical ? pow(record->scale, (double)i / (double)critical)
                                         : record->scale * (1.0 + (critical_end - 1.0) * share);
    }
}

static void closed_form(const struct stage_config *config, const struct stage_base *base,
                        const struct stage_record *record, enum origin origin, struct rope_table *table) {
    static const enum rope_method methods[] = {
        [ORIGIN_PI] = ROPE_PI,         [ORIGIN_NTK] = ROPE_NTK,
        [ORIGIN_YARN] = ROPE_YARN,     [ORIGIN_DYNAMIC_NTK] = ROPE_DYNAMIC_NTK,
        [ORIGIN_NTK_PI] = ROPE_NTK_PI, [ORIGIN_RESONANCE_YARN] = ROPE_RESONANCE_YARN,
        [ORIGIN_NONE] = ROPE_NONE};
    const struct rope_setting setting = setting_of(config, base, record);
    if (origin == ORIGIN_YARN_LAMBDA) {
        rope_yarn_lambda(table, &setting);
    } else if (origin == ORIGIN_CRITICAL_NTK) {
        critical_ntk(record, table);
    } else if (origin == ORIGIN_OWN) {
        stage_base_own_table(base, record->target_length, table);
        memcpy(table->factors, table->own_factors, sizeof table->factors);
    } else {
        rope_closed_form(table, methods[origin], &setting);
    }
}

/* ---- factor files ---- */

/* What a file, or the model's own table, asks for, in terms of the stage. */
struct request {
    const char *where, *source;     /* for messages */
    double factors[ROPE_MAX_PAIRS]; /* searched ones */
    int64_t start_tokens;
    double attention_factor; /* of searched tables; 0: the file has none */
};

/* Puts the line of the configuration before the message. */
static int in_configuration(const struct initial_file *file, int status, struct error *error) {
    const struct error plain = *error;
    return error_set(error, status, "%s: 'initial': %s", file->where, plain.message);
}

static int read_tables(const struct initial_file *file, struct factor_file *out, struct error *error) {
    int status = run_tables_source(file->source, out, error);
    return status == STATUS_OK ? STATUS_OK : in_configuration(file, status, error);
}

static bool same_table(const double *a, const double *b, int64_t pairs) {
    for (int64_t i = 0; i < pairs; i++) {
        if (fabs(a[i] - b[i]) > 1e-9 * b[i]) return false;
    }
    return true;
}

/* Of a table that was searched on the same base, its searched factors: the quotient may differ in the last bits. */
static void ask(const struct factor_entry *entry, const struct stage_record *record, struct request *out) {
    bool same_base = entry->composed && same_table(entry->finetuned, record->base_factors, entry->pairs);
    for (int64_t i = 0; i < entry->pairs; i++) {
        double own = entry->whole && !same_base ? record->base_factors[i] : 1.0;
        out->factors[i] = (same_base ? entry->searched[i] : entry->factors[i]) / own;
    }
    out->start_tokens = entry->start_tokens;
    out->attention_factor = entry->attention_factor / (entry->whole ? record->base_attention_factor : 1.0);
}

static uint64_t fingerprint(const struct request *request, int64_t pairs) {
    uint64_t hash = XXH3_64bits(request->factors, (size_t)pairs * sizeof *request->factors);
    hash = XXH3_64bits_withSeed(&request->start_tokens, sizeof request->start_tokens, hash);
    return XXH3_64bits_withSeed(&request->attention_factor, sizeof request->attention_factor, hash);
}

static int read_request(const struct initial_file *file, const struct stage_base *base,
                        const struct stage_record *record, struct request *out, struct error *error) {
    struct factor_file tables = {0};
    *out = (struct request){.where = file->where, .source = file->source};
    int status = read_tables(file, &tables, error);
    if (status != STATUS_OK) return status;
    status = factors_check(&tables, file->source, &base->own, error);
    if (status == STATUS_OK) {
        ask(factors_for_length(tables.tables, tables.count, record->target_length), record, out);
    } else {
        status = in_configuration(file, status, error);
    }
    factors_free(&tables);
    return status;
}

static int32_t nearest_start(const struct genome_space *space, int64_t tokens) {
    int32_t nearest = 0;
    for (int32_t k = 1; k < space->start_count; k++) {
        if (llabs(space->start_tokens[k] - tokens) < llabs(space->start_tokens[nearest] - tokens)) nearest = k;
    }
    return nearest;
}

/* ---- what changed ---- */

/* Files have numbers in f32, or with some ten digits. */
static bool kept(double asked, double got) { return fabs(asked - got) <= 1e-6 * fabs(asked); }

static void print_change(const struct stage_record *record, const struct request *request, const char *what,
                         double asked, double got, const char *why) {
    fprintf(stderr, "%s: %s: %s: %s: %.10g becomes %.10g: %s\n", record->name, request->where, request->source, what,
            asked, got, why);
}

/* Why pair i of the genome has another factor than the file asks for. */
static void explain(const struct genome_space *space, const struct genome *genome, int64_t i, double asked, char *why,
                    size_t size) {
    int32_t low = space->critical_high > 0 ? space->smallest : space->unit;
    double steps = asked * space->unit;
    if (i < genome->critical) {
        snprintf(why, size, "pairs before the critical pair %d follow NTK", (int)genome->critical);
    } else if (steps > space->largest + 0.5) {
        snprintf(why, size, "the largest factor is %g", (double)space->largest / space->unit);
    } else if (steps < low - 0.5) {
        snprintf(why, size, "the smallest factor is %g", (double)low / space->unit);
    } else if (fabs(steps - genome->genes[i]) <= 0.5 + 1e-6) {
        snprintf(why, size, "lambda_step is 1/%d", (int)space->unit);
    } else {
        snprintf(why, size, "factors must %s", space->critical_high > 0 ? "increase strictly" : "not decrease");
    }
}

static void print_pairs(const struct stage_record *record, const struct request *request, const struct genome *genome) {
    double factors[ROPE_MAX_PAIRS];
    int64_t changes = 0;
    genome_factors(&record->space, genome, factors);
    for (int64_t i = 0; i < record->space.pairs; i++) {
        char pair[32], why[100];
        if (kept(request->factors[i], factors[i]) || changes++ >= MOST_CHANGES) continue;
        snprintf(pair, sizeof pair, "pair %" PRId64, i);
        explain(&record->space, genome, i, request->factors[i], why, sizeof why);
        print_change(record, request, pair, request->factors[i], factors[i], why);
    }
    if (changes <= MOST_CHANGES) return;
    int64_t more = changes - MOST_CHANGES;
    fprintf(stderr, "%s: %s: %s: %" PRId64 " more pair%s; %" PRId64 " of %" PRId64 " are kept\n", record->name,
            request->where, request->source, more, more == 1 ? " changes" : "s change", record->space.pairs - changes,
            record->space.pairs);
}

static void print_changes(const struct stage_record *record, const struct request *request,
                          const struct genome *genome) {
    const struct genome_space *space = &record->space;
    int64_t starts = genome_start_tokens(space, genome);
    bool searched = space->attention_unit > 0;
    double factor = searched ? (double)genome->attention / space->attention_unit : record->attention_factor;
    print_pairs(record, request, genome);
    if (starts != request->start_tokens) {
        print_change(record, request, "start tokens", (double)request->start_tokens, (double)starts,
                     "'start_tokens' does not list it");
    }
    if (request->attention_factor > 0.0 && !kept(request->attention_factor, factor)) {
        print_change(record, request, "attention factor", request->attention_factor, factor,
                     searched ? "that is the nearest one that is searched" : "'attention_factor' sets it");
    }
}

/* ---- genomes ---- */

static int genome_of_file(const struct initial_file *file, const struct stage_base *base,
                          const struct stage_record *record, bool verbose, struct initial_genome *out, uint64_t *hash,
                          struct error *error) {
    struct request request;
    int status = read_request(file, base, record, &request, error);
    if (status != STATUS_OK) return status;
    double attention = request.attention_factor > 0.0 ? request.attention_factor : record->attention_factor;
    out->origin = ORIGIN_FILE;
    genome_from_factors(&record->space, request.factors, nearest_start(&record->space, request.start_tokens), attention,
                        &out->genome);
    *hash = fingerprint(&request, record->space.pairs);
    if (verbose) print_changes(record, &request, &out->genome);
    return STATUS_OK;
}

int stage_initial_check(const struct stage_config *config, const struct rope_model *model, struct error *error) {
    int status = STATUS_OK;
    for (size_t i = 0; i < config->initial_count && status == STATUS_OK; i++) {
        if (config->initial[i] == ORIGIN_OWN && config->kind != STAGE_RECOVER) {
            return error_set(error, STATUS_INPUT,
                             "stage '%s': 'initial: own' requires 'kind: recover'; a stage that extends multiplies the "
                             "model's own table, so 'initial: none' starts with it",
                             config->name);
        }
        if (config->initial[i] != ORIGIN_FILE) continue;
        struct factor_file tables = {0};
        const struct initial_file *file = &config->initial_files[i];
        status = read_tables(file, &tables, error);
        if (status != STATUS_OK) return status;
        if (model) status = factors_check(&tables, file->source, model, error);
        if (status != STATUS_OK) status = in_configuration(file, status, error);
        factors_free(&tables);
    }
    return status;
}

/* Closed forms are rounded without a word. The model's own table, and one that may have factors below 1 and that fall,
 * are not of the kind that is searched. */
static void print_changes_of_closed_form(const struct stage_record *record, const struct initial_genome *initial,
                                         const struct rope_table *table) {
    bool own = initial->origin == ORIGIN_OWN;
    if (!own && initial->origin != ORIGIN_RESONANCE_YARN) return;
    struct request request = {.where = "'initial'", .source = origin_name(initial->origin)};
    memcpy(request.factors, table->factors, sizeof request.factors);
    if (own) request.attention_factor = table->own_attention_factor;
    print_changes(record, &request, &initial->genome);
}

int stage_initial_make(const struct stage_config *config, const struct stage_base *base,
                       const struct stage_record *record, bool verbose, struct stage_initial *out,
                       struct error *error) {
    int32_t none = nearest_start(&record->space, 0); /* start_tokens always holds a 0 */
    *out = (struct stage_initial){.count = config->initial_count};
    for (size_t i = 0; i < config->initial_count; i++) {
        struct rope_table table;
        if (config->initial[i] == ORIGIN_FILE) {
            int status = genome_of_file(&config->initial_files[i], base, record, verbose, &out->genomes[i],
                                        &out->fingerprints[i], error);
            if (status != STATUS_OK) return status;
            continue;
        }
        closed_form(config, base, record, config->initial[i], &table);
        out->genomes[i].origin = config->initial[i];
        genome_from_factors(&record->space, table.factors, none, record->attention_factor, &out->genomes[i].genome);
        if (verbose) print_changes_of_closed_form(record, &out->genomes[i], &table);
    }
    return STATUS_OK;
}
