#include "search/export/model_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "eval/base/name.h"
#include "search/base/output_path.h"
#include "search/base/progress.h"
#include "search/base/signals.h"

/* ---- the list ---- */

static bool is_weights(const char *name) {
    static const char *const endings[] = {
        ".safetensors", ".safetensors.index.json", ".bin", ".bin.index.json", ".pt", ".pth", ".gguf", ".msgpack", ".h5",
        ".onnx"};
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        if (name_ends_with(name, endings[i])) return true;
    }
    return false;
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const struct model_file *)a)->name, ((const struct model_file *)b)->name);
}

static int add_file(struct model_files *files, const char *name, int64_t bytes, struct error *error) {
    struct model_file *items = realloc(files->items, (files->count + 1) * sizeof *items);
    if (!items) return error_memory(error, (double)(files->count + 1) * sizeof *items, "the model's files");
    files->items = items;
    char *copy = strdup(name);
    if (!copy) return error_memory(error, (double)strlen(name), "the model's files");
    items[files->count++] = (struct model_file){.name = copy, .bytes = bytes, .weights = is_weights(name)};
    return STATUS_OK;
}

static int consider(const char *dir, DIR *stream, const char *name, struct model_files *out, struct error *error) {
    struct stat info;
    if (name[0] == '.' || strcmp(name, "config.json") == 0) return STATUS_OK;
    if (fstatat(dirfd(stream), name, &info, 0) != 0) {
        return error_set(error, STATUS_INPUT, "%s/%s: cannot be copied: %s; fetch it again or delete it", dir, name,
                         strerror(errno));
    }
    return S_ISREG(info.st_mode) ? add_file(out, name, info.st_size, error) : STATUS_OK;
}

int model_files_list(const char *dir, struct model_files *out, struct error *error) {
    *out = (struct model_files){0};
    DIR *stream = opendir(dir);
    if (!stream)
        return error_set(error, STATUS_INPUT, "%s: cannot be read: %s; check its permissions", dir, strerror(errno));
    int status = STATUS_OK;
    errno = 0;
    for (struct dirent *entry; status == STATUS_OK && (entry = readdir(stream)); errno = 0) {
        status = consider(dir, stream, entry->d_name, out, error);
    }
    if (status == STATUS_OK && errno) {
        status = error_set(error, STATUS_FAILED, "%s: cannot be read: %s; check the disk", dir, strerror(errno));
    }
    closedir(stream);
    if (status == STATUS_OK && out->count) qsort(out->items, out->count, sizeof *out->items, by_name);
    return status;
}

void model_files_free(struct model_files *files) {
    for (size_t i = 0; i < files->count; i++) free(files->items[i].name);
    free(files->items);
    *files = (struct model_files){0};
}

/* ---- copying ---- */

enum { MEGABYTE = 1000000, CHUNK = 16 << 20 }; /* bytes; a signal takes effect after a chunk */

struct copy {
    const char *name;
    int from, to;
    bool plain; /* copy_file_range() is not supported */
    const volatile sig_atomic_t *stop;
    struct progress *progress;
    int64_t done; /* bytes, of all files */
};

/* One chunk through memory: bytes copied, 0 at the end, -1 with errno set. */
static ssize_t copy_plainly(const struct copy *copy, char *buffer, size_t size) {
    ssize_t got = read(copy->from, buffer, size);
    for (ssize_t written = 0; written < got;) {
        ssize_t more = write(copy->to, buffer + written, (size_t)(got - written));
        if (more < 0 && errno != EINTR) return -1;
        written += more > 0 ? more : 0;
    }
    return got;
}

static bool is_unsupported(int cause) {
    return cause == EXDEV || cause == EINVAL || cause == ENOSYS || cause == EOPNOTSUPP || cause == EPERM ||
           cause == EBADF || cause == ETXTBSY;
}

static ssize_t copy_chunk(struct copy *copy, char *buffer) {
    if (!copy->plain) {
        ssize_t copied = copy_file_range(copy->from, NULL, copy->to, NULL, CHUNK, 0);
        if (copied >= 0 || !is_unsupported(errno)) return copied;
        copy->plain = true; /* an unsupported call fails before the first byte */
    }
    return copy_plainly(copy, buffer, CHUNK);
}

static int copy_failed(const struct copy *copy, int cause, struct error *error) {
    return error_set(error, STATUS_FAILED, "%s: could not be copied: %s; %s%s", copy->name, strerror(cause),
                     output_remedy(cause), cause == ENOSPC || cause == EDQUOT ? ", or use --weights link" : "");
}

static int copy_bytes(struct copy *copy, int64_t size, char *buffer, struct error *error) {
    int64_t left = size;
    while (left > 0) {
        if (*copy->stop) return error_set(error, STATUS_STOPPED, "stopped by %s", signals_name());
        ssize_t copied = copy_chunk(copy, buffer);
        if (copied < 0 && errno == EINTR) continue;
        if (copied < 0) return copy_failed(copy, errno, error);
        if (copied == 0) {
            return error_set(error, STATUS_INPUT, "%s: ended %lld bytes early; is it still being written?", copy->name,
                             (long long)left);
        }
        left -= copied;
        copy->done += copied;
        progress_step(copy->progress, (size_t)(copy->done / MEGABYTE), copy->name, false);
    }
    return fsync(copy->to) == 0 ? STATUS_OK : copy_failed(copy, errno, error);
}

static int copy_file(struct copy *copy, const struct model_file *file, int dir, int folder, char *buffer,
                     struct error *error) {
    copy->name = file->name;
    copy->from = openat(dir, file->name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (copy->from < 0) return copy_failed(copy, errno, error);
    copy->to = openat(folder, file->name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    int status = copy->to >= 0 ? copy_bytes(copy, file->bytes, buffer, error) : copy_failed(copy, errno, error);
    if (copy->to >= 0 && close(copy->to) != 0 && status == STATUS_OK) status = copy_failed(copy, errno, error);
    close(copy->from);
    return status;
}

/* ---- links ---- */

static int link_file(const struct model_file *file, const char *dir, int folder, struct error *error) {
    char *path = NULL;
    if (asprintf(&path, "%s/%s", dir, file->name) < 0) return error_memory(error, 0, "a path");
    char *whole = realpath(path, NULL);
    bool linked = whole && symlinkat(whole, folder, file->name) == 0;
    int cause = errno;
    free(path), free(whole);
    if (linked) return STATUS_OK;
    return error_set(error, STATUS_FAILED,
                     "%s: a link to it could not be made: %s; use --weights copy, or choose another folder", file->name,
                     strerror(cause));
}

/* ---- all ---- */

static bool is_copied(const struct model_file *file, enum model_files_weights weights) {
    return !file->weights || weights == MODEL_FILES_COPY;
}

static int64_t bytes_to_copy(const struct model_files *files, enum model_files_weights weights) {
    int64_t bytes = 0;
    for (size_t i = 0; i < files->count; i++) bytes += is_copied(&files->items[i], weights) ? files->items[i].bytes : 0;
    return bytes;
}

static int put_all(const struct model_files *files, const char *dir, enum model_files_weights weights,
                   const int folders[2], struct copy *copy, struct error *error) {
    char *buffer = malloc(CHUNK);
    int status = buffer ? STATUS_OK : error_memory(error, CHUNK, "copying files");
    for (size_t i = 0; i < files->count && status == STATUS_OK; i++) {
        const struct model_file *file = &files->items[i];
        if (is_copied(file, weights)) {
            status = copy_file(copy, file, folders[0], folders[1], buffer, error);
        } else if (weights == MODEL_FILES_LINK) {
            status = link_file(file, dir, folders[1], error);
        }
    }
    free(buffer);
    return status;
}

int model_files_put(const struct model_files *files, const char *dir, const char *to, enum model_files_weights weights,
                    const volatile sig_atomic_t *stop, struct error *error) {
    int folders[2] = {open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), open(to, O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    struct progress progress;
    struct copy copy = {.stop = stop, .progress = &progress};
    progress_begin(&progress, "copying the model", "MB", 0, (size_t)(bytes_to_copy(files, weights) / MEGABYTE));
    int status = folders[0] < 0 || folders[1] < 0 ? error_set(error, STATUS_FAILED, "%s: cannot be opened: %s",
                                                              folders[0] < 0 ? dir : to, strerror(errno))
                                                  : put_all(files, dir, weights, folders, &copy, error);
    progress_clear(&progress);
    for (int i = 0; i < 2; i++) {
        if (folders[i] >= 0) close(folders[i]);
    }
    return status;
}
