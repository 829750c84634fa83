#include "search/base/signals.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "eval/base/error.h"

static const struct stop_signal {
    int number;
    const char *name;
    bool once; /* the next one ends the process */
} stop_signals[] = {
    {SIGINT, "SIGINT", true},    {SIGTERM, "SIGTERM", true},      {SIGQUIT, "SIGQUIT", true},
    {SIGHUP, "SIGHUP", false},   {SIGUSR1, "SIGUSR1", false},     {SIGUSR2, "SIGUSR2", false},
    {SIGXCPU, "SIGXCPU", false}, {SIGALRM, "SIGALRM", false},     {SIGPIPE, "SIGPIPE", false},
    {SIGPWR, "SIGPWR", false},   {SIGVTALRM, "SIGVTALRM", false},
};

enum { STOP_SIGNALS = sizeof stop_signals / sizeof *stop_signals };

/* Global state, because a signal handler has no argument for it. */
static volatile sig_atomic_t asked;
static const char *volatile last_words; /* NULL: the handler sets the flag only */

const char *signals_name(void) {
    for (size_t i = 0; i < STOP_SIGNALS; i++) {
        if (stop_signals[i].number == asked) return stop_signals[i].name;
    }
    return "a signal";
}

static void print(const char *text) {
    (void)!write(STDERR_FILENO, text, strlen(text)); /* a failure cannot be reported */
}

static void ask_to_stop(int number) {
    const char *words = last_words;
    asked = number;
    if (!words) return;
    if (*words) {
        print("longrope: stopped by ");
        print(signals_name());
        print("; ");
        print(words);
    }
    _exit(STATUS_STOPPED);
}

void signals_ask_to_stop(int number) {
    if (!asked) ask_to_stop(number);
}

void signals_end_at_once(const char *message) {
    last_words = message;
    if (message && asked) ask_to_stop(asked);
}

static bool is_ignored(int number) {
    struct sigaction action;
    return sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

const volatile sig_atomic_t *signals_caught(void) {
    static bool caught;
    for (size_t i = 0; i < STOP_SIGNALS && !caught; i++) {
        const struct stop_signal *one = &stop_signals[i];
        struct sigaction action = {.sa_handler = ask_to_stop, .sa_flags = SA_RESTART};
        if (one->once) action.sa_flags |= (int)SA_RESETHAND;
        if (one->number != SIGHUP || !is_ignored(SIGHUP)) sigaction(one->number, &action, NULL);
    }
    caught = true;
    return &asked;
}
