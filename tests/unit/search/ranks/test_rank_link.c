/* search/ranks/rank_link: messages, of a process with itself, and what an error of MPI says. MPI is initialised once
 * per process, so each test is a child. */
#include "search/ranks/rank_link.h"

#include "tests/unit/child.h"

static int open_link(struct rank_link *link) {
    struct error error = {""};
    if (rank_link_open(link, &error) == STATUS_OK) return STATUS_OK;
    fprintf(stderr, "%s\n", error.message);
    return STATUS_FAILED;
}

/* 0: what is sent comes, whole and in the order of sending. */
static int talk(void *state, int pipe) {
    struct rank_link link;
    struct error error = {""};
    (void)state, (void)pipe;
    if (open_link(&link) != STATUS_OK) return 10;
    for (size_t size = 0; size < 200000; size = 3 * size + 1) {
        unsigned char *bytes = malloc(size + 1);
        memset(bytes, (int)(size % 251), size + 1);
        if (rank_link_send(&link, 0, (int)(size % 7), bytes, size, &error) != STATUS_OK) return 11;
        free(bytes);
    }
    for (size_t size = 0; size < 200000; size = 3 * size + 1) {
        struct rank_link_message message;
        bool received = false;
        while (!received && rank_link_receive(&link, &message, &received, &error) == STATUS_OK) {}
        const unsigned char *bytes = message.data;
        if (message.from != 0 || message.kind != (int)(size % 7) || message.size != size) return 12;
        for (size_t i = 0; i < size; i++) {
            if (bytes[i] != size % 251) return 13;
        }
    }
    rank_link_close(&link);
    return 0;
}

/* There is no such rank. */
static int fail_to_send(void *state, int pipe) {
    struct rank_link link;
    struct error error = {""};
    (void)state;
    if (dup2(pipe, STDERR_FILENO) < 0 || open_link(&link) != STATUS_OK) return 10;
    rank_link_send(&link, 7, 1, "x", 1, &error);
    return 11;
}

static void messages_come_as_they_were_sent(void **state) {
    char said[2000];
    (void)state;
    assert_int_equal(child_run(talk, NULL, said, sizeof said), 0);
}

static void an_error_names_rank_and_host(void **state) {
    char said[8000], host[64] = "", expected[200];
    int pipe;
    (void)state;
    pid_t child = child_start(fail_to_send, NULL, &pipe);
    child_read_all(pipe, said, sizeof said);
    close(pipe);
    int status = child_wait(child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == STATUS_FAILED);
    assert_int_equal(gethostname(host, sizeof host - 1), 0);
    snprintf(expected, sizeof expected, "longrope: rank 0 on host %s: MPI failed: MPI_ERR_RANK", host);
    if (!strstr(said, expected)) fail_msg("it says '%s'", said);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_come_as_they_were_sent),
        cmocka_unit_test(an_error_names_rank_and_host),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
