/* Factor files: what is written is read back bit for bit, what others write is read as meant, and
 * anything else is refused by name. */
#include "search/factors/factors.h"

#include <dirent.h>
#include <math.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "tests/unit/child.h"
#include "tests/unit/scratch.h"

/* Files and comparisons ----------------------------------------------------------------------- */

/* Numbers that need all their digits, and the ends of the range. */
static struct factor_entry make_entry(const char *name, int64_t max_length, int64_t pairs) {
    struct factor_entry entry = {.max_length = max_length,
                                 .scale = (double)max_length / 256.0,
                                 .pairs = pairs,
                                 .start_tokens = 28,
                                 .attention_factor = sqrt(1.0 + 1.0 / 3.0),
                                 .perplexity = 10.0 / 3.0,
                                 .origin = "crossover"};
    snprintf(entry.name, sizeof entry.name, "%s", name);
    for (int64_t i = 0; i < pairs; i++) entry.factors[i] = nextafter(1.0 + (double)i / 7.0, 0.0);
    if (pairs > 4) entry.factors[1] = 1e-300, entry.factors[2] = 5e-324, entry.factors[3] = 1.7976931348623157e308;
    factor_entry_complete(&entry);
    return entry;
}

/* One that was searched on top of another. */
static struct factor_entry make_composed(const char *name, int64_t max_length, int64_t pairs) {
    struct factor_entry entry = make_entry(name, max_length, pairs);
    entry.whole = entry.composed = true;
    for (int64_t i = 0; i < pairs; i++)
        entry.finetuned[i] = 1.0 + (double)i / 3.0, entry.searched[i] = 1.0 + (double)i / 100.0;
    factor_entry_complete(&entry);
    return entry;
}

static bool same_bits(double a, double b) { return (isnan(a) && isnan(b)) || memcmp(&a, &b, sizeof a) == 0; }

static void assert_same_entry(const struct factor_entry *a, const struct factor_entry *b) {
    assert_string_equal(a->name, b->name);
    assert_string_equal(a->origin, b->origin);
    assert_int_equal(a->max_length, b->max_length);
    assert_int_equal(a->start_tokens, b->start_tokens);
    assert_int_equal(a->pairs, b->pairs);
    assert_memory_equal(a->factors, b->factors, (size_t)a->pairs * sizeof *a->factors);
    assert_int_equal(a->whole, b->whole);
    assert_int_equal(a->composed, b->composed);
    assert_memory_equal(a->finetuned, b->finetuned, (size_t)a->pairs * sizeof *a->finetuned);
    assert_memory_equal(a->searched, b->searched, (size_t)a->pairs * sizeof *a->searched);
    assert_true(same_bits(a->scale, b->scale));
    assert_true(same_bits(a->attention_factor, b->attention_factor));
    assert_true(same_bits(a->perplexity, b->perplexity));
    assert_int_equal(a->objective, b->objective);
}

static void assert_same_file(const struct factor_file *a, const struct factor_file *b) {
    assert_int_equal(a->original_length, b->original_length);
    assert_true(same_bits(a->rope_theta, b->rope_theta));
    assert_int_equal(a->count, b->count);
    assert_int_equal(a->exportable_count, b->exportable_count);
    for (size_t i = 0; i < a->count; i++) assert_same_entry(&a->tables[i], &b->tables[i]);
    for (size_t i = 0; i < a->exportable_count; i++) assert_same_entry(&a->exportable[i], &b->exportable[i]);
}

static void read_or_fail(const char *source, struct factor_file *out) {
    struct error error = {""};
    memset(out, 0x55, sizeof *out);
    if (factors_read(source, out, &error) != STATUS_OK) fail_msg("%s", error.message);
}

/* The message names the source and holds `words`; nothing is left to free. */
static void assert_source_refused(const char *source, const char *words) {
    struct factor_file file;
    struct error error = {""};
    memset(&file, 0x55, sizeof file);
    int status = factors_read(source, &file, &error);
    if (status != STATUS_INPUT) fail_msg("'%s' gave status %d: %s", source, status, error.message);
    assert_message(error.message, words);
    assert_true(file.tables == NULL && file.exportable == NULL && file.count == 0 && file.exportable_count == 0);
    factors_free(&file);
}

static void assert_bytes_refused(const void *bytes, size_t size, const char *words) {
    struct scratch scratch = scratch_make();
    char *path = scratch_path(&scratch, "given.json");
    scratch_write(path, bytes, size);
    assert_source_refused(path, "given.json");
    assert_source_refused(path, words);
    free(path);
    scratch_remove(&scratch);
}

static void assert_text_refused(const char *text, const char *words) {
    assert_bytes_refused(text, strlen(text), words);
}

static void assert_numbers(const char *source, const double *expected, int64_t count) {
    struct factor_file file;
    read_or_fail(source, &file);
    assert_int_equal(file.count, 1);
    assert_int_equal(file.exportable_count, 0);
    assert_int_equal(file.original_length, 0);
    assert_true(file.rope_theta == 0.0);
    const struct factor_entry *entry = &file.tables[0];
    assert_int_equal(entry->pairs, count);
    assert_memory_equal(entry->factors, expected, (size_t)count * sizeof *expected);
    assert_true(entry->max_length == 0 && entry->scale == 0.0 && entry->start_tokens == 0);
    assert_true(entry->attention_factor == 0.0 && isnan(entry->perplexity));
    assert_true(entry->name[0] == '\0' && entry->origin[0] == '\0');
    factors_free(&file);
}

static void assert_text_numbers(const char *text, const double *expected, int64_t count) {
    struct scratch scratch = scratch_make();
    char *path = scratch_path(&scratch, "factors.txt");
    scratch_write(path, text, strlen(text));
    assert_numbers(path, expected, count);
    free(path);
    scratch_remove(&scratch);
}

/* Writing and reading back -------------------------------------------------------------------- */

static void written_files_read_back(void **state) {
    (void)state;
    struct scratch scratch = scratch_make();
    char *path = scratch_path(&scratch, "factors.json");
    struct factor_entry tables[3] = {make_entry("short", 256, 32), make_entry("Länge \"8k\"\\\n", 8192, 32),
                                     make_composed("", 2097152, ROPE_MAX_PAIRS)};
    struct factor_entry exportable[2] = {make_entry("short", 256, 1), make_composed("long", INT64_MAX, 32)};
    tables[1].perplexity = NAN;
    tables[1].objective = OBJECTIVE_NEEDLE;
    tables[1].scale = tables[1].attention_factor = 0.0;
    exportable[0].start_tokens = 0;
    exportable[0].max_length = 0;
    memset(tables[0].name, 'n', sizeof tables[0].name - 1);
    memset(tables[0].origin, 'o', sizeof tables[0].origin - 1);
    struct factor_file file = {256, 500000.0 / 3.0, 3, tables, 2, exportable}, back;
    struct error error = {""};
    assert_int_equal(factors_write(path, true, &file, &error), STATUS_OK);
    read_or_fail(path, &back);
    assert_same_file(&file, &back);
    factors_free(&back);
    assert_null(back.tables);
    file.exportable_count = 0;
    assert_int_equal(factors_write(path, true, &file, &error), STATUS_OK);
    read_or_fail(path, &back);
    assert_same_file(&file, &back);
    factors_free(&back);
    factors_free(&(struct factor_file){0});
    free(path);
    scratch_remove(&scratch);
}

/* Files and folders in a folder. */
static int entries_of(const char *dir) {
    DIR *stream = opendir(dir);
    assert_non_null(stream);
    int count = 0;
    for (struct dirent *entry; (entry = readdir(stream));) count += entry->d_name[0] != '.';
    closedir(stream);
    return count;
}

static void writing_replaces_the_whole_file(void **state) {
    (void)state;
    struct scratch scratch = scratch_make();
    char *path = scratch_path(&scratch, "factors.json"), old[65536];
    memset(old, 'x', sizeof old);
    scratch_write(path, old, sizeof old);
    struct factor_entry table = make_entry("only", 512, 4);
    struct factor_file file = {.original_length = 256, .rope_theta = 10000.0, .count = 1, .tables = &table}, back;
    struct error error = {""};
    assert_int_equal(factors_write(path, true, &file, &error), STATUS_OK);
    assert_int_equal(entries_of(scratch.dir), 1);
    read_or_fail(path, &back);
    assert_same_file(&file, &back);
    factors_free(&back);
    free(path);
    scratch_remove(&scratch);
}

static int write_one(const char *path, struct error *error) {
    struct factor_entry table = make_entry("only", 512, 4);
    struct factor_file file = {.original_length = 256, .rope_theta = 10000.0, .count = 1, .tables = &table};
    return factors_write(path, true, &file, error);
}

/* A folder that is not there; a name that a folder has; a folder that may not be written. */
static void places_that_cannot_be_written(void **state) {
    (void)state;
    struct scratch scratch = scratch_make();
    struct error error = {""};
    char *lost = scratch_path(&scratch, "none/factors.json"), *taken = scratch_path(&scratch, "taken");
    assert_int_equal(write_one(lost, &error), STATUS_INPUT);
    assert_message(error.message, "none/factors.json|folder does not exist");
    assert_int_equal(entries_of(scratch.dir), 0);

    assert_int_equal(mkdir(taken, 0500), 0);
    assert_int_equal(write_one(taken, &error), STATUS_INPUT);
    assert_message(error.message, "taken|is a folder");
    assert_int_equal(entries_of(scratch.dir), 1);

    char *inside = scratch_path(&scratch, "taken/factors.json");
    if (geteuid() != 0) { /* root may write anywhere */
        assert_int_equal(write_one(inside, &error), STATUS_INPUT);
        assert_message(error.message, "taken/factors.json|ermission");
        assert_int_equal(entries_of(taken), 0);
    }
    free(lost), free(taken), free(inside);
    scratch_remove(&scratch);
}

static int write_without_room(void *path, int pipe) {
    struct error error = {""};
    child_limit_files(100);
    int status = write_one(path, &error);
    child_say(pipe, error.message);
    return status;
}

/* No room for the file that is written beside: the old file stays as it was. */
static void full_disk_leaves_the_old_file(void **state) {
    (void)state;
    struct scratch scratch = scratch_make();
    char text[512], *path = scratch_path(&scratch, "factors.json");
    scratch_write(path, "1.5", 3);
    assert_int_equal(child_run(write_without_room, path, text, sizeof text), STATUS_FAILED);
    assert_message(text, "factors.json|File too large|ulimit -f");
    assert_int_equal(entries_of(scratch.dir), 1);
    assert_numbers(path, (const double[]){1.5}, 1);
    free(path);
    scratch_remove(&scratch);
}

/* What JSON has no word for is not left out in silence. */
static void unwritable_numbers_are_refused(void **state) {
    (void)state;
    struct scratch scratch = scratch_make();
    char *path = scratch_path(&scratch, "factors.json");
    for (int i = 0; i < 3; i++) {
        struct factor_entry tables[2] = {make_entry("first", 256, 4), make_entry("second", 512, 4)};
        struct factor_file file = {256, 10000.0, 2, tables, 2, tables};
        struct error error = {""};
        if (i == 0) tables[0].factors[2] = NAN;
        if (i == 1) tables[1].scale = INFINITY;
        if (i == 2) memcpy(tables[1].name, "\xff", 2); /* no UTF-8 */
        assert_int_equal(factors_write(path, true, &file, &error), STATUS_FAILED);
        assert_message(error.message, "factors.json");
        assert_int_equal(entries_of(scratch.dir), 0);
    }
    free(path);
    scratch_remove(&scratch);
}

/* Numbers ------------------------------------------------------------------------------------- */

static const double three[] = {1.0, 1.25, 6.4};

static void text_files_of_numbers(void **state) {
    (void)state;
    const char *const texts[] = {"1\n1.25\n6.4\n", "1.0\r\n1.25\r\n6.4", "1,1.25,6.4",     "1.0, 1.25, 6.4\n",
                                 "1 1.25 6.4",     "\n\n1\t1.25,\n6.4,", "1e0 +1.25 64e-1"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) assert_text_numbers(texts[i], three, 3);
    assert_text_numbers("2", (const double[]){2.0}, 1);
}

static void most_numbers_that_fit(void **state) {
    (void)state;
    double expected[ROPE_MAX_PAIRS];
    char text[16 * (ROPE_MAX_PAIRS + 1)] = "";
    size_t used = 0;
    for (int i = 0; i < ROPE_MAX_PAIRS; i++) {
        expected[i] = 1.0 + i / 4.0;
        used += (size_t)sprintf(text + used, "%.2f\n", expected[i]);
    }
    assert_text_numbers(text, expected, ROPE_MAX_PAIRS);
    strcat(text, "99\n");
    assert_text_refused(text, "256");
    for (char *c = text; *c; c++) *c = *c == '\n' ? ',' : *c;
    assert_source_refused(text, "inline factors|256");
}

static void inline_numbers(void **state) {
    (void)state;
    assert_numbers("1.0,1.25,6.4", three, 3);
    assert_numbers("1, 1.25, 64e-1", three, 3);
    assert_numbers("1 1.25 6.4", three, 3);
    assert_numbers("3", (const double[]){3.0}, 1);
}

/* A file in the current folder that is called like numbers is meant. */
static void files_called_like_numbers(void **state) {
    (void)state;
    struct scratch scratch = scratch_make();
    char *path = scratch_path(&scratch, "1.5"), before[PATH_MAX];
    scratch_write(path, "1 1.25 6.4\n", 11);
    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(chdir(scratch.dir), 0);
    assert_numbers("1.5", three, 3);
    assert_numbers("1.50", (const double[]){1.5}, 1);
    assert_int_equal(chdir(before), 0);
    free(path);
    scratch_remove(&scratch);
}

static void numbers_that_are_no_factors(void **state) {
    (void)state;
    const char *const words[] = {"0", "-1", "-0.0", "1e-999", "1e999", "1.0.0", "1e", "--1", "-", "."};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        char text[64], quoted[64];
        snprintf(quoted, sizeof quoted, "'%s'|rescale factor", words[i]);
        snprintf(text, sizeof text, "1.0,%s,2", words[i]);
        assert_source_refused(text, "inline factors");
        assert_source_refused(text, quoted);
        assert_text_refused(text, quoted);
    }
    const char *const texts[] = {"1 nan 2", "1 inf", "0x10", "1;2", "[1, 2]", "1.0 # one", "one"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) assert_text_refused(texts[i], "rescale factor");
    assert_bytes_refused("1 2 3\0 4 5", 11, "text");
    const char *const others[] = {",", "1;2;3", "[1,2,3]", "1,nan,2", "0,5;1,5", "nan,1,2", "-inf,1", "-x,1"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        assert_source_refused(others[i], "is neither a file nor numbers separated by commas");
    }
    assert_source_refused("-", "standard input is not supported");
    assert_text_refused(" \n", "no rescale factor");
}

static void sources_that_are_no_files(void **state) {
    (void)state;
    struct scratch scratch = scratch_make();
    char *lost = scratch_path(&scratch, "lost.json"), *empty = scratch_path(&scratch, "empty.json");
    scratch_write(empty, "", 0);
    assert_source_refused(lost, "lost.json|No such file");
    assert_source_refused(scratch.dir, "longrope-test|is a folder without config.json");
    assert_source_refused(empty, "empty.json|is empty");
    assert_source_refused("", "is not a path");
    assert_source_refused("nan", "nan|No such file");
    free(lost), free(empty);
    scratch_remove(&scratch);
}

/* Rows of layers, as microsoft/LongRoPE's form allows: one table where they are alike. */
static void text_files_of_layers(void **state) {
    (void)state;
    assert_text_numbers("1,1.25,6.4\n1,1.25,6.4\n", three, 3);
    assert_text_numbers("1,1.25,6.4\n\n1.0 1.250 64e-1 \r\n1,1.25,6.4", three, 3);
    assert_text_refused("1,1.25,6.4\n1,1.25,6.5\n", "row 2|differ by layer");
    assert_text_refused("1,1.25\n1,1.25\n1,1.3\n", "row 3");
    assert_text_refused("1,1.25\n1,x\n", "'x'|rescale factor");
    /* a line of another length: all are one table */
    assert_text_numbers("1,1.25\n6.4\n", three, 3);
    char text[2 * (4 * (ROPE_MAX_PAIRS + 1)) + 1] = "";
    for (int i = 0; i < 2 * ROPE_MAX_PAIRS; i++) {
        strcat(text, i % ROPE_MAX_PAIRS == ROPE_MAX_PAIRS - 1 ? "2\n" : "2,");
    }
    double twos[ROPE_MAX_PAIRS];
    for (int i = 0; i < ROPE_MAX_PAIRS; i++) twos[i] = 2.0;
    assert_text_numbers(text, twos, ROPE_MAX_PAIRS);
}

/* Of another program's making, in full digits. */
static void numbers_are_written_and_read_back(void **state) {
    (void)state;
    struct scratch scratch = scratch_make();
    struct error error = {""};
    char *path = scratch_path(&scratch, "row.csv"), text[64];
    const double numbers[] = {1.0, 1.1299999952316284, 1.0 / 3.0, 1e-300, 5e-324, 1.7976931348623157e308, 64.0};
    enum { COUNT = sizeof numbers / sizeof *numbers };
    assert_int_equal(factors_write_numbers(path, true, numbers, COUNT, &error), STATUS_OK);
    assert_numbers(path, numbers, COUNT);
    FILE *stream = fopen(path, "r");
    assert_non_null(stream);
    assert_int_equal(fread(text, 1, 22, stream), 22);
    assert_memory_equal(text, "1,1.1299999952316284,0", 22);
    fclose(stream);
    free(path);
    path = scratch_path(&scratch, "none/row.csv");
    assert_int_equal(factors_write_numbers(path, true, numbers, COUNT, &error), STATUS_INPUT);
    assert_message(error.message, "none/row.csv|folder does not exist");
    free(path);
    scratch_remove(&scratch);
}

/* config.json ---------------------------------------------------------------------------------- */

#define CONFIG                                                                                                         \
    "{\"model_type\": \"llama\", \"vocab_size\": 97, \"hidden_size\": 12, \"intermediate_size\": 8, "                  \
    "\"num_hidden_layers\": 1, \"num_attention_heads\": 2, \"rope_theta\": 500.0, \"max_position_embeddings\": "
#define LONGROPE                                                                                                       \
    ", \"rope_scaling\": {\"rope_type\": \"longrope\", \"short_factor\": [1, 1.25, 6.4], "                             \
    "\"long_factor\": [1, 2, 16], \"original_max_position_embeddings\": 64"

/* A table for inputs up to the original window, and one for all beyond. */
static void assert_two_tables(const char *source, int64_t longest, double attention_factor) {
    static const double extended[] = {1.0, 2.0, 16.0};
    struct factor_file file;
    read_or_fail(source, &file);
    assert_int_equal(file.count, 2);
    assert_int_equal(file.exportable_count, 0);
    assert_int_equal(file.original_length, 64);
    assert_true(file.rope_theta == 500.0);
    for (int i = 0; i < 2; i++) {
        const struct factor_entry *entry = &file.tables[i];
        assert_string_equal(entry->name, i ? "long" : "short");
        assert_int_equal(entry->max_length, i ? longest : 64);
        assert_int_equal(entry->pairs, 3);
        assert_memory_equal(entry->factors, i ? extended : three, sizeof extended);
        assert_true(entry->whole && !entry->composed && entry->start_tokens == 0 && isnan(entry->perplexity));
        assert_true(fabs(entry->attention_factor - attention_factor) < 1e-12);
    }
    assert_ptr_equal(factors_for_length(file.tables, 2, 64), &file.tables[0]);
    assert_ptr_equal(factors_for_length(file.tables, 2, 65), &file.tables[1]);
    assert_ptr_equal(factors_for_length(file.tables, 2, 1000000), &file.tables[1]);
    factors_free(&file);
}

static void configs_with_longrope(void **state) {
    (void)state;
    struct scratch scratch = scratch_make();
    char *path = scratch_path(&scratch, "config.json");
    const double formula = sqrt(1.0 + log(16.0) / log(64.0));
    static const char plain[] = CONFIG "1024" LONGROPE "}}",
                      given[] = CONFIG "1024" LONGROPE ", \"factor\": 2.0, "
                                       "\"attention_factor\": 1.5}}",
                      told[] = CONFIG "1024" LONGROPE ", \"attention_factor\": 1.5, \"short_mscale\": 1.5, "
                                      "\"long_mscale\": 1.5}}",
                      narrow[] = CONFIG "64" LONGROPE "}}";
    scratch_write(path, plain, sizeof plain - 1);
    assert_two_tables(path, 1024, formula);
    assert_two_tables(scratch.dir, 1024, formula); /* the folder stands for it */
    scratch_write(path, given, sizeof given - 1);
    assert_two_tables(path, 1024, 1.5);
    scratch_write(path, told, sizeof told - 1);
    assert_two_tables(path, 1024, 1.5);
    scratch_write(path, narrow, sizeof narrow - 1); /* the long one is for what lies beyond, all the same */
    assert_two_tables(path, 65, 1.0);
    free(path);
    scratch_remove(&scratch);
}

static void configs_without_tables(void **state) {
    (void)state;
    assert_text_refused(CONFIG "1024}", "holds no factors|\"default\"|name a run|--method none");
    assert_text_refused(CONFIG "1024, \"rope_scaling\": {\"rope_type\": \"linear\", \"factor\": 2.0}}", "\"linear\"");
    assert_text_refused(CONFIG "1024" LONGROPE ", \"attention_factor\": 1.5, \"long_mscale\": 1.2}}",
                        "long_mscale is 1.2|1.5");
    assert_text_refused(CONFIG "1024" LONGROPE ", \"short_mscale\": \"1\"}}", "short_mscale is not a number");
    /* a key twice: the last counts, as in transformers */
    assert_text_refused(CONFIG "1024" LONGROPE ", \"long_factor\": [1, 2]}}", "long_factor is not a list of 3");
    assert_text_refused(CONFIG "\"many\"" LONGROPE "}}", "max_position_embeddings");
    assert_text_refused("{\"model_type\": \"mamba\"}", "\"mamba\" is not supported");
}

/* JSON ---------------------------------------------------------------------------------------- */

#define HEAD "{\"format\": \"longrope-factors\", \"version\": 1, "
#define LONG_TEXT "0123456789012345678901234567890123456789012345678901234567890123" /* 64 letters */
#define WITH(members) HEAD "\"tables\": [{\"factors\": [1, 2]}, {" members "}]}"

/* All but the factors may be missing or null; what is unknown is passed over. */
static void json_that_says_little(void **state) {
    (void)state;
    const char *const texts[] = {
        HEAD "\"tables\": [{\"factors\": [1, 1.25, 6.4]}]}",
        "\n\t " HEAD "\"tables\": [{\"factors\": [1, 1.25, 6.4]}]}\n",
        HEAD "\"original_length\": null, \"rope_theta\": null, \"exportable_tables\": [], \"note\": {}, \"tables\": "
             "[{\"name\": null, \"max_length\": null, \"scale\": null, \"attention_factor\": null, \"colour\": 3, "
             "\"perplexity\": null, \"origin\": null, \"start_tokens\": null, \"factors\": [1.0, 1.25, 64e-1]}]}"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) assert_text_numbers(texts[i], three, 3);
}

static void json_cut_short(void **state) {
    (void)state;
    struct scratch scratch = scratch_make();
    char *whole = scratch_path(&scratch, "whole.json"), *cut = scratch_path(&scratch, "cut.json"), text[8192];
    struct error error = {""};
    assert_int_equal(write_one(whole, &error), STATUS_OK);
    FILE *stream = fopen(whole, "rb");
    assert_non_null(stream);
    size_t size = fread(text, 1, sizeof text, stream);
    fclose(stream);
    assert_true(size > 100 && size < sizeof text && text[size - 2] == '}');
    for (size_t length = 0; length < size - 1; length++) {
        scratch_write(cut, text, length);
        assert_source_refused(cut, "cut.json");
    }
    scratch_write(cut, text, size - 1); /* only the newline is missing */
    struct factor_file file;
    read_or_fail(cut, &file);
    factors_free(&file);
    free(whole), free(cut);
    scratch_remove(&scratch);
}

static void json_of_another_kind(void **state) {
    (void)state;
    assert_text_refused("{}", "format");
    assert_text_refused("{\"format\": \"gguf\", \"version\": 1, \"tables\": [{\"factors\": [1]}]}", "format");
    assert_text_refused("{\"format\": 1, \"version\": 1, \"tables\": [{\"factors\": [1]}]}", "format");
    const char *const versions[] = {"0", "3", "-1", "1.0", "\"1\"", "null", "[1]", "99999999999"};
    for (size_t i = 0; i < sizeof versions / sizeof *versions; i++) {
        char text[256];
        snprintf(text, sizeof text,
                 "{\"format\": \"longrope-factors\", \"version\": %s, \"tables\": [{\"factors\": [1]}]}", versions[i]);
        assert_text_refused(text, "version");
    }
    assert_text_refused("{\"format\": \"longrope-factors\", \"tables\": [{\"factors\": [1]}]}", "version");
}

static void json_that_is_none(void **state) {
    (void)state;
    assert_text_refused("{", "JSON");
    assert_text_refused(HEAD "\"tables\": [{\"factors\": [1]}]} {}", "JSON");
    assert_text_refused(HEAD "\"tables\": [{\"factors\": [1,]}]}", "JSON");
    assert_text_refused(HEAD "\"tables\": [{\"factors\": [NaN]}]}", "JSON");
    assert_text_refused(HEAD "\"tables\": [{\"factors\": [Infinity]}]}", "JSON");
    assert_text_refused(HEAD "\"tables\": [{\"factors\": [1e999]}]}", "JSON");
    assert_text_refused(HEAD "\"tables\": [{\"factors\": [01]}]}", "JSON");
    assert_text_refused(HEAD "\"version\": 1, \"tables\": [{\"factors\": [1]}]}", "JSON"); /* a key twice */
    assert_text_refused(HEAD "\n\n\"tables\": oops}", "given.json:3|JSON");
    assert_text_refused(HEAD "\"tables\": [{\"name\": \"\xff\", \"factors\": [1]}]}", "JSON");
    static const char with_zero[] = HEAD "\"tables\": [{\"name\": \"a\0b\", \"factors\": [1]}]}";
    assert_bytes_refused(with_zero, sizeof with_zero - 1, "JSON");
}

static void json_of_wrong_types(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {HEAD "\"tables\": []}", "tables"},
        {HEAD "\"table\": 1}", "tables"},
        {HEAD "\"tables\": {\"factors\": [1]}}", "tables"},
        {HEAD "\"tables\": \"1,2\"}", "tables"},
        {HEAD "\"tables\": [[1, 2]]}", "tables[0]"},
        {HEAD "\"tables\": [{\"factors\": [1]}, null]}", "tables[1]"},
        {HEAD "\"original_length\": \"256\", \"tables\": [{\"factors\": [1]}]}", "original_length"},
        {HEAD "\"original_length\": -256, \"tables\": [{\"factors\": [1]}]}", "original_length"},
        {HEAD "\"rope_theta\": [], \"tables\": [{\"factors\": [1]}]}", "rope_theta"},
        {HEAD "\"exportable_tables\": 7, \"tables\": [{\"factors\": [1]}]}", "exportable_tables"},
        {HEAD "\"exportable_tables\": {\"factors\": [0]}, \"tables\": [{\"factors\": [1]}]}", "exportable_tables"},
        {HEAD "\"exportable_tables\": [{\"factors\": [0]}], \"tables\": [{\"factors\": [1]}]}",
         "'factors'|exportable_tables[0]"},
        {WITH(""), "'factors'|tables[1]"},
        {WITH("\"factors\": []"), "'factors'|tables[1]"},
        {WITH("\"factors\": null"), "'factors'|tables[1]"},
        {WITH("\"factors\": 2.0"), "'factors'|tables[1]"},
        {WITH("\"factors\": \"1,2\""), "'factors'|tables[1]"},
        {WITH("\"factors\": {\"0\": 1}"), "'factors'|tables[1]"},
        {WITH("\"factors\": [1, \"2\"]"), "'factors'|tables[1]"},
        {WITH("\"factors\": [1, null]"), "'factors'|tables[1]"},
        {WITH("\"factors\": [1, 0]"), "'factors'|tables[1]"},
        {WITH("\"factors\": [1, 0.0]"), "'factors'|tables[1]"},
        {WITH("\"factors\": [-1e-9, 1]"), "'factors'|tables[1]"},
        {WITH("\"factors\": [1], \"name\": 5"), "'name'|tables[1]"},
        {WITH("\"factors\": [1], \"whole\": 1"), "'whole'|tables[1]"},
        {WITH("\"factors\": [1], \"origin\": \"" LONG_TEXT LONG_TEXT "\""), "'origin'|tables[1]"},
        {WITH("\"factors\": [1], \"max_length\": -1"), "'max_length'|tables[1]"},
        {WITH("\"factors\": [1], \"max_length\": 512.0"), "'max_length'|tables[1]"},
        {WITH("\"factors\": [1], \"start_tokens\": -4"), "'start_tokens'|tables[1]"},
        {WITH("\"factors\": [1], \"start_tokens\": true"), "'start_tokens'|tables[1]"},
        {WITH("\"factors\": [1], \"scale\": \"8\""), "'scale'|tables[1]"},
        {WITH("\"factors\": [1], \"scale\": -8"), "'scale'|tables[1]"},
        {WITH("\"factors\": [1], \"attention_factor\": -1.0"), "'attention_factor'|tables[1]"},
        {WITH("\"factors\": [1], \"attention_factor\": {}"), "'attention_factor'|tables[1]"},
        {WITH("\"factors\": [1], \"perplexity\": \"low\""), "'perplexity'|tables[1]"},
        {WITH("\"factors\": [1], \"objective\": \"needles\""), "'objective'|tables[1]"},
        {WITH("\"factors\": [1], \"objective\": 1"), "'objective'|tables[1]"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) assert_text_refused(cases[i][0], cases[i][1]);
}

/* Both parts or neither, of the table's size, and their product what the table says. */
static void json_of_products(void **state) {
    (void)state;
    assert_text_numbers(HEAD
                        "\"tables\": [{\"whole\": true, \"factors\": [1, 1.25, 6.4], \"base_factors\": [1, 1, 3.2], "
                        "\"searched_factors\": [1, 1.25, 2]}]}",
                        three, 3);
    assert_text_refused(HEAD
                        "\"tables\": [{\"factors\": [1, 2], \"base_factors\": [1, 1], \"searched_factors\": [1, 2]}]}",
                        "searched_factors|tables[0]"); /* on top of something unknown */
    static const char *const wrong[] = {"\"base_factors\": [1, 1]",
                                        "\"searched_factors\": [1, 2]",
                                        "\"base_factors\": [1, 1], \"searched_factors\": [1, 2, 3]",
                                        "\"base_factors\": [1, 1], \"searched_factors\": [1, 2.01]",
                                        "\"base_factors\": [1, 0], \"searched_factors\": [1, 2]",
                                        "\"base_factors\": [1, 1], \"searched_factors\": \"1,2\""};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char text[512];
        snprintf(text, sizeof text, HEAD "\"tables\": [{\"whole\": true, \"factors\": [1, 2], %s}]}", wrong[i]);
        assert_text_refused(text, "searched_factors|tables[0]");
    }
}

static void json_with_too_many_factors(void **state) {
    (void)state;
    char text[4096] = HEAD "\"tables\": [{\"factors\": [1";
    for (int i = 1; i < ROPE_MAX_PAIRS; i++) strcat(text, ", 2");
    size_t used = strlen(text);
    strcpy(text + used, "]}]}");
    double expected[ROPE_MAX_PAIRS] = {1.0};
    for (int i = 1; i < ROPE_MAX_PAIRS; i++) expected[i] = 2.0;
    assert_text_numbers(text, expected, ROPE_MAX_PAIRS);
    strcpy(text + used, ", 3]}]}");
    assert_text_refused(text, "'factors'|tables[0]");
}

/* Choice by length ---------------------------------------------------------------------------- */

static int64_t chosen(const int64_t *max_lengths, size_t count, int64_t length) {
    struct factor_entry tables[4] = {{.max_length = 0}};
    for (size_t i = 0; i < count; i++) tables[i].max_length = max_lengths[i];
    return factors_for_length(tables, count, length) - tables;
}

static void tables_are_chosen_by_length(void **state) {
    (void)state;
    const int64_t rising[3] = {4096, 8192, 262144}, mixed[4] = {8192, 262144, 4096, 8192}, open[2] = {0, 4096};
    assert_int_equal(chosen(rising, 3, 1), 0);
    assert_int_equal(chosen(rising, 3, 4096), 0);
    assert_int_equal(chosen(rising, 3, 4097), 1);
    assert_int_equal(chosen(rising, 3, 8193), 2);
    assert_int_equal(chosen(rising, 3, 262144), 2);
    assert_int_equal(chosen(rising, 3, 262145), 2); /* none reaches: the longest */
    assert_int_equal(chosen(mixed, 4, 100), 2);
    assert_int_equal(chosen(mixed, 4, 5000), 0);
    assert_int_equal(chosen(mixed, 4, 1000000), 1);
    assert_int_equal(chosen(rising, 1, 1000000), 0);
    assert_int_equal(chosen(open, 1, 1000000), 0);
    assert_int_equal(chosen(open, 2, 5000), 0); /* one of no stated length reaches anywhere */
    assert_null(factors_for_length(NULL, 0, 10));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(written_files_read_back),
        cmocka_unit_test(writing_replaces_the_whole_file),
        cmocka_unit_test(places_that_cannot_be_written),
        cmocka_unit_test(full_disk_leaves_the_old_file),
        cmocka_unit_test(unwritable_numbers_are_refused),
        cmocka_unit_test(text_files_of_numbers),
        cmocka_unit_test(most_numbers_that_fit),
        cmocka_unit_test(inline_numbers),
        cmocka_unit_test(files_called_like_numbers),
        cmocka_unit_test(numbers_that_are_no_factors),
        cmocka_unit_test(sources_that_are_no_files),
        cmocka_unit_test(text_files_of_layers),
        cmocka_unit_test(numbers_are_written_and_read_back),
        cmocka_unit_test(configs_with_longrope),
        cmocka_unit_test(configs_without_tables),
        cmocka_unit_test(json_that_says_little),
        cmocka_unit_test(json_cut_short),
        cmocka_unit_test(json_of_another_kind),
        cmocka_unit_test(json_that_is_none),
        cmocka_unit_test(json_of_wrong_types),
        cmocka_unit_test(json_of_products),
        cmocka_unit_test(json_with_too_many_factors),
        cmocka_unit_test(tables_are_chosen_by_length),
    };
    return cmocka_run_group_tests_name("factors", tests, NULL, NULL);
}
