#include "eval/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

/* Whether the path or the machine made a call fail. */
static int status_of_errno(int code) {
    return code == EMFILE || code == ENFILE || code == ENOMEM || code == EIO ? STATUS_FAILED : STATUS_INPUT;
}

/* ---- kinds of files ---- */

static const char lfs_pointer[] = "version https://git-lfs.github.com/spec/";

#define UNPACK "is compressed; unpack it and name what is in it"

static const struct kind {
    const char *begin; /* [size] */
    size_t size;
    const char *what;
} kinds[] = {
    {"\xef\xbb\xbf", 3, "begins with a byte order mark; save it as UTF-8 without one"},
    {"\xff\xfe", 2, "is UTF-16 text; save it as UTF-8"},
    {"\xfe\xff", 2, "is UTF-16 text; save it as UTF-8"},
    {"\x1f\x8b", 2, UNPACK},
    {"\xfd"
     "7zXZ",
     5, UNPACK},
    {"\x28\xb5\x2f\xfd", 4, UNPACK},
    {"BZh", 3, UNPACK},
    {"PK\x03\x04", 4, "is a ZIP archive, as .npz and PyTorch's .bin and .pt files are; unpack or convert it"},
    {"\x93NUMPY", 6, "is an .npy file, which holds tokens; name it as such"},
    {"GGUF", 4, "is a GGUF file; another kind of file is required here"},
    {"SQLite format 3", 15, "is a database; another kind of file is required here"},
    {"%PDF", 4, "is a PDF; save its text"},
};

static bool is_web_page(const unsigned char *bytes, size_t size) {
    static const char *const begins[] = {"<!doctype html", "<html", "<?xml"};
    while (size > 0 && strchr(" \t\r\n", *bytes) && *bytes) bytes++, size--;
    for (size_t i = 0; i < sizeof begins / sizeof *begins; i++) {
        size_t length = strlen(begins[i]);
        if (size >= length && strncasecmp((const char *)bytes, begins[i], length) == 0) return true;
    }
    return false;
}

int file_recognise(const char *path, const void *bytes, size_t size, struct error *error) {
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (size < kinds[i].size || memcmp(bytes, kinds[i].begin, kinds[i].size) != 0) continue;
        return error_set(error, STATUS_INPUT, "%s: %s", path, kinds[i].what);
    }
    if (!is_web_page(bytes, size)) return STATUS_OK;
    return error_set(error, STATUS_INPUT, "%s: is a web page, maybe of a login or an error; download the file again",
                     path);
}

/* Models that were cloned without Git LFS have one in place of each large file. */
static bool is_lfs_pointer(int descriptor) {
    char begin[sizeof lfs_pointer];
    ssize_t got = pread(descriptor, begin, sizeof begin - 1, 0);
    return got == (ssize_t)sizeof begin - 1 && memcmp(begin, lfs_pointer, sizeof begin - 1) == 0;
}

/* ---- opening and reading ---- */

static int regular_size(const char *path, int descriptor, size_t *size, struct error *error) {
    struct stat info;
    if (fstat(descriptor, &info) != 0) return error_set(error, STATUS_FAILED, "%s: %s", path, strerror(errno));
    if (S_ISDIR(info.st_mode)) return error_set(error, STATUS_INPUT, "%s: is a directory; name a file in it", path);
    if (!S_ISREG(info.st_mode)) {
        return error_set(error, STATUS_INPUT, "%s: is not a regular file; save what it holds to a file first", path);
    }
    if (info.st_size == 0) return error_set(error, STATUS_INPUT, "%s: is empty; fetch or write it again", path);
    if ((uintmax_t)info.st_size > SIZE_MAX) {
        return error_set(error, STATUS_INPUT, "%s: is larger than the address space", path);
    }
    if (is_lfs_pointer(descriptor)) {
        return error_set(error, STATUS_INPUT,
                         "%s: is a pointer of Git LFS, not the file; get the file with git lfs pull", path);
    }
    *size = (size_t)info.st_size;
    return STATUS_OK;
}

const char *file_home_advice(const char *path) {
    bool begins = *path == '~' && (path[1] == '\0' || strchr(path, '/'));
    bool joined = strstr(path, "/~/");
    return begins || joined ? "write the path of your home folder instead of ~, which only a shell knows" : NULL;
}

static const char *advice(const char *path, int code) {
    if (code == ENAMETOOLONG) return "a name has at most 255 bytes, a path 4095";
    if (code == ENOENT && file_home_advice(path)) return file_home_advice(path);
    return "check the path and its permissions";
}

int file_open(const char *path, int *descriptor, size_t *size, struct error *error) {
    if (!*path) return error_set(error, STATUS_INPUT, "'': is not a path; name a file");
    /* O_NONBLOCK: a named pipe is refused without waiting for a writer. Regular files ignore the flag. */
    int opened = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (opened < 0) {
        int code = errno;
        if (strcmp(path, "-") == 0) {
            return error_set(error, STATUS_INPUT, "-: standard input is not supported; name a file");
        }
        struct stat info;
        if (code == ENOENT && lstat(path, &info) == 0) {
            return error_set(error, STATUS_INPUT, "%s: is a link to a file that does not exist; get that file, too",
                             path);
        }
        if (code == ENXIO) { /* open() of a socket; of a device without a driver, too */
            return error_set(error, STATUS_INPUT, "%s: is not a regular file; save what it holds to a file first",
                             path);
        }
        return error_set(error, status_of_errno(code), "%s: %s; %s", path, strerror(code), advice(path, code));
    }
    int status = regular_size(path, opened, size, error);
    if (status != STATUS_OK) {
        close(opened);
        return status;
    }
    *descriptor = opened;
    return STATUS_OK;
}

static int read_all(const char *path, int descriptor, unsigned char *out, size_t size, struct error *error) {
    size_t done = 0;
    while (done < size) {
        ssize_t got = read(descriptor, out + done, size - done);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0)
            return error_set(error, STATUS_FAILED, "%s: cannot be read: %s; check the disk", path, strerror(errno));
        if (got == 0) {
            return error_set(error, STATUS_INPUT, "%s: ended after %zu of its %zu bytes; is it still being written?",
                             path, done, size);
        }
        done += (size_t)got;
    }
    return STATUS_OK;
}

int file_read(const char *path, unsigned char **out, size_t *size, struct error *error) {
    int descriptor;
    size_t length;
    int status = file_open(path, &descriptor, &length, error);
    if (status != STATUS_OK) return status;

    unsigned char *bytes = malloc(length);
    status = bytes ? read_all(path, descriptor, bytes, length, error) : error_memory(error, (double)length, path);
    close(descriptor);
    if (status != STATUS_OK) {
        free(bytes);
        return status;
    }
    *out = bytes;
    *size = length;
    return STATUS_OK;
}

size_t file_folder_length(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? (size_t)(slash - path) + 1 : 0;
}

char *file_folder(const char *path) {
    size_t length = file_folder_length(path);
    return length ? strndup(path, length) : strdup(".");
}

bool file_is_same(const char *a, const char *b) {
    struct stat one, other;
    return stat(a, &one) == 0 && stat(b, &other) == 0 && one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

/* The first name of a path, without what does not change it; its length. */
static size_t next_name(const char **path) {
    while (**path == '/' || (**path == '.' && ((*path)[1] == '/' || !(*path)[1]))) ++*path;
    return strcspn(*path, "/");
}

static bool same_names(const char *a, const char *b) {
    if ((*a == '/') != (*b == '/')) return false;
    for (;;) {
        size_t length = next_name(&a);
        if (next_name(&b) != length || memcmp(a, b, length) != 0) return false;
        if (length == 0) return true;
        a += length, b += length;
    }
}

size_t file_trimmed_length(const char *path) {
    size_t length = strlen(path);
    while (length > 1 && (path[length - 1] == '/' || (path[length - 1] == '.' && path[length - 2] == '/'))) length--;
    return length;
}

static bool same_place(const char *a, const char *b) {
    char *one = file_folder(a), *other = file_folder(b);
    bool same =
        one && other && file_is_same(one, other) && strcmp(a + file_folder_length(a), b + file_folder_length(b)) == 0;
    free(one), free(other);
    return same;
}

bool file_will_be_same(const char *a, const char *b) {
    char *one = strndup(a, file_trimmed_length(a)), *other = strndup(b, file_trimmed_length(b));
    bool same = one && other && (file_is_same(one, other) || same_names(one, other) || same_place(one, other));
    free(one), free(other);
    return same;
}

/* With a name, which is gone afterwards: a folder and a file in it, as some file systems allow folders alone. */
static int code_of_making(const char *folder) {
    char *made = NULL, *file = NULL;
    int code = asprintf(&made, "%s/.longrope-XXXXXX", folder) < 0 ? ENOMEM : 0;
    if (code == 0 && !mkdtemp(made)) code = errno;
    if (code == 0) {
        int descriptor =
            asprintf(&file, "%s/file", made) < 0 ? -1 : open(file, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (descriptor < 0) code = errno;
        if (descriptor >= 0) close(descriptor), unlink(file);
        rmdir(made);
    }
    free(made), free(file);
    return code == ENOENT ? EPERM : code; /* as /proc says it */
}

int file_folder_code(const char *folder) {
    if (access(folder, W_OK | X_OK) != 0) return errno;
    int descriptor = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    int code = descriptor >= 0 ? 0 : errno;
    if (descriptor >= 0) close(descriptor);
    if (code == EOPNOTSUPP || code == EISDIR || code == ENOENT || code == EINVAL) code = code_of_making(folder);
    return code == ENOSPC || code == EDQUOT ? 0 : code;
}
