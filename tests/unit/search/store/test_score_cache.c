/* The score cache: what it finds again, several processes at it at once, and files that it cannot use. */
#include "search/store/score_cache.h"

#include "search/base/clock.h"
#include "tests/unit/child.h"
#include "tests/unit/scratch.h"

#include <float.h>
#include <math.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/time.h>

struct fixture {
    struct scratch scratch;
    char *path; /* a cache that is not there yet */
    const volatile sig_atomic_t *stop;
    int hold_ms; /* for which a child holds the lock; 0: until it is killed */
    struct error error;
};

static int set_up(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    if (!f) return -1;
    f->scratch = scratch_make();
    f->path = scratch_path(&f->scratch, "scores.db");
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *f = *state;
    scratch_remove(&f->scratch);
    free(f->path);
    free(f);
    return 0;
}

static void good(struct fixture *f, int status) {
    if (status != STATUS_OK) fail_msg("status %d: %s", status, f->error.message);
}

static struct score_cache *open_cache(struct fixture *f) {
    struct score_cache *cache = NULL;
    good(f, score_cache_open(f->path, f->stop, &cache, &f->error));
    assert_non_null(cache);
    return cache;
}

static void open_bad(struct fixture *f, int status, const char *words) {
    struct score_cache *cache;
    int got = score_cache_open(f->path, f->stop, &cache, &f->error);
    assert_null(cache);
    assert_message(f->error.message, words);
    assert_int_equal(got, status);
}

static void run_sql(struct fixture *f, const char *text) {
    sqlite3 *db;
    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
    if (sqlite3_exec(db, text, NULL, NULL, NULL) != SQLITE_OK) fail_msg("%s", sqlite3_errmsg(db));
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static bool same_bits(double a, double b) { return memcmp(&a, &b, sizeof a) == 0; }

/* Entries without blocks. */
static int find_nats(struct score_cache *cache, const struct score_cache_key *key, double *nats, bool *found,
                     struct error *error) {
    struct score_cache_entry entry = {.nats = *nats};
    int status = score_cache_find(cache, key, &entry, found, error);
    *nats = entry.nats;
    return status;
}

static int add_nats(struct score_cache *cache, const struct score_cache_key *key, double nats, struct error *error) {
    const struct score_cache_entry entry = {.nats = nats};
    return score_cache_add(cache, key, &entry, error);
}

/* Entry `i` of those that tests add, and its nats, which name the process that added it. */
static struct score_cache_key numbered_key(int i, char text[20]) {
    snprintf(text, 20, "%016x", (unsigned)i);
    return (struct score_cache_key){"model", "f32", "window", text};
}

/* How many of the entries 0..count-1 are there. */
static int count_entries(struct fixture *f, int count) {
    struct score_cache *cache = open_cache(f);
    int there = 0;
    for (int i = 0; i < count; i++) {
        char text[20];
        double nats = NAN;
        bool found;
        struct score_cache_key key = numbered_key(i, text);
        good(f, find_nats(cache, &key, &nats, &found, &f->error));
        there += found;
    }
    score_cache_close(cache);
    return there;
}

/* Entries -------------------------------------------------------------------------------------- */

static void test_entries(void **state) {
    struct fixture *f = *state;
    static const struct score_cache_key keys[] = {
        {"m", "a", "w", "t"}, {"M", "a", "w", "t"}, {"m", "A", "w", "t"}, {"m", "a", "W", "t"},
        {"m", "a", "w", "T"}, {"", "a", "w", "t"},  {"ma", "", "w", "t"},
    };
    static const double nats[] = {1.0 / 3, DBL_TRUE_MIN, DBL_MAX, 6931.4718055994530, 0, 1e22, 0.1};
    enum { KEYS = sizeof keys / sizeof *keys };
    struct score_cache *cache = open_cache(f);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < KEYS; i++) {
            double got = 7;
            bool found;
            good(f, find_nats(cache, &keys[i], &got, &found, &f->error));
            assert_int_equal(found, round);
            assert_true(same_bits(got, round ? nats[i] : 7));
            good(f, add_nats(cache, &keys[i], round ? 99 : nats[i], &f->error)); /* the first one stays */
        }
        score_cache_close(cache);
        cache = open_cache(f);
    }
    for (int i = 0; i < KEYS; i++) {
        double got = NAN;
        bool found;
        good(f, find_nats(cache, &keys[i], &got, &found, &f->error));
        assert_true(found && same_bits(got, nats[i]));
    }
    score_cache_close(cache);
    score_cache_close(NULL);
}

/* Behind the cache's back: SQLite looks for such entries only when the cache is opened. */
static void test_entries_that_cannot_be(void **state) {
    static const char *const damages[] = {"-0.5", "-9e999", "9e999"};
    struct fixture *f = *state;
    struct score_cache *cache = open_cache(f);
    struct score_cache_key key = {"model", "f32", "window", "table"};
    double nats = NAN;
    bool found;
    good(f, add_nats(cache, &key, 1.5, &f->error));
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        char sql[200];
        snprintf(sql, sizeof sql, "PRAGMA ignore_check_constraints = ON; UPDATE scores SET nats = %s", damages[i]);
        run_sql(f, sql);
        f->error.message[0] = '\0';
        assert_int_equal(find_nats(cache, &key, &nats, &found, &f->error), STATUS_FAILED);
        assert_message(f->error.message, "scores.db: is damaged|negative or not finite|remove it: it only saves time");
    }
    run_sql(f, "UPDATE scores SET nats = 2.5");
    good(f, find_nats(cache, &key, &nats, &found, &f->error));
    assert_true(found && nats == 2.5);
    score_cache_close(cache);
    run_sql(f, "PRAGMA ignore_check_constraints = ON; UPDATE scores SET nats = -1");
    open_bad(f, STATUS_FAILED, "scores.db: is damaged|remove it");
}

/* Blocks are kept beside the nats; an entry without them takes those of a later one, and keeps its nats. */
static void test_blocks(void **state) {
    struct fixture *f = *state;
    struct score_cache *cache = open_cache(f);
    const struct score_cache_key key = {"m", "a", "w", "t"};
    float first[3] = {0.1F, 0, 3e38F}, second[3] = {4, 5, 6}, none[3] = {NAN, NAN, NAN}, got[3];
    struct score_cache_entry entry = {.nats = 1.5, .blocks = none, .block_count = 3},
                             read = {.blocks = got, .block_count = 3};
    bool found;
    good(f, score_cache_add(cache, &key, &entry, &f->error));
    good(f, score_cache_find(cache, &key, &read, &found, &f->error));
    assert_true(found && read.nats == 1.5 && isnan(got[0]) && isnan(got[2]));
    entry = (struct score_cache_entry){.nats = 99, .blocks = first, .block_count = 3};
    good(f, score_cache_add(cache, &key, &entry, &f->error));
    entry.blocks = second;
    good(f, score_cache_add(cache, &key, &entry, &f->error));
    score_cache_close(cache);
    cache = open_cache(f);
    good(f, score_cache_find(cache, &key, &read, &found, &f->error));
    assert_true(found && read.nats == 1.5);
    assert_memory_equal(got, first, sizeof got);
    read.blocks = NULL; /* nobody asks for them */
    good(f, score_cache_find(cache, &key, &read, &found, &f->error));
    assert_true(found && read.nats == 1.5);
    read = (struct score_cache_entry){.blocks = got, .block_count = 2};
    assert_int_equal(score_cache_find(cache, &key, &read, &found, &f->error), STATUS_FAILED);
    assert_message(f->error.message, "scores.db: is damaged|the blocks of an entry|remove it: it only saves time");
    run_sql(f, "UPDATE scores SET blocks = x'000080bf0000803f'");
    assert_int_equal(score_cache_find(cache, &key, &read, &found, &f->error), STATUS_FAILED);
    assert_message(f->error.message, "scores.db: is damaged|the blocks of an entry");
    score_cache_close(cache);
}

/* A cache of a longrope that kept no blocks: its entries stay, and get them later. */
static void test_schema_1_migrates(void **state) {
    struct fixture *f = *state;
    struct score_cache *cache = open_cache(f);
    const struct score_cache_key key = {"m", "a", "w", "t"};
    float blocks[2] = {1, 0.5F}, got[2] = {0, 0};
    struct score_cache_entry entry = {.nats = 1.5}, read = {.blocks = got, .block_count = 2};
    bool found;
    good(f, score_cache_add(cache, &key, &entry, &f->error));
    score_cache_close(cache);
    run_sql(f, "ALTER TABLE scores DROP COLUMN blocks; PRAGMA user_version = 1");
    cache = open_cache(f);
    good(f, score_cache_find(cache, &key, &read, &found, &f->error));
    assert_true(found && read.nats == 1.5 && isnan(got[0]) && isnan(got[1]));
    entry = (struct score_cache_entry){.nats = 1.5, .blocks = blocks, .block_count = 2};
    good(f, score_cache_add(cache, &key, &entry, &f->error));
    good(f, score_cache_find(cache, &key, &read, &found, &f->error));
    assert_memory_equal(got, blocks, sizeof got);
    score_cache_close(cache);
    score_cache_close(open_cache(f)); /* there is nothing left to migrate */
}

static void test_schema_documents_itself(void **state) {
    struct fixture *f = *state;
    sqlite3 *db;
    sqlite3_stmt *statement;
    score_cache_close(open_cache(f));
    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT sql FROM sqlite_schema", -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    assert_non_null(strstr((const char *)sqlite3_column_text(statement, 0), "-- Nats of windows"));
    sqlite3_finalize(statement);
    sqlite3_close(db);
}

/* Several processes ---------------------------------------------------------------------------- */

enum { ENTRIES = 300 };

/* Opens the cache, which may be there or not, and adds all entries; 0 where all went well. */
static int add_all(void *state, int pipe) {
    struct fixture *f = state;
    struct score_cache *cache;
    int status = score_cache_open(f->path, f->stop, &cache, &f->error);
    for (int i = 0; i < ENTRIES && status == STATUS_OK; i++) {
        char text[20];
        double nats = NAN;
        bool found;
        struct score_cache_key key = numbered_key(i, text);
        status = find_nats(cache, &key, &nats, &found, &f->error);
        if (status == STATUS_OK && !found) status = add_nats(cache, &key, getpid(), &f->error);
    }
    if (status == STATUS_OK) {
        score_cache_close(cache);
    } else {
        child_say(pipe, f->error.message);
    }
    return status;
}

static void test_processes_at_once(void **state) {
    enum { PROCESSES = 4, ROUNDS = 8 };
    struct fixture *f = *state;
    for (int round = 0; round < ROUNDS; round++) {
        pid_t children[PROCESSES];
        int pipes[PROCESSES];
        for (int i = 0; i < PROCESSES; i++) children[i] = child_start(add_all, f, &pipes[i]);
        for (int i = 0; i < PROCESSES; i++) {
            char said[1200];
            child_read_all(pipes[i], said, sizeof said);
            close(pipes[i]);
            if (child_wait(children[i]) != 0) fail_msg("round %d: %s", round, said);
        }
        assert_int_equal(count_entries(f, ENTRIES), ENTRIES);
        assert_int_equal(unlink(f->path), 0); /* the next round makes it anew */
    }
}

static int add_and_tell(void *state, int pipe) {
    struct fixture *f = state;
    struct score_cache *cache;
    if (score_cache_open(f->path, f->stop, &cache, &f->error) != STATUS_OK) return 1;
    for (int i = 0;; i++) {
        char text[20];
        struct score_cache_key key = numbered_key(i, text);
        if (add_nats(cache, &key, i, &f->error) != STATUS_OK || write(pipe, "x", 1) != 1) return 2;
    }
}

static void test_kill_loses_nothing_added(void **state) {
    struct fixture *f = *state;
    for (int round = 0; round < 4; round++) {
        static char said[100000];
        int pipe;
        unlink(f->path);
        pid_t child = child_start(add_and_tell, f, &pipe);
        assert_int_equal(read(pipe, said, 1), 1);
        usleep((useconds_t)(1000 + 777 * round));
        kill(child, SIGKILL);
        child_wait(child);
        child_read_all(pipe, said, sizeof said);
        close(pipe);
        int added = 1 + (int)strlen(said), there = count_entries(f, added);
        if (there != added) fail_msg("%d added, %d there", added, there);
    }
}

static int hold_lock(void *state, int pipe) {
    const struct fixture *f = state;
    sqlite3 *db;
    if (sqlite3_open(f->path, &db) != SQLITE_OK) return 1;
    if (sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK) return 2;
    child_say(pipe, "held");
    if (f->hold_ms == 0) {
        for (;;) pause();
    }
    usleep((useconds_t)f->hold_ms * 1000);
    return sqlite3_close(db) == SQLITE_OK ? 0 : 3;
}

/* A child that holds the lock of a cache that is there. */
static pid_t start_holder(struct fixture *f, int hold_ms, int *pipe) {
    char letter;
    f->hold_ms = hold_ms;
    pid_t child = child_start(hold_lock, f, pipe);
    assert_int_equal(read(*pipe, &letter, 1), 1);
    return child;
}

static void test_waits_for_a_lock(void **state) {
    enum { HELD_MS = 700 };
    struct fixture *f = *state;
    struct score_cache *cache = open_cache(f);
    struct score_cache_key key = {"model", "f32", "window", "table"};
    int pipe;
    pid_t child = start_holder(f, HELD_MS, &pipe);
    double began = clock_seconds();
    good(f, add_nats(cache, &key, 1.5, &f->error));
    assert_true(clock_seconds() - began > HELD_MS / 2000.0); /* it was held, or this shows nothing */
    assert_int_equal(child_wait(child), 0);
    close(pipe);
    score_cache_close(cache);
}

static volatile sig_atomic_t stop_flag;

static void raise_flag(int number) { stop_flag = number; }

/* The flag rises in `milliseconds`. */
static void raise_flag_in(int milliseconds) {
    const struct sigaction action = {.sa_handler = raise_flag, .sa_flags = SA_RESTART};
    const struct itimerval timer = {.it_value.tv_usec = milliseconds * 1000};
    stop_flag = 0;
    assert_int_equal(sigaction(SIGALRM, &action, NULL), 0);
    assert_int_equal(setitimer(ITIMER_REAL, &timer, NULL), 0);
}

static void test_stops_waiting(void **state) {
    struct fixture *f = *state;
    struct score_cache_key key = {"model", "f32", "window", "table"};
    int pipe;
    f->stop = &stop_flag;
    stop_flag = 0;
    struct score_cache *cache = open_cache(f);
    pid_t child = start_holder(f, 0, &pipe);
    raise_flag_in(300);
    double began = clock_seconds();
    assert_int_equal(add_nats(cache, &key, 1.5, &f->error), STATUS_STOPPED);
    assert_message(f->error.message,
                   "stopped by a signal while waiting for |scores.db, which another process has locked|--resume");
    assert_true(clock_seconds() - began < 1.3);
    assert_true(stop_flag);
    began = clock_seconds();
    assert_int_equal(add_nats(cache, &key, 1.5, &f->error), STATUS_STOPPED); /* it is up already */
    assert_true(clock_seconds() - began < 1.0);
    kill(child, SIGKILL);
    child_wait(child);
    close(pipe);
    good(f, add_nats(cache, &key, 1.5, &f->error)); /* there is nothing to wait for */
    score_cache_close(cache);
}

/* Making the table waits as well. */
static void test_stops_waiting_while_making(void **state) {
    struct fixture *f = *state;
    struct score_cache *cache;
    int pipe;
    f->stop = &stop_flag;
    pid_t child = start_holder(f, 0, &pipe);
    raise_flag_in(300);
    double began = clock_seconds();
    assert_int_equal(score_cache_open(f->path, f->stop, &cache, &f->error), STATUS_STOPPED);
    assert_message(f->error.message, "stopped by a signal while waiting for |scores.db, which");
    assert_true(clock_seconds() - began < 1.3);
    kill(child, SIGKILL);
    child_wait(child);
    close(pipe);
    stop_flag = 0;
    score_cache_close(open_cache(f));
}

static int add_one(void *state, int pipe) {
    struct fixture *f = state;
    struct score_cache *cache;
    struct score_cache_key key = {"model", "f32", "window", "table"};
    if (dup2(pipe, STDERR_FILENO) < 0) return 100;
    int status = score_cache_open(f->path, f->stop, &cache, &f->error);
    if (status == STATUS_OK) status = add_nats(cache, &key, 1.5, &f->error);
    child_say(pipe, status == STATUS_OK ? "added" : f->error.message);
    return status;
}

/* Longer than a store does, and says so once. */
static void test_says_that_it_waits(void **state) {
    enum { HELD_MS = 11500 };
    struct fixture *f = *state;
    char said[1200], expected[300];
    int holder_pipe, pipe;
    score_cache_close(open_cache(f));
    pid_t holder = start_holder(f, HELD_MS, &holder_pipe), child = child_start(add_one, f, &pipe);
    child_read_all(pipe, said, sizeof said);
    snprintf(expected, sizeof expected, "longrope: waiting for %s, which another process has locked\nadded\n", f->path);
    assert_string_equal(said, expected);
    assert_int_equal(child_wait(child), 0);
    assert_int_equal(child_wait(holder), 0);
    close(pipe);
    close(holder_pipe);
}

/* Looking through all pages of a large cache takes its time. */
static void test_stops_checking(void **state) {
    struct fixture *f = *state;
    int pipe;
    assert_int_equal(child_wait(child_start(add_all, f, &pipe)), 0);
    close(pipe);
    f->stop = &stop_flag;
    stop_flag = 1;
    open_bad(f, STATUS_STOPPED, "stopped by a signal while checking |scores.db|--resume");
    stop_flag = 0;
    assert_int_equal(count_entries(f, ENTRIES), ENTRIES);
}

static int make_for_ever(void *state, int pipe) {
    struct fixture *f = state;
    (void)pipe;
    for (;;) {
        struct score_cache *cache;
        if (score_cache_open(f->path, f->stop, &cache, &f->error) != STATUS_OK) return 1;
        score_cache_close(cache);
        unlink(f->path);
    }
}

/* PRAGMA user_version of the file, where it is there. */
static int version_of(struct fixture *f) {
    sqlite3 *db;
    sqlite3_stmt *statement;
    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    int version = sqlite3_column_int(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return version;
}

/* Killed before its table is there and after, it is as good as new. */
static void test_kill_while_making(void **state) {
    enum { ROUNDS = 8, MOST = 400 };
    struct fixture *f = *state;
    int seen[2] = {0};
    for (int round = 0; round < ROUNDS || ((!seen[0] || !seen[1]) && round < MOST); round++) {
        int pipe;
        pid_t child = child_start(make_for_ever, f, &pipe);
        usleep((useconds_t)(3000 + 3571 * round % 29989));
        kill(child, SIGKILL);
        assert_true(WIFSIGNALED(child_wait(child)));
        close(pipe);
        if (access(f->path, F_OK) == 0) {
            int version = version_of(f);
            assert_true(version == 0 || version == 2); /* nothing in between */
            seen[version > 0]++;
        }
        assert_int_equal(count_entries(f, 1), 0);
    }
    if (!seen[0] || !seen[1]) fail_msg("killed %d times before and %d times after the table", seen[0], seen[1]);
}

/* Files that are something else ---------------------------------------------------------------- */

static void test_not_a_database(void **state) {
    struct fixture *f = *state;
    char text[5000];
    memset(text, 'x', sizeof text);
    scratch_write(f->path, text, sizeof text);
    open_bad(f, STATUS_INPUT, "scores.db: is not a database|name another file with --cache");
    scratch_write(f->path, "", 0); /* what a kill at the right moment leaves */
    score_cache_close(open_cache(f));
}

static void test_database_of_another_program(void **state) {
    struct fixture *f = *state;
    run_sql(f, "CREATE TABLE t (x); INSERT INTO t VALUES (1)");
    open_bad(f, STATUS_INPUT, "scores.db: is a database of another program, not a score cache; name another file");
    run_sql(f, "PRAGMA application_id = 7");
    open_bad(f, STATUS_INPUT, "another program");
    run_sql(f, "UPDATE t SET x = 2"); /* it is as it was, and not locked */
    run_sql(f, "PRAGMA application_id = 0x4c526f70");
    open_bad(f, STATUS_INPUT, "scores.db: is a run's database, not a score cache; name another file with --cache");
}

/* Names that mean something else to SQLite are those of files here. */
static void test_special_names(void **state) {
    static const char *const names[] = {":memory:", ":x", "file:x?mode=memory"};
    struct fixture *f = *state;
    char *own = f->path, *folder = getcwd(NULL, 0);
    assert_non_null(folder);
    assert_int_equal(chdir(f->scratch.dir), 0);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        f->path = (char *)names[i];
        score_cache_close(open_cache(f));
        assert_int_equal(access(names[i], F_OK), 0);
    }
    f->path = "";
    open_bad(f, STATUS_INPUT, "the path of the score cache is empty; name another file with --cache");
    assert_int_equal(chdir(folder), 0);
    f->path = own;
    free(folder);
}

static void test_newer_schema(void **state) {
    struct fixture *f = *state;
    score_cache_close(open_cache(f));
    run_sql(f, "PRAGMA user_version = 3");
    open_bad(f, STATUS_INPUT,
             "scores.db: was written by a newer longrope (schema 3; this one supports up to 2); use the newer one");
}

static void test_folders_and_pipes(void **state) {
    struct fixture *f = *state;
    char *pipe = scratch_path(&f->scratch, "pipe"), *under_file = scratch_path(&f->scratch, "file/scores.db");
    char *file = scratch_path(&f->scratch, "file"), *nowhere = scratch_path(&f->scratch, "gone/scores.db");
    char *folder = scratch_path(&f->scratch, "folder"), *paths[] = {folder, pipe}, *own = f->path;
    assert_int_equal(mkfifo(pipe, 0600), 0);
    assert_int_equal(mkdir(folder, 0700), 0);
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        f->path = paths[i];
        open_bad(f, STATUS_INPUT, "is not a file; name another file with --cache");
    }
    scratch_write(file, "x", 1);
    f->path = under_file;
    open_bad(f, STATUS_INPUT, "file/scores.db: its folder does not exist; create it, or name another file");
    f->path = nowhere;
    open_bad(f, STATUS_INPUT, "gone/scores.db: its folder does not exist; create it, or name another file");
    f->path = own;
    free(folder);
    free(pipe);
    free(under_file);
    free(file);
    free(nowhere);
}

/* Damage, rights and room ----------------------------------------------------------------------- */

static void test_damaged(void **state) {
    struct fixture *f = *state;
    char junk[8192];
    struct stat info;
    int pipe;
    assert_int_equal(child_wait(child_start(add_all, f, &pipe)), 0);
    close(pipe);
    memset(junk, 0xa5, sizeof junk);
    assert_int_equal(stat(f->path, &info), 0);
    FILE *file = fopen(f->path, "r+b");
    assert_non_null(file);
    assert_int_equal(fseek(file, info.st_size / 8192 * 4096, SEEK_SET), 0);
    assert_int_equal(fwrite(junk, 1, sizeof junk, file), sizeof junk);
    fclose(file);
    open_bad(f, STATUS_FAILED, "scores.db: is damaged|remove it: it only saves time");
    assert_int_equal(truncate(f->path, info.st_size / 2), 0);
    open_bad(f, STATUS_FAILED, "scores.db: is damaged|remove it");
    assert_int_equal(unlink(f->path), 0);
    assert_int_equal(count_entries(f, ENTRIES), 0);
}

static int open_without_permission(void *state, int pipe) {
    struct fixture *f = state;
    struct score_cache *cache;
    child_drop_root();
    int status = score_cache_open(f->path, f->stop, &cache, &f->error);
    child_say(pipe, status == STATUS_OK ? "opened" : f->error.message);
    return status;
}

static void test_without_permission(void **state) {
    struct fixture *f = *state;
    char said[1200];
    score_cache_close(open_cache(f));
    assert_int_equal(chmod(f->path, 0666), 0);
    assert_int_equal(chmod(f->scratch.dir, 0555), 0);
    assert_int_equal(child_run(open_without_permission, f, said, sizeof said), STATUS_FAILED);
    assert_message(said, "scores.db: cannot be written|Permission denied|name another file with --cache");
    assert_int_equal(chmod(f->scratch.dir, 0777), 0);
    assert_int_equal(chmod(f->path, 0444), 0);
    assert_int_equal(child_run(open_without_permission, f, said, sizeof said), STATUS_FAILED);
    assert_message(said, "scores.db: cannot be written|Permission denied|name another file with --cache");
    assert_int_equal(chmod(f->path, 0666), 0);
    assert_int_equal(child_run(open_without_permission, f, said, sizeof said), STATUS_OK);
    assert_string_equal(said, "opened");
}

static int add_until_full(void *state, int pipe) {
    struct fixture *f = state;
    struct score_cache *cache;
    if (score_cache_open(f->path, f->stop, &cache, &f->error) != STATUS_OK) return 100;
    child_limit_files(300000);
    int status = STATUS_OK, i = 0;
    while (status == STATUS_OK && i < 50000) {
        char text[20];
        struct score_cache_key key = numbered_key(i, text);
        status = add_nats(cache, &key, i, &f->error);
        i += status == STATUS_OK;
    }
    char line[1200];
    snprintf(line, sizeof line, "%d %s", i, f->error.message);
    child_say(pipe, line);
    score_cache_close(cache);
    return status;
}

static void test_full_disk(void **state) {
    struct fixture *f = *state;
    char said[1300];
    assert_int_equal(child_run(add_until_full, f, said, sizeof said), STATUS_FAILED);
    assert_message(said, "scores.db: exceeds the limit on the size of files|ulimit -f), then");
    int added = atoi(said);
    assert_true(added > 10);
    assert_int_equal(count_entries(f, added + 1), added);
}

static int make_on_full_disk(void *state, int pipe) {
    struct fixture *f = state;
    struct score_cache *cache;
    child_limit_files(2000);
    int status = score_cache_open(f->path, f->stop, &cache, &f->error);
    child_say(pipe, f->error.message);
    return status;
}

static void test_made_on_full_disk(void **state) {
    struct fixture *f = *state;
    char said[1200];
    assert_int_equal(child_run(make_on_full_disk, f, said, sizeof said), STATUS_FAILED);
    assert_message(said, "scores.db: exceeds the limit on the size of files|ulimit -f), then try again");
    score_cache_close(open_cache(f));
}

int main(void) {
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_entries),
        TEST(test_entries_that_cannot_be),
        TEST(test_blocks),
        TEST(test_schema_1_migrates),
        TEST(test_schema_documents_itself),
        TEST(test_processes_at_once),
        TEST(test_kill_loses_nothing_added),
        TEST(test_waits_for_a_lock),
        TEST(test_stops_waiting),
        TEST(test_stops_waiting_while_making),
        TEST(test_says_that_it_waits),
        TEST(test_stops_checking),
        TEST(test_kill_while_making),
        TEST(test_not_a_database),
        TEST(test_database_of_another_program),
        TEST(test_special_names),
        TEST(test_newer_schema),
        TEST(test_folders_and_pipes),
        TEST(test_damaged),
        TEST(test_without_permission),
        TEST(test_full_disk),
        TEST(test_made_on_full_disk),
    };
    return cmocka_run_group_tests_name("cache", tests, NULL, NULL);
}
