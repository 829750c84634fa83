#include "search/base/atomic_output.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- messages ---- */

static int not_written(const char *path, int cause, struct error *error) {
    return error_set(error, STATUS_FAILED, "%s: could not be written: %s; free space or choose another folder", path,
                     strerror(cause));
}

static int already_exists(const char *path, struct error *error) {
    return error_set(error, STATUS_INPUT, "%s: already exists; choose another path, or replace it with --force", path);
}

static int path_with(const char *path, size_t length, const char *suffix, char **out, struct error *error) {
    if (asprintf(out, "%.*s%s", (int)length, path, suffix) >= 0) return STATUS_OK;
    *out = NULL;
    return error_memory(error, (double)length, "a path");
}

/* ---- files ---- */

int atomic_output_check_file(const char *path, bool replace, struct error *error) {
    struct stat info;
    size_t length = strlen(path);
    if (length == 0) return error_set(error, STATUS_INPUT, "'': is not a path; name a file");
    if (path[length - 1] == '/') {
        return error_set(error, STATUS_INPUT, "%s: is the path of a folder; name a file", path);
    }
    if (lstat(path, &info) != 0) return STATUS_OK; /* writing reports every other problem */
    if (S_ISDIR(info.st_mode)) return error_set(error, STATUS_INPUT, "%s: is a folder; name a file", path);
    return replace ? STATUS_OK : already_exists(path, error);
}

static bool write_stream(const char *path, bool (*write)(FILE *stream, const void *what), const void *what) {
    FILE *stream = fopen(path, "wb");
    if (!stream) return false;
    errno = 0;
    bool written = write(stream, what) && fflush(stream) == 0 && fsync(fileno(stream)) == 0;
    int cause = errno;
    written = fclose(stream) == 0 && written;
    if (cause) errno = cause;
    return written;
}

int atomic_output_write_file(const char *path, bool (*write)(FILE *stream, const void *what), const void *what,
                             struct error *error) {
    char *part = NULL;
    int status = path_with(path, strlen(path), ".part", &part, error);
    if (status != STATUS_OK) return status;
    bool written = write_stream(part, write, what) && rename(part, path) == 0;
    int cause = errno;
    if (!written) unlink(part);
    free(part);
    return written ? STATUS_OK : not_written(path, cause, error);
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
    if (folder < 0 && (cause == ENOTDIR || cause == ELOOP)) {
        return error_set(error, STATUS_INPUT, "%s: is not a folder; choose another path", path);
    }
    if (!read) return error_set(error, STATUS_INPUT, "%s: cannot be read: %s", path, strerror(cause));
    if (seen.folders || (seen.other && !seen.config)) {
        return error_set(error, STATUS_INPUT,
                         "%s: is not replaced, because it contains %s; delete it yourself, or choose another path",
                         path, seen.folders ? "folders" : "files but no config.json");
    }
    return STATUS_OK;
}

static int check_folder(const char *path, bool replace, struct error *error) {
    struct stat info;
    const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
    if (!*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
        return error_set(error, STATUS_INPUT, "'%s': is not a path for a new folder; name one", path);
    }
    if (lstat(path, &info) != 0) return STATUS_OK;
    return replace ? check_replaced(path, error) : already_exists(path, error);
}

int atomic_output_check_folder(const char *path, bool replace, struct error *error) {
    char *bare = NULL;
    int status = path_with(path, length_of(path), "", &bare, error);
    if (status == STATUS_OK) status = check_folder(bare, replace, error);
    free(bare);
    return status;
}

/* ---- beginning ---- */

/* Opens and locks PATH.part, and makes it if it does not exist. */
static int lock_part(struct atomic_output_folder *folder, struct error *error) {
    if (mkdir(folder->part, 0777) != 0 && errno != EEXIST) return not_written(folder->path, errno, error);
    folder->lock = open_folder(folder->part);
    if (folder->lock < 0) {
        return error_set(error, STATUS_INPUT, "%s: exists and blocks writing %s; delete it", folder->part,
                         folder->path);
    }
    if (flock(folder->lock, LOCK_EX | LOCK_NB) == 0) return STATUS_OK;
    int cause = errno;
    close(folder->lock);
    folder->lock = -1;
    if (cause != EWOULDBLOCK) return not_written(folder->path, cause, error);
    return error_set(error, STATUS_INPUT, "%s: another process is writing it; wait until it ends", folder->path);
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
    int status = path_with(path, length_of(path), "", &folder->path, error);
    if (status == STATUS_OK) status = path_with(path, length_of(path), ".part", &folder->part, error);
    if (status == STATUS_OK) status = check_folder(folder->path, folder->replace, error);
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

/* True if the file system does not support the flags of renameat2(). */
static bool is_unsupported(int cause) { return cause == EINVAL || cause == ENOSYS || cause == ENOTSUP; }

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

bool atomic_output_rename_new(const char *part, const char *path) {
    struct stat info;
    if (renameat2(AT_FDCWD, part, AT_FDCWD, path, RENAME_NOREPLACE) == 0) return true;
    if (!is_unsupported(errno)) return false;
    if (lstat(path, &info) != 0) return rename(part, path) == 0; /* nearly as good */
    errno = EEXIST;
    return false;
}

static bool put(const struct atomic_output_folder *folder) {
    if (atomic_output_rename_new(folder->part, folder->path)) return true;
    if (errno != EEXIST || !folder->replace) return false;
    if (renameat2(AT_FDCWD, folder->part, AT_FDCWD, folder->path, RENAME_EXCHANGE) == 0) return true;
    return is_unsupported(errno) && move_over(folder);
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

int atomic_output_end(struct atomic_output_folder *folder, struct error *error) {
    int status = STATUS_OK;
    fsync(folder->lock);
    if (!put(folder)) {
        status = errno == EEXIST && !folder->replace ? already_exists(folder->path, error)
                                                     : not_written(folder->path, errno, error);
    }
    if (status == STATUS_OK) atomic_output_sync_parent(folder->path);
    let_go(folder); /* deletes the old folder, which an exchange leaves at PATH.part */
    return status;
}
