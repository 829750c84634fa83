#include "search/recipe/proposal.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "eval/rope.h"
#include "eval/text/text_held_out.h"
#include "search/base/json.h"
#include "search/recipe/stage.h"
#include "search/recipe/stage_base.h"

enum {
    TIMES = 4,        /* the window, without fine-tuning */
    MOST_SAMPLES = 5, /* the default */
    MOST_EVALUATIONS = 60,
    USEFUL_EVALUATIONS = 20,
    LEAST_EVALUATIONS = 6,
    RECOVER_EVALUATIONS = 8,
    EXTEND_HELD_OUT = 3, /* tables that are evaluated on other text when the stage ends */
    RECOVER_HELD_OUT = 2,
    RECOVER_SAMPLES = 24
};

static size_t smaller(size_t a, size_t b) { return a < b ? a : b; }

/* ---- lengths ---- */

/* Windows of the text that do not overlap. */
static size_t count_windows(const struct documents *documents, int64_t length) {
    size_t count = 0;
    for (size_t i = 0; i < documents->count; i++) count += (size_t)(documents->items[i].count / length);
    return count;
}

static int64_t longest_of(const struct documents *documents) {
    int64_t longest = 0;
    for (size_t i = 0; i < documents->count; i++) {
        if (documents->items[i].count > longest) longest = documents->items[i].count;
    }
    return longest;
}

/* A multiple of the window that the text allows, or a round number of tokens that is less than twice the window. */
static int64_t usual_target(int64_t window, int64_t longest) {
    for (int64_t times = TIMES; times > 1; times /= 2) {
        if (window <= INT64_MAX / times && times * window <= longest) return times * window;
    }
    int64_t step = window >= 1024 ? 256 : 1;
    return longest / step * step;
}

/* The most windows, `most` at most, beside which some of the text can be held out; `most` if there are none. */
static int count_beside_held_out(const struct documents *documents, int64_t length, size_t most, size_t *out,
                                 struct error *error) {
    *out = most;
    for (size_t samples = most; samples > 0; samples--) {
        struct window *used = NULL, *held_out = NULL;
        size_t used_count = 0, count = 0;
        int status = windows_choose(documents, length, samples, &used, &used_count, error);
        if (status == STATUS_OK) {
            status = windows_hold_out(documents, length, used, used_count, samples, &held_out, &count, error);
        }
        free(used);
        free(held_out);
        if (status != STATUS_OK) return status;
        if (!count) continue;
        *out = samples;
        break;
    }
    return STATUS_OK;
}

static int find_most_samples(struct proposal *proposal, const struct documents *documents, struct error *error) {
    size_t windows = smaller(MOST_SAMPLES, proposal->long_windows);
    size_t short_windows = smaller(RECOVER_SAMPLES, proposal->short_windows);
    int status = count_beside_held_out(documents, proposal->target, windows, &proposal->most_samples, error);
    if (status != STATUS_OK) return status;
    return count_beside_held_out(documents, proposal->short_length, short_windows, &proposal->most_short_samples,
                                 error);
}

int proposal_set_lengths(struct proposal *proposal, const struct model_config *model, const struct documents *documents,
                         int64_t target, struct error *error) {
    int64_t window = stage_window(STAGE_EXTEND, model, 0), longest = longest_of(documents);
    proposal->window = window;
    proposal->short_length = stage_pretrained_length(model);
    proposal->target = target ? target : usual_target(window, longest);
    if (target && target <= window) {
        return error_set(error, STATUS_INPUT,
                         "--target %" PRId64 ": the model's window is %" PRId64 " tokens; give a longer target", target,
                         window);
    }
    if (proposal->target <= window || proposal->target > longest) {
        return error_set(error, STATUS_INPUT,
                         "the longest text has %" PRId64 " tokens, and the model's window is %" PRId64
                         ": a search for %" PRId64 " tokens requires a text of so many; give a longer one, or join "
                         "several in one file",
                         longest, window, target ? target : 2 * window);
    }
    proposal->long_windows = count_windows(documents, proposal->target);
    proposal->short_windows = count_windows(documents, proposal->short_length);
    return find_most_samples(proposal, documents, error);
}

/* ---- budget ---- */

/* Windows of the old length: about as many tokens as two tables of the extension are scored on. */
static size_t recover_samples(const struct proposal *p, size_t samples) {
    double tokens = 2.0 * (double)samples * (double)p->target / (double)p->short_length;
    return smaller((size_t)fmin(RECOVER_SAMPLES, ceil(tokens)), p->most_short_samples);
}

static double recover_seconds(const struct proposal *p, size_t samples, double short_pass) {
    double tables = RECOVER_EVALUATIONS + stage_baselines(STAGE_RECOVER) + RECOVER_HELD_OUT;
    return tables * (double)recover_samples(p, samples) * short_pass;
}

/* Evaluations of `samples` windows that fit, beside the baselines and the recovery; below 0: not even these. */
static double evaluations_for(const struct proposal *p, size_t samples, double seconds, double long_pass,
                              double short_pass) {
    double left = seconds - recover_seconds(p, samples, short_pass);
    return floor(left / ((double)samples * long_pass)) - stage_baselines(STAGE_EXTEND) - EXTEND_HELD_OUT;
}

void proposal_set_budget(struct proposal *p, double seconds, double long_pass, double short_pass) {
    size_t samples = p->most_samples;
    while (samples > 1 && evaluations_for(p, samples, seconds, long_pass, short_pass) < USEFUL_EVALUATIONS) samples--;
    double fitting = evaluations_for(p, samples, seconds, long_pass, short_pass);
    p->samples = samples;
    p->evaluations = (size_t)fmin(fmax(fitting, LEAST_EVALUATIONS), MOST_EVALUATIONS);
    p->recover_samples = recover_samples(p, samples);
    p->recover_evaluations = RECOVER_EVALUATIONS;
    p->recover_seconds = recover_seconds(p, samples, short_pass);
    double tables = (double)p->evaluations + stage_baselines(STAGE_EXTEND) + EXTEND_HELD_OUT;
    p->seconds = tables * (double)samples * long_pass + p->recover_seconds;
}

/* ---- the file ---- */

/* A double-quoted scalar of YAML, which JSON's strings are. False for lack of memory. */
static bool write_string(FILE *out, const char *text) {
    json_t *string = json_string(text);
    char *quoted = string ? json_dumps(string, JSON_ENCODE_ANY) : NULL;
    json_decref(string);
    if (quoted) fputs(quoted, out);
    free(quoted);
    return quoted != NULL;
}

/* Files of `data` are patterns. */
static bool write_pattern(FILE *out, const char *path) {
    char *pattern = malloc(2 * strlen(path) + 1), *end = pattern;
    if (!pattern) return false;
    for (const char *c = path; *c; c++) {
        if (strchr("*?[\\", *c)) *end++ = '\\';
        *end++ = *c;
    }
    *end = '\0';
    bool written = write_string(out, pattern);
    free(pattern);
    return written;
}

static bool write_data(const struct proposal *p, FILE *out) {
    bool whole = true;
    fprintf(out, "# A stage takes the documents that are at least as long as its target, one per file.\ndata:\n  %s:\n",
            p->tokens ? "tokens" : "text");
    for (size_t i = 0; i < p->files.count && whole; i++) {
        fputs("    - ", out);
        whole = write_pattern(out, p->files.items[i]);
        fputc('\n', out);
    }
    if (whole && p->tokenizer) {
        fputs("  tokenizer: ", out);
        whole = write_string(out, p->tokenizer);
        fputc('\n', out);
    }
    fprintf(
        out,
        "  samples: %zu            # windows of the target length that each table is scored on; the text has %zu\n\n",
        p->samples, p->long_windows);
    return whole;
}

static void write_search(const struct proposal *p, FILE *out) {
    double scale = (double)p->target / (double)p->window;
    fprintf(out,
            "search:\n  evaluations: %zu       # the budget, in scores of all windows: more find a better table\n"
            "  start_tokens: [0]     # inference engines do not support start tokens\n  seed: 1\n\n",
            p->evaluations);
    if (scale <= 2.0 && p->window == p->short_length)
        fputs("# Up to twice the window, no attention factor is the best one.\nattention_factor: none\n\n", out);
    fprintf(out,
            "stages:\n  - name: extend\n    target_length: %" PRId64 "  # %.4g times the model's window\n"
            "  # Inputs of up to %" PRId64 " tokens get a table of their own: that of the extension makes them worse.\n"
            "  - name: recover\n    kind: recover\n    target_length: %" PRId64 "\n    data: {samples: %zu}\n"
            "    search: {evaluations: %zu, lambda_max: 2}\n",
            p->target, scale, p->short_length, p->short_length, p->recover_samples, p->recover_evaluations);
}

bool proposal_write(const struct proposal *p, FILE *out) {
    fprintf(out,
            "# Extends a window of %" PRId64 " tokens to %" PRId64 ". Written by longrope init; every other key has a "
            "default:\n# longrope search THIS_FILE --print-config lists all of them.\n\n"
            "name: %s  # also the default folder of the run: results/%s\nmodel: ",
            p->window, p->target, p->name, p->name);
    bool whole = write_string(out, p->model);
    fputs("\n\n", out);
    whole = whole && write_data(p, out);
    write_search(p, out);
    return whole && !ferror(out);
}
