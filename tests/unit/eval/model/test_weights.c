/* eval/model/weights: one file or a set of shards, and indices that are not to be trusted. */
#include "tests/unit/tensors.h"

#include "eval/model/weights.h"

enum { ENTRIES = 4 };
static const struct entry entries[ENTRIES] = {{"a", 1, 2, 3}, {"b", 2, 5, 0}, {"c", 3, 1, 1}, {"d", 4, 3, 2}};
static const char *const files[ENTRIES] = {"one.safetensors", "two.safetensors", "one.safetensors", "two.safetensors"};

struct fixture {
    struct scratch scratch;
    char *single, *index, *one, *two; /* paths */
};

/* one: a, c; two: b, d. */
static void write_shards(const struct fixture *fixture) {
    const struct entry first[] = {entries[0], entries[2]}, second[] = {entries[1], entries[3]};
    tensors_write(fixture->one, first, 2, false);
    tensors_write(fixture->two, second, 2, false);
    index_write(fixture->index, entries, ENTRIES, files);
}

static int setup(void **state) {
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    fixture->scratch = scratch_make();
    fixture->single = scratch_path(&fixture->scratch, "model.safetensors");
    fixture->index = scratch_path(&fixture->scratch, "model.safetensors.index.json");
    fixture->one = scratch_path(&fixture->scratch, files[0]);
    fixture->two = scratch_path(&fixture->scratch, files[1]);
    write_shards(fixture);
    *state = fixture;
    return 0;
}

static int teardown(void **state) {
    struct fixture *fixture = *state;
    scratch_remove(&fixture->scratch);
    free(fixture->single);
    free(fixture->index);
    free(fixture->one);
    free(fixture->two);
    free(fixture);
    return 0;
}

static struct weights *open_weights(const struct fixture *fixture) {
    struct weights *weights = NULL;
    struct error error;
    if (weights_open(fixture->scratch.dir, &weights, &error) != STATUS_OK) fail_msg("%s", error.message);
    return weights;
}

static void assert_refused(const struct fixture *fixture, const char *words) {
    struct weights *weights = NULL;
    struct error error = {""};
    int status = weights_open(fixture->scratch.dir, &weights, &error);
    if (status == STATUS_OK) fail_msg("not refused: %s", words);
    assert_null(weights);
    assert_int_equal(status, STATUS_INPUT);
    assert_message(error.message, words);
}

static void write_index(const struct fixture *fixture, const char *text) {
    scratch_write(fixture->index, text, strlen(text));
}

static void assert_entries(const struct weights *weights) {
    for (int e = 0; e < ENTRIES; e++) {
        const struct tensor *tensor = weights_find(weights, entries[e].name);
        assert_non_null(tensor);
        assert_int_equal(tensor->count, entry_count(&entries[e]));
        float out[8];
        tensor_rows_to_f32(tensor, 0, entries[e].rows, out);
        for (int i = 0; i < entry_count(&entries[e]); i++) assert_true(out[i] == (float)(1000 * entries[e].id + i));
    }
    assert_null(weights_find(weights, "e"));
    assert_null(weights_find(weights, ""));
}

static void test_reads_shards(void **state) {
    const struct fixture *fixture = *state;
    struct weights *weights = open_weights(fixture);
    assert_string_equal(weights_path(weights), fixture->index);
    assert_entries(weights);
    weights_close(weights);
    weights_close(NULL);
}

/* And takes it where there is an index, too, as transformers does; were it even nonsense. */
static void test_reads_a_single_file(void **state) {
    const struct fixture *fixture = *state;
    tensors_write(fixture->single, entries, ENTRIES, false);
    write_index(fixture, "nonsense");
    struct weights *weights = open_weights(fixture);
    assert_string_equal(weights_path(weights), fixture->single);
    assert_entries(weights);
    weights_close(weights);
}

/* What a shard holds beyond the index is not the model's. */
static void test_heeds_the_index_alone(void **state) {
    const struct fixture *fixture = *state;
    index_write(fixture->index, entries, 3, files);
    struct weights *weights = open_weights(fixture);
    assert_non_null(weights_find(weights, "b"));
    assert_null(weights_find(weights, "d"));
    weights_close(weights);
}

static uint64_t fingerprint(const struct fixture *fixture, const char *text) {
    struct weights *weights = open_weights(fixture);
    struct error error;
    uint64_t out = 0;
    assert_int_equal(weights_fingerprint(weights, text, strlen(text), &out, &error), STATUS_OK);
    weights_close(weights);
    return out;
}

static void flip_last_byte(const char *path) {
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    assert_int_equal(fseek(file, -1, SEEK_END), 0);
    int byte = fgetc(file);
    assert_int_equal(fseek(file, -1, SEEK_END), 0);
    fputc(byte ^ 1, file);
    assert_int_equal(fclose(file), 0);
}

static void test_fingerprint_follows_every_file(void **state) {
    const struct fixture *fixture = *state;
    uint64_t all[5] = {fingerprint(fixture, "config"), fingerprint(fixture, "other")};
    assert_true(fingerprint(fixture, "config") == all[0]);
    flip_last_byte(fixture->one);
    all[2] = fingerprint(fixture, "config");
    write_shards(fixture);
    flip_last_byte(fixture->two);
    all[3] = fingerprint(fixture, "config");
    write_shards(fixture);
    index_write(fixture->index, entries, 3, files);
    all[4] = fingerprint(fixture, "config");
    for (int i = 0; i < 5; i++) {
        for (int j = 0; j < i; j++) assert_true(all[i] != all[j]);
    }
}

static void test_refuses_missing_files(void **state) {
    const struct fixture *fixture = *state;
    assert_int_equal(remove(fixture->two), 0);
    assert_refused(fixture, "two.safetensors: does not exist|index.json lists it");
    assert_int_equal(remove(fixture->index), 0);
    assert_refused(fixture, "holds one.safetensors, but no model.safetensors");
}

/* A folder without weights is told from one with others: what it holds, and what to do. */
static void test_names_other_weights(void **state) {
    const struct fixture *fixture = *state;
    remove(fixture->one), remove(fixture->two), remove(fixture->index);
    assert_refused(fixture, "holds no weights (model.safetensors); download them too");
    static const char *const cases[][2] = {
        {"tf_model.h5", "weights of TensorFlow or Flax, which are not read"},
        {"flax_model.msgpack", "weights of TensorFlow or Flax, which are not read"},
        {"pytorch_model-00001-of-00002.bin", "weights of PyTorch, which are not read; convert them"},
        {"consolidated.00.pth", "weights of PyTorch"},
        {"model.gguf", "but no model.safetensors"},
        {"consolidated.safetensors", "but no model.safetensors"},
        {"adapter_model.safetensors", "an adapter, but not its model"},
        {"model-00001-of-00002.safetensors", "a shard, but no model.safetensors.index.json"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) { /* each is named before those of the cases above */
        char words[200], *path = scratch_path(&fixture->scratch, cases[i][0]);
        scratch_write(path, "x", 1);
        snprintf(words, sizeof words, "holds %s, |%s", cases[i][0], cases[i][1]);
        assert_refused(fixture, words);
        free(path);
    }
}

static void test_refuses_tensors_in_the_wrong_shard(void **state) {
    const struct fixture *fixture = *state;
    static const char *const swapped[ENTRIES] = {"one.safetensors", "one.safetensors", "one.safetensors",
                                                 "two.safetensors"};
    index_write(fixture->index, entries, ENTRIES, swapped);
    assert_refused(fixture, "model.safetensors.index.json|'b' is not in one.safetensors");
}

static void test_refuses_hostile_indices(void **state) {
    const struct fixture *fixture = *state;
    static const char *const cases[][2] = {
        {"[]", "weight_map"},
        {"{}", "weight_map"},
        {"{\"weight_map\": {}}", "weight_map"},
        {"{\"weight_map\": [\"one.safetensors\"]}", "weight_map"},
        {"{\"weight_map\": null}", "weight_map"},
        {"{\"weight_map\": {\"a\": \"one.safetensors\"}, \"weight_map\": {}}", "JSON|duplicate"},
        {"{\"weight_map\": {\"a\": \"one.safetensors\", \"a\": \"two.safetensors\"}}", "JSON|duplicate"},
        {"{\"weight_map\": {\"a\": 1}}", "'a'|no file that has a name"},
        {"{\"weight_map\": {\"a\": null}}", "'a'|no file that has a name"},
        {"{\"weight_map\": {\"a\": {\"b\": \"one.safetensors\"}}}", "'a'|no file that has a name"},
        {"{\"weight_map\": {\"a\": \"\"}}", "'a'|''|beside it"},
        {"{\"weight_map\": {\"a\": \".\"}}", "'a'|'.'|beside it"},
        {"{\"weight_map\": {\"a\": \"..\"}}", "'a'|'..'|beside it"},
        {"{\"weight_map\": {\"a\": \"../one.safetensors\"}}", "'a'|'../one.safetensors'|beside it"},
        {"{\"weight_map\": {\"a\": \"/etc/passwd\"}}", "'a'|'/etc/passwd'|beside it"},
        {"{\"weight_map\": {\"a\": \"./one.safetensors\"}}", "'a'|beside it"},
        {"{\"weight_map\": {\"a\": \"x/../one.safetensors\"}}", "'a'|beside it"},
        {"{\"weight_map\": {\"a\": \"one.safetensors\\u0000/x\"}}", "JSON|NUL"},
        {"{\"weight_map\": {\"a\": \"three.safetensors\"}}", "three.safetensors: does not exist"},
        {"{\"weight_map\": {\"a\": \"model.safetensors.index.json\"}}", "model.safetensors.index.json|safetensors"},
        {"{\"weight_map\": {\"__metadata__\": \"one.safetensors\"}}", "'__metadata__' is not in one.safetensors"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_index(fixture, cases[i][0]);
        assert_refused(fixture, cases[i][1]);
    }

    char text[5000] = "{\"weight_map\": {\"a\": \"";
    size_t used = strlen(text);
    memset(text + used, 'x', 4500);
    snprintf(text + used + 4500, 16, "\"}}");
    write_index(fixture, text);
    assert_refused(fixture, "too long");
}

static void test_refuses_every_truncation(void **state) {
    const struct fixture *fixture = *state;
    char whole[1024];
    FILE *file = fopen(fixture->index, "rb");
    assert_non_null(file);
    size_t size = fread(whole, 1, sizeof whole, file);
    fclose(file);
    assert_in_range(size, 1, sizeof whole - 1);
    for (size_t length = 0; length < size; length++) {
        scratch_write(fixture->index, whole, length);
        assert_refused(fixture, "model.safetensors.index.json");
    }
    scratch_write(fixture->index, whole, size);
    assert_int_equal(truncate(fixture->two, 100), 0);
    assert_refused(fixture, "two.safetensors|fetch it again");
}

#define WITH_FILES(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_FILES(test_reads_shards),
        WITH_FILES(test_reads_a_single_file),
        WITH_FILES(test_heeds_the_index_alone),
        WITH_FILES(test_fingerprint_follows_every_file),
        WITH_FILES(test_refuses_missing_files),
        WITH_FILES(test_names_other_weights),
        WITH_FILES(test_refuses_tensors_in_the_wrong_shard),
        WITH_FILES(test_refuses_hostile_indices),
        WITH_FILES(test_refuses_every_truncation),
    };
    return cmocka_run_group_tests_name("weights", tests, NULL, NULL);
}
