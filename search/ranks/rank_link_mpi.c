#include <assert.h>
#include <limits.h>
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "search/ranks/rank_link.h"

struct sending {
    MPI_Request request;
    struct sending *next;
    unsigned char data[];
};

struct rank_link_state {
    MPI_Comm node;
    struct sending *sending; /* not known to be on their way */
    void *received;          /* of the last message */
    size_t room;
};

/* Of MPI itself, whose own message names neither this program nor the rank that a user sees. */
/* NOLINTNEXTLINE(readability-non-const-parameter): the type is MPI's */
static void end_with_error(MPI_Comm *comm, int *code, ...) {
    char text[MPI_MAX_ERROR_STRING] = "", host[64] = "";
    int size = 0, rank = -1;
    (void)comm;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Error_string(*code, text, &size);
    if (gethostname(host, sizeof host - 1) != 0) *host = '\0';
    fprintf(stderr, "longrope: rank %d on host %s: MPI failed: %s\n", rank, host, text);
    MPI_Abort(MPI_COMM_WORLD, STATUS_FAILED);
}

/* Communicators that are made of it inherit it. */
static void set_error_handler(void) {
    MPI_Errhandler handler;
    MPI_Comm_create_errhandler(end_with_error, &handler);
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, handler);
    MPI_Errhandler_free(&handler); /* when its last user releases it */
}

int rank_link_open(struct rank_link *out, struct error *error) {
    int provided = 0, rank = 0, count = 1, on_node = 0, of_node = 1;
    *out = (struct rank_link){.state = calloc(1, sizeof *out->state)};
    if (!out->state) return error_memory(error, sizeof *out->state, "messages");
    /* other threads compute, and do not call MPI */
    MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &provided);
    set_error_handler();
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &count);
    MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, rank, MPI_INFO_NULL, &out->state->node);
    MPI_Comm_rank(out->state->node, &on_node);
    MPI_Comm_size(out->state->node, &of_node);
    out->rank = (size_t)rank, out->count = (size_t)count;
    out->on_node = (size_t)on_node, out->of_node = (size_t)of_node;
    return STATUS_OK;
}

void rank_link_close(struct rank_link *link) {
    while (!rank_link_is_idle(link)) {}
    MPI_Comm_free(&link->state->node);
    MPI_Finalize();
    free(link->state->received);
    free(link->state);
    *link = (struct rank_link){.count = 0};
}

void rank_link_abort(const struct rank_link *link, int status) {
    (void)link;
    MPI_Abort(MPI_COMM_WORLD, status);
    exit(status); /* MPI_Abort() does not return, but is not declared so */
}

void rank_link_gather(const struct rank_link *link, const void *item, size_t size, void *all) {
    (void)link;
    MPI_Allgather(item, (int)size, MPI_BYTE, all, (int)size, MPI_BYTE, MPI_COMM_WORLD);
}

void rank_link_gather_node(const struct rank_link *link, const void *item, size_t size, void *all) {
    MPI_Allgather(item, (int)size, MPI_BYTE, all, (int)size, MPI_BYTE, link->state->node);
}

/* ---- messages ---- */

bool rank_link_is_idle(struct rank_link *link) {
    for (struct sending **at = &link->state->sending; *at;) {
        struct sending *one = *at;
        int sent = 0;
        MPI_Test(&one->request, &sent, MPI_STATUS_IGNORE);
        if (!sent) {
            at = &one->next;
            continue;
        }
        *at = one->next;
        free(one);
    }
    return !link->state->sending;
}

/* Kinds are tags; receivers take them in the order of sending all the same. */
int rank_link_send(struct rank_link *link, size_t to, int kind, const void *data, size_t size, struct error *error) {
    assert(size <= INT_MAX);
    struct sending *one = malloc(sizeof *one + size);
    if (!one) return error_memory(error, (double)size, "a message");
    if (size) memcpy(one->data, data, size);
    one->next = link->state->sending;
    link->state->sending = one;
    MPI_Isend(one->data, (int)size, MPI_BYTE, (int)to, kind, MPI_COMM_WORLD, &one->request);
    rank_link_is_idle(link);
    return STATUS_OK;
}

static int make_room(struct rank_link_state *state, size_t size, struct error *error) {
    if (size <= state->room) return STATUS_OK;
    free(state->received);
    state->received = malloc(size);
    state->room = state->received ? size : 0;
    return state->received ? STATUS_OK : error_memory(error, (double)size, "a message");
}

int rank_link_receive(struct rank_link *link, struct rank_link_message *out, bool *received, struct error *error) {
    struct rank_link_state *state = link->state;
    MPI_Status status;
    int there = 0, size = 0;
    *received = false;
    rank_link_is_idle(link);
    MPI_Iprobe(MPI_ANY_SOURCE, MPI_ANY_TAG, MPI_COMM_WORLD, &there, &status);
    if (!there) return STATUS_OK;
    MPI_Get_count(&status, MPI_BYTE, &size);
    int made = make_room(state, (size_t)size, error);
    if (made != STATUS_OK) return made;
    MPI_Recv(state->received, size, MPI_BYTE, status.MPI_SOURCE, status.MPI_TAG, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    *out = (struct rank_link_message){(size_t)status.MPI_SOURCE, status.MPI_TAG, state->received, (size_t)size};
    *received = true;
    return STATUS_OK;
}
