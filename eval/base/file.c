#include "eval/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Whether the path or the machine made a call fail. */
static int status_of_errno(int code) {
    return code == EMFILE || code == ENFILE || code == ENOMEM || code == EIO ? STATUS_FAILED : STATUS_INPUT;
}

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
    *size = (size_t)info.st_size;
    return STATUS_OK;
}

int file_open(const char *path, int *descriptor, size_t *size, struct error *error) {
    /* O_NONBLOCK: a named pipe is refused without waiting for a writer. Regular files ignore the flag. */
    int opened = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (opened < 0) {
        int code = errno;
        return error_set(error, status_of_errno(code), "%s: %s; check the path and its permissions", path,
                         strerror(code));
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
        if (got < 0) return error_set(error, STATUS_FAILED, "%s: cannot be read: %s", path, strerror(errno));
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
