/* Any bytes as the tokenizer_config.json beside a tokenizer.model: refused, or a tokenizer whose documents begin and
 * end with a token, or with none. */
#include <string.h>
#include <sys/stat.h>

#include "eval/text/tokenizer.h"
#include "tests/fuzz/memory_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* A BPE model of <unk>, <s> and a. */
static const char model[] = "\n\t\n\5<unk>\30\2"
                            "\n\7\n\3<s>\30\3"
                            "\n\5\n\1a\30\1"
                            "\22\2\30\2";

static void write_file(const char *path, const void *bytes, size_t size) {
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(bytes, 1, size, file) != size || fclose(file) != 0) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    char pieces[96], config[96];
    struct tokenizer tokenizer;
    struct error error = {""};
    snprintf(pieces, sizeof pieces, "%s/tokenizer.model", memory_path());
    snprintf(config, sizeof config, "%s/tokenizer_config.json", memory_path());
    if (mkdir(memory_path(), 0700) != 0) abort();
    write_file(pieces, model, sizeof model - 1);
    write_file(config, bytes, size);
    if (tokenizer_open(NULL, memory_path(), TOKENIZER_BYTE_VOCABULARY, &tokenizer, &error) == STATUS_OK) {
        if (!tokenizer.pieces || tokenizer.bos < -1 || tokenizer.eos < -1) abort();
        tokenizer_close(&tokenizer);
    } else if (!strstr(error.message, "tokenizer_config.json")) {
        abort();
    }
    unlink(config);
    unlink(pieces);
    rmdir(memory_path());
    return 0;
}
