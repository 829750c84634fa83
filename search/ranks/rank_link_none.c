/* For builds without MPI. */
#include <stdlib.h>

#include "search/ranks/rank_link.h"

int rank_link_open(struct rank_link *out, struct error *error) {
    *out = (struct rank_link){.count = 0};
    return error_set(error, STATUS_INPUT,
                     "this process is one of several that a launcher started, and this longrope was built without MPI; "
                     "start a single one, or install MPI (Debian package libopenmpi-dev) and build again");
}

/* Nobody has an open link. */

void rank_link_close(struct rank_link *link) { (void)link; }

void rank_link_abort(const struct rank_link *link, int status) {
    (void)link;
    exit(status);
}

void rank_link_gather(const struct rank_link *link, const void *item, size_t size, void *all) {
    (void)link, (void)item, (void)size, (void)all;
}

void rank_link_gather_node(const struct rank_link *link, const void *item, size_t size, void *all) {
    (void)link, (void)item, (void)size, (void)all;
}

int rank_link_send(struct rank_link *link, size_t to, int kind, const void *data, size_t size, struct error *error) {
    (void)to, (void)kind, (void)data, (void)size;
    return rank_link_open(link, error);
}

bool rank_link_is_idle(struct rank_link *link) {
    (void)link;
    return true;
}

int rank_link_receive(struct rank_link *link, struct rank_link_message *out, bool *received, struct error *error) {
    (void)out;
    *received = false;
    return rank_link_open(link, error);
}
