/* The genomes that a stage begins with: closed forms and factor files in the space of the stage. */
#include "search/recipe/stage_initial.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/scratch.h"

enum { PAIRS = 8, WINDOW = 256, SCALE = 4 };

struct fixture {
    struct scratch scratch;
    struct stage_config config;
    struct stage_base base;
    struct stage_record record;
    struct stage_initial initial;
    struct error error;
};

static int set_up(void **state) {
    static char name[] = "stage";
    struct fixture *f = calloc(1, sizeof *f);
    if (!f) return -1;
    f->scratch = scratch_make();
    f->config = (struct stage_config){.name = name, .kind = STAGE_EXTEND};
    f->base.own = f->base.searched = rope_model_plain(PAIRS, 10000.0);
    f->record = (struct stage_record){
        .name = "stage",
        .target_length = SCALE * WINDOW,
        .original_length = WINDOW,
        .pretrained_length = WINDOW,
        .scale = SCALE,
        .rope_theta = 10000.0,
        .attention_factor = 1.1,
        .base_attention_factor = 1.0,
        .space = {.pairs = PAIRS, .unit = 100, .largest = 500, .start_count = 3, .start_tokens = {0, 4, 16}}};
    for (int i = 0; i < ROPE_MAX_PAIRS; i++) f->record.base_factors[i] = 1.0;
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *f = *state;
    for (size_t i = 0; i < CONFIG_MAX_INITIAL; i++) {
        free(f->config.initial_files[i].source), free(f->config.initial_files[i].where);
    }
    scratch_remove(&f->scratch);
    free(f);
    return 0;
}

static void begin_with(struct fixture *f, enum origin origin) { f->config.initial[f->config.initial_count++] = origin; }

/* The table of a file with that text, or of numbers in its place. */
static void begin_with_source(struct fixture *f, const char *name, const char *text) {
    struct initial_file *file = &f->config.initial_files[f->config.initial_count];
    file->source = name ? scratch_path(&f->scratch, name) : strdup(text);
    file->where = strdup("x.yaml:7");
    if (name) scratch_write(file->source, text, strlen(text));
    begin_with(f, ORIGIN_FILE);
}

static void make(struct fixture *f) {
    if (stage_initial_make(&f->config, &f->base, &f->record, false, &f->initial, &f->error) != STATUS_OK) {
        fail_msg("%s", f->error.message);
    }
}

static void assert_genes(const struct fixture *f, size_t index, const int32_t genes[PAIRS]) {
    assert_true(genome_valid(&f->record.space, &f->initial.genomes[index].genome));
    assert_memory_equal(f->initial.genomes[index].genome.genes, genes, PAIRS * sizeof *genes);
}

static void closed_forms_begin_without_start_tokens(void **state) {
    struct fixture *f = *state;
    static const int32_t pi[PAIRS] = {400, 400, 400, 400, 400, 400, 400, 400};
    static const int32_t ntk[PAIRS] = {100, 122, 149, 181, 221, 269, 328, 400}; /* 4^(i/7) */
    begin_with(f, ORIGIN_PI), begin_with(f, ORIGIN_NTK);
    make(f);
    assert_int_equal(f->initial.count, 2);
    assert_genes(f, 0, pi), assert_genes(f, 1, ntk);
    assert_true(f->initial.genomes[0].origin == ORIGIN_PI && f->initial.genomes[1].origin == ORIGIN_NTK);
    assert_true(f->initial.fingerprints[0] == 0 && f->initial.genomes[1].genome.start == 0);
}

/* Pair 3.22 of 8 turns once in 256 tokens, and YaRN's ramp runs from pair 0 to 4. */
static void closed_forms_around_the_critical_pair(void **state) {
    struct fixture *f = *state;
    static const int32_t ntk_pi[PAIRS] = {100, 141, 200, 283, 400, 400, 400, 400}; /* 4^(i/4) */
    begin_with(f, ORIGIN_NTK_PI);
    make(f);
    assert_genes(f, 0, ntk_pi);
    /* In LongRoPE2's space factors increase strictly. */
    static const int32_t critical[PAIRS] = {0, 0, 0, 0, 400, 401, 402, 403};
    struct genome_space *space = &f->record.space;
    space->critical_low = space->critical_high = 4, space->smallest = 400, space->largest = 800;
    make(f);
    assert_genes(f, 0, critical);
    assert_true(f->initial.genomes[0].origin == ORIGIN_NTK_PI);
}

/* Wavelengths of 6.28, 11.2, 19.9, 35.3, 62.8, 112, 199 and 353 tokens; at a scale of 1 YaRN leaves them. What rounding
 * puts below 1 becomes 1, and what falls becomes flat. */
static void whole_wavelengths_come_into_the_space(void **state) {
    struct fixture *f = *state;
    int32_t genes[PAIRS];
    int below = 0, falls = 0;
    for (int i = 0; i < PAIRS; i++) {
        double own = 2 * M_PI * pow(100.0, i / 8.0);
        int32_t gene = (int32_t)lround(floor(own + 0.5) / own * 100), before = i ? genes[i - 1] : 100;
        below += gene < 100, falls += i && gene >= 100 && gene < before;
        genes[i] = gene < before ? before : gene;
    }
    assert_true(below > 0 && falls > 0);
    f->base.own = f->base.searched = rope_model_plain(PAIRS, 100.0);
    f->record.scale = 1.0, f->record.rope_theta = 100.0, f->record.target_length = WINDOW;
    begin_with(f, ORIGIN_RESONANCE_YARN);
    make(f);
    assert_genes(f, 0, genes);
    assert_true(f->initial.genomes[0].origin == ORIGIN_RESONANCE_YARN);
}

static void numbers_are_searched_factors(void **state) {
    struct fixture *f = *state;
    static const int32_t genes[PAIRS] = {100, 101, 150, 200, 200, 307, 399, 500};
    begin_with_source(f, "t.csv", "1,1.01,1.5,2,2,3.07,3.99,5\n");
    begin_with_source(f, NULL, "1.00, 1.01, 1.5, 2, 2, 3.07, 3.99, 5.0");
    begin_with_source(f, "other", "1 1.01 1.5 2 2 3.071 3.99 5");
    /* off the lattice, below 1, falling, beyond the largest */
    begin_with_source(f, "odd", "0.5\n1.014\n1.5\n1.4\n2\n3.07\n3.99\n7\n");
    make(f);
    assert_genes(f, 0, genes), assert_genes(f, 1, genes), assert_genes(f, 2, genes);
    const int32_t odd[PAIRS] = {100, 101, 150, 150, 200, 307, 399, 500};
    assert_genes(f, 3, odd);
    for (int i = 0; i < 4; i++) assert_int_equal(f->initial.genomes[i].origin, ORIGIN_FILE);
    /* What they say, not how and where. */
    assert_true(f->initial.fingerprints[0] != 0);
    assert_true(f->initial.fingerprints[0] == f->initial.fingerprints[1]);
    assert_true(f->initial.fingerprints[0] != f->initial.fingerprints[2]);
}

#define TABLE(length, factors, more)                                                                                   \
    "{\"name\": \"t\", \"max_length\": " length ", \"scale\": 4.0, \"factors\": " factors                              \
    ", \"start_tokens\": 5, \"attention_factor\": 1.3, \"perplexity\": null, \"origin\": \"x\", \"whole\": true" more  \
    "}"
#define FILE_OF(tables)                                                                                                \
    "{\"format\": \"longrope-factors\", \"version\": 2, \"original_length\": 256, \"rope_theta\": 10000.0, "           \
    "\"tables\": [" tables "], \"exportable_tables\": []}"

/* The table for the target length; n_hat becomes the nearest that is searched, and so does the attention factor. */
static void a_factor_file_gives_its_table_for_the_length(void **state) {
    struct fixture *f = *state;
    static const int32_t genes[PAIRS] = {100, 110, 120, 130, 140, 150, 160, 170};
    static const char text[] = FILE_OF(TABLE("512", "[1,1,1,1,1,1,1,1]", "") "," TABLE(
        "1024", "[1,1.1,1.2,1.3,1.4,1.5,1.6,1.7]", "") "," TABLE("2048", "[2,2,2,2,2,2,2,2]", ""));
    begin_with_source(f, "t.json", text);
    make(f);
    assert_genes(f, 0, genes);
    assert_int_equal(f->initial.genomes[0].genome.start, 1);
    assert_int_equal(f->initial.genomes[0].genome.attention, 0);
    uint64_t whole = f->initial.fingerprints[0];
    f->record.space.attention_unit = 1000, f->record.space.attention_low = 900, f->record.space.attention_high = 1250;
    make(f);
    assert_int_equal(f->initial.genomes[0].genome.attention, 1250);
    assert_true(f->initial.fingerprints[0] == whole);
    f->record.target_length = 512;
    make(f);
    assert_int_equal(f->initial.genomes[0].genome.genes[7], 100);
    assert_true(f->initial.fingerprints[0] != whole);
}

/* Where the stage multiplies a table, whole tables are divided by it; other numbers are the searched factors. */
static void whole_tables_are_divided_by_the_base(void **state) {
    struct fixture *f = *state;
    static const int32_t searched[PAIRS] = {100, 110, 120, 130, 140, 150, 160, 170};
    f->record.composed = true;
    f->record.base_attention_factor = 1.25;
    f->record.space.attention_unit = 1000, f->record.space.attention_low = 900, f->record.space.attention_high = 1250;
    for (int i = 0; i < PAIRS; i++) f->record.base_factors[i] = 1.0 + i / 7.0;
    char product[400] = "", base[400] = "", text[2000];
    for (int i = 0; i < PAIRS; i++) {
        size_t used = strlen(product), end = strlen(base);
        snprintf(product + used, sizeof product - used, "%s%.17g", i ? "," : "",
                 searched[i] / 100.0 * f->record.base_factors[i]);
        snprintf(base + end, sizeof base - end, "%s%.17g", i ? "," : "", f->record.base_factors[i]);
    }
    snprintf(text, sizeof text, FILE_OF(TABLE("1024", "[%s]", "")), product);
    begin_with_source(f, "whole.json", text);
    snprintf(text, sizeof text,
             FILE_OF(TABLE("1024", "[%s]",
                           ", \"base_factors\": [%s], \"searched_factors\": [1,1.1,1.2,1.3,1.4,1.5,1.6,1.7]")),
             product, base);
    begin_with_source(f, "composed.json", text);
    begin_with_source(f, NULL, "1,1.1,1.2,1.3,1.4,1.5,1.6,1.7");
    make(f);
    for (size_t i = 0; i < 3; i++) assert_genes(f, i, searched);
    assert_int_equal(f->initial.genomes[0].genome.attention, 1040); /* 1.3 / 1.25 */
    assert_int_equal(f->initial.genomes[2].genome.attention, 1100); /* the stage's */
}

/* The table that transformers would compute for inputs of the target length: s = 4 x 4 - 3 = 13. */
static void dynamic_ntk_of_the_model_is_that_of_the_target_length(void **state) {
    struct fixture *f = *state;
    int32_t genes[PAIRS];
    for (int i = 0; i < PAIRS; i++) genes[i] = (int32_t)lround(100.0 * pow(13.0, i / 7.0));
    f->base.own.type = ROPE_TYPE_DYNAMIC, f->base.own.factor = SCALE, f->base.own.original_length = WINDOW;
    f->config.kind = STAGE_RECOVER, f->record.space.largest = 2000;
    begin_with(f, ORIGIN_OWN);
    make(f);
    assert_genes(f, 0, genes);
}

static void critical_ntk_rises_to_half_as_much_again(void **state) {
    struct fixture *f = *state;
    static const int32_t genes[PAIRS] = {0, 0, 0, 400, 450, 500, 550, 600};
    struct genome_space *space = &f->record.space;
    space->critical_low = 1, space->critical_high = 3, space->smallest = 400, space->largest = 800;
    begin_with(f, ORIGIN_CRITICAL_NTK);
    begin_with_source(f, NULL, "1,2,4.2,4.5,5,6,7,8.0");
    make(f);
    assert_genes(f, 0, genes);
    assert_int_equal(f->initial.genomes[0].genome.critical, 3);
    const int32_t of_file[PAIRS] = {0, 0, 420, 450, 500, 600, 700, 800};
    assert_genes(f, 1, of_file);
    assert_int_equal(f->initial.genomes[1].genome.critical, 2);
}

static void refuse(struct fixture *f, const char *words) {
    assert_int_equal(stage_initial_make(&f->config, &f->base, &f->record, false, &f->initial, &f->error), STATUS_INPUT);
    assert_message(f->error.message, words);
}

static void bad_files_name_the_line(void **state) {
    struct fixture *f = *state;
    begin_with_source(f, "few.csv", "1,2,3\n");
    refuse(f, "x.yaml:7: 'initial': |few.csv: holds 3 factors, but the model has 8 rotary pairs");
    assert_int_equal(stage_initial_check(&f->config, &f->base.own, &f->error), STATUS_INPUT);
    scratch_write(f->config.initial_files[0].source, "1,x\n", 4);
    refuse(f, "x.yaml:7: 'initial': |'x' is not a rescale factor");
    assert_int_equal(stage_initial_check(&f->config, &f->base.own, &f->error), STATUS_INPUT);
    assert_message(f->error.message, "x.yaml:7: 'initial': |'x' is not a rescale factor");
    f->config.initial_count = 0;
    begin_with(f, ORIGIN_OWN);
    assert_int_equal(stage_initial_check(&f->config, &f->base.own, &f->error), STATUS_INPUT);
    assert_message(f->error.message, "stage 'stage': 'initial: own' requires 'kind: recover'");
    f->config.kind = STAGE_RECOVER;
    assert_int_equal(stage_initial_check(&f->config, &f->base.own, &f->error), STATUS_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(closed_forms_begin_without_start_tokens, set_up, tear_down),
        cmocka_unit_test_setup_teardown(closed_forms_around_the_critical_pair, set_up, tear_down),
        cmocka_unit_test_setup_teardown(whole_wavelengths_come_into_the_space, set_up, tear_down),
        cmocka_unit_test_setup_teardown(numbers_are_searched_factors, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_factor_file_gives_its_table_for_the_length, set_up, tear_down),
        cmocka_unit_test_setup_teardown(whole_tables_are_divided_by_the_base, set_up, tear_down),
        cmocka_unit_test_setup_teardown(dynamic_ntk_of_the_model_is_that_of_the_target_length, set_up, tear_down),
        cmocka_unit_test_setup_teardown(critical_ntk_rises_to_half_as_much_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bad_files_name_the_line, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
