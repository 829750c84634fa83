#include "search/base/output_path.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "eval/base/file.h"
#include "search/base/text.h"

const char *output_remedy(int cause) {
    switch (cause) {
    case ENOSPC:
    case EDQUOT:
        return "free space or choose another folder";
    case EFBIG:
        return "raise the limit on the size of files (ulimit -f)";
    case EACCES:
    case EPERM:
    case EROFS:
        return "get write permission or choose another folder";
    case ENOENT:
    case ENOTDIR:
        return "create its folder or choose another one";
    case ENAMETOOLONG:
        return "choose a shorter path: a name has at most 255 bytes, a path 4095";
    case EPIPE:
        return "its reader has ended";
    case EIO:
        return "check the disk";
    default:
        return "choose another path";
    }
}

/* ---- following links ---- */

/* The number behind the folder of descriptors in /dev or /proc; NULL: the path is another one. */
static const char *names_descriptor(const char *path) {
    static const char *const folders[] = {"/dev/fd/", "/proc/self/fd/", "/proc/thread-self/fd/"};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        if (strncmp(path, folders[i], strlen(folders[i])) == 0) return path + strlen(folders[i]);
    }
    return NULL;
}

/* The open descriptor that a path names; -1: none. */
static int named_descriptor(const char *path) {
    const char *text = names_descriptor(path);
    int64_t number;
    if (strcmp(path, "-") == 0) return STDOUT_FILENO;
    bool open =
        text && text_to_integer(text, &number) && number >= 0 && number <= INT_MAX && fcntl((int)number, F_GETFD) >= 0;
    return open ? (int)number : -1;
}

/* Replaces *path, a symbolic link, by what it says. False, with errno set, if that fails. */
static bool follow(char **path) {
    char target[PATH_MAX], *next = NULL, *slash = strrchr(*path, '/');
    ssize_t length = readlink(*path, target, sizeof target - 1);
    if (length < 0) return false;
    target[length] = '\0';
    int folder = *target != '/' && slash ? (int)(slash + 1 - *path) : 0;
    if (asprintf(&next, "%.*s%s", folder, *path, target) < 0) return false;
    free(*path);
    *path = next;
    return true;
}

/* Sets path and descriptor. False, with errno set, for a loop of links. */
static bool resolve(struct output_path *out) {
    enum { MOST_LINKS = 40 }; /* as the kernel follows */
    for (int links = 0; links <= MOST_LINKS; links++) {
        struct stat info;
        out->descriptor = named_descriptor(out->path);
        if (out->descriptor >= 0 || lstat(out->path, &info) != 0 || !S_ISLNK(info.st_mode)) return true;
        if (!follow(&out->path)) return false;
    }
    errno = ELOOP;
    return false;
}

/* ---- what is there ---- */

int output_path_check_parent(const char *path, struct error *error) {
    char *folder = file_folder(path);
    if (!folder) return error_memory(error, (double)strlen(path), "a path");
    int cause = file_folder_code(folder);
    free(folder);
    if (cause == 0) return STATUS_OK;
    if (cause == ENOENT || cause == ENOTDIR) {
        return error_set(error, STATUS_INPUT, "%s: its folder does not exist; create it or choose another one", path);
    }
    return error_set(error, STATUS_INPUT, "%s: its folder cannot be written: %s; %s", path, strerror(cause),
                     output_remedy(cause));
}

static int examine(const char *path, struct output_path *out, struct error *error) {
    struct stat info;
    if (out->descriptor >= 0) {
        out->kind = OUTPUT_DESCRIPTOR;
        return STATUS_OK;
    }
    if (names_descriptor(out->path)) {
        return error_set(error, STATUS_INPUT, "%s: is not an open descriptor; name a file, or - for standard output",
                         path);
    }
    if (stat(path, &info) == 0) {
        const char *what = S_ISSOCK(info.st_mode) ? "a socket" : S_ISBLK(info.st_mode) ? "a block device" : NULL;
        if (what) {
            return error_set(error, STATUS_INPUT, "%s: is %s; name a file, or - for standard output", path, what);
        }
        out->kind = S_ISDIR(info.st_mode) ? OUTPUT_FOLDER : S_ISREG(info.st_mode) ? OUTPUT_FILE : OUTPUT_STREAM;
        return out->kind == OUTPUT_FILE ? output_path_check_parent(out->path, error) : STATUS_OK;
    }
    if (errno != ENOENT) {
        return error_set(error, STATUS_INPUT, "%s: %s; %s", path, strerror(errno), output_remedy(errno));
    }
    out->kind = OUTPUT_NEW;
    if (strcmp(path, out->path) == 0) return output_path_check_parent(path, error);
    struct error found;
    int status = output_path_check_parent(out->path, &found);
    return status == STATUS_OK ? status : error_set(error, status, "%s: is a link to %s", path, found.message);
}

int output_path_find(const char *path, struct output_path *out, struct error *error) {
    size_t length = strlen(path);
    *out = (struct output_path){.path = strdup(path), .descriptor = -1};
    if (!out->path) return error_memory(error, (double)length, "a path");
    if (length == 0) return error_set(error, STATUS_INPUT, "'': is not a path; name a file");
    if (path[length - 1] == '/') {
        return error_set(error, STATUS_INPUT, "%s: is the path of a folder; name a file", path);
    }
    if (!resolve(out)) {
        return error_set(error, STATUS_INPUT, "%s: %s; %s", path, strerror(errno), output_remedy(errno));
    }
    return examine(path, out, error);
}

void output_path_free(struct output_path *path) {
    free(path->path);
    *path = (struct output_path){.descriptor = -1};
}

bool output_path_is_stdout(const char *path) {
    struct output_path found;
    struct error ignored;
    bool is = output_path_find(path, &found, &ignored) == STATUS_OK && found.descriptor == STDOUT_FILENO;
    output_path_free(&found);
    return is;
}
