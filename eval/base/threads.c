#include "eval/base/threads.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static void *wait_at(void *gate) {
    pthread_mutex_lock(gate);
    pthread_mutex_unlock(gate);
    return NULL;
}

/* Starts threads[count] that run until all are started. Returns the error of the first that cannot be. */
static int start_all(pthread_t *threads, int count) {
    pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
    int started = 0, code = 0;
    pthread_mutex_lock(&gate);
    while (started < count && (code = pthread_create(&threads[started], NULL, wait_at, &gate)) == 0) started++;
    pthread_mutex_unlock(&gate);
    for (int i = 0; i < started; i++) pthread_join(threads[i], NULL);
    pthread_mutex_destroy(&gate);
    return code;
}

int threads_check(int count, struct error *error) {
    static int proven = 1; /* OpenMP keeps its threads: they would be counted twice */
    if (count <= proven) return STATUS_OK;
    pthread_t *threads = calloc((size_t)count, sizeof *threads);
    if (!threads) return error_memory(error, (double)count * sizeof *threads, "threads");
    int code = start_all(threads, count - 1); /* and the one that runs */
    free(threads);
    if (code == 0) proven = count;
    if (code == 0) return STATUS_OK;
    return error_set(error, STATUS_FAILED,
                     "%d threads cannot be started: %s; give fewer with --threads, or raise the limits on processes "
                     "(ulimit -u) and memory (ulimit -v)",
                     count, strerror(code));
}
