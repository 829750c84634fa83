#include "search/ranks/rank_arithmetic.h"

#include <stdio.h>
#include <string.h>

#include "eval/kernels/kernels.h"

/* ---- one rank ---- */

static void list_sets(enum number_type type, char *out, size_t size) {
    const struct kernels *const *sets = kernels_available(type);
    size_t used = 0;
    *out = '\0';
    for (size_t i = 0; sets[i] && used < size; i++) {
        used += (size_t)snprintf(out + used, size - used, "%s%s", i ? " " : "", sets[i]->name);
    }
}

static void name_choice(enum number_type type, char *out, size_t size) {
    const struct kernels *chosen = NULL;
    struct error error;
    bool found = kernels_choose(type, &chosen, &error) == STATUS_OK;
    snprintf(out, size, "%s", found ? chosen->name : "");
}

struct rank_arithmetic rank_arithmetic_own(void) {
    struct rank_arithmetic own;
    memset(&own, 0, sizeof own); /* with its padding: it is sent */
    name_choice(NUMBER_F32, own.f32, sizeof own.f32);
    name_choice(NUMBER_BF16, own.bf16, sizeof own.bf16);
    list_sets(NUMBER_F32, own.f32_sets, sizeof own.f32_sets);
    list_sets(NUMBER_BF16, own.bf16_sets, sizeof own.bf16_sets);
    own.bf16_is_fast = kernels_bf16_is_fast();
    return own;
}

/* ---- all ranks ---- */

static bool uses_f32(enum model_type type) { return type != MODEL_BF16; }

/* With dtype: auto the weights decide where bf16 is fast, and f32 is used elsewhere. */
static bool uses_bf16(enum model_type type, const struct rank_arithmetic *rank) {
    return type == MODEL_BF16 || (type == MODEL_AUTO && rank->bf16_is_fast);
}

static void describe(enum model_type type, const struct rank_arithmetic *rank, char *out, size_t size) {
    bool f32 = uses_f32(type), bf16 = uses_bf16(type, rank);
    snprintf(out, size, "%s%s%s%s%s", f32 ? rank->f32 : "", f32 ? " (f32)" : "", f32 && bf16 ? " or " : "",
             bf16 ? rank->bf16 : "", bf16 ? " (bf16)" : "");
}

static bool lists(const char *sets, const char *name, size_t length) {
    for (const char *at = sets; *at;) {
        size_t word = strcspn(at, " ");
        if (word == length && strncmp(at, name, length) == 0) return true;
        at += word + (at[word] == ' ');
    }
    return false;
}

static bool all_have(enum model_type type, const struct rank_arithmetic *all, size_t count, const char *name,
                     size_t length) {
    for (size_t r = 0; r < count; r++) {
        if (uses_f32(type) && !lists(all[r].f32_sets, name, length)) return false;
        if (type != MODEL_F32 && !lists(all[r].bf16_sets, name, length)) return false;
    }
    return true;
}

/* The fastest set that all ranks have for all types that may be used. */
static void find_common(enum model_type type, const struct rank_arithmetic *all, size_t count, char *out, size_t size) {
    const char *sets = uses_f32(type) ? all->f32_sets : all->bf16_sets;
    snprintf(out, size, "reference");
    for (const char *at = sets; *at;) {
        size_t word = strcspn(at, " ");
        if (all_have(type, all, count, at, word)) snprintf(out, size, "%.*s", (int)word, at);
        at += word + (at[word] == ' ');
    }
}

int rank_arithmetic_compare(enum model_type type, const struct rank_arithmetic *own,
                            const struct rank_arithmetic *other, const char *name, const struct rank_arithmetic *all,
                            size_t count, struct error *error) {
    char here[80], there[80], common[32];
    describe(type, own, here, sizeof here);
    describe(type, other, there, sizeof there);
    if (strcmp(here, there) == 0) return STATUS_OK;
    find_common(type, all, count, common, sizeof common);
    return error_set(
        error, STATUS_INPUT,
        "%s would compute with kernels %s, and rank 0 with %s; the last bits of scores depend on them: set "
        "LONGROPE_KERNELS=%s for all ranks, or start them on processors of one kind",
        name, there, here, common);
}
