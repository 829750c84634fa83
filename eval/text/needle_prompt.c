#include "eval/text/needle_prompt.h"

#include <gsl/gsl_rng.h>
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

/* ---- The forms ---- */

/* "{}" stands for the key. */
struct wording {
    const char *description;      /* the first line; NULL: none */
    const char *const *sentences; /* filler; NULL at the end */
    bool lines;                   /* sentences are drawn, one a line; else all over and over, in one line */
    const char *statement;
    const char *question, *answer;
};

static const char *const published_sentences[] = {"The grass is green.", "The sky is blue.",      "The sun is yellow.",
                                                  "Here we go.",         "There and back again.", NULL};

static const char *const demo_sentences[] = {"The tide goes out and the tide comes in.",
                                             "A cart rolls slowly down the lane.",
                                             "Smoke rises straight from the chimney.",
                                             "The old dog sleeps beside the gate.",
                                             "Rain falls softly on the slate roofs.",
                                             "A bell rings twice across the fields.",
                                             "The miller counts his sacks of flour.",
                                             "Gulls walk about on the wet sand.",
                                             "The baker lights his oven before dawn.",
                                             "Wind moves the long grass on the hill.",
                                             "Two boys throw stones into the pond.",
                                             "The ferry waits at the wooden stairs.",
                                             NULL};

static const struct wording wordings[NEEDLE_FORMS] = {
    [NEEDLE_PUBLISHED] = {.description = "There is an important info hidden inside a lot of irrelevant text. Find it "
                                         "and memorize them. I will quiz you about the important information there.",
                          .sentences = published_sentences,
                          .statement = "The pass key is {}. Remember it. {} is the pass key.",
                          .question = "What is the pass key? The pass key is",
                          .answer = " {}"},
    [NEEDLE_DEMO] = {.sentences = demo_sentences,
                     .lines = true,
                     .statement = "The pass key is {}.",
                     .question = "What is the pass key? The pass key is ",
                     .answer = "{}"},
};

const char *const needle_form_names[NEEDLE_FORMS] = {[NEEDLE_PUBLISHED] = "published", [NEEDLE_DEMO] = "demo"};

const char *needle_form_name(enum needle_form form) { return needle_form_names[form]; }

/* ---- Texts ---- */

static int out_of_memory(int64_t bytes, struct error *error) {
    return error_memory(error, (double)bytes, "a pass-key prompt");
}

static int no_tokens(const char *what, struct error *error) {
    return error_set(error, STATUS_INPUT, "the tokenizer has no tokens for %s; is it the model's own?", what);
}

/* before + text with "{}" replaced by the key + after; the caller frees it, NULL where there is no memory. */
static char *text_join(const char *before, const char *text, const char *key, const char *after) {
    size_t length = 0;
    char *out = NULL;
    FILE *stream = open_memstream(&out, &length);
    if (!stream) return NULL;
    fputs(before, stream);
    for (const char *mark; (mark = strstr(text, "{}")); text = mark + 2) {
        fprintf(stream, "%.*s%s", (int)(mark - text), text, key);
    }
    bool failed = fputs(text, stream) < 0 || fputs(after, stream) < 0;
    if (fclose(stream) == 0 && !failed) return out;
    free(out);
    return NULL;
}

/* A run of tokens. Zeroed is empty. */
struct run {
    int64_t count;
    int32_t *tokens; /* [count] */
};

static bool begins_with(const struct run *run, const struct run *beginning) {
    return run->count >= beginning->count &&
           memcmp(run->tokens, beginning->tokens, (size_t)beginning->count * sizeof *run->tokens) == 0;
}

static int encode(const struct needle_setting *setting, const char *text, struct run *out, struct error *error) {
    return tokenizer_encode(setting->tokenizer, "a pass-key prompt", text, strlen(text), &out->tokens, &out->count,
                            error);
}

/* The tokens of text[1..] behind a line end, with which `text` begins. Where the tokenizer makes one token of the line
 * end and what follows, those of text[1..] alone. */
static int encode_line(const struct needle_setting *setting, const char *text, struct run *out, struct error *error) {
    struct run line_end = {0};
    int status = encode(setting, "\n", &line_end, error);
    if (status == STATUS_OK) status = encode(setting, text, out, error);
    if (status == STATUS_OK && begins_with(out, &line_end)) {
        out->count -= line_end.count;
        memmove(out->tokens, out->tokens + line_end.count, (size_t)out->count * sizeof *out->tokens);
    } else if (status == STATUS_OK) {
        free(out->tokens);
        *out = (struct run){0};
        status = encode(setting, text + 1, out, error);
    }
    free(line_end.tokens);
    return status;
}

/* The tokens of `text`, with its key, behind a line end, followed by `after`. */
static int encode_part(const struct needle_setting *setting, const char *text, const char *key, const char *after,
                       struct run *out, struct error *error) {
    char *line = text_join("\n", text, key, after);
    int status =
        line ? encode_line(setting, line, out, error) : out_of_memory((int64_t)(strlen(text) + strlen(after)), error);
    free(line);
    return status;
}

/* ---- Random numbers ---- */

struct stream {
    gsl_rng rng;
    void *state;
};

/* gsl_rng_alloc() would end the program when memory is short. */
static int stream_open(const struct needle_position *position, struct stream *out, struct error *error) {
    struct {
        uint64_t seed;
        int64_t length, trial;
        double depth;
    } which = {position->seed, position->length, position->trial, position->depth + 0.0}; /* + 0.0: -0.0 is 0 */
    *out = (struct stream){.state = calloc(1, gsl_rng_mt19937->size)};
    if (!out->state) return out_of_memory((int64_t)gsl_rng_mt19937->size, error);
    out->rng = (gsl_rng){.type = gsl_rng_mt19937, .state = out->state};
    gsl_rng_set(&out->rng, (unsigned long)XXH64(&which, sizeof which, 0));
    return STATUS_OK;
}

static int64_t stream_below(struct stream *stream, int64_t bound) {
    return (int64_t)gsl_rng_uniform_int(&stream->rng, (unsigned long)bound);
}

static void draw_key(struct stream *stream, int64_t digits, char *out) {
    for (int64_t d = 0; d < digits; d++)
        out[d] = (char)('0' + (d ? stream_below(stream, 10) : 1 + stream_below(stream, 9)));
    out[digits] = '\0';
}

/* ---- What a prompt is joined of ---- */

struct parts {
    struct run head;      /* BOS and description */
    struct run line_end;  /* that the statement or the question is put behind */
    bool opened, closed;  /* whether the statement is, whether the question is */
    struct run statement; /* the needle, with its line end */
    struct run question;  /* with the answer */
    int64_t answer;       /* tokens of it */
    char key[NEEDLE_MOST_DIGITS + 1];
};

static void parts_free(struct parts *parts) {
    free(parts->head.tokens), free(parts->line_end.tokens), free(parts->statement.tokens), free(parts->question.tokens);
}

static int make_head(const struct needle_setting *setting, struct run *out, struct error *error) {
    const char *description = wordings[setting->form].description;
    struct run line = {0};
    int64_t begin = setting->tokenizer->bos >= 0;
    char *text = text_join("", description ? description : "", "", description ? "\n" : "");
    int status = text ? encode(setting, text, &line, error) : out_of_memory(0, error);
    free(text);
    if (status == STATUS_OK && !(out->tokens = malloc((size_t)(begin + line.count + 1) * sizeof *out->tokens))) {
        status = out_of_memory(line.count, error);
    }
    if (status == STATUS_OK) {
        if (begin) out->tokens[0] = setting->tokenizer->bos;
        memcpy(out->tokens + begin, line.tokens, (size_t)line.count * sizeof *line.tokens);
        out->count = begin + line.count;
    }
    free(line.tokens);
    return status;
}

/* The answer is what the question's tokens with it and without it do not have in common. */
static int make_question(const struct needle_setting *setting, struct parts *out, struct error *error) {
    const struct wording *wording = &wordings[setting->form];
    struct run bare = {0};
    char *answer = text_join("", wording->answer, out->key, "");
    int status = answer ? encode_part(setting, wording->question, "", answer, &out->question, error)
                        : out_of_memory((int64_t)strlen(wording->answer), error);
    free(answer);
    if (status == STATUS_OK) status = encode_part(setting, wording->question, "", "", &bare, error);
    int64_t common = 0;
    while (common < bare.count && common < out->question.count && bare.tokens[common] == out->question.tokens[common]) {
        common++;
    }
    free(bare.tokens);
    out->answer = out->question.count - common;
    return status;
}

/* Keys are told apart by their digits, or not at all. */
static int check_answer(const struct needle_setting *setting, const struct parts *parts, struct error *error) {
    int32_t unknown = tokenizer_unknown(setting->tokenizer);
    bool known = parts->answer > 0;
    for (int64_t t = parts->question.count - parts->answer; t < parts->question.count; t++) {
        known = known && parts->question.tokens[t] != unknown;
    }
    return known ? STATUS_OK : no_tokens("the digits of a pass key", error);
}

static int make_parts(const struct needle_setting *setting, struct parts *out, struct error *error) {
    const struct wording *wording = &wordings[setting->form];
    int status = encode_part(setting, wording->statement, out->key, "\n", &out->statement, error);
    if (status == STATUS_OK) status = make_question(setting, out, error);
    return status == STATUS_OK ? check_answer(setting, out, error) : status;
}

/* ---- Haystacks ---- */

/* Tokens before[] and then after[], with the needle between them. */
struct haystack {
    const int32_t *before, *after;
    int64_t before_count, after_count;
    int32_t *own; /* where they lie, unless borrowed */
};

/* Whether the needle is the last thing before the question. */
static bool at_end(const struct needle_position *position) { return position->depth >= 1.0; }

static int64_t before_needle(const struct needle_position *position, int64_t room) {
    return llround(position->depth * (double)room);
}

/* "\n" and the sentences `times` over, in one line; the caller frees it, NULL where there is no memory. */
static char *repeated(const char *const *sentences, int64_t times) {
    size_t length = 0;
    char *out = NULL;
    FILE *stream = open_memstream(&out, &length);
    if (!stream) return NULL;
    bool failed = fputc('\n', stream) < 0;
    for (int64_t t = 0; t < times; t++) {
        for (const char *const *s = sentences; *s; s++)
            failed |= fprintf(stream, t || s > sentences ? " %s" : "%s", *s) < 0;
    }
    if (fclose(stream) == 0 && !failed) return out;
    free(out);
    return NULL;
}

/* At least `room` tokens of the sentences over and over. */
static int filler_line(const struct needle_setting *setting, int64_t room, struct run *out, struct error *error) {
    int64_t times = 1, before = -1;
    for (;; times *= 2) {
        char *text = repeated(wordings[setting->form].sentences, times);
        int status = text ? encode_line(setting, text, out, error) : out_of_memory(room, error);
        free(text);
        if (status != STATUS_OK || out->count >= room) return status;
        if (out->count <= before) break; /* as many again, and no more tokens */
        before = out->count;
        free(out->tokens);
        *out = (struct run){0};
    }
    return no_tokens("English text", error);
}

static int running_haystack(const struct needle_setting *setting, const struct needle_position *position, int64_t room,
                            struct haystack *out, struct error *error) {
    struct run line = {0};
    int64_t before = before_needle(position, room);
    int status = filler_line(setting, before > room - before ? before : room - before, &line, error);
    *out = (struct haystack){.before = line.tokens,
                             .after = line.tokens,
                             .before_count = before,
                             .after_count = room - before,
                             .own = line.tokens};
    return status;
}

/* Filler sentences as tokens, each a line with its line end. */
enum { MOST_SENTENCES = 16 };
struct sentences {
    int count;
    int64_t longest;
    struct run items[MOST_SENTENCES];
};

static void sentences_free(struct sentences *sentences) {
    for (int s = 0; s < sentences->count; s++) free(sentences->items[s].tokens);
}

static int encode_sentences(const struct needle_setting *setting, struct sentences *out, struct error *error) {
    for (const char *const *text = wordings[setting->form].sentences; *text && out->count < MOST_SENTENCES; text++) {
        struct run *item = &out->items[out->count++];
        int status = encode_part(setting, *text, "", "\n", item, error);
        if (status != STATUS_OK) return status;
        if (item->count > out->longest) out->longest = item->count;
    }
    return STATUS_OK;
}

/* fits[0..most]: whether so many tokens are those of whole sentences. */
static void find_fits(const struct sentences *sentences, int64_t most, bool *fits) {
    fits[0] = true;
    for (int64_t n = 1; n <= most; n++) {
        for (int s = 0; s < sentences->count && !fits[n]; s++) {
            int64_t tokens = sentences->items[s].count;
            fits[n] = tokens > 0 && tokens <= n && fits[n - tokens];
        }
    }
}

/* One of the sentences behind which the rest of `room` can still be filled; there is one. */
static const struct run *draw_sentence(const struct sentences *sentences, const bool *fits, int64_t room,
                                       struct stream *stream) {
    const struct run *possible[MOST_SENTENCES];
    int count = 0;
    for (int s = 0; s < sentences->count; s++) {
        int64_t tokens = sentences->items[s].count;
        if (tokens > 0 && tokens <= room && fits[room - tokens]) possible[count++] = &sentences->items[s];
    }
    return possible[stream_below(stream, count)];
}

/* Between any `longest` numbers of tokens and the next as many there is one that fits: one sentence more than before.
 */
static int check_fit(const bool *fits, const struct needle_position *position, int64_t room, struct error *error) {
    if (fits[room]) return STATUS_OK;
    int64_t less = room, more = room;
    while (!fits[less]) less--;
    while (!fits[more]) more++;
    return error_set(error, STATUS_INPUT,
                     "a prompt of %" PRId64 " tokens cannot be filled with whole sentences; take %" PRId64
                     " or %" PRId64,
                     position->length, position->length - room + less, position->length - room + more);
}

static int drawn_haystack(const struct needle_setting *setting, const struct needle_position *position, int64_t room,
                          struct stream *stream, struct haystack *out, struct error *error) {
    struct sentences sentences = {0};
    int status = encode_sentences(setting, &sentences, error);
    if (status == STATUS_OK && sentences.longest == 0) status = no_tokens("English text", error);
    bool *fits = calloc((size_t)(room + sentences.longest + 1), sizeof *fits);
    int32_t *tokens = calloc((size_t)room + 1, sizeof *tokens);
    if (status == STATUS_OK && (!fits || !tokens)) status = out_of_memory(room * (int64_t)sizeof *tokens, error);
    if (status == STATUS_OK) {
        find_fits(&sentences, room + sentences.longest, fits);
        status = check_fit(fits, position, room, error);
    }
    int64_t wanted = before_needle(position, room), before = 0;
    for (int64_t n = 0; status == STATUS_OK && n < room;) {
        const struct run *sentence = draw_sentence(&sentences, fits, room - n, stream);
        memcpy(tokens + n, sentence->tokens, (size_t)sentence->count * sizeof *tokens);
        n += sentence->count;
        if (n == room && !at_end(position)) break;
        if (llabs(n - wanted) < llabs(before - wanted)) before = n;
    }
    *out = (struct haystack){.before = tokens,
                             .after = tokens + before,
                             .before_count = before,
                             .after_count = room - before,
                             .own = tokens};
    free(fits);
    sentences_free(&sentences);
    return status;
}

/* ---- Prompts ---- */

static int check(const struct needle_setting *setting, const struct needle_position *position, struct error *error) {
    if (setting->digits < 1 || setting->digits > NEEDLE_MOST_DIGITS) {
        return error_set(error, STATUS_INPUT, "the pass key has %" PRId64 " digits; take 1..%d", setting->digits,
                         NEEDLE_MOST_DIGITS);
    }
    if (position->depth >= 0.0 && position->depth <= 1.0) return STATUS_OK;
    return error_set(error, STATUS_INPUT, "the depth of the needle is %g; take 0..1", position->depth);
}

static int add_line_ends(const struct needle_setting *setting, bool opened, bool closed, struct parts *parts,
                         struct error *error) {
    parts->opened = opened;
    parts->closed = closed;
    return encode_part(setting, "", "", "\n", &parts->line_end, error);
}

/* Tokens that are left for the haystack. */
static int find_room(const struct parts *parts, const struct needle_position *position, int64_t *out,
                     struct error *error) {
    int64_t least = parts->head.count + (parts->opened + parts->closed) * parts->line_end.count +
                    parts->statement.count + parts->question.count;
    *out = position->length - least;
    if (*out >= 0) return STATUS_OK;
    return error_set(error, STATUS_INPUT,
                     "a prompt of %" PRId64 " tokens has no room for a pass key and its question; take %" PRId64
                     " or more",
                     position->length, least);
}

static int32_t *put(int32_t *at, const int32_t *tokens, int64_t count) {
    if (count > 0) memcpy(at, tokens, (size_t)count * sizeof *at);
    return at + count;
}

static int join(const struct parts *parts, const struct haystack *haystack, int64_t length, struct needle_prompt *out,
                struct error *error) {
    int32_t *at = out->tokens = calloc((size_t)length + 1, sizeof *out->tokens);
    if (!at) return out_of_memory(length * (int64_t)sizeof *at, error);
    at = put(at, parts->head.tokens, parts->head.count);
    at = put(at, haystack->before, haystack->before_count);
    if (parts->opened) at = put(at, parts->line_end.tokens, parts->line_end.count);
    out->needle = at - out->tokens;
    at = put(at, parts->statement.tokens, parts->statement.count);
    at = put(at, haystack->after, haystack->after_count);
    if (parts->closed) at = put(at, parts->line_end.tokens, parts->line_end.count);
    at = put(at, parts->question.tokens, parts->question.count);
    out->count = at - out->tokens;
    out->answer = parts->answer;
    memcpy(out->key, parts->key, sizeof out->key);
    return STATUS_OK;
}

static int make_filled(const struct needle_setting *setting, const struct needle_position *position,
                       struct stream *stream, struct parts *parts, struct needle_prompt *out, struct error *error) {
    struct haystack haystack = {0};
    int64_t room;
    bool lines = wordings[setting->form].lines;
    int status = make_head(setting, &parts->head, error);
    if (status == STATUS_OK) status = add_line_ends(setting, !lines, !lines || at_end(position), parts, error);
    if (status == STATUS_OK) status = find_room(parts, position, &room, error);
    if (status == STATUS_OK) {
        status = lines ? drawn_haystack(setting, position, room, stream, &haystack, error)
                       : running_haystack(setting, position, room, &haystack, error);
    }
    if (status == STATUS_OK) status = join(parts, &haystack, position->length, out, error);
    free(haystack.own);
    return status;
}

static int make_in_text(const struct needle_setting *setting, const struct needle_position *position,
                        const struct run *text, struct parts *parts, struct needle_prompt *out, struct error *error) {
    int64_t room;
    int status = add_line_ends(setting, true, true, parts, error);
    if (status == STATUS_OK) status = find_room(parts, position, &room, error);
    if (status != STATUS_OK) return status;
    if (room > text->count) {
        return error_set(error, STATUS_INPUT,
                         "a prompt of %" PRId64 " tokens requires a text of %" PRId64
                         " tokens, and this text has %" PRId64,
                         position->length, room, text->count);
    }
    int64_t before = before_needle(position, room);
    bool begun = room > 0 && setting->tokenizer->bos >= 0 && text->tokens[0] == setting->tokenizer->bos;
    if (begun && before == 0) before = 1;
    struct haystack haystack = {
        .before = text->tokens, .after = text->tokens + before, .before_count = before, .after_count = room - before};
    return join(parts, &haystack, position->length, out, error);
}

/* `text` is NULL for filler. */
static int make(const struct needle_setting *setting, const struct needle_position *position, const struct run *text,
                struct needle_prompt *out, struct error *error) {
    struct stream stream = {0};
    struct parts parts = {0};
    *out = (struct needle_prompt){0};
    int status = check(setting, position, error);
    if (status == STATUS_OK) status = stream_open(position, &stream, error);
    if (status == STATUS_OK) {
        draw_key(&stream, setting->digits, parts.key);
        status = make_parts(setting, &parts, error);
    }
    if (status == STATUS_OK) {
        status = text ? make_in_text(setting, position, text, &parts, out, error)
                      : make_filled(setting, position, &stream, &parts, out, error);
    }
    parts_free(&parts);
    free(stream.state);
    return status;
}

int needle_prompt_make(const struct needle_setting *setting, const struct needle_position *position,
                       struct needle_prompt *out, struct error *error) {
    return make(setting, position, NULL, out, error);
}

int needle_prompt_in_text(const struct needle_setting *setting, const struct needle_position *position,
                          const int32_t *text, int64_t count, struct needle_prompt *out, struct error *error) {
    return make(setting, position, &(struct run){count, (int32_t *)text}, out, error);
}

void needle_prompt_free(struct needle_prompt *prompt) {
    free(prompt->tokens);
    *prompt = (struct needle_prompt){0};
}
