#include "search/signals.h"

#include <stdbool.h>
#include <stddef.h>

/* A handler has nothing else to write to. */
static volatile sig_atomic_t asked;

static void ask_to_stop(int number) { asked = number; }

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
