extern "C" {
#include "eval/text/sentencepiece.h"

#include "eval/base/file.h"
#include "eval/text/utf8.h"
}

#include <sentencepiece_processor.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <new>
#include <string>
#include <string_view>
#include <vector>

struct sentencepiece_model {
    sentencepiece::SentencePieceProcessor processor;
};

namespace {

/* ---- protocol buffers, as far as what follows needs them ---- */

enum { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

struct field {
    uint64_t number;
    uint64_t value;         /* of a varint */
    std::string_view bytes; /* of a string or message */
};

bool take_varint(std::string_view &in, uint64_t &out) {
    out = 0;
    for (unsigned shift = 0; shift < 64 && !in.empty(); shift += 7) {
        auto byte = static_cast<unsigned char>(in.front());
        in.remove_prefix(1);
        out |= static_cast<uint64_t>(byte & 0x7f) << shift;
        if (!(byte & 0x80)) return true;
    }
    return false;
}

/* False at the end of `in`, and where it is damaged: then `in` is not empty. */
bool take_field(std::string_view &in, struct field &out) {
    std::string_view rest = in;
    uint64_t key, size = 0;
    if (!take_varint(rest, key)) return false;
    out = {key >> 3, 0, {}};
    switch (key & 7) {
    case WIRE_VARINT:
        if (!take_varint(rest, out.value)) return false;
        break;
    case WIRE_BYTES:
        if (!take_varint(rest, size)) return false;
        break;
    case WIRE_32:
        size = 4;
        break;
    case WIRE_64:
        size = 8;
        break;
    default:
        return false;
    }
    if (size > rest.size()) return false;
    out.bytes = rest.substr(0, size);
    rest.remove_prefix(size);
    in = rest;
    return true;
}

/* ---- what the library would take at its word ---- */

/* Field numbers of sentencepiece_model.proto. */
enum { MODEL_PIECES = 1, MODEL_NORMALIZER = 3, MODEL_DENORMALIZER = 5 };
enum { PIECE_TEXT = 1, PIECE_TYPE = 3, PIECE_USER_DEFINED = 4 };
enum { NORMALIZER_CHARSMAP = 2, NORMALIZER_PREFIX = 3 };

/* Far more than any rules in use have; every unit may be entered as often as it has rules before it. */
enum { MOST_TRIE_BYTES = 1 << 20 };

/* How many matches of one text the library has room for: rules, and pieces defined by users. */
enum { MOST_RULES = 32, MOST_USER_DEFINED = 64 };

/* A unit of a double-array trie as Darts-clone lays it out: where a unit's children are, the byte that
 * leads to it, and whether a value hangs below it. */
bool unit_has_value(uint32_t unit) { return unit >> 8 & 1; }
uint32_t unit_value(uint32_t unit) { return unit & 0x7fffffff; }
uint32_t unit_label(uint32_t unit) { return unit & 0x800000ff; } /* of one that holds a value no byte's */
uint32_t unit_offset(uint32_t unit) { return unit >> 10 << ((unit & 0x200) >> 6); }

/* Where a walk stands: the children's place and the values passed on the way there. */
struct trie_place {
    uint32_t children;
    unsigned values;
};

/* Every walk through the trie stays within it, passes few enough values, and they lie within the
 * `replacements` bytes of text that they point into. Ways may join (equal ends are stored once), so a
 * place is walked on from again where more values lead to it than before. */
bool trie_valid(const std::vector<uint32_t> &units, size_t replacements) {
    std::vector<unsigned char> most(units.size()); /* values passed on the way to a unit, it included, + 1 */
    std::vector<trie_place> places;
    auto enter = [&](uint32_t at, unsigned values) {
        uint32_t children = at ^ unit_offset(units[at]);
        if ((children | 0xff) >= units.size()) return false;
        if (unit_has_value(units[at]) && (unit_value(units[children]) >= replacements || ++values > MOST_RULES))
            return false;
        if (values < most[at]) return true;
        most[at] = static_cast<unsigned char>(values + 1);
        places.push_back({children, values});
        return true;
    };
    if (units.empty() || !enter(0, 0)) return false;
    while (!places.empty()) {
        trie_place place = places.back();
        places.pop_back();
        for (uint32_t byte = 0; byte < 256; byte++) {
            uint32_t at = place.children ^ byte;
            if (unit_label(units[at]) == byte && !enter(at, place.values)) return false;
        }
    }
    return true;
}

/* Precompiled rules: the trie's size in bytes, the trie, and the texts that its values point to, each
 * ended by a zero. None at all is fine. */
bool charsmap_valid(std::string_view rules) {
    if (rules.empty()) return true;
    if (rules.size() < 4) return false;
    auto word = [&](size_t at) {
        uint32_t out = 0;
        for (size_t i = 4; i-- > 0;) out = out << 8 | static_cast<unsigned char>(rules[at + i]);
        return out;
    };
    size_t bytes = word(0);
    if (bytes > MOST_TRIE_BYTES) return false;
    if (bytes % 4 != 0 || bytes >= rules.size() - 4 || rules.back() != '\0') return false;
    std::vector<uint32_t> units(bytes / 4);
    for (size_t i = 0; i < units.size(); i++) units[i] = word(4 + 4 * i);
    return trie_valid(units, rules.size() - 4 - bytes);
}

bool normalizer_valid(std::string_view normalizer) {
    struct field field;
    while (take_field(normalizer, field)) {
        if (field.number == NORMALIZER_CHARSMAP && !charsmap_valid(field.bytes)) return false;
    }
    return normalizer.empty();
}

/* Adds the piece to those defined by users where it is one. */
bool piece_valid(std::string_view piece, std::vector<std::string_view> &user_defined) {
    struct field field;
    std::string_view text;
    bool defined = false;
    while (take_field(piece, field)) {
        if (field.number == PIECE_TEXT) text = field.bytes;
        if (field.number == PIECE_TYPE) defined = field.value == PIECE_USER_DEFINED;
    }
    if (defined) user_defined.push_back(text);
    return piece.empty();
}

/* No text begins with more of them than the library has room for. */
bool user_defined_valid(std::vector<std::string_view> &pieces) {
    std::sort(pieces.begin(), pieces.end());
    std::vector<std::string_view> prefixes; /* each a prefix of the next, the last one of the piece at hand */
    for (std::string_view piece : pieces) {
        while (!prefixes.empty() && piece.substr(0, prefixes.back().size()) != prefixes.back()) prefixes.pop_back();
        prefixes.push_back(piece);
        if (prefixes.size() > MOST_USER_DEFINED) return false;
    }
    return true;
}

bool model_valid(std::string_view model) {
    struct field field;
    std::vector<std::string_view> user_defined;
    while (take_field(model, field)) {
        bool normalizer = field.number == MODEL_NORMALIZER || field.number == MODEL_DENORMALIZER;
        if (normalizer && !normalizer_valid(field.bytes)) return false;
        if (field.number == MODEL_PIECES && !piece_valid(field.bytes, user_defined)) return false;
    }
    return model.empty() && user_defined_valid(user_defined);
}

/* ---- the library, its exceptions caught ---- */

int not_a_model(const char *path, struct error *error) {
    return error_set(error, STATUS_INPUT,
                     "%s: is not a SentencePiece model, or is damaged; download tokenizer.model again, name the "
                     "model's tokenizer.json, or give tokens as .npy files",
                     path);
}

/* Of a message that stands twice, later fields replace earlier ones: add_dummy_prefix = false. */
constexpr char without_prefix[] = {MODEL_NORMALIZER << 3 | WIRE_BYTES, 2, NORMALIZER_PREFIX << 3 | WIRE_VARINT, 0};

int load(const char *path, std::string_view bytes, bool bare, struct sentencepiece_model **out, struct error *error) {
    if (!model_valid(bytes)) return not_a_model(path, error);
    std::string changed;
    if (bare) {
        changed.append(bytes).append(without_prefix, sizeof without_prefix);
        bytes = changed;
    }
    auto *model = new sentencepiece_model;
    sentencepiece::util::Status status;
    try {
        status = model->processor.LoadFromSerializedProto(bytes);
    } catch (...) {
        delete model;
        throw;
    }
    if (!status.ok() || model->processor.GetPieceSize() <= 0) {
        delete model;
        return not_a_model(path, error);
    }
    *out = model;
    return STATUS_OK;
}

int encode(const struct sentencepiece_model *model, const char *name, std::string_view text, int32_t **out,
           int64_t *count, struct error *error) {
    std::vector<int> ids;
    sentencepiece::util::Status status = model->processor.Encode(text, &ids);
    if (!status.ok()) {
        return error_set(error, STATUS_FAILED, "%s: could not be tokenized: %.300s", name, status.ToString().c_str());
    }
    *out = static_cast<int32_t *>(std::calloc(ids.size() + 1, sizeof **out)); /* + 1: may be none */
    if (!*out) throw std::bad_alloc();
    std::copy(ids.begin(), ids.end(), *out);
    *count = static_cast<int64_t>(ids.size());
    return STATUS_OK;
}

int read(const char *path, std::string_view bytes, bool bare, struct sentencepiece_model **out, struct error *error) {
    *out = nullptr;
    try {
        return load(path, bytes, bare, out, error);
    } catch (const std::bad_alloc &) {
        return error_memory(error, static_cast<double>(bytes.size()), path);
    } catch (const std::exception &) {
        return not_a_model(path, error);
    }
}

} // namespace

int sentencepiece_read(const char *path, const void *bytes, size_t size, struct sentencepiece_model **out,
                       struct error *error) {
    return read(path, {static_cast<const char *>(bytes), size}, false, out, error);
}

int sentencepiece_load(const char *path, bool bare, struct sentencepiece_model **out, struct error *error) {
    unsigned char *bytes;
    size_t size;
    *out = nullptr;
    int status = file_read(path, &bytes, &size, error);
    if (status != STATUS_OK) return status;
    status = read(path, {reinterpret_cast<const char *>(bytes), size}, bare, out, error);
    std::free(bytes);
    return status;
}

void sentencepiece_free(struct sentencepiece_model *model) { delete model; }

int32_t sentencepiece_bos(const struct sentencepiece_model *model) { return model->processor.bos_id(); }

int32_t sentencepiece_eos(const struct sentencepiece_model *model) { return model->processor.eos_id(); }

int32_t sentencepiece_unknown(const struct sentencepiece_model *model) { return model->processor.unk_id(); }

int32_t sentencepiece_find(const struct sentencepiece_model *model, const char *piece) {
    int id = model->processor.PieceToId(piece); /* that of the unknown piece where there is none */
    return model->processor.IdToPiece(id) == piece ? id : -1;
}

int sentencepiece_encode(const struct sentencepiece_model *model, const char *name, const char *text, size_t size,
                         int32_t **out, int64_t *count, struct error *error) {
    *out = nullptr;
    *count = 0;
    int status = utf8_check(name, text, size, error);
    if (status != STATUS_OK) return status;
    try {
        return encode(model, name, {text, size}, out, count, error);
    } catch (const std::bad_alloc &) {
        return error_memory(error, static_cast<double>(size), name);
    } catch (const std::exception &failure) {
        return error_set(error, STATUS_FAILED, "%s: could not be tokenized: %.300s", name, failure.what());
    }
}
