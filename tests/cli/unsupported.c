/* Preloaded into the program: below a folder, the file system lacks what network file systems lack.
 *
 *     UNSUPPORTED_FOLDER  absolute path, without links
 *     UNSUPPORTED         "locks": fcntl() and flock() have no locks; "memory": files cannot be mapped to share memory;
 *                         "sync": a full disk is met by fsync() and fdatasync() only; "permission": locks are forbidden
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

static bool is_unsupported(const char *what, int descriptor) {
    const char *missing = getenv("UNSUPPORTED"), *folder = getenv("UNSUPPORTED_FOLDER");
    char link[32], path[PATH_MAX];
    if (!missing || !folder || strcmp(missing, what) != 0) return false;
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return false;
    path[length] = '\0';
    return strncmp(path, folder, strlen(folder)) == 0;
}

static void *original(const char *name) {
    void *found = dlsym(RTLD_NEXT, name);
    if (!found) abort();
    return found;
}

static int call_fcntl(const char *name, int descriptor, int command, void *argument) {
    int (*call)(int, int, ...);
    *(void **)&call = original(name);
    bool locks = command == F_SETLK || command == F_SETLKW || command == F_GETLK;
    if (locks && is_unsupported("permission", descriptor)) {
        errno = EPERM;
        return -1;
    }
    if (!locks || !is_unsupported("locks", descriptor)) return call(descriptor, command, argument);
    errno = ENOLCK;
    return -1;
}

int fcntl(int descriptor, int command, ...) {
    va_list list;
    va_start(list, command);
    void *argument = va_arg(list, void *);
    va_end(list);
    return call_fcntl("fcntl", descriptor, command, argument);
}

int fcntl64(int descriptor, int command, ...) {
    va_list list;
    va_start(list, command);
    void *argument = va_arg(list, void *);
    va_end(list);
    return call_fcntl("fcntl64", descriptor, command, argument);
}

int flock(int descriptor, int operation) {
    int (*call)(int, int);
    *(void **)&call = original("flock");
    if (!is_unsupported("locks", descriptor)) return call(descriptor, operation);
    errno = ENOLCK;
    return -1;
}

static int sync_file(const char *name, int descriptor) {
    int (*call)(int);
    *(void **)&call = original(name);
    if (!is_unsupported("sync", descriptor)) return call(descriptor);
    errno = ENOSPC;
    return -1;
}

int fsync(int descriptor) { return sync_file("fsync", descriptor); }

int fdatasync(int descriptor) { return sync_file("fdatasync", descriptor); }

static void *map(const char *name, void *address, size_t size, int protection, int flags, int descriptor,
                 off_t offset) {
    void *(*call)(void *, size_t, int, int, int, off_t);
    *(void **)&call = original(name);
    bool shared = (flags & MAP_SHARED) && (protection & PROT_WRITE) && descriptor >= 0;
    if (!shared || !is_unsupported("memory", descriptor)) {
        return call(address, size, protection, flags, descriptor, offset);
    }
    errno = ENODEV;
    return MAP_FAILED;
}

void *mmap(void *address, size_t size, int protection, int flags, int descriptor, off_t offset) {
    return map("mmap", address, size, protection, flags, descriptor, offset);
}

void *mmap64(void *address, size_t size, int protection, int flags, int descriptor, off_t offset) {
    return map("mmap64", address, size, protection, flags, descriptor, offset);
}
