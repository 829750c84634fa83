#include "search/factors/factors_readers.h"

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "search/base/atomic_output.h"
#include "search/base/text.h"

static const char separators[] = ", \t\r"; /* between the numbers of a line */

/* Appends the numbers of a line, which is modified, to factors[*count]. */
static int read_line(const char *source, char *line, double *factors, int64_t *count, struct error *error) {
    char *rest = NULL;
    for (char *word = strtok_r(line, separators, &rest); word; word = strtok_r(NULL, separators, &rest)) {
        double factor;
        if (!text_to_number(word, &factor) || factor <= 0.0) {
            return error_set(error, STATUS_INPUT, "%s: '%.40s' is not a rescale factor, a number above 0", source,
                             word);
        }
        if (*count == ROPE_MAX_PAIRS) {
            return error_set(error, STATUS_INPUT, "%s: contains more than %d numbers; it must have one per rotary pair",
                             source, ROPE_MAX_PAIRS);
        }
        factors[(*count)++] = factor;
    }
    return STATUS_OK;
}

/* Cuts the first line off *text and returns it; NULL at the end. */
static char *next_line(char **text) { return *text ? strsep(text, "\n") : NULL; }

static size_t count_words(const char *line, size_t size) {
    size_t words = 0;
    for (size_t i = 0; i < size; i++) {
        bool word = !memchr(separators, line[i], sizeof separators - 1);
        words += word && (i == 0 || memchr(separators, line[i - 1], sizeof separators - 1));
    }
    return words;
}

/* True for one row per layer: several lines that have the same number of numbers, at least two. */
static bool has_layers(const char *text) {
    size_t lines = 0, width = 0;
    while (*text) {
        size_t size = strcspn(text, "\n"), words = count_words(text, size);
        if (words && lines++ && words != width) return false;
        if (words) width = words;
        text += size + (text[size] == '\n');
    }
    return lines > 1 && width > 1;
}

static bool same(const double *a, const double *b, int64_t count) {
    int64_t i = 0;
    while (i < count && a[i] == b[i]) i++;
    return i == count;
}

/* Engines and this program use one table for all layers, so all rows must be equal. */
static int read_layers(const char *source, char *text, struct factor_entry *entry, struct error *error) {
    int64_t layer = 0;
    for (char *line; (line = next_line(&text));) {
        double factors[ROPE_MAX_PAIRS] = {0.0};
        int64_t count = 0;
        int status = read_line(source, line, factors, &count, error);
        if (status != STATUS_OK) return status;
        if (count == 0) continue;
        if (layer++ == 0) memcpy(entry->factors, factors, sizeof factors), entry->pairs = count;
        if (count == entry->pairs && same(entry->factors, factors, count)) continue;
        return error_set(error, STATUS_INPUT,
                         "%s: row %" PRId64 " differs from the first: factors that differ by layer are not supported; "
                         "write one table as one row, or one number per line",
                         source, layer);
    }
    return STATUS_OK;
}

static int read_table(const char *source, char *text, struct factor_entry *entry, struct error *error) {
    for (char *line; (line = next_line(&text));) {
        int status = read_line(source, line, entry->factors, &entry->pairs, error);
        if (status != STATUS_OK) return status;
    }
    return STATUS_OK;
}

int factors_read_text(const char *source, char *text, struct factor_file *out, struct error *error) {
    struct factor_entry *entry = calloc(1, sizeof *entry);
    if (!entry) return error_memory(error, sizeof *entry, "a factor table");
    out->tables = entry, out->count = 1;
    entry->perplexity = NAN;
    int status = has_layers(text) ? read_layers(source, text, entry, error) : read_table(source, text, entry, error);
    if (status == STATUS_OK && entry->pairs == 0) {
        status = error_set(error, STATUS_INPUT, "%s: contains no rescale factor", source);
    }
    if (status == STATUS_OK) factor_entry_complete(entry);
    return status;
}

struct row {
    const double *numbers;
    int64_t count;
};

static bool write_row(FILE *stream, const void *what) {
    const struct row *row = what;
    bool written = true;
    for (int64_t i = 0; i < row->count && written; i++) {
        char text[TEXT_NUMBER_SIZE];
        text_of_number(row->numbers[i], text);
        written = fprintf(stream, "%s%s", i ? "," : "", text) > 0;
    }
    return written && fputc('\n', stream) != EOF;
}

int factors_write_numbers(const char *path, bool replace, const double *numbers, int64_t count, struct error *error) {
    const struct row row = {numbers, count};
    return atomic_output_write_file(path, replace, write_row, &row, error);
}
