#include "search/store/store_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "eval/base/file.h"
#include "eval/base/trace.h"
#include "search/store/file_system.h"

char *store_folder_path(const struct store *store, const char *name) {
    char *path;
    return asprintf(&path, "%s/%s", store->dir, name) < 0 ? NULL : path;
}

int store_folder_failed(const struct store *store, int code, struct error *error) {
    if (code != ENOTDIR && code != EEXIST) return database_errno(&store->database, code, error);
    return error_set(error, STATUS_INPUT, "%.200s: is not a folder; choose another one with -o", store->dir);
}

/* Whether the folder that `path` lies in exists, as in /proc, and where the working folder was deleted. */
static bool lies_in_folder(const char *path) {
    struct stat info;
    char *folder = file_folder(path);
    bool found = folder && stat(folder, &info) == 0;
    free(folder);
    return found;
}

/* `code` is errno of what was done with the folder, or 0; `odd`: no folder can be made in one that exists. */
static int folder_status(const struct store *store, int code, bool odd, struct error *error) {
    if (odd) {
        return error_set(error, STATUS_INPUT, "%.300s: no folder can be made there; choose another one with -o",
                         store->dir);
    }
    if (code == ENOENT) { /* every other folder of the path was made */
        return error_set(error, STATUS_INPUT,
                         "%.300s: is, or lies behind, a link to a folder that does not exist; make that folder, or "
                         "choose another one with -o",
                         store->dir);
    }
    return code == 0 ? STATUS_OK : store_folder_failed(store, code, error);
}

int store_folder_make(const struct store *store, struct error *error) {
    char *path = strdup(store->dir);
    if (!path) return error_memory(error, (double)strlen(store->dir), "a path");
    int code = 0;
    bool odd = false;
    for (char *c = path; code == 0 && *c; c++) {
        char next = c[1];
        if (next != '/' && next != '\0') continue;
        c[1] = '\0';
        if (mkdir(path, 0777) != 0 && errno != EEXIST) code = errno;
        if (code == ENOENT) odd = lies_in_folder(path);
        c[1] = next;
    }
    struct stat info;
    if (code == 0 && stat(path, &info) != 0) code = errno;
    if (code == 0 && !S_ISDIR(info.st_mode)) code = ENOTDIR;
    free(path);
    return folder_status(store, code, odd, error);
}

/* 0, or errno of making a folder at `path`, where nothing is; *odd: none can be made, whatever the permissions. */
static int code_of_making(const char *path, bool *odd) {
    struct stat info;
    char *folder = file_folder(path);
    int code = !folder ? ENOMEM : access(folder, W_OK | X_OK) != 0 || stat(folder, &info) != 0 ? errno : 0;
    /* it was deleted while it is the working folder, or is in /proc */
    *odd = code == 0 && (info.st_nlink == 0 || file_folder_code(folder) != 0);
    free(folder);
    return code;
}

/* As store_folder_make(), without making any. */
static int check_folders(const struct store *store, struct error *error) {
    char *path = strdup(store->dir);
    if (!path) return error_memory(error, (double)strlen(store->dir), "a path");
    int code = *path ? 0 : ENOENT;
    bool odd = false, there = true;
    for (char *c = path; code == 0 && there && *c; c++) {
        struct stat info;
        char next = c[1];
        if (next != '/' && next != '\0') continue;
        c[1] = '\0';
        if (stat(path, &info) == 0) {
            code = S_ISDIR(info.st_mode) ? 0 : ENOTDIR;
        } else {
            code = errno;
            there = code != ENOENT || lstat(path, &info) == 0;
            if (!there) code = code_of_making(path, &odd);
        }
        c[1] = next;
    }
    free(path);
    return there && code == 0 ? database_check_folder(&store->database, error) : folder_status(store, code, odd, error);
}

int store_folder_sync(const struct store *store, struct error *error) {
    int folder = open(store->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int code = folder < 0 || fsync(folder) != 0 ? errno : 0;
    if (folder >= 0) close(folder);
    /* EINVAL: a file system whose folders cannot be synced */
    return code == 0 || code == EINVAL ? STATUS_OK : store_folder_failed(store, code, error);
}

/* ---- the lock ---- */

enum { HOST_SIZE = 256 };

/* What write_holder() wrote. */
static bool read_holder(int lock, char host[HOST_SIZE], long *process) {
    char text[300] = "";
    if (pread(lock, text, sizeof text - 1, 0) < 0) text[0] = '\0';
    return sscanf(text, "%255s %ld", host, process) == 2;
}

static void name_host(char host[HOST_SIZE]) {
    memset(host, 0, HOST_SIZE);
    if (gethostname(host, HOST_SIZE - 1) != 0 || !*host) strcpy(host, "unknown");
}

void store_folder_holder(const struct store *store, char out[STORE_HOLDER_SIZE]) {
    char host[HOST_SIZE] = "";
    long process = 0;
    if (read_holder(store->lock, host, &process)) {
        snprintf(out, STORE_HOLDER_SIZE, "process %ld on host %s", process, host);
    } else {
        strcpy(out, "another process");
    }
}

/* Only people read it, so a full disk is no error. */
static void write_holder(int lock) {
    char host[HOST_SIZE], text[300];
    name_host(host);
    int length = snprintf(text, sizeof text, "%s %ld\n", host, (long)getpid());
    if (ftruncate(lock, 0) != 0 || pwrite(lock, text, (size_t)length, 0) != length) return;
}

/* ---- a lock where there are none ---- */

/* Touches run.lock while it counts as locked. */
struct store_heart {
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t stopped;
    bool stop;
    int lock;
};

enum { BEAT_SECONDS = 20, DEAD_SECONDS = 90 };

static void *beat(void *state) {
    struct store_heart *heart = state;
    pthread_mutex_lock(&heart->mutex);
    while (!heart->stop) {
        struct timespec next;
        futimens(heart->lock, NULL);
        clock_gettime(CLOCK_REALTIME, &next);
        next.tv_sec += BEAT_SECONDS;
        pthread_cond_timedwait(&heart->stopped, &heart->mutex, &next);
    }
    pthread_mutex_unlock(&heart->mutex);
    return NULL;
}

/* Signals are for the other threads. NULL for lack of memory or threads. */
static struct store_heart *start_heart(int lock) {
    struct store_heart *heart = calloc(1, sizeof *heart);
    sigset_t all, before;
    if (!heart) return NULL;
    heart->lock = lock;
    pthread_mutex_init(&heart->mutex, NULL);
    pthread_cond_init(&heart->stopped, NULL);
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    int failed = pthread_create(&heart->thread, NULL, beat, heart);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!failed) return heart;
    free(heart);
    return NULL;
}

static void stop_heart(struct store_heart *heart) {
    pthread_mutex_lock(&heart->mutex);
    heart->stop = true;
    pthread_cond_signal(&heart->stopped);
    pthread_mutex_unlock(&heart->mutex);
    pthread_join(heart->thread, NULL);
    pthread_cond_destroy(&heart->stopped);
    pthread_mutex_destroy(&heart->mutex);
    free(heart);
}

/* Whether the process that run.lock names is alive, as far as it can be told: one of this host that is gone is not, and
 * a host that is gone touches nothing. */
static bool holder_lives(int lock) {
    char host[HOST_SIZE] = "", here[HOST_SIZE];
    long process = 0;
    struct stat info;
    name_host(here);
    if (!read_holder(lock, host, &process) || fstat(lock, &info) != 0) return false;
    if (time(NULL) - info.st_mtime > DEAD_SECONDS) return false;
    return strcmp(host, here) != 0 || kill((pid_t)process, 0) == 0 || errno == EPERM;
}

static int lock_without_locks(struct store *store, bool *held, struct error *error) {
    *held = holder_lives(store->lock);
    if (*held) return STATUS_OK;
    write_holder(store->lock);
    store->heart = start_heart(store->lock);
    return store->heart
               ? STATUS_OK
               : error_set(
                     error, STATUS_FAILED,
                     "%.300s: a thread that keeps run.lock could not be started; free memory, or raise the limit of "
                     "processes (ulimit -u)",
                     store->dir);
}

/* ---- taking the lock ---- */

/* A reader that asks who searches has the lock for an instant. */
static bool lock_patiently(int lock) {
    enum { TRIES = 20 };
    const struct timespec pause = {.tv_nsec = 5000000};
    for (int i = 0; i < TRIES; i++) {
        if (flock(lock, LOCK_EX | LOCK_NB) == 0) return true;
        if (errno != EWOULDBLOCK) return false;
        nanosleep(&pause, NULL);
    }
    errno = EWOULDBLOCK;
    return false;
}

/* What is no regular file, such as a pipe, holds no lock that counts. */
static int lock_is_no_file(const struct store *store, struct error *error) {
    return error_set(error, STATUS_INPUT, "%.300s/run.lock: is not a file; delete it, or choose another folder with -o",
                     store->dir);
}

int store_folder_check(const struct store *store, struct error *error) {
    int status = check_folders(store, error);
    char *path = store_folder_path(store, "run.lock");
    if (!path) return error_memory(error, (double)strlen(store->dir), "a path");
    struct stat info;
    bool there = lstat(path, &info) == 0;
    bool other = there && (stat(path, &info) != 0 || !S_ISREG(info.st_mode));
    free(path);
    return status == STATUS_OK && other ? lock_is_no_file(store, error) : status;
}

/* Opens run.lock. */
static int open_lock(struct store *store, struct error *error) {
    char *path = store_folder_path(store, "run.lock");
    if (!path) return error_memory(error, (double)strlen(store->dir), "a path");
    struct stat info;
    store->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0666);
    int code = errno;
    bool other = store->lock >= 0 ? fstat(store->lock, &info) == 0 && !S_ISREG(info.st_mode)
                                  : lstat(path, &info) == 0 && !S_ISREG(info.st_mode);
    free(path);
    if (other) return lock_is_no_file(store, error);
    return store->lock >= 0 ? STATUS_OK : store_folder_failed(store, code, error);
}

/* The file stays when the run ends: if it were unlinked, two processes could lock two files of one name. */
int store_folder_try_lock(struct store *store, bool *held, struct error *error) {
    *held = false;
    int status = database_check_folder(&store->database, error);
    if (status == STATUS_OK) status = open_lock(store, error);
    if (status != STATUS_OK) return status;
    if (lock_patiently(store->lock)) {
        write_holder(store->lock);
        return STATUS_OK;
    }
    *held = errno == EWOULDBLOCK;
    if (*held) return STATUS_OK;
    if (file_system_lacks_locks(errno)) return lock_without_locks(store, held, error);
    return store_folder_failed(store, errno, error);
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

static bool began_elsewhere(int lock) {
    char host[HOST_SIZE] = "", here[HOST_SIZE];
    long process;
    name_host(here);
    return read_holder(lock, host, &process) && strcmp(host, here) != 0;
}

bool store_is_searched(const struct store *store) {
    if (store->lock >= 0) return true;
    char *path = store_folder_path(store, "run.lock");
    int lock = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    bool none = path && lock < 0 && errno == ENOENT; /* a search makes the file */
    free(path);
    if (lock < 0) return !none;
    bool held = flock(lock, LOCK_SH | LOCK_NB) != 0;
    if (held && file_system_lacks_locks(errno)) {
        held = holder_lives(lock);
        close(lock);
        return held;
    }
    held = held || (file_system_is_of_hosts(lock) && began_elsewhere(lock));
    close(lock);
    return held;
}

void store_folder_unlock(struct store *store) {
    if (store->heart) {
        stop_heart(store->heart);
        if (ftruncate(store->lock, 0) != 0) TRACE(TRACE_STORE, "%s: run.lock still names this process", store->dir);
    }
    store->heart = NULL;
    if (store->lock >= 0) close(store->lock);
    store->lock = -1;
}
