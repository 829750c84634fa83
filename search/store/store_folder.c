#include "search/store/store_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

char *store_folder_path(const struct store *store, const char *name) {
    char *path;
    return asprintf(&path, "%s/%s", store->dir, name) < 0 ? NULL : path;
}

int store_folder_failed(const struct store *store, int code, struct error *error) {
    if (code != ENOTDIR && code != EEXIST) return database_errno(&store->database, code, error);
    return error_set(error, STATUS_INPUT, "%.200s: is not a folder; choose another one with -o", store->dir);
}

int store_folder_make(const struct store *store, struct error *error) {
    char *path = strdup(store->dir);
    if (!path) return error_memory(error, (double)strlen(store->dir), "a path");
    int code = 0;
    for (char *c = path; code == 0 && *c; c++) {
        char next = c[1];
        if (next != '/' && next != '\0') continue;
        c[1] = '\0';
        if (mkdir(path, 0777) != 0 && errno != EEXIST) code = errno;
        c[1] = next;
    }
    struct stat info;
    if (code == 0 && stat(path, &info) != 0) code = errno;
    if (code == 0 && !S_ISDIR(info.st_mode)) code = ENOTDIR;
    free(path);
    return code == 0 ? STATUS_OK : store_folder_failed(store, code, error);
}

int store_folder_sync(const struct store *store, struct error *error) {
    int folder = open(store->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int code = folder < 0 || fsync(folder) != 0 ? errno : 0;
    if (folder >= 0) close(folder);
    /* EINVAL: a file system whose folders cannot be synced */
    return code == 0 || code == EINVAL ? STATUS_OK : store_folder_failed(store, code, error);
}

/* ---- the lock ---- */

void store_folder_holder(const struct store *store, char out[STORE_HOLDER_SIZE]) {
    char text[300] = "", host[256] = "";
    long process = 0;
    if (pread(store->lock, text, sizeof text - 1, 0) < 0) text[0] = '\0';
    if (sscanf(text, "%255s %ld", host, &process) == 2) {
        snprintf(out, STORE_HOLDER_SIZE, "process %ld on host %s", process, host);
    } else {
        strcpy(out, "another process");
    }
}

/* Only people read it, so a full disk is no error. */
static void write_holder(int lock) {
    char host[256] = "", text[300];
    if (gethostname(host, sizeof host - 1) != 0 || !*host) strcpy(host, "unknown");
    int length = snprintf(text, sizeof text, "%s %ld\n", host, (long)getpid());
    if (ftruncate(lock, 0) != 0 || pwrite(lock, text, (size_t)length, 0) != length) return;
}

/* The file stays when the run ends: if it were unlinked, two processes could lock two files of one name. */
int store_folder_try_lock(struct store *store, bool *held, struct error *error) {
    *held = false;
    int status = database_check_folder(&store->database, error);
    if (status != STATUS_OK) return status;
    char *path = store_folder_path(store, "run.lock");
    if (!path) return error_memory(error, (double)strlen(store->dir), "a path");
    store->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    int code = errno;
    free(path);
    if (store->lock < 0) return store_folder_failed(store, code, error);
    if (flock(store->lock, LOCK_EX | LOCK_NB) == 0) {
        write_holder(store->lock);
        return STATUS_OK;
    }
    *held = errno == EWOULDBLOCK;
    if (*held) return STATUS_OK;
    return database_unsupported(&store->database, "file locks", error);
}

int store_folder_lock(struct store *store, struct error *error) {
    bool held;
    char holder[STORE_HOLDER_SIZE];
    int status = store_folder_try_lock(store, &held, error);
    if (status != STATUS_OK || !held) return status;
    store_folder_holder(store, holder);
    return error_set(error, STATUS_INPUT, "%.300s: in use by %s; wait for it or choose another folder with -o",
                     store->dir, holder);
}

void store_folder_unlock(struct store *store) {
    if (store->lock >= 0) close(store->lock);
    store->lock = -1;
}
