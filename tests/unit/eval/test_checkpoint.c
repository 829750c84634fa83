/* Checkpoints: files that fit are used, to the same bits; all others are not. */
#include "tests/unit/scratch.h"
#include "tests/unit/tiny_model.h"

#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>

#include "eval/checkpoint.h"

enum { COUNT = 400, SKIP = 130 };

struct fixture {
    struct scratch scratch;
    struct corpus corpus;
    struct model *model;
    struct rope_table table;
    /* what was told */
    char lines[4096];
    int written, continued, finished, unused, failed;
    double start;
    int stop_after; /* checkpoints; 0: never */
    int stop_as;    /* value of the flag then; 0: 1 */
    volatile sig_atomic_t stop;
    int progress; /* calls */
};

static int setup(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->scratch = scratch_make();
    make_corpus(&f->corpus);
    f->model = make_model(NULL);
    f->table = make_table();
    *state = f;
    return 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    model_free(f->model);
    scratch_remove(&f->scratch);
    free(f);
    return 0;
}

/* ---- what is told ---- */

static void forget(struct fixture *f) {
    f->lines[0] = '\0';
    f->written = f->continued = f->finished = f->unused = f->failed = f->progress = 0;
    f->start = 0.0;
    f->stop = 0;
}

static void hear(void *state, double start, const char *line) {
    struct fixture *f = state;
    size_t used = strlen(f->lines);
    assert_null(strchr(line, '\n'));
    snprintf(f->lines + used, sizeof f->lines - used, "%s\n", line);
    f->written += strncmp(line, "checkpoint at ", 14) == 0;
    f->continued += strncmp(line, "continues at ", 13) == 0;
    f->finished += strncmp(line, "was finished earlier", 20) == 0;
    f->failed += strncmp(line, "no checkpoint at ", 17) == 0;
    f->unused += strstr(line, " and is not used") != NULL;
    if (start > 0.0) f->start = start;
    if (f->stop_after && f->written == f->stop_after) f->stop = f->stop_as ? f->stop_as : 1;
}

static void assert_told(const struct fixture *f, const char *words) {
    if (!strstr(f->lines, words)) fail_msg("'%s' was not told: %s", words, f->lines);
}

static void see_progress(void *state, double fraction) {
    struct fixture *f = state;
    (void)fraction;
    f->progress++;
}

/* ---- passes ---- */

static struct checkpoints *open_with(struct fixture *f, struct checkpoints_options options) {
    options.folder = f->scratch.dir;
    options.stop = &f->stop;
    options.tell = hear, options.tell_state = f;
    struct checkpoints *checkpoints = NULL;
    struct error error = {""};
    if (checkpoints_open(&options, &checkpoints, &error) != STATUS_OK) fail_msg("%s", error.message);
    return checkpoints;
}

static struct checkpoints *open_folder(struct fixture *f, double interval, bool keep) {
    return open_with(f, (struct checkpoints_options){.interval = interval, .keep = keep});
}

struct results {
    double nats[COUNT];
    int32_t arg_max[COUNT];
};

/* A pass by a forward of its own, as another process would do it. */
static int run(struct fixture *f, struct checkpoints *checkpoints, int threads, int64_t skip, bool arg_max,
               struct results *out) {
    const struct forward_options options = {.threads = threads,
                                            .stop = &f->stop,
                                            .progress = see_progress,
                                            .progress_state = f,
                                            .checkpoints = checkpoints};
    struct forward *forward = NULL;
    struct error error = {""};
    memset(out, 0, sizeof *out);
    if (forward_new(f->model, &options, &forward, &error) != STATUS_OK) fail_msg("%s", error.message);
    int status = forward_predict(forward, &f->table, f->corpus.tokens, COUNT, skip, out->nats,
                                 arg_max ? out->arg_max : NULL, &error);
    if (status != STATUS_OK && status != STATUS_STOPPED) fail_msg("%s", error.message);
    forward_free(forward);
    return status;
}

static void assert_same(const struct results *a, const struct results *b) {
    assert_memory_equal(a->nats, b->nats, sizeof a->nats);
    assert_memory_equal(a->arg_max, b->arg_max, sizeof a->arg_max);
}

/* Files of that kind in the folder. */
static int count_files(const struct fixture *f, const char *kind) {
    DIR *folder = opendir(f->scratch.dir);
    int count = 0;
    assert_non_null(folder);
    for (struct dirent *entry; (entry = readdir(folder));) count += strstr(entry->d_name, kind) != NULL;
    closedir(folder);
    return count;
}

/* A pass that stops after so many checkpoints; true if it did. */
static bool interrupt(struct fixture *f, int after, int threads, int64_t skip, bool arg_max) {
    struct results results;
    forget(f);
    f->stop_after = after;
    struct checkpoints *checkpoints = open_folder(f, 0.0, false);
    int status = run(f, checkpoints, threads, skip, arg_max, &results);
    checkpoints_close(checkpoints, false);
    f->stop_after = 0, f->stop = 0;
    assert_int_equal(count_files(f, ".part") + count_files(f, ".lock"), 0);
    assert_int_equal(count_files(f, ".checkpoint"), status == STATUS_STOPPED);
    return status == STATUS_STOPPED;
}

static void go_on(struct fixture *f, int threads, int64_t skip, bool arg_max, struct results *out) {
    forget(f);
    struct checkpoints *checkpoints = open_folder(f, 1e6, false);
    assert_int_equal(run(f, checkpoints, threads, skip, arg_max, out), STATUS_OK);
    checkpoints_close(checkpoints, true);
}

/* ---- continuing ---- */

/* Stopped at every place where a checkpoint is written. Returns how many places there are. */
static int stop_everywhere(struct fixture *f, int64_t skip, bool arg_max) {
    struct results expected, results;
    assert_int_equal(run(f, NULL, 2, skip, arg_max, &expected), STATUS_OK);
    double start = 0.0;
    int after = 1;
    for (; interrupt(f, after, 1 + after % 2, skip, arg_max); after++) {
        go_on(f, 1 + after % 3, skip, arg_max, &results);
        assert_int_equal(f->continued, 1);
        assert_int_equal(f->unused + f->written, 0);
        if (f->start <= 0.0 || f->start >= 1.0) fail_msg("it continues at %g", f->start);
        if (after % 2 == 0 && f->start <= start) fail_msg("it continues at %g after %g", f->start, start);
        if (after % 2 == 0) start = f->start; /* of one thread */
        assert_same(&results, &expected);
        assert_int_equal(count_files(f, "window-"), 0);
    }
    return after - 1;
}

static void a_pass_continues_at_every_place(void **state) {
    struct fixture *f = *state;
    for (int type = 0; type < 2; type++) {
        const struct kernels *const *kernels = kernels_available(type ? NUMBER_BF16 : NUMBER_F32);
        while (kernels[1]) kernels++; /* the fastest */
        model_free(f->model);
        f->model = make_model_with(*kernels, NULL);
        assert_true(stop_everywhere(f, 0, false) >= 2 * 5 / 2 + 2);
        assert_true(stop_everywhere(f, SKIP, true) >= 5);
    }
}

/* One after the other, each for a few blocks. */
static void a_pass_survives_many_interruptions(void **state) {
    struct fixture *f = *state;
    struct results expected, results;
    assert_int_equal(run(f, NULL, 2, 0, true, &expected), STATUS_OK);
    int passes = 0, status = STATUS_STOPPED;
    for (; status == STATUS_STOPPED; passes++) {
        forget(f);
        f->stop_after = 2;
        struct checkpoints *checkpoints = open_folder(f, 0.0, false);
        status = run(f, checkpoints, 1, 0, true, &results);
        checkpoints_close(checkpoints, false);
        assert_int_equal(f->continued, passes > 0);
    }
    assert_true(passes >= 5);
    assert_same(&results, &expected);
    assert_int_equal(count_files(f, "window-"), 0);
}

/* A forward that had a longer window before has larger buffers. */
static void longer_windows_before_do_not_matter(void **state) {
    struct fixture *f = *state;
    struct results expected, results;
    double longer[TOKENS];
    assert_int_equal(run(f, NULL, 1, 0, false, &expected), STATUS_OK);
    int passes = 0;
    for (int after = 1; interrupt(f, after, 2, 0, false); after++) {
        forget(f);
        passes++;
        struct checkpoints *checkpoints = open_folder(f, 1e6, false);
        const struct forward_options options = {.threads = 2, .stop = &f->stop, .checkpoints = checkpoints};
        struct forward *forward = NULL;
        struct error error = {""};
        memset(&results, 0, sizeof results);
        assert_int_equal(forward_new(f->model, &options, &forward, &error), STATUS_OK);
        assert_int_equal(forward_nats(forward, &f->table, f->corpus.tokens, TOKENS, 0, longer, &error), STATUS_OK);
        assert_int_equal(forward_nats(forward, &f->table, f->corpus.tokens, COUNT, 0, results.nats, &error), STATUS_OK);
        assert_int_equal(f->continued, 1);
        assert_same(&results, &expected);
        forward_free(forward);
        checkpoints_close(checkpoints, true);
    }
    assert_true(passes >= 5);
}

/* Results of a finished window serve until the folder is closed. */
static void results_are_kept(void **state) {
    struct fixture *f = *state;
    struct results first, second;
    forget(f);
    struct checkpoints *checkpoints = open_folder(f, 0.0, true);
    assert_int_equal(run(f, checkpoints, 2, 0, true, &first), STATUS_OK);
    checkpoints_close(checkpoints, false);
    assert_int_equal(count_files(f, ".checkpoint"), 1);
    forget(f);
    checkpoints = open_folder(f, 0.0, true);
    assert_int_equal(run(f, checkpoints, 2, 0, true, &second), STATUS_OK);
    assert_int_equal(f->finished, 1);
    assert_int_equal(f->written + f->progress, 0);
    assert_same(&first, &second);
    checkpoints_close(checkpoints, true);
    assert_int_equal(count_files(f, "window-"), 0);
    /* a window that takes less than the interval leaves nothing */
    checkpoints = open_folder(f, 1e6, true);
    assert_int_equal(run(f, checkpoints, 2, 0, true, &second), STATUS_OK);
    assert_int_equal(count_files(f, "window-"), 0);
    checkpoints_close(checkpoints, true);
}

static void a_pass_that_is_not_required_leaves_no_checkpoint(void **state) {
    struct fixture *f = *state;
    struct results results;
    f->stop_after = 2, f->stop_as = CHECKPOINTS_FORGET;
    struct checkpoints *checkpoints = open_folder(f, 0.0, false);
    assert_int_equal(run(f, checkpoints, 2, 0, false, &results), STATUS_STOPPED);
    assert_int_equal(f->written, 2);
    assert_int_equal(count_files(f, "window-"), 0);
    checkpoints_close(checkpoints, false);
}

static void overflow_leaves_no_checkpoint(void **state) {
    struct fixture *f = *state;
    float norm = 1e38f;
    double nats[COUNT];
    struct error error = {""};
    model_free(f->model);
    f->model = make_model(&norm);
    struct checkpoints *checkpoints = open_folder(f, 0.0, true);
    const struct forward_options options = {.threads = 1, .checkpoints = checkpoints};
    struct forward *forward = NULL;
    assert_int_equal(forward_new(f->model, &options, &forward, &error), STATUS_OK);
    assert_int_equal(forward_nats(forward, &f->table, f->corpus.tokens, COUNT, 0, nats, &error), STATUS_FAILED);
    forward_free(forward);
    checkpoints_close(checkpoints, false);
    assert_int_equal(count_files(f, "window-"), 0);
}

/* ---- files that do not fit ---- */

/* A small checkpoint, as a pass writes them. */
struct sample {
    char stream[64], keys[40], values[40];
    double nats[3];
};

static void list_sample(struct sample *s, struct checkpoint_piece out[CHECKPOINT_PIECES]) {
    const struct checkpoint_piece pieces[CHECKPOINT_PIECES] = {{s->stream, sizeof s->stream},
                                                               {s->keys, sizeof s->keys},
                                                               {s->values, sizeof s->values},
                                                               {s->nats, sizeof s->nats},
                                                               {NULL, 0}};
    memcpy(out, pieces, sizeof pieces);
}

static const struct checkpoint_place sample_place = {
    .layer = 1, .layers = 2, .left = 3, .blocks = 5, .seconds = 12.5, .fraction = 0.625};

static struct checkpoint_subject subject_of(const struct fixture *f) {
    return (struct checkpoint_subject){
        .model = f->model, .table = &f->table, .tokens = f->corpus.tokens, .count = COUNT, .skip = 7};
}

static struct checkpoint *begin(struct checkpoints *checkpoints, const struct checkpoint_subject *subject) {
    struct checkpoint *checkpoint = NULL;
    struct error error = {""};
    if (checkpoint_begin(checkpoints, subject, &checkpoint, &error) != STATUS_OK) fail_msg("%s", error.message);
    return checkpoint;
}

/* The path of the only checkpoint; the caller frees it. */
static char *only_file(const struct fixture *f) {
    DIR *folder = opendir(f->scratch.dir);
    char *path = NULL;
    assert_non_null(folder);
    for (struct dirent *entry; (entry = readdir(folder));) {
        if (!strstr(entry->d_name, ".checkpoint")) continue;
        assert_null(path);
        path = scratch_path(&f->scratch, entry->d_name);
    }
    closedir(folder);
    assert_non_null(path);
    return path;
}

static char *write_sample(struct fixture *f) {
    struct sample sample;
    struct checkpoint_piece pieces[CHECKPOINT_PIECES];
    const struct checkpoint_subject subject = subject_of(f);
    for (size_t i = 0; i < sizeof sample.stream; i++) sample.stream[i] = (char)i;
    memset(sample.keys, 'k', sizeof sample.keys);
    memset(sample.values, 'v', sizeof sample.values);
    for (int i = 0; i < 3; i++) sample.nats[i] = 1.5 * i;
    list_sample(&sample, pieces);
    struct checkpoints *checkpoints = open_folder(f, 0.0, false);
    struct checkpoint *checkpoint = begin(checkpoints, &subject);
    checkpoint_write(checkpoint, &sample_place, pieces);
    checkpoint_end(checkpoint);
    checkpoints_close(checkpoints, false);
    return only_file(f);
}

/* Whether the file is used for the subject. */
static bool is_used(struct fixture *f, const struct checkpoint_subject *subject) {
    struct sample sample;
    struct checkpoint_piece pieces[CHECKPOINT_PIECES];
    struct checkpoint_place place;
    memset(&sample, 0, sizeof sample);
    list_sample(&sample, pieces);
    forget(f);
    struct checkpoints *checkpoints = open_folder(f, 0.0, false);
    struct checkpoint *checkpoint = begin(checkpoints, subject);
    bool used = checkpoint_find(checkpoint, &place) && checkpoint_read(checkpoint, &place, pieces);
    if (used) {
        assert_memory_equal(&place, &sample_place, sizeof place);
        assert_int_equal(sample.stream[63], 63);
        assert_int_equal(sample.keys[0], 'k');
        assert_int_equal(sample.values[39], 'v');
        assert_true(sample.nats[2] == 3.0);
    }
    checkpoint_end(checkpoint);
    checkpoints_close(checkpoints, false);
    assert_int_equal(used, f->unused == 0);
    return used;
}

static unsigned char *read_file(const char *path, size_t *size) {
    FILE *file = fopen(path, "rb");
    unsigned char *bytes = malloc(4096);
    assert_true(file && bytes);
    *size = fread(bytes, 1, 4096, file);
    assert_true(*size > 0 && *size < 4096);
    fclose(file);
    return bytes;
}

static void what_is_written_is_read(void **state) {
    struct fixture *f = *state;
    const struct checkpoint_subject subject = subject_of(f);
    char *path = write_sample(f);
    assert_told(f, "checkpoint at layer 2 of 2, 62 % of the window: 0.0 MiB in 0.");
    assert_true(is_used(f, &subject));
    assert_told(f, "continues at layer 2 of 2, 62 % of the window, after 12 s");
    assert_true(f->start == 0.625);
    free(path);
}

static void a_file_that_is_cut_short_is_not_used(void **state) {
    struct fixture *f = *state;
    const struct checkpoint_subject subject = subject_of(f);
    size_t size;
    char *path = write_sample(f);
    unsigned char *bytes = read_file(path, &size);
    for (size_t length = 0; length < size; length++) {
        scratch_write(path, bytes, length);
        if (is_used(f, &subject)) fail_msg("%zu of %zu bytes are used", length, size);
        assert_told(f, "is cut short and is not used: the window starts at its beginning");
    }
    bytes[size] = 0;
    scratch_write(path, bytes, size + 1);
    assert_false(is_used(f, &subject));
    assert_told(f, "is too long");
    scratch_write(path, bytes, size);
    assert_true(is_used(f, &subject));
    free(bytes);
    free(path);
}

static void a_file_with_another_bit_is_not_used(void **state) {
    struct fixture *f = *state;
    const struct checkpoint_subject subject = subject_of(f);
    size_t size;
    char *path = write_sample(f);
    unsigned char *bytes = read_file(path, &size);
    for (size_t i = 0; i < size; i++) {
        bytes[i] ^= (unsigned char)(1 << i % 8);
        scratch_write(path, bytes, size);
        if (is_used(f, &subject)) fail_msg("byte %zu of %zu may differ", i, size);
        bytes[i] ^= (unsigned char)(1 << i % 8);
    }
    assert_told(f, "is corrupt");
    bytes[0] ^= 1;
    scratch_write(path, bytes, size);
    assert_false(is_used(f, &subject));
    assert_told(f, "is not a checkpoint");
    bytes[0] ^= 1, bytes[8]++;
    scratch_write(path, bytes, size);
    assert_false(is_used(f, &subject));
    assert_told(f, "was written by another version of this program");
    free(bytes);
    free(path);
}

/* A checkpoint of another subject, under its own name and under that of the subject at hand. */
static void assert_refused(struct fixture *f, const struct checkpoint_subject *subject, const char *words) {
    struct checkpoint_place place;
    char *path = only_file(f), *mine;
    size_t size;
    unsigned char *bytes = read_file(path, &size);
    assert_false(is_used(f, subject));
    assert_told(f, words);
    assert_told(f, "delete it only if no other window needs it");
    assert_true(scratch_exists(path));

    forget(f);
    struct checkpoints *checkpoints = open_folder(f, 0.0, false);
    struct checkpoint *checkpoint = begin(checkpoints, subject);
    struct sample sample = {{0}, {0}, {0}, {0}};
    struct checkpoint_piece pieces[CHECKPOINT_PIECES];
    list_sample(&sample, pieces);
    remove(path);
    checkpoint_write(checkpoint, &sample_place, pieces);
    mine = only_file(f);
    assert_string_not_equal(mine, path);
    scratch_write(mine, bytes, size);
    assert_false(checkpoint_find(checkpoint, &place));
    assert_told(f, words);
    assert_told(f, "the window starts at its beginning");
    checkpoint_delete(checkpoint);
    checkpoint_end(checkpoint);
    checkpoints_close(checkpoints, false);
    scratch_write(path, bytes, size);
    free(bytes);
    free(path);
    free(mine);
}

static void a_checkpoint_of_something_else_is_not_used(void **state) {
    struct fixture *f = *state;
    char *path = write_sample(f);
    struct model *other = make_model_with(&kernels_reference_bf16, NULL), same = *f->model;
    struct rope_table table = f->table;
    struct checkpoint_subject subject = subject_of(f);
    assert_true(is_used(f, &subject));

    same.fingerprint = 7;
    subject.model = &same;
    assert_refused(f, &subject, "belongs to another model");
    subject.model = other;
    assert_refused(f, &subject, "was computed with another arithmetic (kernels, angles or program)");
    subject = subject_of(f);
    subject.angles = ROPE_ANGLES_F32;
    assert_refused(f, &subject, "was computed with another arithmetic (kernels, angles or program)");
    subject = subject_of(f);
    subject.arg_max = true;
    assert_refused(f, &subject, "was computed with another arithmetic (kernels, angles or program)");
    subject = subject_of(f);
    subject.skip = 8;
    assert_refused(f, &subject, "belongs to another window");
    subject = subject_of(f);
    subject.count--;
    assert_refused(f, &subject, "belongs to another window");
    subject = subject_of(f);
    subject.tokens++;
    assert_refused(f, &subject, "belongs to another window");

    subject = subject_of(f);
    subject.table = &table;
    table.factors[3] += 1e-9;
    assert_refused(f, &subject, "belongs to another RoPE table");
    table = f->table;
    table.frequencies[0] *= 1.0 + 1e-9;
    assert_refused(f, &subject, "belongs to another RoPE table");
    table = f->table;
    table.start_tokens++;
    assert_refused(f, &subject, "belongs to another RoPE table");
    table = f->table;
    table.attention_factor += 1e-9;
    assert_refused(f, &subject, "belongs to another RoPE table");
    table = f->table;
    table.own_attention_factor += 1e-9;
    assert_refused(f, &subject, "belongs to another RoPE table");

    subject = subject_of(f);
    assert_true(is_used(f, &subject));
    model_free(other);
    free(path);
}

/* A file whose checksums are right and whose place is none. */
static void impossible_places_are_not_used(void **state) {
    struct fixture *f = *state;
    static const struct checkpoint_place places[] = {
        {.layer = -1, .layers = 2, .left = 5, .blocks = 5}, {.layer = 3, .layers = 2, .left = 5, .blocks = 5},
        {.layer = 0, .layers = 3, .left = 5, .blocks = 5},  {.layer = 0, .layers = 2, .left = 0, .blocks = 5},
        {.layer = 0, .layers = 2, .left = -1, .blocks = 5}, {.layer = 0, .layers = 2, .left = 6, .blocks = 5},
        {.layer = 1, .layers = 2, .left = 4, .blocks = 5},  {.layer = 2, .layers = 2, .left = 0, .blocks = 5},
        {.layer = 1, .layers = 2, .left = 5, .blocks = 5},
    };
    struct results expected, results;
    assert_int_equal(run(f, NULL, 1, 0, false, &expected), STATUS_OK);
    struct checkpoint_subject subject = subject_of(f);
    subject.skip = 0;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        struct sample sample = {{0}, {0}, {0}, {0}};
        struct checkpoint_piece pieces[CHECKPOINT_PIECES];
        list_sample(&sample, pieces);
        struct checkpoints *checkpoints = open_folder(f, 1e6, false);
        struct checkpoint *checkpoint = begin(checkpoints, &subject);
        checkpoint_write(checkpoint, &places[i], pieces);
        checkpoint_end(checkpoint);
        forget(f);
        assert_int_equal(run(f, checkpoints, 2, 0, false, &results), STATUS_OK);
        assert_told(f, "is corrupt and is not used: the window starts at its beginning");
        assert_same(&results, &expected);
        checkpoints_close(checkpoints, false);
        assert_int_equal(count_files(f, "window-"), 0);
    }
}

/* ---- the folder ---- */

static void two_processes_do_not_compute_one_window(void **state) {
    struct fixture *f = *state;
    const struct checkpoint_subject subject = subject_of(f);
    struct checkpoint_subject other = subject;
    struct checkpoint *second = NULL;
    struct error error = {""};
    other.skip++;
    struct checkpoints *folder = open_folder(f, 0.0, false), *same = open_folder(f, 0.0, false);
    struct checkpoint *first = begin(folder, &subject);
    assert_int_equal(checkpoint_begin(same, &subject, &second, &error), STATUS_INPUT);
    assert_null(second);
    assert_message(error.message, ".lock: another process computes this window|wait until it ends");
    second = begin(same, &other);
    /* a window that a process works on is no stray */
    struct sample sample = {{0}, {0}, {0}, {0}};
    struct checkpoint_piece pieces[CHECKPOINT_PIECES];
    struct checkpoint_place place;
    list_sample(&sample, pieces);
    checkpoint_write(first, &sample_place, pieces);
    forget(f);
    assert_false(checkpoint_find(second, &place));
    assert_string_equal(f->lines, "");
    checkpoint_end(second);
    checkpoint_end(first);
    second = begin(same, &subject);
    assert_true(checkpoint_find(second, &place));
    checkpoint_delete(second);
    checkpoint_end(second);
    checkpoints_close(folder, true);
    checkpoints_close(same, true);
    assert_int_equal(count_files(f, "window-"), 0);
}

/* The path of the only file whose name holds `word`; the caller frees it. */
static char *find_file(const struct fixture *f, const char *word) {
    char *path = NULL;
    DIR *dir = opendir(f->scratch.dir);
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir));) {
        if (!strstr(entry->d_name, word)) continue;
        assert_null(path);
        path = scratch_path(&f->scratch, entry->d_name);
    }
    closedir(dir);
    assert_non_null(path);
    return path;
}

/* Links and pipes under the names of its files: what they lead to stays, and nothing waits for them. */
static void what_has_the_names_of_its_files_is_not_followed(void **state) {
    struct fixture *f = *state;
    const struct checkpoint_subject subject = subject_of(f);
    struct checkpoint_piece pieces[CHECKPOINT_PIECES];
    struct checkpoint_place place;
    struct sample sample = {{1}, {2}, {3}, {4}};
    struct stat info;
    struct error error = {""};
    list_sample(&sample, pieces);
    struct checkpoints *folder = open_folder(f, 0.0, false);
    struct checkpoint *c = begin(folder, &subject);
    char *lock = find_file(f, ".lock"), *part = strdup(lock), *target = scratch_path(&f->scratch, "target");
    assert_non_null(part);
    strcpy(strrchr(part, '.'), ".part");

    for (int round = 0; round < 2; round++) {
        scratch_write(target, "of the user", 11);
        assert_int_equal(round == 0 ? symlink(target, part) : mkfifo(part, 0600), 0);
        forget(f);
        checkpoint_write(c, &sample_place, pieces);
        assert_told(f, "checkpoint at ");
        assert_true(checkpoint_find(c, &place) && checkpoint_read(c, &place, pieces));
        assert_int_equal(stat(target, &info), 0);
        assert_int_equal(info.st_size, 11);
    }
    checkpoint_delete(c);
    checkpoint_end(c);

    assert_int_equal(symlink(target, lock), 0);
    assert_int_equal(checkpoint_begin(folder, &subject, &c, &error), STATUS_FAILED);
    assert_message(error.message, ".lock: could not be made|choose another folder for checkpoints");
    assert_int_equal(unlink(lock), 0);
    checkpoints_close(folder, true);
    free(lock), free(part), free(target);
}

struct late {
    struct fixture *f;
    struct checkpoint *first;
};

static void *end_late(void *state) {
    struct late *late = state;
    nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
    if (late->first) checkpoint_end(late->first);
    if (!late->first) __atomic_store_n(&late->f->stop, 1, __ATOMIC_RELAXED);
    return NULL;
}

/* The other process ends, or does not, or this one is to stop. */
static void a_patient_process_waits_for_a_window(void **state) {
    struct fixture *f = *state;
    const struct checkpoint_subject subject = subject_of(f);
    struct checkpoint *second = NULL;
    struct checkpoint_place place;
    struct checkpoint_piece pieces[CHECKPOINT_PIECES];
    struct sample sample = {{1}, {2}, {3}, {4}};
    struct error error = {""};
    pthread_t thread;
    list_sample(&sample, pieces);
    struct checkpoints *folder = open_folder(f, 0.0, false);
    struct checkpoints *patient = open_with(f, (struct checkpoints_options){.patience = 1000.0});

    struct checkpoint *first = begin(folder, &subject);
    struct late late = {f, first};
    assert_int_equal(pthread_create(&thread, NULL, end_late, &late), 0);
    second = begin(patient, &subject);
    pthread_join(thread, NULL);
    assert_told(f, "waits for the process that computes this window: it has locked ");
    assert_int_equal(count_files(f, ".lock"), 1);
    checkpoint_end(second);
    assert_int_equal(count_files(f, ".lock"), 0);

    first = begin(folder, &subject);
    late.first = NULL;
    assert_int_equal(pthread_create(&thread, NULL, end_late, &late), 0);
    assert_int_equal(checkpoint_begin(patient, &subject, &second, &error), STATUS_STOPPED);
    pthread_join(thread, NULL);
    checkpoints_close(patient, true);
    forget(f);

    /* it uses what is there, and leaves it alone */
    checkpoint_write(first, &sample_place, pieces);
    patient = open_with(f, (struct checkpoints_options){.patience = 0.05, .keep = true});
    second = begin(patient, &subject);
    assert_told(f, ".lock is still locked: this window goes on and writes no checkpoints");
    assert_true(checkpoint_find(second, &place) && checkpoint_read(second, &place, pieces));
    checkpoint_write(second, &sample_place, pieces);
    checkpoint_finish(second, &sample_place, pieces);
    checkpoint_delete(second);
    checkpoint_end(second);
    checkpoints_close(patient, true);
    assert_int_equal(f->written, 1);
    assert_int_equal(count_files(f, "window-"), 2); /* with the lock */
    checkpoint_delete(first);
    checkpoint_end(first);
    checkpoints_close(folder, true);
    assert_int_equal(count_files(f, "window-"), 0);
}

/* Where other processes compute other windows, checkpoints of those are no strays. */
static void strays_of_others_are_not_told_of(void **state) {
    struct fixture *f = *state;
    struct results results;
    free(write_sample(f));
    for (int round = 0; round < 3; round++) {
        enum checkpoint_strays strays = round == 2 ? CHECKPOINT_STRAYS_NONE : CHECKPOINT_STRAYS_FOREIGN;
        if (round == 1) scratch_write_in(f->scratch.dir, "window-00000000000000aa.checkpoint", "cut");
        forget(f);
        struct checkpoints *checkpoints = open_with(f, (struct checkpoints_options){.interval = 1e6, .strays = strays});
        assert_int_equal(run(f, checkpoints, 1, 0, false, &results), STATUS_OK);
        assert_int_equal(f->unused, round == 1);
        if (round == 1) assert_told(f, "window-00000000000000aa.checkpoint is cut short and is not used");
        checkpoints_close(checkpoints, true);
    }
    /* those of another model are */
    f->model->fingerprint = 7;
    forget(f);
    struct checkpoints *checkpoints =
        open_with(f, (struct checkpoints_options){.interval = 1e6, .strays = CHECKPOINT_STRAYS_FOREIGN});
    assert_int_equal(run(f, checkpoints, 1, 0, false, &results), STATUS_OK);
    assert_told(f, "has 1 more checkpoints that are not used for this window");
    checkpoints_close(checkpoints, true);
}

static void strays_are_told_of_once(void **state) {
    struct fixture *f = *state;
    struct results results;
    char *path = write_sample(f);
    scratch_write_in(f->scratch.dir, "window-00000000000000aa.checkpoint", "cut");
    scratch_write_in(f->scratch.dir, "notes.txt", "of the user");
    forget(f);
    struct checkpoints *checkpoints = open_folder(f, 1e6, false);
    assert_int_equal(run(f, checkpoints, 1, 0, false, &results), STATUS_OK);
    assert_int_equal(f->unused, 1);
    assert_told(f, "has 1 more checkpoints that are not used for this window");
    assert_int_equal(run(f, checkpoints, 1, 0, false, &results), STATUS_OK);
    assert_int_equal(f->unused, 1);
    checkpoints_close(checkpoints, true);
    assert_int_equal(count_files(f, ".checkpoint"), 2);
    assert_int_equal(count_files(f, "notes.txt"), 1);
    free(path);
}

/* Files cannot grow beyond a size. Not in a child, because OpenMP does not survive fork(). */
static void a_full_disk_ends_no_pass(void **state) {
    struct fixture *f = *state;
    struct results expected, results;
    struct rlimit before, limit;
    assert_int_equal(run(f, NULL, 2, 0, false, &expected), STATUS_OK);
    forget(f);
    struct checkpoints *checkpoints = open_folder(f, 0.0, false);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    limit = before;
    limit.rlim_cur = 100000; /* the stream is 76608 bytes, keys and values 2 x 51072 */
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    int status = run(f, checkpoints, 2, 0, false, &results);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, SIG_DFL);
    checkpoints_close(checkpoints, true);
    assert_int_equal(status, STATUS_OK);
    assert_same(&results, &expected);
    assert_true(f->failed > 0 && f->written > 0);
    assert_told(f, "no checkpoint at layer 1 of 2, ");
    assert_told(f, ".part: File too large; it takes 0.2 MiB; the window goes on");
    assert_told(f, "; it takes 0.2 MiB, and the one before stays; the window goes on");
    assert_int_equal(count_files(f, "window-"), 0);
}

static void folders_that_cannot_be_used_are_refused(void **state) {
    struct fixture *f = *state;
    struct checkpoints_options options = {.folder = "/no/such/folder"};
    struct checkpoints *checkpoints = NULL;
    struct error error = {""};
    assert_int_equal(checkpoints_open(&options, &checkpoints, &error), STATUS_INPUT);
    assert_message(error.message, "/no/such/folder: cannot hold checkpoints: No such file|name a folder");
    char *path = scratch_path(&f->scratch, "file");
    scratch_write(path, "x", 1);
    options.folder = path;
    assert_int_equal(checkpoints_open(&options, &checkpoints, &error), STATUS_INPUT);
    assert_message(error.message, "file: cannot hold checkpoints: Not a directory");
    assert_int_equal(checkpoints_check_folder(path, &error), STATUS_INPUT);
    assert_message(error.message, "file: cannot hold checkpoints: Not a directory");
    assert_int_equal(checkpoints_check_folder(options.folder = "/no/such/folder/", &error), STATUS_INPUT);
    assert_message(error.message, "/no/such/folder/: cannot hold checkpoints: No such file|name a folder");
    assert_int_equal(checkpoints_check_folder("-", &error), STATUS_INPUT);
    free(path);
    path = scratch_path(&f->scratch, "new");
    options.folder = path;
    assert_int_equal(checkpoints_check_folder(path, &error), STATUS_OK);
    assert_false(scratch_exists(path));
    assert_int_equal(checkpoints_open(&options, &checkpoints, &error), STATUS_OK);
    assert_false(scratch_exists(path)); /* the first window makes it */
    checkpoints_close(checkpoints, true);
    checkpoints_close(NULL, true);
    free(path);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_pass_continues_at_every_place),
        TEST(a_pass_survives_many_interruptions),
        TEST(longer_windows_before_do_not_matter),
        TEST(results_are_kept),
        TEST(a_pass_that_is_not_required_leaves_no_checkpoint),
        TEST(overflow_leaves_no_checkpoint),
        TEST(what_is_written_is_read),
        TEST(a_file_that_is_cut_short_is_not_used),
        TEST(a_file_with_another_bit_is_not_used),
        TEST(a_checkpoint_of_something_else_is_not_used),
        TEST(impossible_places_are_not_used),
        TEST(two_processes_do_not_compute_one_window),
        TEST(what_has_the_names_of_its_files_is_not_followed),
        TEST(a_patient_process_waits_for_a_window),
        TEST(strays_are_told_of_once),
        TEST(strays_of_others_are_not_told_of),
        TEST(a_full_disk_ends_no_pass),
        TEST(folders_that_cannot_be_used_are_refused),
    };
    return cmocka_run_group_tests_name("checkpoint", tests, NULL, NULL);
}
