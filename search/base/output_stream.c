#include "search/base/output_stream.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "search/base/atomic_output.h"
#include "search/base/signals.h"

static const char name[] = "standard output";

static int reader_cause(int descriptor) {
    struct pollfd one = {.fd = descriptor, .events = POLLOUT};
    return poll(&one, 1, 0) > 0 && (one.revents & (POLLERR | POLLHUP)) ? EPIPE : 0;
}

/* Reserves the block that the next byte goes to, which shows a full disk and a quota. Not all file systems can. */
static int file_cause(int descriptor, int flags, const struct stat *info) {
    off_t end = flags & O_APPEND ? info->st_size : lseek(descriptor, 0, SEEK_CUR);
    struct rlimit most;
    if (end < 0) return 0;
    if (getrlimit(RLIMIT_FSIZE, &most) == 0 && (rlim_t)end >= most.rlim_cur) return EFBIG;
    if (fallocate(descriptor, FALLOC_FL_KEEP_SIZE, end, 1) == 0) return 0;
    return errno == ENOSPC || errno == EDQUOT || errno == EFBIG ? errno : 0;
}

/* 0, or errno that a write would end with. */
static int cause_of(int descriptor) {
    struct stat info;
    int flags = fcntl(descriptor, F_GETFL);
    if (flags < 0 || (flags & O_ACCMODE) == O_RDONLY || fstat(descriptor, &info) != 0) return EBADF;
    if (S_ISFIFO(info.st_mode) || S_ISSOCK(info.st_mode)) return reader_cause(descriptor);
    if (S_ISREG(info.st_mode)) return file_cause(descriptor, flags, &info);
    if (!S_ISCHR(info.st_mode) || isatty(descriptor)) return 0;
    return write(descriptor, "", 0) < 0 ? errno : 0; /* of no bytes: /dev/full has no room for them either */
}

int output_stream_check(FILE *out, struct error *error) {
    int cause = out == stderr ? 0 : cause_of(fileno(out));
    if (cause == 0) return STATUS_OK;
    if (cause != EPIPE) return atomic_output_failed(name, cause, error);
    signals_ask_to_stop(SIGPIPE);
    return error_set(error, STATUS_STOPPED, "stopped by %s; the reader of %s has ended", signals_name(), name);
}

/* An error that occurred earlier has left no errno. */
int output_stream_flush(FILE *out, struct error *error) {
    errno = 0;
    if ((fflush(out) == 0 && !ferror(out)) || out == stderr) return STATUS_OK;
    int cause = errno;
    if (*signals_caught() == SIGPIPE) return STATUS_OK;
    if (cause) return atomic_output_failed(name, cause, error);
    return error_set(error, STATUS_FAILED, "%s: could not be written; is the disk full?", name);
}
