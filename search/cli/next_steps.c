#include "search/cli/next_steps.h"

#include <inttypes.h>
#include <string.h>

#include "eval/model/model.h"
#include "search/base/text.h"
#include "search/run/run_tables.h"

/* "--text OTHER.txt", as the last stage reads text. */
static void print_data(const struct config *config, FILE *out) {
    const struct stage_config *last = &config->stages[config->stage_count - 1];
    if (last->reads_tokens) {
        fputs(" --tokens OTHER.npy", out);
        return;
    }
    fputs(" --text OTHER.txt", out);
    if (!last->tokenizer) return;
    fputs(" --tokenizer ", out);
    text_print_word(out, last->tokenizer);
}

static int64_t longest_of(const struct factor_file *tables) { return tables->tables[tables->count - 1].max_length; }

static void print_eval(const struct config *config, const struct factor_file *tables, const char *model,
                       const char *run_dir, FILE *out) {
    fputs("  longrope eval --model ", out);
    text_print_word(out, model);
    print_data(config, out);
    int64_t length = longest_of(tables), window = tables->original_length;
    fprintf(out, " --length %" PRId64, length < window ? length : window);
    if (length > window) fprintf(out, ",%" PRId64, length);
    if (run_dir) {
        fputs(" --factors ", out);
        text_print_word(out, run_dir);
    } else {
        fputs(" --method none,yarn", out);
    }
    fputc('\n', out);
}

static void print_steps(const struct config *config, const struct factor_file *tables, const char *model,
                        const char *run_dir, FILE *out) {
    bool extends = longest_of(tables) > tables->original_length;
    fprintf(out, "next, evaluate the table on text that was not searched on%s:\n",
            extends ? ", and the closed forms to compare with" : "");
    print_eval(config, tables, model, run_dir, out);
    if (extends) {
        print_eval(config, tables, model, NULL, out);
        fputs("export it (longrope export --help: all formats), and write a page with all results:\n"
              "  longrope export ",
              out);
        text_print_word(out, run_dir);
        fputs(model_is_gguf(model) ? " --format gguf --out NEW.gguf\n" : " --format hf --out NEW_MODEL\n", out);
    } else {
        fputs("and write a page with all results; models and engines take a short table beside a longer one alone:\n",
              out);
    }
    fputs("  longrope report ", out);
    text_print_word(out, run_dir);
    fputs(" -o REPORT.html\n", out);
}

int next_steps_print(struct store *store, const struct config *config, const char *run_dir, FILE *out,
                     struct error *error) {
    struct factor_file tables;
    char model[STORE_PATH_SIZE];
    int status = run_tables_read(store, NULL, &tables, error);
    if (status == STATUS_OK) status = run_tables_model(store, NULL, model, error);
    if (status == STATUS_OK && tables.count) print_steps(config, &tables, model, run_dir, out);
    factors_free(&tables);
    return status;
}
