#include "search/recipe/machine.h"

#include <omp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "search/base/text.h"

/* The processor's model, as Linux names it; "" where it does not. */
static void read_processor(char *out, size_t size) {
    char line[300];
    FILE *file = fopen("/proc/cpuinfo", "r");
    *out = '\0';
    while (file && !*out && fgets(line, sizeof line, file)) {
        const char *value = strncmp(line, "model name", 10) == 0 ? strchr(line, ':') : NULL;
        if (value)
            snprintf(out, size, "%.*s", (int)strcspn(value + 1 + (value[1] == ' '), "\n"),
                     value + 1 + (value[1] == ' '));
    }
    if (file) fclose(file);
}

void machine_own(int threads, struct machine_record *out) {
    *out = (struct machine_record){.threads = threads > 0 ? threads : omp_get_max_threads()};
    if (gethostname(out->host, sizeof out->host - 1) != 0) snprintf(out->host, sizeof out->host, "unknown");
    read_processor(out->processor, sizeof out->processor);
    text_to_ascii(out->host);
    text_to_ascii(out->processor);
}
