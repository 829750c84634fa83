#include "search/factors/gguf_write.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "eval/gguf/gguf_private.h"
#include "search/base/atomic_output.h"
#include "search/base/signals.h"

enum { BUFFER_BYTES = 1 << 20 };

/* ---- The file being written ---- */

/* All bytes pass through one buffer. After the first failure nothing more is written, so a caller only checks `status`
 * at the end of a sequence. */
struct sink {
    int descriptor; /* -1: only count */
    const char *path;
    const struct gguf_control *control;
    uint64_t total;   /* size of the complete file; 0: not known yet */
    uint64_t flushed; /* bytes in the file */
    size_t used;      /* bytes in the buffer */
    unsigned char *buffer;
    int status;
    struct error *error;
};

static bool asked_to_stop(const struct sink *sink) { return sink->control->stop && *sink->control->stop; }

static int write_failed(const struct sink *sink, int code) {
    return atomic_output_failed(sink->path, code, sink->error);
}

static int write_buffer(const struct sink *sink) {
    for (size_t done = 0; done < sink->used;) {
        ssize_t put = write(sink->descriptor, sink->buffer + done, sink->used - done);
        if (put < 0 && errno == EINTR) continue;
        if (put <= 0) return write_failed(sink, put < 0 ? errno : EIO);
        done += (size_t)put;
    }
    return STATUS_OK;
}

static void flush(struct sink *sink) {
    if (sink->status == STATUS_OK && sink->descriptor >= 0) {
        sink->status = asked_to_stop(sink) ? error_set(sink->error, STATUS_STOPPED,
                                                       "stopped by %s; %s was not written, run the command again",
                                                       signals_name(), sink->path)
                                           : write_buffer(sink);
    }
    sink->flushed += sink->used;
    sink->used = 0;
    if (sink->total > 0 && sink->control->progress) {
        sink->control->progress(sink->control->progress_state, (double)sink->flushed / (double)sink->total);
    }
}

/* The number of `bytes` that fit into the buffer, at least one; flushes a full buffer. */
static size_t room(struct sink *sink, uint64_t bytes) {
    if (sink->used == BUFFER_BYTES) flush(sink);
    size_t free_bytes = BUFFER_BYTES - sink->used;
    return bytes < free_bytes ? (size_t)bytes : free_bytes;
}

static void put(struct sink *sink, const void *bytes, uint64_t count) {
    const unsigned char *next = bytes;
    while (count > 0 && sink->status == STATUS_OK) {
        size_t now = room(sink, count);
        memcpy(sink->buffer + sink->used, next, now);
        sink->used += now, next += now, count -= now;
    }
}

static void put_u32(struct sink *sink, uint32_t number) { put(sink, &number, sizeof number); }
static void put_u64(struct sink *sink, uint64_t number) { put(sink, &number, sizeof number); }

static void put_string(struct sink *sink, const char *string) {
    put_u64(sink, strlen(string));
    put(sink, string, strlen(string));
}

/* Copies bytes of another file. */
static void put_copy(struct sink *sink, const struct gguf *file, uint64_t offset, uint64_t count) {
    while (count > 0 && sink->status == STATUS_OK) {
        size_t now = room(sink, count);
        if (sink->status != STATUS_OK) return; /* room() flushed */
        if (sink->descriptor >= 0) {
            sink->status = gguf_fetch(file, offset, sink->buffer + sink->used, now, sink->error);
        }
        sink->used += now, offset += now, count -= now;
    }
}

static uint64_t position(const struct sink *sink) { return sink->flushed + sink->used; }

static void put_padding(struct sink *sink, uint64_t alignment) {
    uint64_t count = gguf_aligned(position(sink), alignment) - position(sink);
    while (count > 0 && sink->status == STATUS_OK) {
        size_t now = room(sink, count);
        memset(sink->buffer + sink->used, 0, now);
        sink->used += now, count -= now;
    }
}

/* ---- The parts of the copy ---- */

struct key_part {
    const struct gguf_key *kept; /* NULL: `setting` */
    const struct gguf_setting *setting;
};

struct tensor_part {
    const struct gguf_tensor *kept; /* NULL: `vector` */
    const struct gguf_vector *vector;
};

struct plan {
    const struct gguf *file;
    struct key_part *keys; /* [key_count] */
    uint64_t key_count;
    struct tensor_part *tensors; /* [tensor_count] */
    uint64_t tensor_count;
};

static bool is_among(const char *name, const char *const *names, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (strcmp(names[i], name) == 0) return true;
    }
    return false;
}

static const struct gguf_setting *setting_of(const struct gguf_edit *edit, const char *key) {
    for (size_t i = 0; i < edit->setting_count; i++) {
        if (strcmp(edit->settings[i].key, key) == 0) return &edit->settings[i];
    }
    return NULL;
}

static const struct gguf_vector *vector_of(const struct gguf_edit *edit, const char *tensor) {
    for (size_t i = 0; i < edit->vector_count; i++) {
        if (strcmp(edit->vectors[i].name, tensor) == 0) return &edit->vectors[i];
    }
    return NULL;
}

static void plan_keys(struct plan *plan, const struct gguf_edit *edit) {
    for (size_t i = 0; i < plan->file->key_count; i++) {
        const struct gguf_key *key = &plan->file->keys[i];
        const struct gguf_setting *setting = setting_of(edit, key->name);
        if (!setting && is_among(key->name, edit->removed_keys, edit->removed_key_count)) continue;
        plan->keys[plan->key_count++] = (struct key_part){.kept = setting ? NULL : key, .setting = setting};
    }
    for (size_t i = 0; i < edit->setting_count; i++) {
        if (gguf_has_key(plan->file, edit->settings[i].key)) continue; /* replaced above */
        plan->keys[plan->key_count++] = (struct key_part){.setting = &edit->settings[i]};
    }
}

static void plan_tensors(struct plan *plan, const struct gguf_edit *edit) {
    for (size_t i = 0; i < plan->file->tensor_count; i++) {
        const struct gguf_tensor *tensor = &plan->file->tensors[i];
        const struct gguf_vector *vector = vector_of(edit, tensor->name);
        if (!vector && is_among(tensor->name, edit->removed_tensors, edit->removed_tensor_count)) continue;
        plan->tensors[plan->tensor_count++] = (struct tensor_part){.kept = vector ? NULL : tensor, .vector = vector};
    }
    for (size_t i = 0; i < edit->vector_count; i++) {
        if (gguf_find_tensor(plan->file, edit->vectors[i].name)) continue;
        plan->tensors[plan->tensor_count++] = (struct tensor_part){.vector = &edit->vectors[i]};
    }
}

/* The caller frees *plan with plan_free(), also after a failure. */
static int plan_make(struct plan *plan, const struct gguf *file, const struct gguf_edit *edit, struct error *error) {
    size_t keys = file->key_count + edit->setting_count, tensors = file->tensor_count + edit->vector_count;
    *plan = (struct plan){.file = file,
                          .keys = calloc(keys + 1, sizeof *plan->keys),
                          .tensors = calloc(tensors + 1, sizeof *plan->tensors)};
    if (!plan->keys || !plan->tensors) {
        return error_memory(error, (double)(keys * sizeof *plan->keys + tensors * sizeof *plan->tensors), file->path);
    }
    plan_keys(plan, edit);
    plan_tensors(plan, edit);
    return STATUS_OK;
}

static void plan_free(struct plan *plan) {
    free(plan->keys);
    free(plan->tensors);
}

/* ---- Writing the parts ---- */

static void put_setting(struct sink *sink, const struct gguf_setting *setting) {
    put_string(sink, setting->key);
    put_u32(sink, setting->type);
    if (setting->type == GGUF_STRING) {
        put_string(sink, setting->string);
    } else if (setting->type == GGUF_F32) {
        put(sink, &setting->f32, sizeof setting->f32);
    } else {
        put_u32(sink, setting->u32);
    }
}

static uint64_t bytes_of(const struct tensor_part *part) {
    return part->kept ? part->kept->bytes : part->vector->count * sizeof *part->vector->numbers;
}

static void put_tensor_info(struct sink *sink, const struct tensor_part *part, uint64_t offset) {
    put_string(sink, part->kept ? part->kept->name : part->vector->name);
    uint32_t rank = part->kept ? part->kept->rank : 1;
    put_u32(sink, rank);
    for (uint32_t i = 0; i < rank; i++) put_u64(sink, part->kept ? part->kept->shape[i] : part->vector->count);
    put_u32(sink, part->kept ? part->kept->type : (uint32_t)BLOCK_F32);
    put_u64(sink, offset);
}

/* Everything before the data; *data_bytes is the size of the data that follow. */
static void put_header(struct sink *sink, const struct plan *plan, uint64_t *data_bytes) {
    put(sink, "GGUF", 4);
    put_u32(sink, plan->file->version);
    put_u64(sink, plan->tensor_count);
    put_u64(sink, plan->key_count);
    for (uint64_t i = 0; i < plan->key_count; i++) {
        const struct gguf_key *kept = plan->keys[i].kept;
        if (kept) {
            put_copy(sink, plan->file, kept->begin, kept->end - kept->begin);
        } else {
            put_setting(sink, plan->keys[i].setting);
        }
    }
    *data_bytes = 0;
    for (uint64_t i = 0; i < plan->tensor_count; i++) {
        put_tensor_info(sink, &plan->tensors[i], *data_bytes);
        *data_bytes += gguf_aligned(bytes_of(&plan->tensors[i]), plan->file->alignment);
    }
    put_padding(sink, plan->file->alignment);
}

static void put_data(struct sink *sink, const struct plan *plan) {
    for (uint64_t i = 0; i < plan->tensor_count; i++) {
        const struct tensor_part *part = &plan->tensors[i];
        if (part->kept) {
            put_copy(sink, plan->file, part->kept->offset, part->kept->bytes);
        } else {
            put(sink, part->vector->numbers, bytes_of(part));
        }
        put_padding(sink, plan->file->alignment);
    }
}

/* The size of the complete file: the header is written once without a file. */
static uint64_t total_bytes(const struct sink *sink, const struct plan *plan) {
    const struct gguf_control none = {0};
    struct sink counter = {.descriptor = -1, .buffer = sink->buffer, .control = &none};
    uint64_t data_bytes;
    put_header(&counter, plan, &data_bytes);
    return position(&counter) + data_bytes;
}

/* Reserves the space for the whole file, so that a disk that is too small is detected before it is full. Not all file
 * systems support that; on the others a write fails later. */
static int reserve(const struct sink *sink) {
    while (fallocate(sink->descriptor, 0, 0, (off_t)sink->total) != 0) {
        if (errno == EINTR && !asked_to_stop(sink)) continue;
        if (errno == ENOSPC || errno == EDQUOT || errno == EFBIG) return write_failed(sink, errno);
        break;
    }
    return STATUS_OK;
}

static int put_all(struct sink *sink, const struct plan *plan) {
    sink->total = total_bytes(sink, plan);
    sink->status = reserve(sink);
    uint64_t data_bytes;
    put_header(sink, plan, &data_bytes);
    put_data(sink, plan);
    flush(sink);
    assert(sink->status != STATUS_OK || position(sink) == sink->total);
    return sink->status;
}

/* ---- The file ---- */

static int write_plan(const struct plan *plan, const char *path, const struct gguf_control *control,
                      struct error *error) {
    struct atomic_output_file file;
    int status = atomic_output_open(path, control->replace, &file, error);
    if (status != STATUS_OK) return status;
    struct sink sink = {.descriptor = file.descriptor,
                        .path = path,
                        .control = control,
                        .error = error,
                        .buffer = malloc(BUFFER_BYTES)};
    status = sink.buffer ? put_all(&sink, plan) : error_memory(error, BUFFER_BYTES, path);
    free(sink.buffer);
    if (status == STATUS_OK) return atomic_output_close(&file, error);
    atomic_output_discard(&file);
    return status;
}

static void check_edit(const struct gguf_edit *edit) {
    for (size_t i = 0; i < edit->setting_count; i++) {
        enum gguf_type type = edit->settings[i].type;
        assert(type == GGUF_U32 || type == GGUF_F32 || type == GGUF_STRING);
        assert(strcmp(edit->settings[i].key, GGUF_ALIGNMENT_KEY) != 0);
        (void)type;
    }
    assert(!is_among(GGUF_ALIGNMENT_KEY, edit->removed_keys, edit->removed_key_count));
}

int gguf_write(const struct gguf *file, const struct gguf_edit *edit, const char *path,
               const struct gguf_control *control, struct error *error) {
    check_edit(edit);
    int status = atomic_output_check_file(path, control->replace, error);
    if (status != STATUS_OK) return status;
    struct plan plan;
    status = plan_make(&plan, file, edit, error);
    if (status == STATUS_OK) status = write_plan(&plan, path, control, error);
    plan_free(&plan);
    return status;
}
