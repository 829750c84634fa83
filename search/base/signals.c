#include "search/base/signals.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "eval/base/error.h"

/* Global state, because a signal handler has no argument for it. */
static volatile sig_atomic_t asked;
static const char *volatile last_words; /* NULL: the handler sets the flag only */

static void ask_to_stop(int number) {
    asked = number;
    const char *words = last_words;
    if (!words) return;
    (void)!write(STDERR_FILENO, words, strlen(words)); /* a failure cannot be reported */
    _exit(STATUS_STOPPED);
}

void signals_end_at_once(const char *message) {
    last_words = message;
    if (message && asked) ask_to_stop(asked);
}

const volatile sig_atomic_t *signals_caught(void) {
    static bool caught;
    struct sigaction action = {.sa_handler = ask_to_stop, .sa_flags = SA_RESETHAND | SA_RESTART};
    if (!caught) {
        sigaction(SIGINT, &action, NULL);
        sigaction(SIGTERM, &action, NULL);
    }
    caught = true;
    return &asked;
}
