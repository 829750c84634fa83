/* What went wrong: a status and one line of text.
 *
 * Every function of this program that can fail returns a status and takes a `struct error *`,
 * never NULL. On STATUS_OK the error is untouched; on anything else its message is one line,
 * without a newline, that says what is wrong, where, and what to do about it.
 */
#ifndef LONGROPE_EVAL_ERROR_H
#define LONGROPE_EVAL_ERROR_H

/* The values are the exit statuses of the command line. */
enum status {
    STATUS_OK = 0,
    STATUS_FAILED = 1,   /* the machine or the program could not do it: memory, disk, NaN */
    STATUS_INPUT = 2,    /* the command line or a file it named is wrong */
    STATUS_STOPPED = 75, /* a signal asked to stop; what was finished is saved */
};

struct error {
    char message[1024];
};

/* Formats the message and returns `status`, so that a failing function ends in
 * `return error_set(error, STATUS_INPUT, ...)`. Too long a message loses its middle. */
int error_set(struct error *error, int status, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* STATUS_FAILED for memory that could not be allocated: what it was for, and its size; bytes = 0: of unknown size. */
int error_memory(struct error *error, double bytes, const char *what);

#endif
