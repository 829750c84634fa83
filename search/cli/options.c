#include "search/cli/options.h"

#include <stdlib.h>
#include <string.h>

#include "eval/base/name.h"
#include "search/base/text.h"

int option_integer(const char *name, const char *text, int64_t least, int64_t most, int64_t *out, struct error *error) {
    int64_t value;
    if (!text_to_integer(text, &value)) {
        return error_set(error, STATUS_INPUT, "--%s: '%s' is not a whole number", name, text);
    }
    if (value < least || value > most) {
        return error_set(error, STATUS_INPUT, "--%s: %lld is not within %lld..%lld", name, (long long)value,
                         (long long)least, (long long)most);
    }
    *out = value;
    return STATUS_OK;
}

int option_number(const char *name, const char *text, double least, double most, double *out, struct error *error) {
    double value;
    if (!text_to_number(text, &value)) return error_set(error, STATUS_INPUT, "--%s: '%s' is not a number", name, text);
    if (value < least || value > most) {
        return error_set(error, STATUS_INPUT, "--%s: %g is not within %g..%g", name, value, least, most);
    }
    *out = value;
    return STATUS_OK;
}

int option_unknown(char *const *argv, const struct option *known, int answer, struct error *error) {
    const char *given = argv[optind - 1], letter[] = {'-', (char)optopt, '\0'};
    if (strncmp(given, "--", 2) != 0 && optopt) given = letter; /* getopt may not be done with "-xy" */
    if (answer == ':') return error_set(error, STATUS_INPUT, "%s wants a value; see --help", given);
    const char *names[64];
    size_t count = 0;
    while (known[count].name && count < 64) names[count] = known[count].name, count++;
    const char *nearest = strncmp(given, "--", 2) == 0 ? name_nearest(names, count, given + 2) : NULL;
    if (!nearest) return error_set(error, STATUS_INPUT, "unknown option '%s'; see --help", given);
    return error_set(error, STATUS_INPUT, "unknown option '%s' (did you mean '--%s'?)", given, nearest);
}
