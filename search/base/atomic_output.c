#include "search/base/atomic_output.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "search/base/output_path.h"
#include "search/base/signals.h"

/* ---- messages ---- */

int atomic_output_failed(const char *path, int cause, struct error *error) {
    return error_set(error, STATUS_FAILED, "%s: could not be written: %s; %s", path, strerror(cause),
                     output_remedy(cause));
}

static int already_exists(const char *path, struct error *error) {
    return error_set(error, STATUS_INPUT, "%s: already exists; choose another path, or replace it with --force", path);
}

static int written_by_another(const char *path, struct error *error) {
    return error_set(error, STATUS_INPUT, "%s: another process is writing it; wait until it ends", path);
}

static int is_blocked(const char *part, const char *path, struct error *error) {
    return error_set(error, STATUS_INPUT, "%s: exists and blocks writing %s; delete it", part, path);
}

/* ---- paths ---- */

static int copy_path(const char *path, size_t length, char **out, struct error *error) {
    *out = strndup(path, length);
    return *out ? STATUS_OK : error_memory(error, (double)length, "a path");
}

/* PATH.part; a name that would become too long for a folder is cut. */
static int part_of(const char *path, char **out, struct error *error) {
    static const char suffix[] = ".part";
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    size_t most = NAME_MAX - strlen(suffix), kept = strlen(name) < most ? strlen(name) : most;
    if (asprintf(out, "%.*s%s", (int)((size_t)(name - path) + kept), path, suffix) >= 0) return STATUS_OK;
    *out = NULL;
    return error_memory(error, (double)strlen(path), "a path");
}

static bool is_same_file(const struct stat *a, const struct stat *b) {
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* True if the file system does not support the flags of renameat2(). */
static bool is_unsupported(int cause) { return cause == EINVAL || cause == ENOSYS || cause == ENOTSUP; }

/* Renames `part` to `path` unless `path` exists: false, with errno set, EEXIST if it does. */
static bool rename_new(const char *part, const char *path) {
    struct stat info;
    if (renameat2(AT_FDCWD, part, AT_FDCWD, path, RENAME_NOREPLACE) == 0) return true;
    if (!is_unsupported(errno)) return false;
    if (lstat(path, &info) != 0) return rename(part, path) == 0; /* nearly as good */
    errno = EEXIST;
    return false;
}

void atomic_output_sync_parent(const char *path) {
    const char *slash = strrchr(path, '/');
    char *parent = slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");
    int folder = parent ? open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (folder >= 0) {
        fsync(folder);
        close(folder);
    }
    free(parent);
}

/* ---- files: whether they may be written ---- */

static int check_target(const char *path, const struct output_path *target, bool replace, struct error *error) {
    if (target->kind == OUTPUT_FOLDER) return error_set(error, STATUS_INPUT, "%s: is a folder; name a file", path);
    return target->kind == OUTPUT_FILE && !replace ? already_exists(path, error) : STATUS_OK;
}

int atomic_output_check_file(const char *path, bool replace, struct error *error) {
    struct output_path target;
    int status = output_path_find(path, &target, error);
    if (status == STATUS_OK) status = check_target(path, &target, replace, error);
    output_path_free(&target);
    return status;
}

/* True if the folder that contains `path` is `folder`. */
static bool lies_in(const char *path, const struct stat *folder) {
    struct stat info;
    const char *slash = strrchr(path, '/');
    char *parent = slash ? strndup(path, (size_t)(slash + 1 - path)) : strdup(".");
    bool lies = parent && stat(parent, &info) == 0 && is_same_file(&info, folder);
    free(parent);
    return lies;
}

/* The same for the file that a link leads to. */
static bool target_lies_in(const char *path, const struct stat *folder) {
    char *target = realpath(path, NULL);
    bool lies = target && lies_in(target, folder);
    free(target);
    return lies;
}

int atomic_output_check_input(const char *path, const char *input, struct error *error) {
    struct stat read, written;
    if (!input || strcmp(path, "-") == 0 || stat(input, &read) != 0 || stat(path, &written) != 0) return STATUS_OK;
    if (!S_ISREG(written.st_mode) && !S_ISDIR(written.st_mode)) return STATUS_OK; /* not replaced */
    if (is_same_file(&read, &written)) {
        return error_set(error, STATUS_INPUT, "%s: is read by this command and is not replaced; choose another path",
                         path);
    }
    bool within = S_ISDIR(read.st_mode) && (lies_in(path, &read) || target_lies_in(path, &read));
    bool contains = S_ISDIR(written.st_mode) && (lies_in(input, &written) || target_lies_in(input, &written));
    if (!within && !contains) return STATUS_OK;
    return error_set(error, STATUS_INPUT,
                     "%s: is not replaced, because it %s %s, which this command reads; choose "
                     "another path",
                     path, within ? "lies in" : "contains", input);
}

/* ---- files: opening ---- */

/* True if `part` is still the file that is open: another writer may have renamed it. */
static bool is_open_at(const char *part, int descriptor) {
    struct stat opened, there;
    return fstat(descriptor, &opened) == 0 && lstat(part, &there) == 0 && is_same_file(&opened, &there);
}

/* Locks the file and empties it. A file system that has no locks gets none. */
static int claim_part(const struct atomic_output_file *file, struct error *error) {
    struct stat info;
    if (fstat(file->descriptor, &info) != 0) return atomic_output_failed(file->path, errno, error);
    if (!S_ISREG(info.st_mode) || info.st_nlink > 1) return is_blocked(file->part, file->path, error);
    if (flock(file->descriptor, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
        return written_by_another(file->path, error);
    }
    if (!is_open_at(file->part, file->descriptor)) return written_by_another(file->path, error);
    return ftruncate(file->descriptor, 0) == 0 ? STATUS_OK : atomic_output_failed(file->path, errno, error);
}

static int open_part(struct atomic_output_file *file, struct error *error) {
    int status = part_of(file->path, &file->part, error);
    if (status != STATUS_OK) return status;
    file->descriptor = open(file->part, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0666);
    if (file->descriptor < 0) {
        struct stat info;
        int cause = errno;
        bool blocked = lstat(file->part, &info) == 0 && !S_ISREG(info.st_mode);
        return blocked ? is_blocked(file->part, file->path, error) : atomic_output_failed(file->path, cause, error);
    }
    status = claim_part(file, error);
    if (status == STATUS_OK) return status;
    close(file->descriptor); /* it is not this process's, so it stays */
    file->descriptor = -1;
    return status;
}

/* A named pipe without a reader is waited for, as the shell does, but a signal ends that. */
static int open_stream(struct atomic_output_file *file, struct error *error) {
    const volatile sig_atomic_t *stop = signals_caught();
    struct stat info;
    do {
        file->descriptor = open(file->path, O_WRONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
        if (file->descriptor >= 0 || errno != ENXIO) break;
        if (stat(file->path, &info) != 0 || !S_ISFIFO(info.st_mode)) {
            return atomic_output_failed(file->path, ENXIO, error);
        }
        nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
    } while (!*stop);
    if (file->descriptor < 0 && *stop) {
        return error_set(error, STATUS_STOPPED, "stopped by %s; nobody reads %s", signals_name(), file->path);
    }
    if (file->descriptor < 0 || fcntl(file->descriptor, F_SETFL, 0) != 0) {
        return atomic_output_failed(file->path, errno, error);
    }
    return STATUS_OK;
}

/* The copy writes at the place where the original is. */
static int open_descriptor(struct atomic_output_file *file, int descriptor, struct error *error) {
    if (descriptor == STDOUT_FILENO) {
        fflush(stdout);
        free(file->path); /* that is how errors name it */
        int status = copy_path("standard output", SIZE_MAX, &file->path, error);
        if (status != STATUS_OK) return status;
    }
    file->descriptor = fcntl(descriptor, F_DUPFD_CLOEXEC, 0);
    return file->descriptor >= 0 ? STATUS_OK : atomic_output_failed(file->path, errno, error);
}

/* Frees the members of *file, and deletes PATH.part if this process holds its lock. */
static void file_free(struct atomic_output_file *file) {
    if (file->descriptor >= 0) {
        if (file->part && is_open_at(file->part, file->descriptor)) unlink(file->part);
        close(file->descriptor);
    }
    free(file->path), free(file->part);
    *file = (struct atomic_output_file){.descriptor = -1};
}

int atomic_output_open(const char *path, bool replace, struct atomic_output_file *out, struct error *error) {
    struct output_path target;
    *out = (struct atomic_output_file){.descriptor = -1, .replace = replace};
    int status = output_path_find(path, &target, error);
    if (status == STATUS_OK) status = check_target(path, &target, replace, error);
    out->path = target.path;
    target.path = NULL;
    if (status == STATUS_OK) {
        status = target.kind == OUTPUT_DESCRIPTOR ? open_descriptor(out, target.descriptor, error)
                 : target.kind == OUTPUT_STREAM   ? open_stream(out, error)
                                                  : open_part(out, error);
    }
    if (status != STATUS_OK) file_free(out);
    return status;
}

/* ---- files: putting in place ---- */

/* What appeared at the path in the meantime and is no regular file is not replaced either. */
static bool put_file(const struct atomic_output_file *file) {
    struct stat info;
    bool replace = file->replace && lstat(file->path, &info) == 0 && S_ISREG(info.st_mode);
    return replace ? rename(file->part, file->path) == 0 : rename_new(file->part, file->path);
}

int atomic_output_close(struct atomic_output_file *file, struct error *error) {
    int status = STATUS_OK;
    if (file->part && fsync(file->descriptor) != 0) {
        status = atomic_output_failed(file->path, errno, error);
    } else if (file->part && !put_file(file)) {
        status = errno == EEXIST ? already_exists(file->path, error) : atomic_output_failed(file->path, errno, error);
    } else if (file->part) {
        atomic_output_sync_parent(file->path);
    }
    file_free(file);
    return status;
}

void atomic_output_discard(struct atomic_output_file *file) {
    if (file->path) file_free(file);
}

/* On a copy of the descriptor, because closing a stream closes its own. */
static bool write_stream(int descriptor, bool (*write)(FILE *stream, const void *what), const void *what) {
    int copy = fcntl(descriptor, F_DUPFD_CLOEXEC, 0);
    FILE *stream = copy >= 0 ? fdopen(copy, "wb") : NULL;
    if (!stream) {
        if (copy >= 0) close(copy);
        return false;
    }
    errno = 0;
    bool written = write(stream, what) && fflush(stream) == 0;
    int cause = errno;
    written = fclose(stream) == 0 && written;
    if (cause) errno = cause;
    return written;
}

int atomic_output_write_file(const char *path, bool replace, bool (*write)(FILE *stream, const void *what),
                             const void *what, struct error *error) {
    struct atomic_output_file file;
    int status = atomic_output_open(path, replace, &file, error);
    if (status != STATUS_OK) return status;
    if (write_stream(file.descriptor, write, what)) return atomic_output_close(&file, error);
    status = atomic_output_failed(file.path, errno, error);
    atomic_output_discard(&file);
    return status;
}

/* ---- folders of files ---- */

/* The contents of a folder. */
struct contents {
    bool folders, config, other;
};

static bool is_folder_in(int folder, const char *name) {
    struct stat info;
    return fstatat(folder, name, &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(info.st_mode);
}

/* Calls visit(descriptor of the folder, name, state) for all entries but "." and "..". False, with errno set, if the
 * folder cannot be read or visit() returns false. */
static bool visit_folder(int folder, bool (*visit)(int folder, const char *name, void *state), void *state) {
    int copy = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC); /* closedir() closes it */
    DIR *stream = copy >= 0 ? fdopendir(copy) : NULL;
    if (!stream) {
        if (copy >= 0) close(copy);
        return false;
    }
    bool good = true;
    errno = 0;
    for (struct dirent *entry; good && (entry = readdir(stream));) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            good = visit(folder, entry->d_name, state);
        }
        if (good) errno = 0;
    }
    int cause = errno;
    closedir(stream);
    errno = cause;
    return good && cause == 0;
}

static bool see(int folder, const char *name, void *state) {
    struct contents *seen = state;
    if (is_folder_in(folder, name)) {
        seen->folders = true;
    } else if (strcmp(name, "config.json") == 0) {
        seen->config = true;
    } else {
        seen->other = true;
    }
    return true;
}

static bool unlink_in(int folder, const char *name, void *state) {
    (void)state;
    return unlinkat(folder, name, 0) == 0 || errno == ENOENT;
}

static int open_folder(const char *path) { return open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC); }

/* Deletes a folder of files. */
static void remove_folder(const char *path) {
    int folder = open_folder(path);
    if (folder < 0) return;
    visit_folder(folder, unlink_in, NULL);
    close(folder);
    rmdir(path);
}

/* ---- whether a folder may be written ---- */

/* The length of `path` without trailing slashes. */
static size_t length_of(const char *path) {
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/') length--;
    return length;
}

/* All of the folder at `path` will be deleted, so it must look like one that this program wrote. */
static int check_replaced(const char *path, struct error *error) {
    struct contents seen = {false};
    int folder = open_folder(path);
    bool read = folder >= 0 && visit_folder(folder, see, &seen);
    int cause = errno;
    if (folder >= 0) close(folder);
    if (!read) return error_set(error, STATUS_INPUT, "%s: cannot be read: %s", path, strerror(cause));
    if (seen.folders || (seen.other && !seen.config)) {
        return error_set(error, STATUS_INPUT,
                         "%s: is not replaced, because it contains %s; delete it yourself, or choose another path",
                         path, seen.folders ? "folders" : "files but no config.json");
    }
    return STATUS_OK;
}

static int check_folder_name(const char *path, struct error *error) {
    const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
    if (strcmp(path, "-") == 0) {
        return error_set(error, STATUS_INPUT,
                         "-: a folder cannot be written to standard output; name one (./- is a folder of that name)");
    }
    if (*name && strcmp(name, ".") != 0 && strcmp(name, "..") != 0) return STATUS_OK;
    return error_set(error, STATUS_INPUT, "'%s': is not a path for a new folder; name one", path);
}

/* Sets *out to the path without slashes at its end and without links; the caller frees it, also after an error. */
static int find_folder(const char *path, bool replace, char **out, struct error *error) {
    struct output_path target = {.descriptor = -1};
    struct stat info;
    int status = copy_path(path, length_of(path), out, error);
    if (status == STATUS_OK) status = check_folder_name(*out, error);
    if (status == STATUS_OK && stat(*out, &info) == 0 && !S_ISDIR(info.st_mode)) {
        return error_set(error, STATUS_INPUT, "%s: is not a folder; choose another path", *out);
    }
    if (status == STATUS_OK) status = output_path_find(*out, &target, error);
    if (status == STATUS_OK && target.kind == OUTPUT_FOLDER) {
        status = replace ? check_replaced(target.path, error) : already_exists(*out, error);
    } else if (status == STATUS_OK && target.kind != OUTPUT_NEW) {
        status = error_set(error, STATUS_INPUT, "%s: is not a folder; choose another path", *out);
    }
    if (status == STATUS_OK) {
        free(*out);
        *out = target.path;
        target.path = NULL;
    }
    output_path_free(&target);
    return status;
}

int atomic_output_check_folder(const char *path, bool replace, struct error *error) {
    char *found = NULL;
    int status = find_folder(path, replace, &found, error);
    free(found);
    return status;
}

/* ---- beginning ---- */

/* Opens and locks PATH.part, and makes it if it does not exist. */
static int lock_part(struct atomic_output_folder *folder, struct error *error) {
    if (mkdir(folder->part, 0777) != 0 && errno != EEXIST) return atomic_output_failed(folder->path, errno, error);
    folder->lock = open_folder(folder->part);
    if (folder->lock < 0) return is_blocked(folder->part, folder->path, error);
    if (flock(folder->lock, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) return STATUS_OK;
    close(folder->lock);
    folder->lock = -1;
    return written_by_another(folder->path, error);
}

/* Frees the members of *folder, and deletes PATH.part if this process holds its lock. */
static void let_go(struct atomic_output_folder *folder) {
    if (folder->lock >= 0) {
        remove_folder(folder->part);
        close(folder->lock);
    }
    free(folder->path), free(folder->part);
    *folder = (struct atomic_output_folder){.lock = -1};
}

static int begin(const char *path, struct atomic_output_folder *folder, struct error *error) {
    int status = find_folder(path, folder->replace, &folder->path, error);
    if (status == STATUS_OK) status = part_of(folder->path, &folder->part, error);
    if (status == STATUS_OK) status = lock_part(folder, error);
    if (status != STATUS_OK || visit_folder(folder->lock, unlink_in, NULL)) return status;
    int cause = errno;
    close(folder->lock); /* PATH.part could not be emptied, so it stays */
    folder->lock = -1;
    return error_set(error, STATUS_INPUT, "%s: exists and blocks writing %s (%s); delete it", folder->part,
                     folder->path, strerror(cause));
}

int atomic_output_begin(const char *path, bool replace, struct atomic_output_folder *out, struct error *error) {
    *out = (struct atomic_output_folder){.lock = -1, .replace = replace};
    int status = begin(path, out, error);
    if (status != STATUS_OK) let_go(out);
    return status;
}

void atomic_output_abandon(struct atomic_output_folder *folder) {
    if (folder->path) let_go(folder);
}

/* ---- putting in place ---- */

/* In two steps: a kill between them leaves nothing at PATH, and the old folder at PATH.old. */
static bool move_over(const struct atomic_output_folder *folder) {
    char *old = NULL;
    if (asprintf(&old, "%s.old", folder->path) < 0) return false;
    bool moved = access(old, F_OK) != 0 && rename(folder->path, old) == 0;
    bool placed = moved && rename(folder->part, folder->path) == 0;
    int cause = errno;
    if (moved && !placed) rename(old, folder->path);
    if (placed) remove_folder(old);
    free(old);
    errno = cause;
    return placed;
}

static bool put(const struct atomic_output_folder *folder) {
    if (rename_new(folder->part, folder->path)) return true;
    if (errno != EEXIST || !folder->replace) return false;
    if (renameat2(AT_FDCWD, folder->part, AT_FDCWD, folder->path, RENAME_EXCHANGE) == 0) return true;
    return is_unsupported(errno) && move_over(folder);
}

int atomic_output_end(struct atomic_output_folder *folder, struct error *error) {
    int status = STATUS_OK;
    fsync(folder->lock);
    if (!put(folder)) {
        status = errno == EEXIST && !folder->replace ? already_exists(folder->path, error)
                                                     : atomic_output_failed(folder->path, errno, error);
    }
    if (status == STATUS_OK) atomic_output_sync_parent(folder->path);
    let_go(folder); /* deletes the old folder, which an exchange leaves at PATH.part */
    return status;
}
