/* Windows of text that a search does not use. */
#ifndef LONGROPE_EVAL_TEXT_HELD_OUT_H
#define LONGROPE_EVAL_TEXT_HELD_OUT_H

#include <stddef.h>
#include <stdint.h>

#include "eval/base/error.h"
#include "eval/text/documents.h"

/* Chooses at most `wanted` windows of `length` tokens, nothing skipped, that share no token with used[used_count] nor
 * with each other: of documents that have no used window or, where none of these is long enough, of the text between
 * and behind used windows, as far from the window before as there is room. They are spread evenly, as windows_choose()
 * does. *count is 0, and *out NULL, where no text is left. STATUS_FAILED for lack of memory. The caller frees *out with
 * free(). */
int windows_hold_out(const struct documents *documents, int64_t length, const struct window *used, size_t used_count,
                     size_t wanted, struct window **out, size_t *count, struct error *error);

#endif
