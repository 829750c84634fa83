/* What is worth a line about a model that was read. Internal to eval/model. */
#ifndef LONGROPE_EVAL_MODEL_NOTES_H
#define LONGROPE_EVAL_MODEL_NOTES_H

#include <stddef.h>

#include "eval/model/model.h"
#include "eval/model/weights.h"

/* Lines that end in newlines, as model_print_notes() says; NULL where there is none or memory is short. `text` is that
 * of config.json, NULL for a GGUF, `stated` its meaning, which the model's differs from where the weights decide. The
 * caller frees it.
 */
char *model_notes_make(const void *text, size_t size, const struct model_config *stated,
                       const struct model_config *model, const struct weights *weights);

#endif
