#include "eval/text/continuation.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "eval/text/utf8.h"

/* ---- White space ---- */

/* Python's str.isspace(): the bidirectional classes WS, B and S, and the category Zs. */
static bool is_space(uint32_t c) {
    return (c >= 0x09 && c <= 0x0d) || (c >= 0x1c && c <= 0x20) || c == 0x85 || c == 0xa0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

size_t continuation_stripped(const char *text, size_t size) {
    while (size > 0) {
        size_t first = size - 1, bytes;
        while (first > 0 && ((unsigned char)text[first] & 0xc0) == 0x80) first--;
        if (!is_space(utf8_decode(text + first, &bytes))) return size;
        size = first;
    }
    return 0;
}

/* ---- Tokens ---- */

struct token_list {
    int64_t count;
    int32_t *items; /* [count] */
};

/* With BOS and EOS around the text, unless it begins with BOS. */
static int encode_text(const struct tokenizer *tokenizer, const char *name, const char *text, size_t size,
                       struct token_list *out, struct error *error) {
    int32_t *tokens;
    int64_t count;
    int status = tokenizer_encode(tokenizer, name, text, size, &tokens, &count, error);
    if (status != STATUS_OK) return status;
    bool begun = count > 0 && tokens[0] == tokenizer->bos;
    bool bos = tokenizer->bos >= 0 && !begun, eos = tokenizer->eos >= 0 && !begun;
    *out = (struct token_list){.items = malloc(((size_t)count + 2) * sizeof *tokens)};
    if (out->items) {
        if (bos) out->items[out->count++] = tokenizer->bos;
        if (count) memcpy(out->items + out->count, tokens, (size_t)count * sizeof *tokens);
        out->count += count;
        if (eos) out->items[out->count++] = tokenizer->eos;
    } else {
        status = error_memory(error, (double)count * sizeof *tokens, "tokens");
    }
    free(tokens);
    return status;
}

/* The tokens of `context`, then those of `whole` from number context->count on. */
static int join(const char *name, const struct token_list *context, const struct token_list *whole,
                struct continuation *out, struct error *error) {
    if (context->count == 0) {
        return error_set(
            error, STATUS_INPUT,
            "%s: no token precedes the continuation, so its first token has no likelihood: the context has "
            "no token, and this tokenizer begins texts with none; give a context",
            name);
    }
    if (whole->count <= context->count) {
        return error_set(error, STATUS_INPUT,
                         "%s: the tokenizer joins the end of the context with the continuation, which has no token of "
                         "its own; move the end of the context into the continuation",
                         name);
    }
    *out = (struct continuation){.count = whole->count, .scored = whole->count - context->count};
    out->tokens = malloc((size_t)out->count * sizeof *out->tokens);
    if (!out->tokens) return error_memory(error, (double)out->count * sizeof *out->tokens, "tokens");
    memcpy(out->tokens, context->items, (size_t)context->count * sizeof *out->tokens);
    memcpy(out->tokens + context->count, whole->items + context->count, (size_t)out->scored * sizeof *out->tokens);
    return STATUS_OK;
}

/* text[size] continues text[context], which is not empty. */
static int encode_both(const struct tokenizer *tokenizer, const char *name, const char *text, size_t context,
                       struct continuation *out, struct error *error) {
    struct token_list first = {0}, whole = {0};
    size_t stripped = continuation_stripped(text, context);
    int status = encode_text(tokenizer, name, text, stripped, &first, error);
    if (status == STATUS_OK) status = encode_text(tokenizer, name, text, strlen(text), &whole, error);
    if (status == STATUS_OK) status = join(name, &first, &whole, out, error);
    free(first.items), free(whole.items);
    return status;
}

/* BOS is the context. A continuation that begins with BOS gives it away. */
static int encode_alone(const struct tokenizer *tokenizer, const char *name, const char *text, struct continuation *out,
                        struct error *error) {
    struct tokenizer begins = *tokenizer;
    struct token_list whole = {0};
    begins.eos = -1;
    int status = encode_text(&begins, name, text, strlen(text), &whole, error);
    const struct token_list first = {tokenizer->bos >= 0, whole.items};
    if (status == STATUS_OK) status = join(name, &first, &whole, out, error);
    free(whole.items);
    return status;
}

int continuation_encode(const struct tokenizer *tokenizer, const char *name, const char *context,
                        const char *continuation, struct continuation *out, struct error *error) {
    size_t first = strlen(context);
    char *text = NULL;
    *out = (struct continuation){0};
    if (first == 0) return encode_alone(tokenizer, name, continuation, out, error);
    if (asprintf(&text, "%s%s", context, continuation) < 0) return error_memory(error, (double)first, "a text");
    int status = encode_both(tokenizer, name, text, first, out, error);
    free(text);
    return status;
}
