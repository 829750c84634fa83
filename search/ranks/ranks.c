#include "search/ranks/ranks.h"

#include <gnu/libc-version.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "eval/base/trace.h"
#include "search/base/clock.h"
#include "search/base/signals.h"
#include "search/base/version.h"
#include "search/ranks/cpu_share.h"
#include "search/ranks/launcher.h"
#include "search/ranks/rank_link.h"

/* Seconds that a rank waits for the answer of another one when all are to end. */
static const double patience = 1.5;

/* Kinds of this file, beside RANKS_END. */
enum {
    KIND_FAILED = 1000, /* to rank 0; struct failure */
    KIND_STOPPING,      /* to rank 0: a signal came; int: its number */
    KIND_STOP,          /* to others: likewise */
    KIND_BYE            /* to rank 0: the last message, after RANKS_END */
};

struct failure {
    int status;
    struct error error;
};

/* What every rank says of itself. */
struct introduction {
    char host[64];
    char program[256]; /* version, compiler, C library, machine */
    char command[2048];
};

struct ranks {
    struct rank_link link;
    struct introduction *introductions; /* [count] */
    int threads;
    const volatile sig_atomic_t *stop;
    double asked;        /* when a signal was passed on; 0: none was */
    bool heard;          /* rank 0 knows of it */
    bool ended;          /* RANKS_END came */
    int end_status;      /* with this */
    struct failure kept; /* that ranks_listen() heard of; its status is STATUS_OK if there is none */
};

/* ---- joining ---- */

static void introduce(const char *command, struct introduction *out) {
    struct utsname system;
    memset(out, 0, sizeof *out);
    if (uname(&system) != 0) memset(&system, 0, sizeof system);
    snprintf(out->host, sizeof out->host, "%.63s", system.nodename);
    snprintf(out->program, sizeof out->program, "longrope %.40s, %.80s, glibc %.20s, %.40s", program_version,
             __VERSION__, gnu_get_libc_version(), system.machine);
    snprintf(out->command, sizeof out->command, "%s", command);
}

/* Rank 0 looks for a rank that differs. */
static int compare_introductions(const struct ranks *ranks, struct error *error) {
    const struct introduction *own = &ranks->introductions[0];
    char name[RANKS_NAME_SIZE];
    for (size_t r = 1; r < ranks->link.count && ranks->link.rank == 0; r++) {
        const struct introduction *other = &ranks->introductions[r];
        if (strcmp(own->program, other->program) != 0) {
            return error_set(error, STATUS_INPUT,
                             "%s is another program than rank 0 on host %s: %s instead of %s; results depend on it: "
                             "start the same one everywhere",
                             ranks_name(ranks, r, name), own->host, other->program, own->program);
        }
        if (strcmp(own->command, other->command) != 0) {
            return error_set(error, STATUS_INPUT,
                             "%s was started with '%.300s', and rank 0 on host %s with '%.300s'; all processes that "
                             "one launcher starts work on one command: start other commands on their own",
                             ranks_name(ranks, r, name), other->command, own->host, own->command);
        }
    }
    return STATUS_OK;
}

static int share_processors(struct ranks *ranks, struct error *error) {
    const struct rank_link *link = &ranks->link;
    const struct cpu_share_set own = cpu_share_allowed();
    struct cpu_share_set *all = calloc(link->of_node, sizeof *all);
    if (!all) return error_memory(error, (double)link->of_node * sizeof *all, "the processors of a node");
    rank_link_gather_node(link, &own, sizeof own, all);
    ranks->threads = cpu_share(all, link->of_node, link->on_node);
    free(all);
    return STATUS_OK;
}

static int meet(struct ranks *ranks, const char *command, struct error *error) {
    struct introduction own;
    ranks->introductions = calloc(ranks->link.count, sizeof *ranks->introductions);
    if (!ranks->introductions) return error_memory(error, (double)ranks->link.count * sizeof own, "the other ranks");
    introduce(command, &own);
    rank_link_gather(&ranks->link, &own, sizeof own, ranks->introductions);
    int status = share_processors(ranks, error);
    return status == STATUS_OK ? compare_introductions(ranks, error) : status;
}

/* A launcher and an MPI that do not know each other give every process a world of its own. */
static int lonely(const struct launcher *launcher, struct error *error) {
    return error_set(error, STATUS_INPUT,
                     "a launcher started %" PRId64
                     " processes, and MPI knows of one; start them with the mpirun of the "
                     "MPI that longrope was built with, or with srun --mpi=pmix",
                     launcher->count);
}

int ranks_open(const char *command, struct ranks **out, struct error *error) {
    const struct launcher launcher = launcher_find();
    *out = NULL;
    if (!launcher.several) return STATUS_OK;
    struct ranks *ranks = calloc(1, sizeof *ranks);
    if (!ranks) return error_memory(error, sizeof *ranks, "the other ranks");
    ranks->stop = signals_caught();
    int status = rank_link_open(&ranks->link, error);
    if (status != STATUS_OK) {
        free(ranks);
        return status;
    }
    if (ranks->link.count == 1) {
        rank_link_close(&ranks->link);
        free(ranks);
        return launcher.count > 1 ? lonely(&launcher, error) : STATUS_OK;
    }
    status = meet(ranks, command, error);
    if (status != STATUS_OK) return ranks_end(ranks, status, error);
    TRACE(TRACE_RANKS, "rank %zu of %zu on host %s, %d threads", ranks->link.rank, ranks->link.count,
          ranks_host(ranks, ranks->link.rank), ranks->threads);
    *out = ranks;
    return STATUS_OK;
}

/* ---- who is who ---- */

size_t ranks_index(const struct ranks *ranks) { return ranks ? ranks->link.rank : 0; }
size_t ranks_count(const struct ranks *ranks) { return ranks ? ranks->link.count : 1; }
int ranks_threads(const struct ranks *ranks) { return ranks ? ranks->threads : 0; }
const char *ranks_host(const struct ranks *ranks, size_t rank) { return ranks->introductions[rank].host; }

const char *ranks_name(const struct ranks *ranks, size_t rank, char out[RANKS_NAME_SIZE]) {
    snprintf(out, RANKS_NAME_SIZE, "rank %zu on host %s", rank, ranks_host(ranks, rank));
    return out;
}

void ranks_print(const struct ranks *ranks, const char *what, int threads, FILE *out) {
    int own = threads ? threads : ranks_threads(ranks);
    fprintf(out, "%s on %zu ranks, with %d thread%s on rank 0\n", what, ranks_count(ranks), own, own == 1 ? "" : "s");
}

/* ---- messages ---- */

int ranks_send(struct ranks *ranks, size_t to, int kind, const void *head, size_t head_size, const void *tail,
               size_t tail_size, struct error *error) {
    unsigned char *whole = tail_size ? malloc(head_size + tail_size) : NULL;
    if (!tail_size) return rank_link_send(&ranks->link, to, kind, head, head_size, error);
    if (!whole) return error_memory(error, (double)(head_size + tail_size), "a message");
    memcpy(whole, head, head_size);
    memcpy(whole + head_size, tail, tail_size);
    int status = rank_link_send(&ranks->link, to, kind, whole, head_size + tail_size, error);
    free(whole);
    return status;
}

int ranks_send_all(struct ranks *ranks, int kind, const void *data, size_t size, struct error *error) {
    int status = STATUS_OK;
    for (size_t r = 1; r < ranks->link.count && status == STATUS_OK; r++) {
        status = rank_link_send(&ranks->link, r, kind, data, size, error);
    }
    return status;
}

/* Tells of a signal, once. A rank whose signal rank 0 does not hear of ends everything: there is nothing to lose. */
static int pass_signal_on(struct ranks *ranks, struct error *error) {
    const int number = *ranks->stop;
    if (!number) return STATUS_OK;
    bool first = ranks->asked == 0.0;
    if (first) ranks->asked = clock_seconds();
    if (ranks->link.rank == 0)
        return first ? ranks_send_all(ranks, KIND_STOP, &number, sizeof number, error) : STATUS_OK;
    if (ranks->heard || ranks->ended) return STATUS_OK;
    if (first) return rank_link_send(&ranks->link, 0, KIND_STOPPING, &number, sizeof number, error);
    if (clock_seconds() - ranks->asked > patience) rank_link_abort(&ranks->link, STATUS_STOPPED);
    return STATUS_OK;
}

static int integer_of(const struct rank_link_message *message) {
    return message->size == sizeof(int) ? *(const int *)message->data : 0;
}

static int take_failure(const struct ranks *ranks, const struct rank_link_message *message, struct error *error) {
    const struct failure *failure = message->data;
    char name[RANKS_NAME_SIZE];
    if (message->size != sizeof *failure) return error_set(error, STATUS_FAILED, "a message of another size came");
    return error_set(error, failure->status, "%s: %s", ranks_name(ranks, message->from, name), failure->error.message);
}

/* A message of this file; *own is false if it is its caller's. */
static int take_own(struct ranks *ranks, const struct rank_link_message *message, bool *own, struct error *error) {
    *own = true;
    switch (message->kind) {
    case KIND_FAILED:
        return take_failure(ranks, message, error);
    case KIND_STOP:
        ranks->heard = true;
        /* fall through */
    case KIND_STOPPING:
        signals_ask_to_stop(integer_of(message));
        return STATUS_OK;
    case KIND_BYE:
        return STATUS_OK;
    case RANKS_END:
        ranks->ended = true;
        ranks->end_status = integer_of(message);
        break;
    }
    *own = false;
    return STATUS_OK;
}

int ranks_receive(struct ranks *ranks, struct ranks_message *out, bool *received, struct error *error) {
    struct rank_link_message message;
    bool own = true;
    *received = true;
    int status = ranks->kept.status;
    if (status != STATUS_OK) *error = ranks->kept.error;
    while (status == STATUS_OK && own && *received) {
        status = rank_link_receive(&ranks->link, &message, received, error);
        if (status == STATUS_OK && *received) status = take_own(ranks, &message, &own, error);
    }
    if (status == STATUS_OK) status = pass_signal_on(ranks, error);
    if (status != STATUS_OK || !*received) return status;
    *out = (struct ranks_message){message.from, message.kind, message.data, message.size};
    return STATUS_OK;
}

static void wait_a_little(void) { nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL); }

int ranks_wait(struct ranks *ranks, struct ranks_message *out, struct error *error) {
    for (bool received = false;;) {
        int status = ranks_receive(ranks, out, &received, error);
        if (status != STATUS_OK || received) return status;
        if (ranks->link.rank == 0 && *ranks->stop) return error_set(error, STATUS_STOPPED, "stopped");
        wait_a_little();
    }
}

void ranks_listen(struct ranks *ranks) {
    struct ranks_message message;
    bool received = false;
    if (ranks) ranks->kept.status = ranks_receive(ranks, &message, &received, &ranks->kept.error);
}

/* ---- ending ---- */

/* Waits for the last message of every other rank; false if one is missing when patience ends. After a search that is
 * done all of them listen. */
static bool all_said_bye(struct ranks *ranks, bool done) {
    double began = clock_seconds();
    size_t missing = ranks->link.count - 1;
    while (missing > 0 && (done || clock_seconds() - began < patience)) {
        struct rank_link_message message;
        struct error ignored;
        bool received = false;
        if (rank_link_receive(&ranks->link, &message, &received, &ignored) != STATUS_OK) return false;
        if (!received) wait_a_little();
        missing -= received && message.kind == KIND_BYE;
    }
    return missing == 0;
}

/* Says what there is to say first: a launcher may kill the other ranks as soon as one has ended. */
static int end_all(struct ranks *ranks, int status, struct error *error) {
    struct error ignored;
    if (status != STATUS_OK) fprintf(stderr, "longrope: %s\n", error->message);
    error->message[0] = '\0';
    fflush(NULL);
    bool sent = ranks_send_all(ranks, RANKS_END, &status, sizeof status, &ignored) == STATUS_OK;
    if (sent && all_said_bye(ranks, status == STATUS_OK)) return status;
    rank_link_abort(&ranks->link, status);
}

/* A rank whose end rank 0 did not ask for failed, and says why. */
static int end_one(struct ranks *ranks, int status, struct error *error) {
    struct failure failure = {.status = status, .error = *error};
    struct ranks_message message;
    struct error ignored;
    int sent = STATUS_OK;
    if (!ranks->ended) sent = rank_link_send(&ranks->link, 0, KIND_FAILED, &failure, sizeof failure, &ignored);
    while (sent == STATUS_OK && !ranks->ended) sent = ranks_wait(ranks, &message, &ignored);
    if (sent == STATUS_OK) sent = rank_link_send(&ranks->link, 0, KIND_BYE, NULL, 0, &ignored);
    if (sent != STATUS_OK) rank_link_abort(&ranks->link, STATUS_FAILED);
    error->message[0] = '\0';
    return ranks->end_status;
}

int ranks_end(struct ranks *ranks, int status, struct error *error) {
    if (!ranks) return status;
    status = ranks->link.rank == 0 ? end_all(ranks, status, error) : end_one(ranks, status, error);
    rank_link_close(&ranks->link);
    free(ranks->introductions);
    free(ranks);
    return status;
}
