/* Files in memory, for readers that take a path. */
#ifndef LONGROPE_TESTS_FUZZ_MEMORY_FILE_H
#define LONGROPE_TESTS_FUZZ_MEMORY_FILE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

struct memory_file {
    int descriptor;
    char path[32];
};

static inline struct memory_file memory_file_make(const uint8_t *bytes, size_t size) {
    struct memory_file file = {.descriptor = memfd_create("input", MFD_CLOEXEC)};
    if (file.descriptor < 0 || write(file.descriptor, bytes, size) != (ssize_t)size) abort();
    snprintf(file.path, sizeof file.path, "/proc/self/fd/%d", file.descriptor);
    return file;
}

static inline void memory_file_close(const struct memory_file *file) { close(file->descriptor); }

/* A path that nothing has and no other process uses, in memory if possible: for what is removed after each input. */
static inline const char *memory_path(void) {
    static char path[64];
    const char *folder = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    if (!path[0]) snprintf(path, sizeof path, "%s/longrope-fuzz-%d", folder, (int)getpid());
    return path;
}

#endif
