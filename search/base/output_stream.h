/* Standard output, to which commands print results between hours of computing: an error of writing it is found before
 * the work that follows. Where a file's content goes there, results go to stderr, whose errors are never reported. */
#ifndef LONGROPE_SEARCH_OUTPUT_STREAM_H
#define LONGROPE_SEARCH_OUTPUT_STREAM_H

#include <stdio.h>

#include "eval/base/error.h"

/* Whether results can be written to `out`, as far as can be told before there are any. It writes nothing; at the end of
 * a file it reserves a block. STATUS_FAILED if the stream is closed or has no room; STATUS_STOPPED, as after a SIGPIPE,
 * if its reader has ended. */
int output_stream_check(FILE *out, struct error *error);

/* Writes what is buffered. STATUS_FAILED if that or an earlier write failed. A reader that has ended is no error here:
 * the SIGPIPE asks the program to stop (search/base/signals.h), and what is done is done. */
int output_stream_flush(FILE *out, struct error *error);

#endif
