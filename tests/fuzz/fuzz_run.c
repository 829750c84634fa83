/* A run whose rows are damaged: every way to read it ends with a message, or with values that are valid.
 *
 * The first byte of an input chooses who reads. Each line changes one value of a small run in memory: its first three
 * bytes choose SQL table, column and row, the fourth the value's type, and the rest is the value. */
#include <jansson.h>
#include <math.h>
#include <string.h>

#include "search/html/gnuplot.h"
#include "search/html/html_page.h"
#include "search/report/report.h"
#include "search/report/report_frame.h"
#include "search/run/run_tables.h"
#include "search/run/run_view.h"
#include "search/run/short_window.h"
#include "search/store/store_configuration.h"
#include "search/store/store_measurements.h"
#include "search/store/store_schema.h"
#include "search/store/store_values.h"
#include "tests/fuzz/memory_file.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* ---- the whole run ---- */

/* A file holds what it holds: its SQL tables have no conditions here. */
static const char without_conditions[] =
    "SELECT group_concat(replace(replace(replace(sql, ') STRICT, WITHOUT ROWID', ')'), ') STRICT', ')'), 'NOT NULL', "
    "''), ';') FROM sqlite_schema WHERE type = 'table'";

static const char rows[] =
    "INSERT INTO run VALUES (0, 'a run', 2);"
    "INSERT INTO stages VALUES (0, 'long', 'done', 64, 16, 4.0, 10000.0, 1.1, 1, 4, 2, 100, 500, '[0,2]', 100, 80, "
    "120),"
    "  (1, 'short', 'done', 16, 16, 1.0, 10000.0, 1.1, 1, 4, 3, 100, 500, '[0]', 0, 0, 0);"
    "INSERT INTO stage_models VALUES (0, 'extend', 'model', 16, NULL, NULL, 1.0),"
    "  (1, 'recover', 'tuned', 16, 'long', '[1.0,2.0,3.5]', 1.2);"
    "INSERT INTO critical_pairs VALUES (1, 1, 2, 100);"
    "INSERT INTO settings VALUES (0, 'objective', 'perplexity'), (0, 'search.evaluations', '4'), (0, 'dtype', 'f32'),"
    "  (1, 'objective', 'needle'), (1, 'search.iterations', '1');"
    "INSERT INTO samples VALUES (0, 0, 'a.txt', 0, 64), (0, 1, 'b.txt', 8, 64), (1, 0, 'a.txt', 0, 16);"
    "INSERT INTO needles VALUES (1, 0, 4, 0.25, '12345', 5);"
    "INSERT INTO baselines VALUES (0, 0, 'none', '[1.0,0.01]', '[1.0,1.0]', 0, 1.0, 1.0, 2.5, 2, 0.5),"
    "  (0, 1, 'yarn', '[1.0,0.01]', '[1.0,4.0]', 0, 1.1, 1.0, 2.25, 2, 0.5),"
    "  (1, 0, 'none', '[1.0,0.1,0.01]', '[1.0,1.0,1.0]', 0, 1.0, 1.0, 2.0, 1, 0.5);"
    "INSERT INTO baseline_nats VALUES (0, 'none', 0, 150.0, x'00001643'), (0, 'none', 1, 165.0, NULL),"
    "  (0, 'yarn', 0, 140.0, NULL), (0, 'yarn', 1, 143.5, NULL), (1, 'none', 0, 10.0, NULL);"
    "INSERT INTO individuals VALUES"
    "  (0, 0, 0, 'yarn', NULL, NULL, '[100,400]', 0, 110, 0, 0, 2.25, 2, 0, 2, 0.5, '2024-01-31T12:34:56Z'),"
    "  (0, 1, 1, 'mutation', 0, NULL, '[110,350]', 2, 100, 0, 0, 2.2, 4, 0, 2, 0.5, '2024-01-31T12:34:56Z'),"
    "  (0, 2, 1, 'crossover', 0, 1, '[110,400]', 2, 110, 0, 0, NULL, NULL, 1, 1, 0.5, '2024-01-31T12:34:56Z'),"
    "  (0, 3, 2, 'model', NULL, NULL, '[120,350]', 0, 100, 0, 1, NULL, NULL, 0, 1, 0.5, '2024-01-31T12:34:56Z'),"
    "  (1, 0, 0, 'critical-ntk', NULL, NULL, '[0,150,200]', 0, 0, 1, 0, 1.9, 1, 0, 1, 0.5, '2024-01-31T12:34:56Z');"
    "INSERT INTO sample_nats VALUES (0, 0, 0, 140.0, x'00001643'), (0, 0, 1, 143.5, NULL), (0, 1, 0, 138.0, NULL),"
    "  (0, 1, 1, 139.2, NULL), (0, 2, 0, 9e999, NULL), (0, 3, 1, 150.0, NULL), (1, 0, 0, 9.5, NULL);"
    "INSERT INTO lengths VALUES (1, 'longrope: own table in the old window', 16, 'model', 1.0, '[1.0,1.0]', 0, 1.0,"
    "  'f32', 'avx2', 'f64', 0.5, 2, 30, NULL, 2.0, '2024-01-31T12:34:56Z'),"
    "  (2, 'yarn', 64, 'model', 4.0, '[1.0,4.0]', 0, 1.1, 'bf16', 'avx2', 'f32', 0.5, 2, 126, 32, 2.25,"
    "  '2024-01-31T12:34:56Z');"
    "INSERT INTO pass_keys VALUES (1, 'yarn', 64, 'model', 4.0, '[1.0,4.0]', 0, 1.1, 'f32', 'avx2', 'f64', 0.5, 0.5, 5,"
    "  10, 7, 1, 'published', '2024-01-31T12:34:56Z');"
    "INSERT INTO configuration VALUES (0, 'longrope 1', '/a.yaml', 'name: a run', '[\"search.seed=2\"]');"
    "INSERT INTO ranks VALUES (0, 0, 'here', 3, 1.5, 2.0), (0, 1, 'there', 1, 0.5, 2.0);"
    "INSERT INTO choices VALUES (1, 'yarn', 64, 'model', 4.0, '[1.0,4.0]', 0, 1.1, 'f32', 'avx2', 'f64', 0.5, 'arc', "
    "20,"
    "  0.25, 7, 8, 9, '2024-01-31T12:34:56Z');";

static const struct database_kind kind = {
    .name = "a run", .application = DATABASE_RUN, .schema = STORE_SCHEMA, .if_foreign = "-", .if_damaged = "-"};

enum { MOST_TABLES = 20, MOST_COLUMNS = 20, NAME = 32 };

static struct {
    unsigned char *bytes;
    sqlite3_int64 size;
    size_t tables, columns[MOST_TABLES];
    char table[MOST_TABLES][NAME], column[MOST_TABLES][MOST_COLUMNS][NAME];
} whole;

static void open_memory(struct database *database) {
    struct error error;
    *database = (struct database){.kind = &kind, .path = (char *)memory_path()};
    if (database_open(database, "run", SQLITE_OPEN_READWRITE | SQLITE_OPEN_MEMORY, &error) != STATUS_OK) abort();
}

/* The SQL tables of a run, in an empty database. */
static void create_tables(struct database *database) {
    struct database strict;
    sqlite3_stmt *s;
    struct error error = {""};
    open_memory(&strict);
    if (store_schema_create(&strict, &error) != STATUS_OK) abort();
    if (sqlite3_prepare_v2(strict.handle, without_conditions, -1, &s, NULL) != SQLITE_OK) abort();
    if (sqlite3_step(s) != SQLITE_ROW) abort();
    if (database_run(database, (const char *)sqlite3_column_text(s, 0), &error) != STATUS_OK ||
        database_run(database, "PRAGMA ignore_check_constraints = ON", &error) != STATUS_OK ||
        database_run(database, rows, &error) != STATUS_OK) {
        fprintf(stderr, "%s\n", error.message);
        abort();
    }
    sqlite3_finalize(s);
    database_close(&strict);
}

static void list_columns(sqlite3 *handle, size_t table) {
    sqlite3_stmt *s;
    if (sqlite3_prepare_v2(handle, "SELECT name FROM pragma_table_info(?1)", -1, &s, NULL) != SQLITE_OK) abort();
    sqlite3_bind_text(s, 1, whole.table[table], -1, SQLITE_STATIC);
    while (sqlite3_step(s) == SQLITE_ROW && whole.columns[table] < MOST_COLUMNS) {
        snprintf(whole.column[table][whole.columns[table]++], NAME, "%s", (const char *)sqlite3_column_text(s, 0));
    }
    sqlite3_finalize(s);
}

static void list_tables(sqlite3 *handle) {
    sqlite3_stmt *s;
    if (sqlite3_prepare_v2(handle, "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY rowid", -1, &s, NULL))
        abort();
    while (sqlite3_step(s) == SQLITE_ROW && whole.tables < MOST_TABLES) {
        snprintf(whole.table[whole.tables], NAME, "%s", (const char *)sqlite3_column_text(s, 0));
        list_columns(handle, whole.tables++);
    }
    sqlite3_finalize(s);
}

/* Views, each as text and as JSON, and what else reads runs. */
enum { OVERVIEW, GENERATIONS, CONVERGENCE, LAMBDA, GENEALOGY, SCORES, REPORTS };
enum { PAGE = 2 * REPORTS, TABLES, SHORT_WINDOW, RESUME, READERS };

static void read_run(struct store *store, int reader, bool valid);

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc, (void)argv;
    struct store store = {.dir = (char *)memory_path(), .lock = -1};
    open_memory(&store.database);
    create_tables(&store.database);
    list_tables(store.database.handle);
    whole.bytes = sqlite3_serialize(store.database.handle, "main", &whole.size, 0);
    if (!whole.bytes) abort();
    for (int reader = 0; reader < READERS; reader++) read_run(&store, reader, true);
    database_close(&store.database);
    return 0;
}

/* ---- its damage ---- */

static void bind_value(sqlite3_stmt *s, const char *text, size_t size) {
    char number[64] = "";
    memcpy(number, text + 1, size - 1 < sizeof number - 1 ? size - 1 : sizeof number - 1);
    switch (text[0]) {
    case 'i':
        sqlite3_bind_int64(s, 1, strtoll(number, NULL, 10));
        return;
    case 'd':
        sqlite3_bind_double(s, 1, strtod(number, NULL));
        return;
    case 'n':
        return; /* NULL */
    case 'b':
        sqlite3_bind_blob(s, 1, text + 1, (int)size - 1, SQLITE_STATIC);
        return;
    default:
        sqlite3_bind_text(s, 1, text + 1, (int)size - 1, SQLITE_STATIC);
        return;
    }
}

/* '-' in place of a type deletes the row, '+' adds a copy with a value that is a text. */
static char *statement_text(size_t table, size_t column, char type) {
    const char *name = whole.table[table];
    char *columns = NULL;
    if (type == '-') return sqlite3_mprintf("DELETE FROM %s WHERE rowid = ?2", name);
    if (type != '+') {
        return sqlite3_mprintf("UPDATE OR IGNORE %s SET %s = ?1 WHERE rowid = ?2", name, whole.column[table][column]);
    }
    for (size_t i = 0; i < whole.columns[table]; i++) {
        char *longer = sqlite3_mprintf("%s%s%s", columns ? columns : "", columns ? ", " : "",
                                       i == column ? "?1" : whole.column[table][i]);
        sqlite3_free(columns);
        columns = longer;
    }
    char *text = sqlite3_mprintf("INSERT OR IGNORE INTO %s SELECT %s FROM %s WHERE rowid = ?2", name, columns, name);
    sqlite3_free(columns);
    return text;
}

/* The rowid of a row, counted modulo their number; 0 in an empty table. */
static int64_t find_row(sqlite3 *handle, size_t table, unsigned char row) {
    sqlite3_stmt *s = NULL;
    int64_t found = 0;
    char *text = sqlite3_mprintf("SELECT rowid FROM %s ORDER BY rowid LIMIT 1 OFFSET ?1 %% max(1, (SELECT count(*) "
                                 "FROM %s))",
                                 whole.table[table], whole.table[table]);
    if (sqlite3_prepare_v2(handle, text, -1, &s, NULL) == SQLITE_OK) {
        sqlite3_bind_int(s, 1, row);
        if (sqlite3_step(s) == SQLITE_ROW) found = sqlite3_column_int64(s, 0);
    }
    sqlite3_finalize(s);
    sqlite3_free(text);
    return found;
}

static void change(sqlite3 *handle, const uint8_t *line, size_t size) {
    sqlite3_stmt *s = NULL;
    size_t table = line[0] % whole.tables, column = line[1] % whole.columns[table];
    char *text = statement_text(table, column, (char)line[3]);
    if (sqlite3_prepare_v2(handle, text, -1, &s, NULL) == SQLITE_OK) {
        if (line[3] != '-') bind_value(s, (const char *)line + 3, size - 3);
        sqlite3_bind_int64(s, 2, find_row(handle, table, line[2]));
        sqlite3_step(s); /* may find that there is such a row */
    }
    sqlite3_finalize(s);
    sqlite3_free(text);
}

static void damage(sqlite3 *handle, const uint8_t *bytes, size_t size) {
    enum { MOST_LINES = 16 };
    const uint8_t *end = bytes + size;
    sqlite3_exec(handle, "PRAGMA ignore_check_constraints = ON", NULL, NULL, NULL);
    for (int lines = 0; bytes < end && lines < MOST_LINES; lines++) {
        const uint8_t *stop = memchr(bytes, '\n', (size_t)(end - bytes));
        size_t length = (size_t)((stop ? stop : end) - bytes);
        if (length > 3) change(handle, bytes, length);
        bytes += length + 1;
    }
}

/* ---- reading it ---- */

/* In place of the program's, which starts a process. */
int gnuplot_run(const struct gnuplot *gnuplot, const char *script, size_t size, char **out, struct error *error) {
    (void)gnuplot, (void)error;
    if (strlen(script) != size) abort();
    *out = strdup("<svg><g id=\"gnuplot_canvas\"></g></svg>");
    return *out ? STATUS_OK : STATUS_FAILED;
}

static void check_status(int status, const struct error *error, bool valid) {
    bool said = *error->message && !strstr(error->message, "memory"); /* there is enough of it */
    if (status == STATUS_OK || (said && !valid)) return;
    fprintf(stderr, "%s\n", error->message);
    abort();
}

static int report(struct store *store, int which, bool json, FILE *out, struct error *error) {
    const struct report_options options = {NULL, json};
    const struct report_drawing drawing = {80, true};
    switch (which) {
    case OVERVIEW:
        return report_overview(store, &options, out, error);
    case GENERATIONS:
        return report_generations(store, &options, out, error);
    case CONVERGENCE:
        return report_convergence(store, &options, &drawing, out, error);
    case LAMBDA:
        return report_lambda(store, &options, &drawing, out, error);
    case GENEALOGY:
        return report_genealogy(store, &options, REPORT_BEST, out, error);
    default:
        return report_scores(store, NULL, out, error);
    }
}

static void check_report(struct store *store, int which, bool json, bool valid) {
    char *text = NULL;
    size_t size;
    struct error error = {""};
    FILE *out = open_memstream(&text, &size);
    if (!out) abort();
    int status = report(store, which, json, out, &error);
    if (fclose(out) != 0) abort();
    check_status(status, &error, valid);
    if (status == STATUS_OK && json && which != SCORES) {
        json_t *document = json_loadb(text, size, 0, NULL);
        if (!document) abort();
        json_decref(document);
    }
    free(text);
}

static void check_page(struct store *store, bool valid) {
    enum { DOCUMENTS = 3 };
    static const int64_t best = REPORT_BEST;
    static const struct report_request requests[DOCUMENTS] = {
        {&report_view_overview, NULL}, {&report_view_generations, NULL}, {&report_view_genealogy, &best}};
    json_t *documents[DOCUMENTS] = {NULL};
    struct error error = {""};
    int status = report_documents(store, requests, DOCUMENTS, documents, &error);
    check_status(status, &error, valid);
    if (status != STATUS_OK) return;
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (!out) abort();
    struct html_page page = {.out = out,
                             .program = "longrope",
                             .run_dir = "run",
                             .overview = cited_root("", documents[0]),
                             .generations = cited_root("--generations", documents[1]),
                             .genealogy = cited_root("--genealogy", documents[2])};
    check_status(html_page_write(&page, &error), &error, true);
    if (fclose(out) != 0) abort();
    free(text);
    for (int i = 0; i < DOCUMENTS; i++) json_decref(documents[i]);
}

static void check_tables(struct store *store, bool valid) {
    struct factor_file file;
    struct error error = {""};
    int status = run_tables_read(store, NULL, &file, &error);
    check_status(status, &error, valid);
    for (size_t t = 0; status == STATUS_OK && t < file.count; t++) {
        const struct factor_entry *entry = &file.tables[t];
        if (entry->pairs < 1 || entry->pairs > ROPE_MAX_PAIRS || entry->max_length < 1) abort();
        for (int64_t i = 0; i < entry->pairs; i++) {
            if (!(entry->factors[i] > 0) || !isfinite(entry->factors[i])) abort();
        }
        if (!(entry->attention_factor > 0) || !isfinite(entry->attention_factor)) abort();
    }
    if (status == STATUS_OK && file.count) { /* what is exported can be read */
        struct factor_file copy;
        check_status(factors_write(memory_path(), true, &file, &error), &error, true);
        check_status(factors_read(memory_path(), &copy, &error), &error, true);
        if (copy.count != file.count) abort();
        factors_free(&copy);
        unlink(memory_path());
    }
    factors_free(&file);
}

static void check_short_window(struct store *store, bool valid) {
    struct short_window window;
    struct error error = {""};
    int status = short_window_read(store, &window, &error);
    check_status(status, &error, valid);
    if (status == STATUS_OK && window.measured && isinf(window.own)) abort();
}

/* The nats that a resumed search answers its driver from. */
static void check_nats(struct store *store, bool valid) {
    enum { WINDOWS = 2, BLOCKS = 1 };
    double nats[WINDOWS];
    float blocks[WINDOWS * BLOCKS];
    size_t first_block[WINDOWS + 1] = {0, BLOCKS, 2 * BLOCKS};
    struct window_nats out = {WINDOWS, nats, blocks, first_block};
    struct error error = {""};
    for (int64_t id = 0; id < 4; id++) {
        check_status(store_window_nats(store, 0, id, &out, &error), &error, valid);
        check_status(store_window_nats(store, 1, id, &out, &error), &error, valid);
    }
    for (int method = 0; method < ROPE_METHODS; method++) {
        check_status(store_baseline_nats(store, 0, (enum rope_method)method, &out, &error), &error, valid);
    }
}

static void check_resume(struct store *store, bool valid) {
    struct configuration_record configuration;
    struct stage_record *stages = NULL;
    struct error error = {""};
    size_t count = 0;
    bool found;
    check_status(store_configuration(store, &configuration, &found, &error), &error, valid);
    configuration_record_free(&configuration);
    check_status(store_stages(store, &stages, &count, &error), &error, valid);
    for (size_t i = 0; i < count; i++) {
        check_status(store_check_stage(store, &stages[i], &error), &error, false);
        check_status(store_check_settings(store, stages[i].id, NULL, 0, &error), &error, false);
    }
    free(stages);
    check_nats(store, valid);
}

/* `valid`: the run is not damaged. */
static void read_run(struct store *store, int reader, bool valid) {
    switch (reader) {
    case PAGE:
        check_page(store, valid);
        return;
    case TABLES:
        check_tables(store, valid);
        return;
    case SHORT_WINDOW:
        check_short_window(store, valid);
        return;
    case RESUME:
        check_resume(store, valid);
        return;
    default:
        check_report(store, reader / 2, reader % 2, valid);
        return;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    if (!size) return 0;
    struct store store = {.dir = (char *)memory_path(), .lock = -1};
    open_memory(&store.database);
    unsigned char *copy = sqlite3_malloc64((sqlite3_uint64)whole.size);
    if (!copy) abort();
    memcpy(copy, whole.bytes, (size_t)whole.size);
    if (sqlite3_deserialize(store.database.handle, "main", copy, whole.size, whole.size,
                            SQLITE_DESERIALIZE_FREEONCLOSE | SQLITE_DESERIALIZE_RESIZEABLE) != SQLITE_OK) {
        abort();
    }
    damage(store.database.handle, bytes + 1, size - 1);
    read_run(&store, bytes[0] % READERS, false);
    database_close(&store.database);
    return 0;
}
