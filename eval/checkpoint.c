#include "eval/checkpoint.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <omp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <xxhash.h>

#include "eval/base/file.h"
#include "eval/fingerprint.h"

enum {
    FORMAT_VERSION = 1, /* raised when the header or the order of pieces changes */
    CHUNK = 1 << 24     /* bytes that are written and synced, or read, between two looks at the stop flag */
};

/* ---- the file: a header, the pieces, the checksum of the pieces ---- */

/* All that determines the numbers of a pass. */
struct subject {
    uint64_t model;
    uint64_t window[2], table[2];
    char arithmetic[FINGERPRINT_ARITHMETIC + 32];
};

struct header {
    char magic[8];
    uint32_t version, size;
    struct subject subject;
    struct checkpoint_place place;
    uint64_t pieces[CHECKPOINT_PIECES]; /* bytes of each */
    uint64_t checksum;                  /* of all above */
};

_Static_assert(sizeof(struct header) == 16 + sizeof(struct subject) + sizeof(struct checkpoint_place) +
                                            (CHECKPOINT_PIECES + 1) * sizeof(uint64_t),
               "the header has no padding");

static const char magic[8] = {'L', 'R', 'c', 'h', 'e', 'c', 'k', '\n'};

struct trailer {
    uint64_t low, high;
};

static uint64_t header_checksum(const struct header *header) {
    return XXH3_64bits(header, offsetof(struct header, checksum));
}

static struct trailer trailer_of(const XXH3_state_t *hash) {
    XXH128_hash_t value = XXH3_128bits_digest(hash);
    return (struct trailer){value.low64, value.high64};
}

/* ---- the folder ---- */

struct checkpoints {
    struct checkpoints_options options;
    XXH3_state_t *hash;
    uint64_t *kept; /* [count]: keys of finished windows whose results are kept */
    size_t count;
    bool looked; /* for files that nobody uses */
};

struct checkpoint {
    struct checkpoints *folder;
    struct subject subject;
    uint64_t key;
    char *path, *part, *lock; /* owned */
    int locked;               /* descriptor; -1: another process has the window, or there is none yet */
    int found;                /* descriptor of the checkpoint that was found; -1: none */
    uint64_t sizes[CHECKPOINT_PIECES];
    bool exists; /* the file fits, or was written */
};

static int stop_flag(const struct checkpoints *folder) {
    return folder->options.stop ? __atomic_load_n(folder->options.stop, __ATOMIC_RELAXED) : 0;
}

static bool stopped(const struct checkpoints *folder) { return stop_flag(folder) != 0; }

static void tell(const struct checkpoints *folder, double start, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void tell(const struct checkpoints *folder, double start, const char *format, ...) {
    if (!folder->options.tell) return;
    char line[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    folder->options.tell(folder->options.tell_state, start, line);
}

static char *path_of(const struct checkpoints *folder, uint64_t key, const char *kind) {
    char *path = NULL;
    return asprintf(&path, "%s/window-%016" PRIx64 ".%s", folder->options.folder, key, kind) >= 0 ? path : NULL;
}

static int is_stdout(struct error *error) {
    return error_set(error, STATUS_INPUT,
                     "-: checkpoints cannot be written to standard output; name a folder (./- is one of that name)");
}

/* Of a folder that exists, with errno `cause` of making it otherwise. */
static int check_folder(const char *path, int cause, struct error *error) {
    struct stat info;
    if (cause == 0 && stat(path, &info) != 0) cause = errno;
    if (cause == 0 && !S_ISDIR(info.st_mode)) cause = ENOTDIR;
    if (cause == 0) cause = access(path, R_OK) == 0 ? file_folder_code(path) : errno;
    if (cause == 0) return STATUS_OK;
    return error_set(error, STATUS_INPUT, "%s: cannot hold checkpoints: %s; name a folder that can be made or written",
                     path, strerror(cause));
}

int checkpoints_check_folder(const char *path, struct error *error) {
    struct stat info;
    if (strcmp(path, "-") == 0) return is_stdout(error);
    if (lstat(path, &info) == 0 || errno != ENOENT) return check_folder(path, 0, error);
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/') length--;
    char *name = strndup(path, length); /* a '/' at the end names no other folder */
    char *parent = name ? file_folder(name) : NULL;
    bool memory = name && parent;
    int cause = memory ? file_folder_code(parent) : 0;
    free(name), free(parent);
    if (!memory) return error_memory(error, (double)length, "a path");
    return cause ? check_folder(path, cause, error) : STATUS_OK;
}

int checkpoints_open(const struct checkpoints_options *options, struct checkpoints **out, struct error *error) {
    *out = NULL;
    int status = checkpoints_check_folder(options->folder, error);
    if (status != STATUS_OK) return status;
    struct checkpoints *folder = calloc(1, sizeof *folder);
    if (folder) *folder = (struct checkpoints){.options = *options, .hash = XXH3_createState()};
    if (folder && folder->hash) {
        *out = folder;
        return STATUS_OK;
    }
    free(folder);
    return error_memory(error, sizeof *folder, "checkpoints");
}

static void delete_file(const struct checkpoints *folder, uint64_t key) {
    char *path = path_of(folder, key, "checkpoint");
    if (path) unlink(path);
    free(path);
}

void checkpoints_close(struct checkpoints *folder, bool finished) {
    if (!folder) return;
    for (size_t i = 0; finished && i < folder->count; i++) delete_file(folder, folder->kept[i]);
    free(folder->kept);
    XXH3_freeState(folder->hash);
    free(folder);
}

double checkpoints_interval(const struct checkpoints *folder) { return folder->options.interval; }

static bool is_kept(const struct checkpoints *folder, uint64_t key) {
    for (size_t i = 0; i < folder->count; i++) {
        if (folder->kept[i] == key) return true;
    }
    return false;
}

/* False for lack of memory. */
static bool keep(struct checkpoints *folder, uint64_t key) {
    if (is_kept(folder, key)) return true;
    uint64_t *grown = realloc(folder->kept, (folder->count + 1) * sizeof *grown);
    if (!grown) return false;
    folder->kept = grown;
    folder->kept[folder->count++] = key;
    return true;
}

/* ---- locks: of an open file description, so that a process of many threads has them and others can be asked ---- */

static struct flock whole_file(void) { return (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET}; }

/* A file system without locks gets none. */
static bool is_unsupported(int cause) {
    return cause == EINVAL || cause == ENOLCK || cause == ENOSYS || cause == EOPNOTSUPP;
}

/* True if `path` is still the file that is open: the process that had it locked deletes it. */
static bool is_open_at(const char *path, int descriptor) {
    struct stat opened, there;
    return fstat(descriptor, &opened) == 0 && lstat(path, &there) == 0 && opened.st_dev == there.st_dev &&
           opened.st_ino == there.st_ino;
}

static void let_go(struct checkpoint *c) {
    if (c->locked >= 0) close(c->locked);
    c->locked = -1;
}

/* Opens the lock's file. The folder is made when the first window begins: an error before it leaves none. A link is
 * never the file. */
static void open_lock(struct checkpoint *c) {
    const int flags = O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC;
    c->locked = open(c->lock, flags, 0666);
    if (c->locked >= 0 || errno != ENOENT) return;
    if (mkdir(c->folder->options.folder, 0777) == 0 || errno == EEXIST) c->locked = open(c->lock, flags, 0666);
}

/* STATUS_OK without a lock, c->locked < 0: another process has it. */
static int try_lock(struct checkpoint *c, struct error *error) {
    do {
        let_go(c);
        open_lock(c);
        struct flock whole = whole_file();
        if (c->locked < 0) {
            return error_set(error, STATUS_FAILED, "%s: could not be made: %s; choose another folder for checkpoints",
                             c->lock, strerror(errno));
        }
        if (fcntl(c->locked, F_OFD_SETLK, &whole) == 0 || is_unsupported(errno)) continue;
        int cause = errno;
        let_go(c);
        if (cause == EAGAIN || cause == EACCES) return STATUS_OK;
        return error_set(error, STATUS_FAILED, "%s: could not be locked: %s; choose another folder for checkpoints",
                         c->lock, strerror(cause));
    } while (!is_open_at(c->lock, c->locked));
    return STATUS_OK;
}

/* A window that was cancelled ends soon; a file server forgets the locks of a machine that died in a minute or two. */
static int wait_for_lock(struct checkpoint *c, struct error *error) {
    const struct checkpoints *folder = c->folder;
    double began = omp_get_wtime();
    int status = STATUS_OK;
    tell(folder, 0.0, "waits for the process that computes this window: it has locked %s", c->lock);
    while (status == STATUS_OK && c->locked < 0 && omp_get_wtime() - began < folder->options.patience) {
        if (stopped(folder)) return error_set(error, STATUS_STOPPED, "stopped");
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
        status = try_lock(c, error);
    }
    if (status != STATUS_OK || c->locked >= 0) return status;
    tell(folder, 0.0, "%s is still locked: this window goes on and writes no checkpoints", c->lock);
    return STATUS_OK;
}

static int lock(struct checkpoint *c, struct error *error) {
    int status = try_lock(c, error);
    if (status != STATUS_OK || c->locked >= 0) return status;
    if (c->folder->options.patience > 0.0) return wait_for_lock(c, error);
    return error_set(error, STATUS_INPUT,
                     "%s: another process computes this window with its checkpoints there; wait until it ends, or "
                     "choose another folder",
                     c->lock);
}

/* Whether a process has the window of that key. */
static bool is_locked(const struct checkpoints *folder, uint64_t key) {
    char *path = path_of(folder, key, "lock");
    int descriptor = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    struct flock whole = whole_file();
    bool locked = descriptor >= 0 && fcntl(descriptor, F_OFD_GETLK, &whole) == 0 && whole.l_type != F_UNLCK;
    if (descriptor >= 0) close(descriptor);
    free(path);
    return locked;
}

/* ---- beginning and ending ---- */

static struct subject subject_of(XXH3_state_t *hash, const struct checkpoint_subject *of) {
    struct subject subject;
    char arithmetic[FINGERPRINT_ARITHMETIC];
    memset(&subject, 0, sizeof subject);
    XXH128_hash_t window = fingerprint_window(hash, of->tokens, of->count, of->skip);
    XXH128_hash_t table = fingerprint_table(hash, of->table);
    fingerprint_arithmetic(of->model->kernels, arithmetic);
    subject.model = of->model->fingerprint;
    subject.window[0] = window.low64, subject.window[1] = window.high64;
    subject.table[0] = table.low64, subject.table[1] = table.high64;
    snprintf(subject.arithmetic, sizeof subject.arithmetic, "%s, %s angles%s", arithmetic, rope_angles_name(of->angles),
             of->arg_max ? ", arg max" : "");
    return subject;
}

int checkpoint_begin(struct checkpoints *folder, const struct checkpoint_subject *subject, struct checkpoint **out,
                     struct error *error) {
    *out = NULL;
    struct checkpoint *c = calloc(1, sizeof *c);
    if (!c) return error_memory(error, sizeof *c, "a checkpoint");
    *c = (struct checkpoint){.folder = folder, .locked = -1, .found = -1};
    c->subject = subject_of(folder->hash, subject);
    c->key = XXH3_64bits(&c->subject, sizeof c->subject);
    c->path = path_of(folder, c->key, "checkpoint");
    c->part = path_of(folder, c->key, "part");
    c->lock = path_of(folder, c->key, "lock");
    bool made = c->path && c->part && c->lock;
    int status = made ? lock(c, error) : error_memory(error, 0, "the paths of a checkpoint");
    if (status == STATUS_OK) {
        *out = c;
        return STATUS_OK;
    }
    let_go(c);
    checkpoint_end(c);
    return status;
}

void checkpoint_end(struct checkpoint *c) {
    if (!c) return;
    if (c->found >= 0) close(c->found);
    if (c->locked >= 0) {
        if (stop_flag(c->folder) == CHECKPOINTS_FORGET) checkpoint_delete(c);
        unlink(c->part);
        unlink(c->lock);
        close(c->locked);
    }
    free(c->path), free(c->part), free(c->lock);
    free(c);
}

void checkpoint_delete(struct checkpoint *c) {
    if (c->locked >= 0) unlink(c->path);
    c->exists = false;
}

/* ---- reading ---- */

/* 0, or errno of what failed: ENODATA if the file ends early, ECANCELED for the stop flag. */
static int read_chunk(int descriptor, char *out, size_t size) {
    while (size > 0) {
        ssize_t got = read(descriptor, out, size);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return got < 0 ? errno : ENODATA;
        out += got, size -= (size_t)got;
    }
    return 0;
}

static int read_piece(const struct checkpoint *c, const struct checkpoint_piece *piece) {
    int cause = 0;
    for (size_t done = 0; done < piece->size && cause == 0;) {
        size_t size = piece->size - done < CHUNK ? piece->size - done : CHUNK;
        char *at = (char *)piece->data + done;
        cause = stopped(c->folder) ? ECANCELED : read_chunk(c->found, at, size);
        if (cause == 0) XXH3_128bits_update(c->folder->hash, at, size);
        done += size;
    }
    return cause;
}

/* Why a file is no checkpoint that this program reads, or NULL. Reads its header. */
static const char *check_header(int descriptor, struct header *header) {
    struct stat info;
    if (fstat(descriptor, &info) != 0 || !S_ISREG(info.st_mode)) return "is not a regular file";
    int cause = read_chunk(descriptor, (char *)header, sizeof *header);
    if (cause == ENODATA) return "is cut short";
    if (cause != 0) return strerror(cause);
    if (memcmp(header->magic, magic, sizeof magic) != 0) return "is not a checkpoint";
    if (header->version != FORMAT_VERSION || header->size != sizeof *header) {
        return "was written by another version of this program";
    }
    if (header->checksum != header_checksum(header)) return "is corrupt";
    uint64_t rest = (uint64_t)info.st_size - sizeof *header;
    for (int i = 0; i < CHECKPOINT_PIECES; i++) {
        if (header->pieces[i] > rest) return "is cut short";
        rest -= header->pieces[i];
    }
    return rest == sizeof(struct trailer) ? NULL : rest < sizeof(struct trailer) ? "is cut short" : "is too long";
}

static bool is_foreign(const struct subject *own, const struct subject *other) {
    return own->model != other->model || memcmp(own->arithmetic, other->arithmetic, sizeof own->arithmetic) != 0;
}

/* Why a whole checkpoint is not that of `own`, or NULL. */
static const char *compare_subjects(const struct subject *own, const struct subject *other) {
    if (own->model != other->model) return "belongs to another model";
    if (memcmp(own->arithmetic, other->arithmetic, sizeof own->arithmetic) != 0) {
        return "was computed with another arithmetic (kernels, angles or program)";
    }
    if (memcmp(own->window, other->window, sizeof own->window) != 0) return "belongs to another window";
    if (memcmp(own->table, other->table, sizeof own->table) != 0) return "belongs to another RoPE table";
    return NULL;
}

/* One line about the files that this window does not use, no other window of this process used, and no process is
 * working on: somebody expects them to be used. */
struct strays {
    enum checkpoint_strays wanted;
    size_t count;
    char name[NAME_MAX + 1];
    const char *why; /* of the first */
};

static void see_file(const struct checkpoint *c, int folder, const char *name, struct strays *strays) {
    struct header header;
    uint64_t key;
    int end = 0;
    if (sscanf(name, "window-%16" SCNx64 ".checkpoint%n", &key, &end) != 1 || end == 0 || name[end] != '\0') return;
    if (key == c->key || is_kept(c->folder, key) || is_locked(c->folder, key)) return;
    if (strays->count > 0 && strays->wanted == CHECKPOINT_STRAYS_ALL) {
        strays->count++;
        return;
    }
    int descriptor = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    const char *why = descriptor < 0 ? strerror(errno) : check_header(descriptor, &header);
    bool whole = !why, foreign = !whole || is_foreign(&c->subject, &header.subject);
    if (whole) why = compare_subjects(&c->subject, &header.subject);
    if (descriptor >= 0) close(descriptor);
    if (!foreign && strays->wanted == CHECKPOINT_STRAYS_FOREIGN) return;
    if (strays->count++ > 0) return;
    snprintf(strays->name, sizeof strays->name, "%s", name);
    strays->why = why;
}

static void tell_of_strays(struct checkpoint *c) {
    const char *path = c->folder->options.folder;
    struct strays strays = {.wanted = c->folder->options.strays};
    DIR *folder = c->folder->looked || strays.wanted == CHECKPOINT_STRAYS_NONE ? NULL : opendir(path);
    c->folder->looked = true;
    if (!folder) return;
    for (struct dirent *entry; (entry = readdir(folder));) see_file(c, dirfd(folder), entry->d_name, &strays);
    closedir(folder);
    if (strays.count == 0) return;
    tell(c->folder, 0.0, "%s/%s %s and is not used for this window; delete it only if no other window needs it", path,
         strays.name, strays.why ? strays.why : "was renamed");
    if (strays.count > 1) {
        tell(c->folder, 0.0, "%s has %zu more checkpoints that are not used for this window", path, strays.count - 1);
    }
}

static void refuse(struct checkpoint *c, const char *why) {
    tell(c->folder, 0.0, "%s %s and is not used: the window starts at its beginning", c->path, why);
    if (c->found >= 0) close(c->found);
    c->found = -1;
}

bool checkpoint_find(struct checkpoint *c, struct checkpoint_place *place) {
    struct header header;
    c->found = open(c->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (c->found < 0 && errno == ENOENT) {
        tell_of_strays(c);
        return false;
    }
    const char *why = c->found < 0 ? strerror(errno) : check_header(c->found, &header);
    if (!why) why = compare_subjects(&c->subject, &header.subject);
    if (why) {
        refuse(c, why);
        return false;
    }
    *place = header.place;
    memcpy(c->sizes, header.pieces, sizeof c->sizes);
    return true;
}

static const char *read_content(struct checkpoint *c, const struct checkpoint_piece *pieces) {
    int cause = 0;
    for (int i = 0; i < CHECKPOINT_PIECES; i++) {
        if (c->sizes[i] != pieces[i].size) return "is corrupt";
    }
    XXH3_128bits_reset(c->folder->hash);
    for (int i = 0; i < CHECKPOINT_PIECES && cause == 0; i++) cause = read_piece(c, &pieces[i]);
    struct trailer expected = trailer_of(c->folder->hash), stored;
    if (cause == 0) cause = read_chunk(c->found, (char *)&stored, sizeof stored);
    if (cause == ENODATA) return "is cut short";
    if (cause != 0) return strerror(cause);
    return memcmp(&expected, &stored, sizeof stored) == 0 ? NULL : "is corrupt";
}

static void print_place(const struct checkpoint_place *place, char *out, size_t size) {
    int used = place->layer < place->layers
                   ? snprintf(out, size, "layer %" PRId64 " of %" PRId64, place->layer + 1, place->layers)
                   : snprintf(out, size, "the output matrix");
    snprintf(out + used, size - (size_t)used, ", %.0f %% of the window", 100.0 * place->fraction);
}

static bool is_finished(const struct checkpoint_place *place) {
    return place->layer == place->layers && place->left == 0;
}

bool checkpoint_read(struct checkpoint *c, const struct checkpoint_place *place,
                     const struct checkpoint_piece pieces[CHECKPOINT_PIECES]) {
    char at[96];
    const char *why = pieces ? read_content(c, pieces) : "is corrupt";
    if (stopped(c->folder)) return false;
    if (why) {
        refuse(c, why);
        return false;
    }
    close(c->found);
    c->found = -1, c->exists = true;
    print_place(place, at, sizeof at);
    if (is_finished(place)) {
        tell(c->folder, 1.0, "was finished earlier, in %.0f s", place->seconds);
    } else {
        tell(c->folder, place->fraction, "continues at %s, after %.0f s", at, place->seconds);
    }
    return true;
}

/* ---- writing ---- */

/* 0, or errno of what failed. */
static int write_chunk(int descriptor, const char *data, size_t size) {
    while (size > 0) {
        ssize_t put = write(descriptor, data, size);
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) return errno;
        data += put, size -= (size_t)put;
    }
    return 0;
}

/* Syncs as it goes: a process that is asked to stop must not wait until gigabytes are on the disk. */
static int write_piece(const struct checkpoint *c, int descriptor, const struct checkpoint_piece *piece) {
    int cause = 0;
    for (size_t done = 0; done < piece->size && cause == 0;) {
        size_t size = piece->size - done < CHUNK ? piece->size - done : CHUNK;
        const char *at = (const char *)piece->data + done;
        XXH3_128bits_update(c->folder->hash, at, size);
        cause = stopped(c->folder) ? ECANCELED : write_chunk(descriptor, at, size);
        if (cause == 0 && size == CHUNK && fdatasync(descriptor) != 0) cause = errno;
        done += size;
    }
    return cause;
}

static struct header make_header(const struct checkpoint *c, const struct checkpoint_place *place,
                                 const struct checkpoint_piece *pieces) {
    struct header header;
    memset(&header, 0, sizeof header);
    memcpy(header.magic, magic, sizeof magic);
    header.version = FORMAT_VERSION, header.size = sizeof header;
    header.subject = c->subject, header.place = *place;
    for (int i = 0; i < CHECKPOINT_PIECES; i++) header.pieces[i] = pieces[i].size;
    header.checksum = header_checksum(&header);
    return header;
}

static int write_all(const struct checkpoint *c, int descriptor, const struct checkpoint_place *place,
                     const struct checkpoint_piece *pieces) {
    const struct header header = make_header(c, place, pieces);
    int cause = write_chunk(descriptor, (const char *)&header, sizeof header);
    XXH3_128bits_reset(c->folder->hash);
    for (int i = 0; i < CHECKPOINT_PIECES && cause == 0; i++) cause = write_piece(c, descriptor, &pieces[i]);
    struct trailer trailer = trailer_of(c->folder->hash);
    if (cause == 0) cause = write_chunk(descriptor, (const char *)&trailer, sizeof trailer);
    return cause == 0 && fsync(descriptor) != 0 ? errno : cause;
}

/* So that the new name survives a power failure, where the file system supports that. */
static void sync_folder(const char *path) {
    int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) return;
    fsync(folder);
    close(folder);
}

/* 0, or errno of what failed; then the file of before stays. */
static int replace(struct checkpoint *c, const struct checkpoint_place *place, const struct checkpoint_piece *pieces) {
    unlink(c->part); /* that of a process that was killed, or whatever has the name */
    int descriptor = open(c->part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    int cause = descriptor < 0 ? errno : write_all(c, descriptor, place, pieces);
    if (descriptor >= 0 && close(descriptor) != 0 && cause == 0) cause = errno;
    if (cause == 0 && rename(c->part, c->path) != 0) cause = errno;
    if (cause != 0) {
        unlink(c->part);
        return cause;
    }
    sync_folder(c->folder->options.folder);
    c->exists = true;
    return 0;
}

static void print_size(const struct checkpoint_piece *pieces, char *out, size_t size) {
    double bytes = 0.0;
    for (int i = 0; i < CHECKPOINT_PIECES; i++) bytes += (double)pieces[i].size;
    bool large = bytes >= 1 << 30;
    snprintf(out, size, "%.1f %s", bytes / (large ? 1 << 30 : 1 << 20), large ? "GiB" : "MiB");
}

void checkpoint_write(struct checkpoint *c, const struct checkpoint_place *place,
                      const struct checkpoint_piece pieces[CHECKPOINT_PIECES]) {
    char at[96], bytes[32];
    double began = omp_get_wtime();
    if (c->locked < 0) return;
    int cause = replace(c, place, pieces);
    print_place(place, at, sizeof at);
    print_size(pieces, bytes, sizeof bytes);
    if (cause == 0) {
        tell(c->folder, 0.0, "checkpoint at %s: %s in %.1f s", at, bytes, omp_get_wtime() - began);
    } else if (cause != ECANCELED) {
        tell(c->folder, 0.0, "no checkpoint at %s: %s: %s; it takes %s%s; the window goes on", at, c->part,
             strerror(cause), bytes, c->exists ? ", and the one before stays" : "");
    }
}

void checkpoint_finish(struct checkpoint *c, const struct checkpoint_place *place,
                       const struct checkpoint_piece results[CHECKPOINT_PIECES]) {
    if (c->locked < 0) return;
    bool kept = c->exists && c->folder->options.keep && keep(c->folder, c->key);
    if (!kept) {
        checkpoint_delete(c);
    } else {
        replace(c, place, results); /* else the checkpoint of before serves the same purpose, and takes longer */
    }
}
