#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "eval/model/model.h"
#include "eval/text/documents.h"
#include "search/base/atomic_output.h"
#include "search/base/npy.h"
#include "search/base/output_path.h"
#include "search/base/output_stream.h"
#include "search/base/signals.h"
#include "search/cli/commands.h"
#include "search/cli/options.h"

/* Strings are borrowed from argv. */
struct tokenize_options {
    char *model;     /* NULL: none, and tokens are not checked against a vocabulary */
    char *tokenizer; /* NULL: the model's own */
    struct string_list text;
    char *out;
    bool force;
};

#define AT(field) offsetof(struct tokenize_options, field)

static const struct option_row tokenizer_rows[] = {
    {.name = "model",
     .kind = OPTION_TEXT,
     .word = "DIR|FILE.gguf",
     .offset = AT(model),
     .help = "folder with the config.json of the model that the tokens are for, or its GGUF file; tokens are checked "
             "against its vocabulary"},
    {.name = "tokenizer",
     .kind = OPTION_TEXT,
     .word = "bytes|FILE",
     .offset = AT(tokenizer),
     .help =
         "bytes: one token per byte; else a tokenizer.json, a SentencePiece model or a GGUF (default: the model's: "
         "tokenizer.model or tokenizer.json in DIR, or that of its GGUF; bytes if there is none and the model reads "
         "bytes)"},
};

static const struct option_row file_rows[] = {
    {.name = "text",
     .kind = OPTION_FILES,
     .word = "FILE...",
     .offset = AT(text),
     .required = true,
     .help = "documents as text, UTF-8 unless the tokenizer is bytes"},
    {.name = "out",
     .kind = OPTION_TEXT,
     .word = "PATH",
     .offset = AT(out),
     .required = true,
     .help = "for a single text: the file to write; - is standard output. For several: a folder, made if it does not "
             "exist, that gets NAME.npy for each NAME.txt and FILE.npy for each other FILE. A file is complete or does "
             "not exist"},
    {.name = "force",
     .kind = OPTION_FLAG,
     .offset = AT(force),
     .help = "replaces files that exist, unless the command reads them"},
};

static const struct option_group groups[] = {
    OPTION_GROUP("Tokenizer", tokenizer_rows, 0),
    OPTION_GROUP("Files", file_rows, 0),
};

static const char *const usage[] = {"--model DIR --text FILE... --out PATH [OPTION]...",
                                    "--tokenizer bytes|FILE --text FILE... --out PATH [OPTION]...", NULL};

static const char *const examples[] = {
    "longrope tokenize --model configs/demo/model --text configs/demo/corpus/*.txt --out tokens",
    "longrope eval --model configs/demo/model --tokens tokens/*.npy --length 2048 --method yarn",
    "longrope tokenize --tokenizer MODEL/tokenizer.json --text book.txt --out book.npy", NULL};

static bool is_npy(const char *path) {
    static const char suffix[] = ".npy";
    size_t length = strlen(path);
    return length >= sizeof suffix - 1 && strcmp(path + length - (sizeof suffix - 1), suffix) == 0;
}

static int check(const struct option_table *table, void *options, struct error *error) {
    const struct tokenize_options *o = options;
    if (!o->model && !o->tokenizer) return options_wrong(table, error, "missing --model DIR or --tokenizer bytes|FILE");
    if (o->text.count == 0) return options_wrong(table, error, "missing value: --text FILE...");
    if (o->text.count == 1 || !(is_npy(o->out) || output_path_is_stdout(o->out))) return STATUS_OK;
    return options_wrong(table, error, "--out: %s is a file, and there are %zu texts; name a folder", o->out,
                         o->text.count);
}

static const struct option_table tokenize_option_table = {
    .command = "tokenize",
    .summary = "writes texts as tokens, for --tokens and data.tokens",
    .usage = usage,
    .text = "Writes each text as a one-dimensional .npy array of 4-byte integers: the tokens that eval and search make "
            "of the "
            "text, with those that begin and end a document if the model has them. Prints each file with its number of "
            "tokens.",
    .groups = groups,
    .group_count = sizeof groups / sizeof *groups,
    .examples = examples,
    .stopped = "stopped by a signal; files that were printed are complete",
    .size = sizeof(struct tokenize_options),
    .check = check,
};

struct tokenizing {
    const struct tokenize_options *options;
    struct tokenizer tokenizer;
    int64_t vocabulary; /* 0: unknown */
    char **paths;       /* [texts], to be written */
    bool made;          /* the folder that they lie in */
};

static void tokenizing_close(struct tokenizing *t) {
    for (size_t i = 0; t->paths && i < t->options->text.count; i++) free(t->paths[i]);
    free(t->paths);
    tokenizer_close(&t->tokenizer);
}

/* OUT/NAME.npy for .../NAME.txt and .../NAME. */
static char *path_in(const char *folder, const char *text) {
    static const char suffix[] = ".txt";
    const char *slash = strrchr(text, '/'), *name = slash ? slash + 1 : text;
    size_t length = strlen(name), cut = sizeof suffix - 1;
    char *out;
    if (length > cut && strcmp(name + length - cut, suffix) == 0) length -= cut;
    return asprintf(&out, "%s/%.*s.npy", folder, (int)length, name) < 0 ? NULL : out;
}

static int name_paths(struct tokenizing *t, struct error *error) {
    const struct tokenize_options *o = t->options;
    t->paths = calloc(o->text.count, sizeof *t->paths);
    if (!t->paths) return error_memory(error, (double)o->text.count * sizeof *t->paths, "paths");
    for (size_t i = 0; i < o->text.count; i++) {
        t->paths[i] = o->text.count == 1 ? strdup(o->out) : path_in(o->out, o->text.items[i]);
        if (!t->paths[i]) return error_memory(error, (double)strlen(o->out), "a path");
        for (size_t j = 0; j < i; j++) {
            if (strcmp(t->paths[i], t->paths[j]) != 0) continue;
            return error_set(error, STATUS_INPUT, "%.400s and %.400s would both become %s; tokenize one elsewhere",
                             o->text.items[j], o->text.items[i], strrchr(t->paths[i], '/') + 1);
        }
    }
    return STATUS_OK;
}

/* No file may replace what the command reads. */
static int check_path(const struct tokenizing *t, const char *path, struct error *error) {
    const struct tokenize_options *o = t->options;
    int status = atomic_output_check_file(path, o->force, error);
    if (status == STATUS_OK) status = atomic_output_check_input(path, o->model, error);
    if (status == STATUS_OK) status = atomic_output_check_input(path, o->tokenizer, error);
    for (size_t i = 0; i < o->text.count && status == STATUS_OK; i++) {
        status = atomic_output_check_input(path, o->text.items[i], error);
    }
    return status;
}

/* Of several texts, before the first file is written. */
static int make_folder(struct tokenizing *t, struct error *error) {
    const char *path = t->options->out;
    if (t->options->text.count == 1 || t->made) return STATUS_OK;
    t->made = mkdir(path, 0777) == 0;
    if (t->made || errno == EEXIST) return STATUS_OK;
    return error_set(error, STATUS_FAILED, "%s: could not be made: %s; choose another folder", path, strerror(errno));
}

/* Sets *there, whether the folder of several texts exists; else it can be made, as far as can be told. */
static int check_folder(const char *path, bool *there, struct error *error) {
    struct stat info;
    size_t length = strlen(path);
    *there = stat(path, &info) == 0;
    if (*there ? !S_ISDIR(info.st_mode) : lstat(path, &info) == 0) {
        return error_set(error, STATUS_INPUT, "%s: is not a folder, which several texts require; choose another path",
                         path);
    }
    if (*there) return STATUS_OK;
    while (length > 1 && path[length - 1] == '/') length--;
    char *name = strndup(path, length); /* a slash at the end names no other folder */
    if (!name) return error_memory(error, (double)length, "a path");
    int status = output_path_check_parent(name, error);
    free(name);
    return status;
}

/* Errors that are cheap to find come before texts are read. */
static int check_paths(const struct tokenizing *t, struct error *error) {
    const struct tokenize_options *o = t->options;
    bool there = true;
    int status = o->text.count > 1 ? check_folder(o->out, &there, error) : STATUS_OK;
    for (size_t i = 0; i < o->text.count && there && status == STATUS_OK; i++) {
        status = check_path(t, t->paths[i], error);
    }
    return status;
}

static int open_tokenizer(struct tokenizing *t, struct error *error) {
    const struct tokenize_options *o = t->options;
    struct model_config config;
    int status = o->model ? model_read_config(o->model, &config, error) : STATUS_OK;
    if (status != STATUS_OK) return status;
    if (o->model) t->vocabulary = config.vocabulary;
    return tokenizer_open(o->tokenizer, o->model, t->vocabulary, &t->tokenizer, error);
}

/* Of a single text that is written to standard output, stderr. */
static FILE *notes_of(const struct tokenizing *t) { return output_path_is_stdout(t->options->out) ? stderr : stdout; }

static int write_document(struct tokenizing *t, size_t index, const struct document *document, struct error *error) {
    FILE *out = notes_of(t);
    int status = make_folder(t, error);
    if (status == STATUS_OK) {
        status = npy_write_document(t->paths[index], t->options->force, document->tokens, document->count, error);
    }
    if (status != STATUS_OK) return status;
    fprintf(out, "%s: %" PRId64 " tokens\n", t->paths[index], document->count);
    return output_stream_flush(out, error); /* what is complete is printed, however the command ends */
}

static int write_text(struct tokenizing *t, size_t index, struct error *error) {
    struct documents documents;
    if (*signals_caught()) {
        return error_set(error, STATUS_STOPPED, "stopped by %s; files that were printed are complete", signals_name());
    }
    signals_end_at_once("files that were printed are complete\n"); /* a long text takes a while */
    int status = documents_read_text(&t->options->text.items[index], 1, &t->tokenizer, &documents, error);
    signals_end_at_once(NULL);
    if (status != STATUS_OK) return status;
    if (t->vocabulary) status = documents_check(&documents, t->vocabulary, error);
    if (status == STATUS_OK) status = write_document(t, index, &documents.items[0], error);
    documents_free(&documents);
    return status;
}

static int tokenize(const void *options, struct error *error) {
    struct tokenizing t = {.options = options};
    int status = open_tokenizer(&t, error);
    if (status == STATUS_OK) status = name_paths(&t, error);
    if (status == STATUS_OK) status = output_stream_check(notes_of(&t), error);
    if (status == STATUS_OK) status = check_paths(&t, error);
    for (size_t i = 0; i < t.options->text.count && status == STATUS_OK; i++) status = write_text(&t, i, error);
    if (status != STATUS_OK && t.made) rmdir(t.options->out); /* unless it has files */
    tokenizing_close(&t);
    return status;
}

const struct command tokenize_command = {&tokenize_option_table, tokenize};
