#include "eval/model/weights.h"

#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "eval/base/file.h"
#include "eval/base/name.h"
#include "eval/model/gguf_names.h"
#include "eval/model/gguf_weights.h"
#include "eval/model/safetensors.h"

struct shard {
    const char *name; /* the index's; NULL for model.safetensors */
    struct safetensors *file;
};

/* Where the index puts a tensor. */
struct shard_entry {
    const char *name; /* of the tensor; the index's */
    const struct tensor *tensor;
};

struct weights {
    char dir[PATH_MAX];
    char path[PATH_MAX];         /* of model.safetensors, of the index or of the GGUF */
    struct gguf_weights *gguf;   /* NULL: what follows */
    const struct family *family; /* whose tensors the GGUF's are */
    struct shard *shards;        /* [shard_count], sorted by name */
    size_t shard_count;
    /* Without an index, none of these: */
    unsigned char *index; /* its text */
    size_t index_size;
    json_t *root;                /* owns the names */
    struct shard_entry *entries; /* [entry_count], sorted by name */
    size_t entry_count;
};

static int path_join(char out[PATH_MAX], const char *dir, const char *name, struct error *error) {
    int length = snprintf(out, PATH_MAX, "%s/%s", dir, name);
    if (length >= 0 && length < PATH_MAX) return STATUS_OK;
    return error_set(error, STATUS_INPUT, "%.100s...: the path is too long; a path has at most %d bytes", dir,
                     PATH_MAX - 1);
}

/* ---- The index ---- */

static int by_entry_name(const void *left, const void *right) {
    return strcmp(((const struct shard_entry *)left)->name, ((const struct shard_entry *)right)->name);
}

static int by_shard_name(const void *left, const void *right) {
    return strcmp(((const struct shard *)left)->name, ((const struct shard *)right)->name);
}

/* Sets weights->root and *map. */
static int index_parse(struct weights *weights, json_t **map, struct error *error) {
    json_error_t reason;
    weights->root = json_loadb((const char *)weights->index, weights->index_size, JSON_REJECT_DUPLICATES, &reason);
    if (!weights->root && !reason.text[0]) return error_memory(error, (double)weights->index_size, weights->path);
    if (!weights->root) {
        int status = file_recognise(weights->path, weights->index, weights->index_size, error);
        if (status != STATUS_OK) return status;
        return error_set(error, STATUS_INPUT, "%s:%d: is not valid JSON: %s; fetch it again", weights->path,
                         reason.line, reason.text);
    }
    *map = json_object_get(weights->root, "weight_map");
    if (!json_is_object(*map) || json_object_size(*map) == 0) {
        return error_set(error, STATUS_INPUT, "%s: has no weight_map of tensors to files; fetch it again",
                         weights->path);
    }
    return STATUS_OK;
}

/* A shard lies beside its index, under a name that leads nowhere else. */
static int shard_name_check(const struct weights *weights, const char *tensor, const json_t *file,
                            struct error *error) {
    const char *name = json_string_value(file);
    if (!name) {
        return error_set(error, STATUS_INPUT, "%s: tensor '%.200s' is in no file that has a name; fetch it again",
                         weights->path, tensor);
    }
    if (!*name || strchr(name, '/') || strstr(name, "..") || strcmp(name, ".") == 0) {
        return error_set(error, STATUS_INPUT,
                         "%s: tensor '%.200s' is in '%.200s', which is not the name of a file beside it; do not use it",
                         weights->path, tensor, name);
    }
    return STATUS_OK;
}

/* The shards' names, each once, sorted. */
static int shards_list(struct weights *weights, json_t *map, struct error *error) {
    size_t count = json_object_size(map);
    weights->shards = calloc(count, sizeof *weights->shards);
    if (!weights->shards) return error_memory(error, (double)(count * sizeof *weights->shards), weights->path);
    const char *tensor;
    json_t *file;
    size_t listed = 0;
    json_object_foreach(map, tensor, file) {
        int status = shard_name_check(weights, tensor, file, error);
        if (status != STATUS_OK) return status;
        weights->shards[listed++].name = json_string_value(file);
    }
    qsort(weights->shards, listed, sizeof *weights->shards, by_shard_name);
    for (size_t i = 0; i < listed; i++) {
        size_t last = weights->shard_count;
        if (last > 0 && strcmp(weights->shards[last - 1].name, weights->shards[i].name) == 0) continue;
        weights->shards[weights->shard_count++].name = weights->shards[i].name;
    }
    return STATUS_OK;
}

static int shards_open(struct weights *weights, const char *dir, struct error *error) {
    char path[PATH_MAX];
    for (size_t i = 0; i < weights->shard_count; i++) {
        int status = path_join(path, dir, weights->shards[i].name, error);
        if (status == STATUS_OK && access(path, F_OK) != 0 && errno == ENOENT) {
            return error_set(error, STATUS_INPUT, "%s: does not exist, but %s lists it; download it too", path,
                             weights->path);
        }
        if (status == STATUS_OK) status = safetensors_open(path, &weights->shards[i].file, error);
        if (status != STATUS_OK) return status;
    }
    return STATUS_OK;
}

/* Every tensor is in the shard that the index says. */
static int entries_find(struct weights *weights, json_t *map, struct error *error) {
    size_t count = json_object_size(map);
    weights->entries = calloc(count, sizeof *weights->entries);
    if (!weights->entries) return error_memory(error, (double)(count * sizeof *weights->entries), weights->path);
    const char *tensor;
    json_t *file;
    json_object_foreach(map, tensor, file) {
        const struct shard key = {.name = json_string_value(file)};
        const struct shard *shard = bsearch(&key, weights->shards, weights->shard_count, sizeof key, by_shard_name);
        struct shard_entry *entry = &weights->entries[weights->entry_count++];
        entry->name = tensor;
        entry->tensor = safetensors_find(shard->file, tensor);
        if (!entry->tensor) {
            return error_set(error, STATUS_INPUT, "%s: tensor '%.200s' is not in %.200s; fetch both files again",
                             weights->path, tensor, shard->name);
        }
    }
    qsort(weights->entries, weights->entry_count, sizeof *weights->entries, by_entry_name);
    return STATUS_OK;
}

static int open_shards(struct weights *weights, const char *dir, struct error *error) {
    json_t *map = NULL;
    int status = file_read(weights->path, &weights->index, &weights->index_size, error);
    if (status == STATUS_OK) status = index_parse(weights, &map, error);
    if (status == STATUS_OK) status = shards_list(weights, map, error);
    if (status == STATUS_OK) status = shards_open(weights, dir, error);
    if (status == STATUS_OK) status = entries_find(weights, map, error);
    return status;
}

/* ---- Either ---- */

static int open_single(struct weights *weights, struct error *error) {
    weights->shards = calloc(1, sizeof *weights->shards);
    if (!weights->shards) return error_memory(error, sizeof *weights->shards, weights->path);
    weights->shard_count = 1;
    return safetensors_open(weights->path, &weights->shards[0].file, error);
}

/* ---- Neither ---- */

/* What a folder without weights holds instead. */
enum instead { SHARDS, ADAPTER, OTHER_SAFETENSORS, GGUF, PYTORCH, OTHER_FRAMEWORK, INSTEAD };

static enum instead instead_of_weights(const char *name) {
    if (strncmp(name, "model-", 6) == 0 && name_ends_with(name, ".safetensors")) return SHARDS;
    if (strcmp(name, "adapter_model.safetensors") == 0) return ADAPTER;
    if (name_ends_with(name, ".safetensors")) return OTHER_SAFETENSORS;
    if (name_ends_with(name, ".gguf")) return GGUF;
    if (name_ends_with(name, ".bin") || name_ends_with(name, ".pt") || name_ends_with(name, ".pth")) return PYTORCH;
    return name_ends_with(name, ".h5") || name_ends_with(name, ".msgpack") ? OTHER_FRAMEWORK : INSTEAD;
}

/* Names of files in the folder, the first of each kind by the alphabet, or "". */
static void look_for_others(const char *dir, char names[INSTEAD][NAME_MAX + 1]) {
    DIR *stream = opendir(dir);
    for (int i = 0; i < INSTEAD; i++) names[i][0] = '\0';
    for (struct dirent *entry; stream && (entry = readdir(stream));) {
        enum instead kind = instead_of_weights(entry->d_name);
        if (kind == INSTEAD || (*names[kind] && strcmp(names[kind], entry->d_name) < 0)) continue;
        snprintf(names[kind], NAME_MAX + 1, "%s", entry->d_name);
    }
    if (stream) closedir(stream);
}

static int no_weights(const char *dir, struct error *error) {
    static const char *const advice[INSTEAD] = {
        [SHARDS] = "a shard, but no model.safetensors.index.json that lists the shards; download it too",
        [ADAPTER] = "an adapter, but not its model; merge them and name the result",
        [OTHER_SAFETENSORS] = "but no model.safetensors; use the model in Hugging Face's format",
        [GGUF] = "but no model.safetensors; name that file itself as the model",
        [PYTORCH] = ("weights of PyTorch, which are not read; convert them: in Python, "
                     "transformers.AutoModelForCausalLM.from_pretrained(DIR).save_pretrained(NEW_DIR)"),
        [OTHER_FRAMEWORK] = "weights of TensorFlow or Flax, which are not read; download model.safetensors"};
    char names[INSTEAD][NAME_MAX + 1];
    look_for_others(dir, names);
    for (int i = 0; i < INSTEAD; i++) {
        if (*names[i]) return error_set(error, STATUS_INPUT, "%s: holds %s, %s", dir, names[i], advice[i]);
    }
    return error_set(error, STATUS_INPUT, "%s: holds no weights (model.safetensors); download them too", dir);
}

/* Sets weights->path and tells whether it is an index's. */
static int choose(struct weights *weights, const char *dir, bool *sharded, struct error *error) {
    char index[PATH_MAX];
    int status = path_join(weights->path, dir, "model.safetensors", error);
    if (status == STATUS_OK) status = path_join(index, dir, "model.safetensors.index.json", error);
    if (status != STATUS_OK) return status;
    struct stat info; /* lstat(): opening a link that leads nowhere reports that */
    bool single = lstat(weights->path, &info) == 0 || errno != ENOENT;
    *sharded = !single && lstat(index, &info) == 0;
    if (!single && !*sharded && errno == ENOENT) return no_weights(dir, error);
    if (*sharded) memcpy(weights->path, index, sizeof index);
    return STATUS_OK;
}

int weights_open(const char *dir, struct weights **out, struct error *error) {
    struct weights *weights = calloc(1, sizeof *weights);
    if (!weights) return error_memory(error, sizeof *weights, dir);
    bool sharded = false;
    int status = choose(weights, dir, &sharded, error);
    if (status == STATUS_OK) snprintf(weights->dir, sizeof weights->dir, "%s", dir);
    if (status == STATUS_OK) status = sharded ? open_shards(weights, dir, error) : open_single(weights, error);
    if (status != STATUS_OK) {
        weights_close(weights);
        return status;
    }
    *out = weights;
    return STATUS_OK;
}

int weights_open_gguf(const char *path, const struct model_config *config, struct weights **out, struct error *error) {
    struct weights *weights = calloc(1, sizeof *weights);
    if (!weights) return error_memory(error, sizeof *weights, path);
    snprintf(weights->path, sizeof weights->path, "%s", path);
    weights->family = family_find(config->family);
    int status = gguf_weights_open(path, config, &weights->gguf, error);
    if (status != STATUS_OK) {
        weights_close(weights);
        return status;
    }
    *out = weights;
    return STATUS_OK;
}

void weights_close(struct weights *weights) {
    if (!weights) return;
    gguf_weights_close(weights->gguf);
    for (size_t i = 0; i < weights->shard_count; i++) safetensors_close(weights->shards[i].file);
    free(weights->shards);
    free(weights->entries);
    json_decref(weights->root);
    free(weights->index);
    free(weights);
}

static const struct tensor *find_exactly(const struct weights *weights, const char *name) {
    if (!weights->root) return safetensors_find(weights->shards[0].file, name);
    const struct shard_entry key = {.name = name};
    const struct shard_entry *entry = bsearch(&key, weights->entries, weights->entry_count, sizeof key, by_entry_name);
    return entry ? entry->tensor : NULL;
}

const struct tensor *weights_find(const struct weights *weights, const char *name) {
    static const char prefix[] = "model.";
    if (weights->gguf) return gguf_weights_find(weights->gguf, name);
    const struct tensor *found = find_exactly(weights, name);
    char longer[128];
    if (!found && strncmp(name, prefix, sizeof prefix - 1) == 0)
        found = find_exactly(weights, name + sizeof prefix - 1);
    if (found || snprintf(longer, sizeof longer, "%s%s", prefix, name) >= (int)sizeof longer) return found;
    return find_exactly(weights, longer);
}

void weights_use(struct weights *weights, const char *name) {
    if (weights->gguf) gguf_weights_use(weights->gguf, name);
}

int weights_check_used(const struct weights *weights, struct error *error) {
    return weights->gguf ? gguf_weights_check_used(weights->gguf, weights->family, error) : STATUS_OK;
}

/* ---- What lies beside it ---- */

/* Other weights of the same model, as far as names tell. */
static bool names_weights(const char *name) {
    return name_ends_with(name, ".safetensors") || name_ends_with(name, ".safetensors.index.json") ||
           name_ends_with(name, ".gguf") || name_ends_with(name, ".pth") ||
           (strncmp(name, "pytorch_model", 13) == 0 && name_ends_with(name, ".bin"));
}

static bool is_taken(const struct weights *weights, const char *name) {
    const struct shard key = {.name = name};
    if (strcmp(strrchr(weights->path, '/') + 1, name) == 0) return true;
    return weights->root && bsearch(&key, weights->shards, weights->shard_count, sizeof key, by_shard_name);
}

void weights_describe(const struct weights *weights, char *out, size_t size) {
    struct dirent **entries = NULL;
    int count = weights->gguf ? 0 : scandir(weights->dir, &entries, NULL, alphasort); /* a GGUF is named itself */
    size_t used = 0;
    *out = '\0';
    for (int i = 0; i < count; i++) {
        const char *name = entries[i]->d_name;
        bool other = names_weights(name) && !is_taken(weights, name);
        if (other && used == 0) {
            used = (size_t)snprintf(out, size,
                                    "weights are read from %.255s; not read: ", strrchr(weights->path, '/') + 1);
        } else if (other && used < size) {
            used += (size_t)snprintf(out + used, size - used, ", ");
        }
        if (other && used < size) used += (size_t)snprintf(out + used, size - used, "%s", name);
        free(entries[i]);
    }
    free(entries);
}

const char *weights_path(const struct weights *weights) { return weights->path; }

bool weights_is_gguf(const struct weights *weights) { return weights->gguf != NULL; }

void weights_name(const struct weights *weights, const char *name, char out[WEIGHTS_NAME_SIZE]) {
    _Static_assert((int)WEIGHTS_NAME_SIZE == (int)GGUF_NAMES_SIZE, "one buffer");
    if (weights->gguf) {
        gguf_name_of_family(name, weights->family, out);
    } else {
        snprintf(out, WEIGHTS_NAME_SIZE, "%s", name);
    }
}

int weights_fingerprint(const struct weights *weights, const void *bytes, size_t size, uint64_t *out,
                        struct error *error) {
    XXH3_state_t *state = XXH3_createState();
    if (!state) return error_memory(error, 0, "the model's fingerprint");
    XXH3_64bits_reset(state);
    XXH3_64bits_update(state, bytes, size);
    if (weights->index) XXH3_64bits_update(state, weights->index, weights->index_size);
    for (size_t i = 0; i < weights->shard_count; i++) {
        size_t length;
        const void *file = safetensors_bytes(weights->shards[i].file, &length);
        XXH3_64bits_update(state, file, length);
    }
    const void *mapped;
    for (size_t part = 0, length; weights->gguf && (mapped = gguf_weights_bytes(weights->gguf, part, &length));
         part++) {
        XXH3_64bits_update(state, mapped, length);
    }
    *out = XXH3_64bits_digest(state);
    XXH3_freeState(state);
    return STATUS_OK;
}
