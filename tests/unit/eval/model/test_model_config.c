/* eval/model/model_config, model_rope: what is read from config.json, and what is refused by name. */
#include "tests/unit/scratch.h"

#include <jansson.h>
#include <math.h>
#include <stdbool.h>

#include "eval/model/model_config.h"

/* ---- Configurations ---- */

/* 3 query heads of 8 on 1 key/value head; 4 rotary pairs. */
static const char base[] = "{\"model_type\": \"llama\", \"vocab_size\": 11, \"hidden_size\": 10,"
                           " \"intermediate_size\": 14, \"num_hidden_layers\": 2, \"num_attention_heads\": 3,"
                           " \"num_key_value_heads\": 1, \"head_dim\": 8, \"max_position_embeddings\": 64,"
                           " \"rms_norm_eps\": 1e-5, \"rope_theta\": 500000, \"pretraining_tp\": 2,"
                           " \"hidden_act\": \"silu\", \"architectures\": [\"LlamaForCausalLM\"]}";

/* The text of `base` with the keys of `edit` set; a key whose value is "REMOVE" is taken out. The
 * caller frees it. */
static char *edited(const char *edit) {
    json_error_t reason;
    json_t *config = json_loads(base, 0, &reason), *changes = json_loads(edit, 0, &reason);
    if (!config || !changes) fail_msg("%s: %s", edit, reason.text);
    const char *key;
    json_t *value;
    json_object_foreach(changes, key, value) {
        const char *text = json_string_value(value);
        if (text && strcmp(text, "REMOVE") == 0) {
            assert_int_equal(json_object_del(config, key), 0);
        } else {
            assert_int_equal(json_object_set(config, key, value), 0);
        }
    }
    char *text = json_dumps(config, 0);
    assert_non_null(text);
    json_decref(config);
    json_decref(changes);
    return text;
}

static int parse(const char *edit, struct model_config *out, struct error *error) {
    char *text = edited(edit);
    int status = model_config_parse("config.json", text, strlen(text), out, error);
    free(text);
    return status;
}

static struct model_config accept(const char *edit) {
    struct model_config config;
    struct error error;
    memset(&config, 0x55, sizeof config);
    if (parse(edit, &config, &error) != STATUS_OK) fail_msg("%s", error.message);
    return config;
}

static void refuse(const char *edit, const char *words) {
    struct model_config config;
    struct error error = {""};
    int status = parse(edit, &config, &error);
    if (status == STATUS_OK) fail_msg("not refused: %s", edit);
    assert_int_equal(status, STATUS_INPUT);
    assert_message(error.message, "config.json");
    assert_message(error.message, words);
}

static void refuse_all(const char *const cases[][2], size_t count) {
    for (size_t i = 0; i < count; i++) refuse(cases[i][0], cases[i][1]);
}

#define REFUSE_ALL(cases) refuse_all(cases, sizeof(cases) / sizeof *(cases))

#define LISTS "\"short_factor\": [1, 1, 1, 1], \"long_factor\": [1, 2, 3, 4]"

/* ---- Sizes and flags ---- */

static void reads_every_key(void **state) {
    (void)state;
    struct model_config config = accept("{}");
    assert_string_equal(config.family, "llama");
    assert_int_equal(config.vocabulary, 11);
    assert_int_equal(config.hidden, 10);
    assert_int_equal(config.intermediate, 14);
    assert_int_equal(config.layers, 2);
    assert_int_equal(config.heads, 3);
    assert_int_equal(config.kv_heads, 1);
    assert_int_equal(config.head_width, 8);
    assert_int_equal(config.window, 64);
    assert_int_equal(config.sliding_window, 0);
    assert_int_equal(config.rope.pairs, 4);
    assert_int_equal(config.rope.type, ROPE_TYPE_DEFAULT);
    assert_true(config.rope.theta == 500000);
    assert_true(config.norm_eps == 1e-5);
    assert_false(config.tied_embeddings || config.qkv_bias || config.output_bias || config.mlp_bias);
    assert_false(config.head_norms);
}

/* What transformers' configuration classes say where config.json is silent, and where it says null. */
static void fills_in_each_familys_defaults(void **state) {
    (void)state;
    static const struct {
        const char *family;
        int64_t absent_kv, absent_width, absent_window; /* 32 heads, 64 wide */
        double eps;
        bool qkv_bias, head_norms;
    } cases[] = {
        {"llama", 32, 2, 0, 1e-6, false, false},  {"mistral", 8, 2, 4096, 1e-6, false, false},
        {"qwen2", 32, 2, 0, 1e-6, true, false},   {"qwen3", 32, 128, 0, 1e-6, false, true},
        {"phi3", 32, 2, 0, 1e-5, false, false},   {"smollm3", 4, 2, 0, 1e-6, false, false},
        {"olmo2", 32, 2, 0, 1e-5, false, false},  {"qwen3_moe", 4, 2, 0, 1e-6, false, true},
        {"mixtral", 8, 2, 0, 1e-5, false, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char edit[512];
        static const char rest[] = "\"num_attention_heads\": 32, \"hidden_size\": 64, \"rope_theta\": \"REMOVE\","
                                   " \"rms_norm_eps\": \"REMOVE\"";
        snprintf(edit, sizeof edit,
                 "{\"model_type\": \"%s\", \"num_key_value_heads\": \"REMOVE\", \"head_dim\": \"REMOVE\", %s}",
                 cases[i].family, rest);
        struct model_config config = accept(edit);
        assert_int_equal(config.kv_heads, cases[i].absent_kv);
        assert_int_equal(config.head_width, cases[i].absent_width);
        assert_int_equal(config.sliding_window, cases[i].absent_window);
        assert_int_equal(config.rope.pairs, cases[i].absent_width / 2);
        assert_true(config.norm_eps == cases[i].eps);
        bool smollm3 = strcmp(cases[i].family, "smollm3") == 0;
        bool mixtral = strcmp(cases[i].family, "mixtral") == 0;
        assert_true(config.rope.theta == (smollm3 ? 2e6 : mixtral ? 1e6 : 10000));
        assert_int_equal(config.qkv_bias, cases[i].qkv_bias);
        assert_int_equal(config.head_norms, cases[i].head_norms);
        assert_false(config.output_bias || config.mlp_bias);
        assert_int_equal(config.tied_embeddings, smollm3);

        snprintf(edit, sizeof edit,
                 "{\"model_type\": \"%s\", \"num_key_value_heads\": null, \"head_dim\": null,"
                 " \"sliding_window\": null, %s}",
                 cases[i].family, rest);
        config = accept(edit);
        assert_int_equal(config.kv_heads, 32);
        assert_int_equal(config.head_width, 2);
        assert_int_equal(config.sliding_window, 0);
    }
}

static void reads_flags(void **state) {
    (void)state;
    struct model_config config = accept("{\"tie_word_embeddings\": true}");
    assert_true(config.tied_embeddings);
    config = accept("{\"attention_bias\": true}");
    assert_true(config.qkv_bias && config.output_bias && !config.mlp_bias);
    config = accept("{\"mlp_bias\": true}");
    assert_true(!config.qkv_bias && !config.output_bias && config.mlp_bias);
    config = accept("{\"model_type\": \"qwen3\", \"attention_bias\": true}");
    assert_true(config.qkv_bias && config.output_bias && config.head_norms);
    config = accept("{\"model_type\": \"olmo2\", \"attention_bias\": true}");
    assert_true(config.qkv_bias && config.output_bias && config.whole_norms && !config.head_norms);
    config = accept("{\"model_type\": \"qwen2\"}");
    assert_true(config.qkv_bias && !config.output_bias && !config.head_norms);
}

static void reads_sliding_windows(void **state) {
    (void)state;
    static const char *const mixed = "\"full_attention\", \"sliding_attention\"";
    char edit[256];
    for (int i = 0; i < 2; i++) {
        const char *family = i ? "phi3" : "mistral";
        snprintf(edit, sizeof edit, "{\"model_type\": \"%s\", \"sliding_window\": 17}", family);
        assert_int_equal(accept(edit).sliding_window, 17);
        snprintf(edit, sizeof edit, "{\"model_type\": \"%s\", \"sliding_window\": 0}", family);
        refuse(edit, "sliding_window");
        snprintf(edit, sizeof edit, "{\"model_type\": \"%s\", \"sliding_window\": -3}", family);
        refuse(edit, "sliding_window is -3");
        snprintf(edit, sizeof edit, "{\"model_type\": \"%s\", \"sliding_window\": 1e3}", family);
        refuse(edit, "sliding_window is 1000.0, not an integer");
        snprintf(edit, sizeof edit, "{\"model_type\": \"%s\", \"sliding_window\": 17, \"layer_types\": [%s]}", family,
                 mixed);
        refuse(edit, "layer_types: layer 0 is \"full_attention\"|\"sliding_attention\"");
    }
    static const char *const sizes = "\"use_sliding_window\": false, \"sliding_window\": 32, \"max_window_layers\": 1";
    snprintf(edit, sizeof edit, "{\"model_type\": \"qwen2\", %s}", sizes);
    assert_int_equal(accept(edit).sliding_window, 0);
    snprintf(edit, sizeof edit, "{\"model_type\": \"qwen3\", %s}", sizes);
    assert_int_equal(accept(edit).sliding_window, 0);
    accept("{\"model_type\": \"qwen3\", \"layer_types\": [\"full_attention\", \"full_attention\"]}");
    accept("{\"model_type\": \"mistral\", \"sliding_window\": 9,"
           " \"layer_types\": [\"sliding_attention\", \"sliding_attention\"]}");
}

/* ---- Kinds of layers ---- */

#define SMOLLM3 "{\"model_type\": \"smollm3\", \"num_hidden_layers\": 5, "

/* The kinds of the first `count` layers; those that are not there have none. */
static void assert_kinds(const struct model_config *config, const uint8_t *kinds, int64_t count) {
    assert_int_equal(config->layers, count);
    for (int64_t l = 0; l < MODEL_MAX_LAYERS; l++) assert_int_equal(config->layer_kinds[l], l < count ? kinds[l] : 0);
}

static void reads_layers_that_are_not_rotated(void **state) {
    (void)state;
    enum { NOT = LAYER_NOT_ROTATED, ALL = LAYER_SEES_ALL };
    static const struct {
        const char *edit;
        uint8_t kinds[5];
        int64_t window, searched;
    } cases[] = {
        {SMOLLM3 "\"rope_scaling\": null}", {0, 0, 0, NOT, 0}, 0, 4},
        {SMOLLM3 "\"no_rope_layers\": null, \"no_rope_layer_interval\": 2}", {0, NOT, 0, NOT, 0}, 0, 3},
        {SMOLLM3 "\"no_rope_layers\": [1, 0, true, false, 1, 0], \"no_rope_layer_interval\": 2}",
         {0, NOT, 0, NOT, 0},
         0,
         3},
        {SMOLLM3 "\"use_sliding_window\": false, \"sliding_window\": 7}", {0, 0, 0, NOT, 0}, 0, 4},
        {SMOLLM3 "\"use_sliding_window\": true, \"sliding_window\": null}", {0, 0, 0, NOT, 0}, 0, 4},
        {SMOLLM3 "\"use_sliding_window\": true, \"sliding_window\": 7}", {ALL, ALL, ALL, NOT, ALL}, 7, 4},
        {SMOLLM3 "\"use_sliding_window\": true, \"sliding_window\": 7, \"layer_types\": [\"sliding_attention\","
                 " \"full_attention\", \"full_attention\", \"full_attention\", \"sliding_attention\"]}",
         {0, ALL, ALL, NOT | ALL, 0},
         7,
         4},
        {SMOLLM3 "\"use_sliding_window\": true, \"sliding_window\": 7, \"layer_types\": [\"full_attention\","
                 " \"full_attention\", \"full_attention\", \"full_attention\", \"full_attention\"]}",
         {0, 0, 0, NOT, 0},
         0,
         4},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct model_config config = accept(cases[i].edit);
        assert_kinds(&config, cases[i].kinds, 5);
        assert_int_equal(config.sliding_window, cases[i].window);
        assert_int_equal(model_searched_layers(&config), cases[i].searched);
        assert_int_equal(model_searched_window(&config), 0);
    }
    struct model_config config = accept(cases[6].edit);
    assert_int_equal(model_layer_window(&config, 0), 7);
    assert_int_equal(model_layer_window(&config, 3), 0);
    assert_true(model_layer_is_searched(&config, 0) && !model_layer_is_searched(&config, 3));
}

#define GEMMA3 "{\"model_type\": \"gemma3_text\", \"num_hidden_layers\": 5, \"hidden_act\": \"gelu\", "

static void reads_tables_per_kind_of_layer(void **state) {
    (void)state;
    enum { OWN = LAYER_ROTATED_APART, ALL = LAYER_SEES_ALL };
    /* as transformers 4 and 5 write it, and Gemma 3 270M's own file */
    static const char *const edits[] = {
        GEMMA3
        "\"rope_theta\": 5e5, \"rope_local_base_freq\": 700, \"sliding_window\": 7, \"sliding_window_pattern\": 2,"
        " \"rope_scaling\": {\"rope_type\": \"linear\", \"factor\": 8.0}}",
        GEMMA3 "\"rope_theta\": \"REMOVE\", \"sliding_window\": 7, \"layer_types\": [\"sliding_attention\", "
               "\"full_attention\","
               " \"sliding_attention\", \"full_attention\", \"sliding_attention\"], \"rope_parameters\": {"
               "\"full_attention\": {\"rope_type\": \"linear\", \"factor\": 8.0, \"rope_theta\": 5e5},"
               " \"sliding_attention\": {\"rope_type\": \"default\", \"rope_theta\": 700}}}",
        GEMMA3
        "\"rope_theta\": 5e5, \"rope_local_base_freq\": 700.0, \"sliding_window\": 7, \"sliding_window_pattern\": 2,"
        " \"_sliding_window_pattern\": 6, \"attn_logit_softcapping\": null, \"final_logit_softcapping\": null,"
        " \"use_bidirectional_attention\": false, \"hidden_activation\": \"gelu_pytorch_tanh\", \"rope_scaling\":"
        " {\"factor\": 8.0, \"rope_type\": \"linear\"}, \"rope_parameters\": {\"full_attention\": null}}",
    };
    static const uint8_t kinds[5] = {OWN, ALL, OWN, ALL, OWN};
    for (size_t i = 0; i < sizeof edits / sizeof *edits; i++) {
        struct model_config config = accept(edits[i]);
        assert_kinds(&config, kinds, 5);
        assert_int_equal(config.sliding_window, 7);
        assert_int_equal(model_searched_layers(&config), 2);
        assert_int_equal(model_searched_window(&config), 0);
        assert_int_equal(config.rope.type, ROPE_TYPE_LINEAR);
        assert_true(config.rope.theta == 5e5 && config.rope.factor == 8.0);
        assert_int_equal(config.window_rope.type, ROPE_TYPE_DEFAULT);
        assert_int_equal(config.window_rope.pairs, 4);
        assert_true(config.window_rope.theta == 700);
        assert_true(config.gelu && config.norms_less_one && config.head_norms && config.tied_embeddings);
        assert_true(config.embedding_scale == (double)sqrtf(10.0f));
        assert_true(config.query_scale == sqrt(8.0 / 256.0));
    }
    struct model_config config = accept(GEMMA3 "\"rope_theta\": \"REMOVE\", \"head_dim\": \"REMOVE\","
                                               " \"num_key_value_heads\": \"REMOVE\", \"num_attention_heads\": 8,"
                                               " \"num_hidden_layers\": 6, \"query_pre_attn_scalar\": 64}");
    assert_int_equal(config.head_width, 256);
    assert_int_equal(config.kv_heads, 4);
    assert_int_equal(config.sliding_window, 4096);
    assert_int_equal(model_searched_layers(&config), 1);
    assert_true(config.rope.theta == 1e6 && config.window_rope.theta == 1e4 && config.query_scale == 2.0);
}

#define PARAMETERS GEMMA3 "\"rope_theta\": \"REMOVE\", \"sliding_window_pattern\": 2, \"rope_parameters\": "

static void refuses_tables_per_kind_of_layer(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {GEMMA3 "\"use_cache\": true}", "no layer of the model is rotated"},
        {GEMMA3 "\"sliding_window_pattern\": 0}", "sliding_window_pattern is not a positive integer"},
        {GEMMA3 "\"sliding_window_pattern\": 2, \"sliding_window\": null}", "layer 0|no sliding_window"},
        {GEMMA3 "\"sliding_window_pattern\": 2, \"hidden_activation\": \"gelu\"}",
         "hidden_activation \"gelu\"|gemma3_text|gelu_pytorch_tanh"},
        {GEMMA3 "\"attn_logit_softcapping\": 50.0}", "attn_logit_softcapping 50|gemma3_text|only null"},
        {GEMMA3 "\"final_logit_softcapping\": 30.0}", "final_logit_softcapping 30"},
        {GEMMA3 "\"use_bidirectional_attention\": true}", "use_bidirectional_attention true|only false"},
        {GEMMA3 "\"sliding_window_pattern\": 2, \"query_pre_attn_scalar\": 0}", "query_pre_attn_scalar is 0"},
        {GEMMA3 "\"sliding_window_pattern\": 2, \"query_pre_attn_scalar\": \"256\"}",
         "query_pre_attn_scalar is not a number"},
        {GEMMA3 "\"sliding_window_pattern\": 2, \"rope_local_base_freq\": 0}", "rope_theta is 0"},
        {GEMMA3 "\"sliding_window_pattern\": 2, \"rope_scaling\": {\"rope_type\": \"yarn\", \"factor\": 2,"
                " \"truncate\": false}}",
         "truncate|no effect for gemma3_text"},
        {GEMMA3 "\"sliding_window_pattern\": 2, \"original_max_position_embeddings\": 16, \"rope_scaling\":"
                " {\"rope_type\": \"yarn\", \"factor\": 2}}",
         "original_max_position_embeddings has no effect at top level for gemma3_text"},
        {PARAMETERS "[1]}", "rope_parameters is not an object"},
        {PARAMETERS "{\"rope_type\": \"default\"}}",
         "rope_parameters.rope_type would have no effect|sliding_attention"},
        {PARAMETERS "{\"chunked_attention\": {}}}", "rope_parameters.chunked_attention would have no effect"},
        {PARAMETERS "{\"sliding_attention\": {\"rope_type\": \"dynamic\", \"factor\": 2.0}}}",
         "rope_parameters.sliding_attention.rope_type \"dynamic\"|default and linear"},
        {PARAMETERS "{\"full_attention\": {\"rope_type\": \"linear\"}}}", "\"linear\" has no factor"},
        {PARAMETERS "{\"full_attention\": {\"what\": 1}}}", "rope_parameters.full_attention: unknown key 'what'"},
        {PARAMETERS "{\"full_attention\": {\"rope_theta\": 10}}, \"rope_theta\": 20}",
         "rope_theta and rope_parameters.full_attention.rope_theta contradict"},
        {"{\"model_type\": \"gemma3\", \"text_config\": {\"model_type\": \"gemma3_text\"}}",
         "\"gemma3\" has other inputs than text|text_config|\"gemma3_text\"|supported: llama"},
        {"{\"sliding_window_pattern\": 3, \"rope_parameters\": {\"full_attention\": {}}}", "kind of layer"},
    };
    REFUSE_ALL(cases);
}

/* ---- Scales ---- */

#define MINICPM_LONGROPE                                                                                               \
    "{\"model_type\": \"minicpm\", \"rope_scaling\": {\"type\": \"longrope\", " LISTS                                  \
    ", \"original_max_position_embeddings\": 16"
#define MINISTRAL3 "{\"model_type\": \"ministral3\", \"rope_theta\": \"REMOVE\", \"rope_parameters\": "

static void reads_scales(void **state) {
    (void)state;
    struct model_config config = accept(MINISTRAL3 "null}");
    assert_true(config.rope.theta == 1e6 && config.rope.factor == 16 && config.rope.mscale_all_dim == 1);
    assert_int_equal(config.rope.type, ROPE_TYPE_YARN);
    assert_true(config.query_growth == 0.1);
    assert_int_equal(config.query_growth_length, 16384);
    config = accept(MINISTRAL3 "{\"type\": \"yarn\", \"rope_type\": \"yarn\", \"factor\": 4,"
                               " \"original_max_position_embeddings\": 16, \"max_position_embeddings\": 64,"
                               " \"llama_4_scaling_beta\": 0.25, \"rope_theta\": 300.0}, \"sliding_window\": 9}");
    assert_true(config.query_growth == 0.25 && config.rope.theta == 300);
    assert_int_equal(config.query_growth_length, 16);
    assert_int_equal(config.sliding_window, 9);
    config = accept(MINISTRAL3 "{\"rope_type\": \"longrope\", " LISTS ", \"llama_4_scaling_beta\": 0}}");
    assert_true(config.query_growth == 0);
    assert_int_equal(config.query_growth_length, 64);

    config = accept("{\"model_type\": \"minicpm\", \"num_hidden_layers\": 4}");
    assert_true(config.embedding_scale == 1 && config.residual_scale == 0.5 && config.output_scale == 0.1);
    config = accept("{\"model_type\": \"minicpm\", \"num_hidden_layers\": 4, \"scale_emb\": 12, \"scale_depth\": 1.4,"
                    " \"dim_model_base\": 5, \"sparse_config\": null, \"tie_word_embeddings\": false}");
    assert_true(config.embedding_scale == 12 && config.residual_scale == 0.7 && config.output_scale == 0.5);
    assert_false(config.tied_embeddings);

    config = accept(MINICPM_LONGROPE ", \"factor\": 4, \"attention_factor\": 1.224744871391589}}");
    assert_true(config.rope.factor == 4 && config.rope.original_length == 16);
    config = accept(MINICPM_LONGROPE ", \"attention_factor\": 1.5, \"short_mscale\": 1.5, \"long_mscale\": 1.5}}");
    assert_true(config.rope.attention_factor == 1.5);
}

/* The values of keys that are absent, of the families whose defaults no test above reads. tests/interop holds those of
 * all families against transformers' classes. */
static void fills_in_the_defaults_of_scaled_families(void **state) {
    (void)state;
    static const char silent[] = "\"num_attention_heads\": 32, \"hidden_size\": 64, \"rope_theta\": \"REMOVE\","
                                 " \"rms_norm_eps\": \"REMOVE\", \"num_key_value_heads\": \"REMOVE\", \"head_dim\":"
                                 " \"REMOVE\", \"num_hidden_layers\": 7";
    static const struct {
        const char *family;
        int64_t kv_heads, head_width, window;
        double eps, theta;
        bool tied;
    } cases[] = {
        {"gemma3_text", 4, 256, 4096, 1e-6, 1e6, true},
        {"ministral3", 8, 128, 0, 1e-5, 1e6, false},
        {"minicpm", 32, 2, 0, 1e-6, 1e4, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char edit[512];
        snprintf(edit, sizeof edit, "{\"model_type\": \"%s\", %s}", cases[i].family, silent);
        struct model_config config = accept(edit);
        assert_int_equal(config.kv_heads, cases[i].kv_heads);
        assert_int_equal(config.head_width, cases[i].head_width);
        assert_int_equal(config.sliding_window, cases[i].window);
        assert_int_equal(config.tied_embeddings, cases[i].tied);
        assert_true(config.norm_eps == cases[i].eps && config.rope.theta == cases[i].theta);
    }
    char edit[512];
    snprintf(edit, sizeof edit, "{\"model_type\": \"gemma3_text\", %s}", silent);
    struct model_config config = accept(edit);
    assert_true(config.query_scale == 1 && config.window_rope.theta == 10000);
    assert_int_equal(config.layer_kinds[5], LAYER_SEES_ALL);
    assert_int_equal(config.layer_kinds[6], LAYER_ROTATED_APART);
}

static void refuses_scales(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"{\"model_type\": \"ministral3\"}", "rope_theta has no effect without rope_parameters"},
        {MINISTRAL3 "{\"rope_type\": \"yarn\", \"factor\": 4}}", "has no llama_4_scaling_beta in rope_parameters"},
        {MINISTRAL3 "{\"rope_type\": \"default\", \"llama_4_scaling_beta\": 0.1}}",
         "\"default\" is not supported for ministral3; supported: llama3, yarn and longrope"},
        {MINISTRAL3 "{\"llama_4_scaling_beta\": 0.1}}", "\"default\" is not supported for ministral3"},
        {MINISTRAL3 "{\"rope_type\": \"yarn\", \"factor\": 4, \"llama_4_scaling_beta\": -1}}",
         "llama_4_scaling_beta is -1"},
        {MINISTRAL3 "{\"rope_type\": \"yarn\", \"factor\": 4, \"llama_4_scaling_beta\": \"x\"}}",
         "llama_4_scaling_beta is not a number"},
        {"{\"rope_scaling\": {\"type\": \"linear\", \"factor\": 2, \"max_position_embeddings\": 64}}",
         "rope_scaling: unknown key 'max_position_embeddings'"},
        {"{\"model_type\": \"minicpm\", \"scale_emb\": 0}", "scale_emb is 0"},
        {"{\"model_type\": \"minicpm\", \"scale_depth\": -1.4}", "scale_depth is -1.4"},
        {"{\"model_type\": \"minicpm\", \"dim_model_base\": true}", "dim_model_base is not a number"},
        {"{\"model_type\": \"minicpm\", \"sparse_config\": {\"kernel_size\": 32}}", "sparse_config|minicpm|only null"},
        {"{\"model_type\": \"minicpm\", \"num_experts\": 8}", "num_experts 8|minicpm|only 0"},
        {"{\"model_type\": \"minicpm\", \"rope_scaling\": {\"type\": \"yarn\", \"factor\": 2}}",
         "\"yarn\" is not supported for minicpm"},
    };
    REFUSE_ALL(cases);
}

#define QWEN3_MOE "{\"model_type\": \"qwen3_moe\", \"num_hidden_layers\": 5, "
#define MIXTRAL "{\"model_type\": \"mixtral\", \"num_hidden_layers\": 5, "

static void reads_experts(void **state) {
    (void)state;
    enum { E = LAYER_HAS_EXPERTS };
    static const struct {
        const char *edit;
        int64_t experts, per_token, width;
        bool normed;
        uint8_t kinds[5];
    } cases[] = {
        {QWEN3_MOE "\"mlp_bias\": false}", 128, 8, 768, false, {E, E, E, E, E}},
        {QWEN3_MOE "\"num_experts\": 6, \"num_experts_per_tok\": 6, \"moe_intermediate_size\": 3,"
                   " \"norm_topk_prob\": true, \"decoder_sparse_step\": 2}",
         6,
         6,
         3,
         true,
         {0, E, 0, E, 0}},
        {QWEN3_MOE "\"num_local_experts\": 9, \"num_experts\": 9, \"mlp_only_layers\": [0, 3, 17, -1]}",
         9,
         8,
         768,
         false,
         {0, E, E, 0, E}},
        {QWEN3_MOE "\"num_local_experts\": 9, \"mlp_only_layers\": null}", 9, 8, 768, false, {E, E, E, E, E}},
        {MIXTRAL "\"decoder_sparse_step\": 2, \"norm_topk_prob\": false}", 8, 2, 14, true, {E, E, E, E, E}},
        {MIXTRAL "\"num_local_experts\": 4, \"num_experts_per_tok\": 1}", 4, 1, 14, true, {E, E, E, E, E}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct model_config config = accept(cases[i].edit);
        assert_int_equal(config.experts, cases[i].experts);
        assert_int_equal(config.experts_per_token, cases[i].per_token);
        assert_int_equal(config.expert_width, cases[i].width);
        assert_int_equal(config.expert_weights_normed, cases[i].normed);
        assert_kinds(&config, cases[i].kinds, 5);
        assert_int_equal(model_searched_layers(&config), 5);
    }
    struct model_config config = accept(MIXTRAL "\"sliding_window\": 7}");
    assert_int_equal(config.sliding_window, 7);
    assert_int_equal(model_searched_window(&config), 7);
}

static void refuses_experts(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {QWEN3_MOE "\"num_experts\": 0}", "num_experts is 0"},
        {QWEN3_MOE "\"num_experts\": 1025}", "num_experts is 1025|1024"},
        {QWEN3_MOE "\"num_experts\": 8.0}", "num_experts is 8.0, not an integer"},
        {QWEN3_MOE "\"num_experts\": 8, \"num_local_experts\": 9}", "num_experts and num_local_experts contradict"},
        {QWEN3_MOE "\"num_experts\": 8, \"num_experts_per_tok\": 9}", "num_experts_per_tok is 9|num_experts (8)"},
        {QWEN3_MOE "\"num_experts_per_tok\": 0}", "num_experts_per_tok is 0"},
        {QWEN3_MOE "\"moe_intermediate_size\": 0}", "width is 0"},
        {QWEN3_MOE "\"moe_intermediate_size\": 131073}", "width is 131073|within 1 to 131072"},
        {QWEN3_MOE "\"norm_topk_prob\": 1}", "norm_topk_prob is not true or false"},
        {QWEN3_MOE "\"decoder_sparse_step\": 0}", "decoder_sparse_step is not a positive integer"},
        {QWEN3_MOE "\"mlp_only_layers\": 3}", "mlp_only_layers is not a list"},
        {QWEN3_MOE "\"mlp_only_layers\": [1, \"2\"]}", "mlp_only_layers: item 1 is not an integer"},
        {QWEN3_MOE "\"use_sliding_window\": true}", "use_sliding_window true|qwen3_moe|only false"},
        {MIXTRAL "\"attention_bias\": true}", "attention_bias true|mixtral"},
        {"{\"model_type\": \"qwen2_moe\"}", "\"qwen2_moe\" is a mixture of experts that is not supported"},
        {"{\"model_type\": \"deepseek\", \"n_routed_experts\": 8}", "mixture of experts that is not supported"},
    };
    REFUSE_ALL(cases);
}

static void refuses_lists_of_layers(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {SMOLLM3 "\"no_rope_layers\": [1, 0, 1, 1]}", "no_rope_layers|num_hidden_layers (5)"},
        {SMOLLM3 "\"no_rope_layers\": \"all\"}", "no_rope_layers is not a list"},
        {SMOLLM3 "\"no_rope_layers\": [1, 0, 1, 2, 1]}", "no_rope_layers: item 3 is neither 0 nor 1"},
        {SMOLLM3 "\"no_rope_layers\": [1, 0, 1, null, 1]}", "no_rope_layers: item 3"},
        {SMOLLM3 "\"no_rope_layers\": [0, 0, 0, 0, 0]}", "no layer of the model is rotated"},
        {SMOLLM3 "\"no_rope_layer_interval\": 1}", "no layer of the model is rotated"},
        {SMOLLM3 "\"no_rope_layer_interval\": 0}", "no_rope_layer_interval is not a positive integer"},
        {SMOLLM3 "\"no_rope_layer_interval\": 2.0}", "no_rope_layer_interval is not a positive integer"},
        {SMOLLM3 "\"use_sliding_window\": 1}", "use_sliding_window is not true or false"},
        {SMOLLM3 "\"sliding_window\": 7, \"layer_types\": [\"full_attention\", \"full_attention\","
                 " \"full_attention\", \"sliding_attention\", \"full_attention\"]}",
         "layer 3 is \"sliding_attention\"|no sliding_window|use_sliding_window is not true"},
        {SMOLLM3 "\"layer_types\": [\"full_attention\"]}", "layer_types|num_hidden_layers (5)"},
        {SMOLLM3 "\"hidden_act\": \"gelu\"}", "hidden_act \"gelu\"|smollm3"},
    };
    REFUSE_ALL(cases);
}

static void refuses_what_is_not_supported(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"{\"model_type\": \"REMOVE\"}", "model_type"},
        {"{\"model_type\": 3}", "model_type"},
        {"{\"model_type\": \"gpt2\"}", "\"gpt2\"|llama, mistral, qwen2, qwen3, smollm3, olmo2, qwen3_moe, mixtral, "
                                       "gemma3_text, ministral3, minicpm and phi3"},
        {"{\"hidden_act\": \"gelu\"}", "hidden_act \"gelu\"|\"silu\""},
        {"{\"attention_bias\": 1}", "attention_bias is not true or false"},
        {"{\"mlp_bias\": 0}", "mlp_bias is not true or false"},
        {"{\"model_type\": \"mistral\", \"attention_bias\": true}", "attention_bias true|mistral|false"},
        {"{\"model_type\": \"phi3\", \"mlp_bias\": true}", "mlp_bias true|phi3|false"},
        {"{\"model_type\": \"qwen2\", \"use_sliding_window\": true}", "use_sliding_window true|qwen2|only false"},
        {"{\"model_type\": \"qwen3\", \"use_sliding_window\": true}", "use_sliding_window true|qwen3|only false"},
        {"{\"model_type\": \"olmo2\", \"clip_qkv\": 8.0}", "clip_qkv 8|olmo2|only null"},
        {"{\"model_type\": \"olmo2\", \"sliding_window\": 4096}", "sliding_window 4096|olmo2|null"},
        {"{\"sliding_window\": 4096}", "sliding_window 4096|llama|null"},
        {"{\"layer_types\": [\"full_attention\", \"linear_attention\"]}", "layer_types: layer 1|linear_attention"},
        {"{\"layer_types\": [\"full_attention\"]}", "layer_types|num_hidden_layers (2)"},
        {"{\"layer_types\": [\"full_attention\", 3]}", "layer_types: layer 1"},
        {"{\"layer_types\": \"full_attention\"}", "layer_types"},
        {"{\"is_causal\": false}", "is_causal false|llama|only true"},
        {"{\"model_type\": \"qwen2\", \"is_causal\": false}", "is_causal false|qwen2|only true"},
        {"{\"quantization_config\": {\"quant_method\": \"awq\"}}", "quantization_config|awq"},
        {"{\"compression_config\": {}}", "compression_config"},
        {"{\"tie_word_embeddings\": 1}", "tie_word_embeddings|true or false"},
        {"{\"rms_norm_eps\": 0}", "rms_norm_eps is 0"},
        {"{\"rms_norm_eps\": 1.5}", "rms_norm_eps is 1.5"},
        {"{\"rms_norm_eps\": true}", "rms_norm_eps is not a number"},
    };
    REFUSE_ALL(cases);
}

static void refuses_sizes(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"{\"vocab_size\": \"REMOVE\"}", "no vocab_size"},
        {"{\"vocab_size\": null}", "no vocab_size"},
        {"{\"vocab_size\": 11.0}", "vocab_size is 11.0, not an integer|transformers refuses it|without a point"},
        {"{\"vocab_size\": 11.5}", "vocab_size is not an integer"},
        {"{\"vocab_size\": true}", "vocab_size is not an integer"},
        {"{\"vocab_size\": 0}", "vocab_size is 0"},
        {"{\"vocab_size\": 16777217}", "vocab_size is 16777217|16777216"},
        {"{\"hidden_size\": -10}", "hidden_size is -10"},
        {"{\"hidden_size\": 9223372036854775807}", "hidden_size is 9223372036854775807"},
        {"{\"intermediate_size\": \"REMOVE\"}", "no intermediate_size"},
        {"{\"intermediate_size\": 0}", "intermediate_size is 0"},
        {"{\"num_hidden_layers\": 0}", "num_hidden_layers is 0"},
        {"{\"num_hidden_layers\": 4097}", "num_hidden_layers is 4097"},
        {"{\"num_attention_heads\": 0}", "num_attention_heads is 0"},
        {"{\"num_attention_heads\": 0, \"head_dim\": \"REMOVE\"}", "num_attention_heads is 0"},
        {"{\"num_attention_heads\": 0, \"num_key_value_heads\": null}", "num_attention_heads is 0"},
        {"{\"num_attention_heads\": \"REMOVE\"}", "no num_attention_heads"},
        {"{\"num_key_value_heads\": 0}", "num_key_value_heads is 0"},
        {"{\"num_key_value_heads\": 2}", "num_attention_heads (3)|num_key_value_heads (2)"},
        {"{\"num_key_value_heads\": 6}", "num_attention_heads (3)|num_key_value_heads (6)"},
        {"{\"model_type\": \"mistral\", \"num_key_value_heads\": \"REMOVE\"}", "(3)|num_key_value_heads (8)"},
        {"{\"head_dim\": 0}", "head_dim is 0"},
        {"{\"head_dim\": 5}", "head_dim is 5|even"},
        {"{\"head_dim\": 514}", "head_dim is 514|512"},
        {"{\"head_dim\": \"REMOVE\"}", "no head_dim|hidden_size (10)|num_attention_heads (3)"},
        {"{\"max_position_embeddings\": \"REMOVE\"}", "no max_position_embeddings"},
        {"{\"max_position_embeddings\": 0}", "max_position_embeddings is 0"},
    };
    REFUSE_ALL(cases);
}

static void refuses_malformed_text(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"", "JSON"},
        {"{\n\n\"a\": }", "config.json:3|JSON"},
        {"[1]", "not a JSON object"},
        {"{\"model_type\": NaN}", "model_type|not supported"},
        {"{\"model_type\": \"\xff\"}", "JSON"},
    };
    struct model_config config;
    struct error error;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *text = cases[i][0];
        assert_int_equal(model_config_parse("config.json", text, strlen(text), &config, &error), STATUS_INPUT);
        assert_message(error.message, "config.json");
        assert_message(error.message, cases[i][1]);
    }
    for (size_t size = 0; size < strlen(base); size++) {
        assert_int_equal(model_config_parse("config.json", base, size, &config, &error), STATUS_INPUT);
    }
}

/* What Python's json module reads and standard JSON has not: as transformers takes it, and refused where it is a number
 * that the model needs. */
static void reads_json_as_python_does(void **state) {
    (void)state;
    static const char *const accepted[] = {"\"note\": [NaN, -Infinity, 1e999, 99999999999999999999]",
                                           "\"note\": {\"a\": 1, \"a\": 2}"};
    static const char *const cases[][2] = {
        {"\"rms_norm_eps\": NaN", "rms_norm_eps is not a number"},
        {"\"rope_theta\": Infinity", "rope_theta is not a number"},
        {"\"vocab_size\": 99999999999999999999", "vocab_size is not an integer"},
        {"\"mlp_bias\": NaN", "mlp_bias is not true or false"},
        {"\"hidden_act\": NaN", "hidden_act"},
        {"\"rope_scaling\": {\"type\": \"linear\", \"factor\": NaN}", "rope_scaling.factor is not a number"},
        {"\"rope_scaling\": NaN", "rope_scaling is not an object"},
    };
    struct model_config config;
    struct error error = {""};
    char text[sizeof base + 128];
    int length = (int)strlen(base) - 1; /* without the brace; what follows repeats keys */
    for (size_t i = 0; i < sizeof accepted / sizeof *accepted; i++) {
        snprintf(text, sizeof text, "%.*s, %s}", length, base, accepted[i]);
        if (model_config_parse("config.json", text, strlen(text), &config, &error)) fail_msg("%s", error.message);
    }
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        snprintf(text, sizeof text, "%.*s, %s}", length, base, cases[i][0]);
        assert_int_equal(model_config_parse("config.json", text, strlen(text), &config, &error), STATUS_INPUT);
        assert_message(error.message, cases[i][1]);
    }
    snprintf(text, sizeof text, "%.*s, \"vocab_size\": 13}", length, base);
    assert_int_equal(model_config_parse("config.json", text, strlen(text), &config, &error), STATUS_OK);
    assert_int_equal(config.vocabulary, 13);
}

/* Forms that transformers reads; tests/interop compares the numbers. */
static void reads_other_forms(void **state) {
    (void)state;
    accept("{\"hidden_act\": \"swish\"}");
    assert_int_equal(accept("{\"rope_scaling\": {}, \"rope_parameters\": {}}").rope.type, ROPE_TYPE_DEFAULT);
    static const char *const blocks[] = {"rope_scaling", "rope_parameters"};
    for (int b = 0; b < 2; b++) {
        char edit[512];
        snprintf(edit, sizeof edit, "{\"rope_theta\": \"REMOVE\", \"%s\": {\"rope_theta\": 2000}}", blocks[b]);
        struct model_config config = accept(edit);
        assert_true(config.rope.type == ROPE_TYPE_DEFAULT && config.rope.theta == 2000);
        snprintf(edit, sizeof edit,
                 "{\"%s\": {\"type\": \"yarn\", \"factor\": 4, \"original_max_position_embeddings\": 16.0,"
                 " \"attn_factor\": 0.87, \"extrapolation_factor\": 2,"
                 " \"ignore_keys_at_rope_validation\": [\"attn_factor\"]}}",
                 blocks[b]);
        config = accept(edit);
        assert_true(config.rope.type == ROPE_TYPE_YARN && config.rope.factor == 4);
        assert_true(config.rope.original_length == 16 && config.rope.attention_factor == 0);
    }
}

/* ---- Rotary settings ---- */

/* In either of the blocks, and under either name. */
static void reads_types_wherever_they_are(void **state) {
    (void)state;
    static const char *const blocks[] = {"rope_scaling", "rope_parameters"};
    static const char *const keys[] = {"type", "rope_type"};
    for (int b = 0; b < 2; b++) {
        for (int k = 0; k < 2; k++) {
            char edit[256];
            snprintf(edit, sizeof edit, "{\"%s\": {\"%s\": \"linear\", \"factor\": 8}}", blocks[b], keys[k]);
            struct model_config config = accept(edit);
            assert_int_equal(config.rope.type, ROPE_TYPE_LINEAR);
            assert_true(config.rope.factor == 8 && config.rope.theta == 500000);
            snprintf(edit, sizeof edit, "{\"%s\": {\"%s\": \"default\"}}", blocks[b], keys[k]);
            assert_int_equal(accept(edit).rope.type, ROPE_TYPE_DEFAULT);
        }
    }
    assert_int_equal(accept("{\"rope_scaling\": null, \"rope_parameters\": null}").rope.type, ROPE_TYPE_DEFAULT);
    /* transformers 4 wrote both names, 5 may have written both blocks */
    struct model_config config = accept("{\"rope_scaling\": {\"type\": \"su\", \"rope_type\": \"longrope\","
                                        " \"short_factor\": [1, 1, 1, 1], \"long_factor\": [1, 2, 3, 4.5]},"
                                        " \"rope_parameters\": {\"rope_type\": \"longrope\", \"rope_theta\": 500000.0,"
                                        " \"short_factor\": [1, 1, 1, 1]}}");
    assert_int_equal(config.rope.type, ROPE_TYPE_LONGROPE);
    assert_true(config.rope.long_factors[3] == 4.5 && config.rope.short_factors[3] == 1);
}

static void reads_theta(void **state) {
    (void)state;
    static const struct {
        const char *edit;
        double theta;
    } cases[] = {
        {"{\"rope_theta\": 1234.5}", 1234.5},
        {"{\"rope_scaling\": {\"rope_type\": \"default\", \"rope_theta\": 5e5}}", 500000},
        {"{\"rope_parameters\": {\"rope_type\": \"default\", \"rope_theta\": 500000.0}}", 500000},
        {"{\"rope_theta\": \"REMOVE\", \"rope_parameters\": {\"rope_type\": \"default\", \"rope_theta\": 20000.0}}",
         20000},
        {"{\"rope_theta\": \"REMOVE\", \"rope_parameters\": {\"rope_type\": \"default\"}}", 10000},
        {"{\"rope_theta\": \"REMOVE\"}", 10000},
        {"{\"rope_theta\": null}", 10000},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_true(accept(cases[i].edit).rope.theta == cases[i].theta);
    }
}

static void reads_partial_rotary_factors(void **state) {
    (void)state;
    static const char *const places[] = {
        "\"partial_rotary_factor\": 0.5",
        "\"rope_scaling\": {\"rope_type\": \"default\", \"partial_rotary_factor\": 0.5}",
        "\"rope_parameters\": {\"rope_type\": \"default\", \"partial_rotary_factor\": 0.5}",
    };
#define PHI3 "{\"model_type\": \"phi3\", "
    for (int p = 0; p < 3; p++) {
        char edit[256];
        snprintf(edit, sizeof edit, PHI3 "%s}", places[p]);
        assert_int_equal(accept(edit).rope.pairs, 2);
    }
    assert_int_equal(accept(PHI3 "\"partial_rotary_factor\": 0.25}").rope.pairs, 1);
    /* rounded towards zero, as transformers does: 0.4 x 96 = 38.4 */
    assert_int_equal(accept(PHI3 "\"head_dim\": 96, \"partial_rotary_factor\": 0.4}").rope.pairs, 19);
#undef PHI3
    /* whole heads may be asked for of any family; parts only where transformers turns them */
    for (size_t f = 0; f < FAMILIES; f++) {
        char edit[256];
        snprintf(edit, sizeof edit,
                 "{\"model_type\": \"%s\", \"partial_rotary_factor\": 1.0, \"rope_theta\": \"REMOVE\","
                 " \"sliding_window_pattern\": 1}",
                 families[f].name);
        assert_int_equal(accept(edit).rope.pairs, 4);
    }
}

static void reads_what_each_type_has(void **state) {
    (void)state;
    struct rope_model rope = accept("{\"rope_scaling\": {\"type\": \"dynamic\", \"factor\": 2.5}}").rope;
    assert_int_equal(rope.type, ROPE_TYPE_DYNAMIC);
    assert_true(rope.factor == 2.5);
    assert_int_equal(rope.original_length, 64); /* max_position_embeddings */

    rope = accept("{\"rope_scaling\": {\"rope_type\": \"llama3\", \"factor\": 8.0, \"low_freq_factor\": 1.0,"
                  " \"high_freq_factor\": 4.0, \"original_max_position_embeddings\": 32}}")
               .rope;
    assert_int_equal(rope.type, ROPE_TYPE_LLAMA3);
    assert_true(rope.factor == 8 && rope.low_freq_factor == 1 && rope.high_freq_factor == 4);
    assert_int_equal(rope.original_length, 32);

    rope = accept("{\"rope_scaling\": {\"type\": \"yarn\", \"factor\": 4.0, \"finetuned\": true,"
                  " \"original_max_position_embeddings\": 16}}")
               .rope;
    assert_int_equal(rope.type, ROPE_TYPE_YARN);
    assert_true(rope.factor == 4 && rope.beta_fast == 32 && rope.beta_slow == 1 && rope.truncate);
    assert_true(rope.mscale == 0 && rope.mscale_all_dim == 0 && rope.attention_factor == 0);

    rope =
        accept("{\"rope_parameters\": {\"rope_type\": \"yarn\", \"factor\": 4.0, \"beta_fast\": 16, \"beta_slow\": 2,"
               " \"mscale\": 0.7, \"mscale_all_dim\": 0.5, \"truncate\": false, \"attention_factor\": 1.5}}")
            .rope;
    assert_true(rope.beta_fast == 16 && rope.beta_slow == 2 && rope.mscale == 0.7 && rope.mscale_all_dim == 0.5);
    assert_true(!rope.truncate && rope.attention_factor == 1.5);
    assert_int_equal(rope.original_length, 64);
}

static void reads_clex(void **state) {
    (void)state;
    struct rope_model rope =
        accept("{\"log_scale\": true, \"rope_scaling\": {\"type\": \"clex\", \"factor\": 1,"
               " \"max_factor\": 16, \"param_factor\": 2.0, \"act\": \"tanh\", \"time_dt\": 0.05}}")
            .rope;
    assert_int_equal(rope.type, ROPE_TYPE_CLEX);
    assert_true(rope.max_factor == 16 && rope.param_factor == 2 && rope.time_dt == 0.05 && rope.log_scale);
    assert_int_equal(rope.activation, ROPE_ACTIVATION_TANH);
    assert_int_equal(rope.original_length, 64); /* max_position_embeddings */
    assert_null(rope.clex_factors);

    rope = accept("{\"rope_scaling\": {\"rope_type\": \"clex\", \"max_factor\": 4, \"param_factor\": 1}}").rope;
    assert_true(rope.time_dt == 0.01 && !rope.log_scale);
    assert_int_equal(rope.activation, ROPE_ACTIVATION_SILU);
    assert_false(accept("{\"log_scale\": true}").rope.log_scale); /* a key of CLEX's models only */
}

static void refuses_clex(void **state) {
    (void)state;
#define CLEX(more) "{\"rope_scaling\": {\"type\": \"clex\", \"max_factor\": 4, \"param_factor\": 1" more "}}"
    static const char *const cases[][2] = {
        {"{\"rope_scaling\": {\"type\": \"clex\", \"param_factor\": 1}}", "\"clex\" has no max_factor"},
        {"{\"rope_scaling\": {\"type\": \"clex\", \"max_factor\": 1}}", "\"clex\" has no param_factor"},
        {"{\"rope_scaling\": {\"type\": \"clex\", \"max_factor\": 1.5, \"param_factor\": 1}}",
         "max_factor is 1.5|integer within 1 to 1024"},
        {"{\"rope_scaling\": {\"type\": \"clex\", \"max_factor\": 0.5, \"param_factor\": 1}}", "max_factor is 0.5"},
        {"{\"rope_scaling\": {\"type\": \"clex\", \"max_factor\": 1e9, \"param_factor\": 1}}", "max_factor is 1e+09"},
        {"{\"rope_scaling\": {\"type\": \"clex\", \"max_factor\": \"4\", \"param_factor\": 1}}",
         "rope_scaling.max_factor is not a number"},
        {"{\"rope_scaling\": {\"type\": \"clex\", \"max_factor\": 4, \"param_factor\": 65}}",
         "param_factor is 65|integer within 1 to 64"},
        {"{\"rope_scaling\": {\"type\": \"clex\", \"max_factor\": 4, \"param_factor\": -1}}", "param_factor is -1"},
        {CLEX(", \"time_dt\": 0"), "rope_scaling.time_dt is 0"},
        {CLEX(", \"time_dt\": -0.01"), "time_dt is -0.01"},
        {CLEX(", \"time_dt\": 1.5"), "time_dt is 1.5|above 1"},
        {CLEX(", \"time_dt\": 1e-12"), "too much work|raise time_dt"},
        {CLEX(", \"act\": \"gelu\""), "rope_scaling.act is \"gelu\"|\"silu\" or \"tanh\""},
        {CLEX(", \"act\": 1"), "rope_scaling.act is not a name"},
        {CLEX(", \"factor\": 4"), "factor is 4|write 1 or remove it"},
        {CLEX(", \"beta_fast\": 4"), "rope_scaling.beta_fast does not belong to rope_type \"clex\""},
        {"{\"rope_scaling\": {\"type\": \"linear\", \"factor\": 2, \"max_factor\": 4}}",
         "rope_scaling.max_factor does not belong to rope_type \"linear\""},
        {"{\"head_dim\": 2, \"rope_scaling\": {\"type\": \"clex\", \"max_factor\": 4, \"param_factor\": 1}}",
         "at least 2 rotary pairs"},
        {"{\"log_scale\": 1, \"rope_scaling\": {\"type\": \"clex\", \"max_factor\": 4, \"param_factor\": 1}}",
         "log_scale is not true or false"},
        {"{\"model_type\": \"phi3\", \"rope_scaling\": {\"type\": \"clex\", \"max_factor\": 4, \"param_factor\": 1}}",
         "\"clex\" is not supported for phi3"},
        {"{\"model_type\": \"smollm3\", \"rope_scaling\": {\"type\": \"clex\", \"max_factor\": 4, \"param_factor\": "
         "1}}",
         "\"clex\" is not supported for smollm3"},
    };
    REFUSE_ALL(cases);
#undef CLEX
}

/* transformers: an explicit factor holds; otherwise it is max_position_embeddings over the original
 * window, which lies in the block or, as Phi-3 has it, at top level. */
static void derives_factor_and_original_window(void **state) {
    (void)state;
    static const struct {
        const char *edit;
        double factor;
        int64_t original;
    } cases[] = {
        {"{\"rope_scaling\": {\"type\": \"longrope\", " LISTS ", \"original_max_position_embeddings\": 16}}", 4, 16},
        {"{\"rope_scaling\": {\"type\": \"longrope\", " LISTS "}, \"original_max_position_embeddings\": 64}", 1, 64},
        {"{\"rope_scaling\": {\"type\": \"longrope\", " LISTS ", \"original_max_position_embeddings\": 16},"
         " \"original_max_position_embeddings\": 16}",
         4, 16},
        {"{\"rope_scaling\": {\"type\": \"longrope\", \"factor\": 32, " LISTS ","
         " \"original_max_position_embeddings\": 16}}",
         32, 16},
        {"{\"rope_scaling\": {\"type\": \"longrope\", \"factor\": null, " LISTS "}}", 1, 64},
        {"{\"rope_scaling\": {\"type\": \"yarn\", \"factor\": null, \"original_max_position_embeddings\": 16}}", 4, 16},
        {"{\"rope_scaling\": {\"type\": \"yarn\", \"original_max_position_embeddings\": 16}}", 4, 16},
        {"{\"model_type\": \"phi3\", \"max_position_embeddings\": 131072, \"rope_scaling\": {\"type\": \"su\", " LISTS
         "}}",
         32, 4096},
        {"{\"model_type\": \"phi3\", \"rope_scaling\": {\"type\": \"yarn\", " LISTS "},"
         " \"original_max_position_embeddings\": 32}",
         2, 32},
        {"{\"model_type\": \"phi3\", \"original_max_position_embeddings\": 32}", 0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct rope_model rope = accept(cases[i].edit).rope;
        assert_true(rope.factor == cases[i].factor);
        assert_int_equal(rope.original_length, cases[i].original);
    }
}

static void refuses_rope_blocks(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"{\"rope_scaling\": {\"factor\": 8.0}}", "rope_scaling has no rope_type|factor would have no effect"},
        {"{\"rope_scaling\": {\"attn_factor\": 8.0}}", "rope_scaling has no rope_type|attn_factor"},
        {"{\"rope_scaling\": {\"type\": \"linear\", \"factor\": 2, \"attn_factor\": 1}}", "rope_scaling.attn_factor"},
        {"{\"rope_scaling\": \"linear\"}", "rope_scaling is not an object"},
        {"{\"rope_parameters\": [1]}", "rope_parameters is not an object"},
        {"{\"rope_parameters\": {\"rope_type\": 3}}", "rope_parameters.rope_type is not a name"},
        {"{\"rope_parameters\": {\"full_attention\": {\"rope_type\": \"default\"}}}",
         "rope_parameters.full_attention|kind of layer"},
        {"{\"rope_parameters\": {\"rope_type\": \"default\", \"sliding_attention\": {\"rope_type\": \"default\"}}}",
         "rope_parameters.sliding_attention|kind of layer"},
        {"{\"rope_scaling\": {\"rope_type\": \"mrope\"}}", "rope_scaling.rope_type \"mrope\"|default, linear, dynamic"},
        {"{\"rope_scaling\": {\"type\": \"proportional\"}}", "rope_scaling.type \"proportional\""},
        {"{\"model_type\": \"phi3\", \"rope_scaling\": {\"type\": \"linear\", \"factor\": 2}}",
         "\"linear\" is not supported for phi3|default and longrope"},
        {"{\"rope_scaling\": {\"type\": \"default\", \"rope_type\": \"yarn\"}}",
         "rope_type|rope_scaling.type|contradict"},
        {"{\"rope_scaling\": {\"type\": \"default\"}, \"rope_parameters\": {\"type\": \"linear\", \"factor\": 2}}",
         "rope_scaling and rope_parameters contradict"},
        {"{\"rope_scaling\": {\"type\": \"linear\", \"factor\": 4}, \"rope_parameters\": {\"type\": \"linear\","
         " \"factor\": 2}}",
         "rope_scaling.factor and rope_parameters.factor contradict"},
        {"{\"rope_scaling\": {\"type\": \"yarn\", \"factor\": 2}, \"rope_parameters\": {\"type\": \"yarn\", "
         "\"factor\": 2,"
         " \"beta_fast\": 16}}",
         "rope_parameters.beta_fast has no effect beside rope_scaling|move it there"},
        {"{\"rope_theta\": null, \"rope_scaling\": {\"type\": \"linear\", \"factor\": 2}, \"rope_parameters\": "
         "{\"type\":"
         " \"linear\", \"factor\": 2, \"rope_theta\": 7.0}}",
         "rope_parameters.rope_theta has no effect beside rope_scaling"},
        {"{\"rope_parameters\": {\"rope_type\": \"default\", \"rope_theta\": 10000.0}}",
         "rope_theta and rope_parameters.rope_theta contradict"},
        {"{\"partial_rotary_factor\": 1, \"rope_parameters\": {\"rope_type\": \"default\","
         " \"partial_rotary_factor\": 0.5}}",
         "partial_rotary_factor|contradict"},
        {"{\"rope_scaling\": {\"type\": \"linear\", \"factor\": 2, \"llama_4_scaling_beta\": 0.1}}",
         "rope_scaling: unknown key 'llama_4_scaling_beta'"},
        {"{\"rope_scaling\": {\"type\": \"linear\", \"factor\": 2, \"beta_fast\": 32}}",
         "rope_scaling.beta_fast does not belong to rope_type \"linear\""},
        {"{\"rope_scaling\": {\"type\": \"default\", \"factor\": 2}}", "rope_scaling.factor does not belong"},
    };
    REFUSE_ALL(cases);
}

static void refuses_rope_numbers(void **state) {
    (void)state;
#define YARN(more) "{\"rope_scaling\": {\"type\": \"yarn\", \"factor\": 4, " more "}}"
#define LLAMA3(low, high)                                                                                              \
    "{\"rope_scaling\": {\"type\": \"llama3\", \"factor\": 4, \"low_freq_factor\": " low                               \
    ", \"high_freq_factor\": " high "}}"
#define LONGROPE(short, long)                                                                                          \
    "{\"rope_scaling\": {\"type\": \"longrope\", \"short_factor\": " short ", \"long_factor\": " long "}}"
    static const char *const cases[][2] = {
        {"{\"rope_theta\": \"10000\"}", "rope_theta is not a number"},
        {"{\"rope_theta\": 0}", "rope_theta is 0"},
        {"{\"rope_theta\": 1}", "rope_theta is 1"},
        {"{\"rope_theta\": -10000.0}", "rope_theta is -10000"},
        {"{\"rope_theta\": 1e300}", "rope_theta is 1e+300"},
        {"{\"partial_rotary_factor\": 0}", "partial_rotary_factor is 0"},
        {"{\"partial_rotary_factor\": -0.5}", "partial_rotary_factor is -0.5"},
        {"{\"partial_rotary_factor\": 1.5}", "partial_rotary_factor is 1.5"},
        {"{\"partial_rotary_factor\": 0.2}", "partial_rotary_factor is 0.2|at least 2|head_dim (8)"},
        {"{\"model_type\": \"phi3\", \"partial_rotary_factor\": 0.4}",
         "partial_rotary_factor 0.4 turns 3 of the 8 numbers of a head|odd"},
        {"{\"partial_rotary_factor\": 1e-300}", "partial_rotary_factor is 1e-300"},
        {"{\"partial_rotary_factor\": 0.5}", "partial_rotary_factor 0.5|not supported for llama"},
        {"{\"rope_parameters\": {\"rope_type\": \"default\", \"partial_rotary_factor\": 0.5}}",
         "rope_parameters.partial_rotary_factor 0.5|not supported for llama"},
        {"{\"partial_rotary_factor\": \"all\"}", "partial_rotary_factor is not a number"},
        {"{\"rope_scaling\": {\"type\": \"linear\"}}", "rope_type \"linear\" has no factor"},
        {"{\"rope_scaling\": {\"type\": \"dynamic\", \"factor\": null}}", "\"dynamic\" has no factor"},
        {"{\"rope_scaling\": {\"type\": \"linear\", \"factor\": \"2\"}}", "rope_scaling.factor is not a number"},
        {"{\"rope_scaling\": {\"type\": \"linear\", \"factor\": 0}}", "factor is 0"},
        {"{\"rope_scaling\": {\"type\": \"linear\", \"factor\": -1}}", "factor is -1"},
        {"{\"rope_scaling\": {\"type\": \"linear\", \"factor\": 1e16}}", "factor is 1e+16"},
        {YARN("\"attention_factor\": 0"), "attention_factor is 0"},
        {YARN("\"attention_factor\": -1"), "attention_factor is -1"},
        {YARN("\"beta_fast\": 1, \"beta_slow\": 2"), "beta_fast (1)|beta_slow (2)"},
        {YARN("\"mscale\": -1"), "mscale is -1"},
        {YARN("\"truncate\": 1"), "truncate is not true or false"},
        {YARN("\"original_max_position_embeddings\": 0"), "original_max_position_embeddings is 0"},
        {YARN("\"original_max_position_embeddings\": 16.5"), "original_max_position_embeddings is not an integer"},
        {YARN("\"original_max_position_embeddings\": 1e300"), "original_max_position_embeddings is not an integer"},
        {YARN("\"original_max_position_embeddings\": true"), "original_max_position_embeddings is not an integer"},
        {YARN("\"original_max_position_embeddings\": 1073741825"), "original_max_position_embeddings is 1073741825"},
        {"{\"rope_scaling\": {\"type\": \"llama3\", \"factor\": 4}}", "\"llama3\" has no low_freq_factor"},
        {LLAMA3("4", "4"), "high_freq_factor (4)|low_freq_factor (4)"},
        {LLAMA3("4", "1"), "high_freq_factor (1)|low_freq_factor (4)"},
        {LLAMA3("0", "4"), "low_freq_factor is 0"},
        {"{\"rope_scaling\": {\"type\": \"longrope\", \"short_factor\": [1, 1, 1, 1]}}", "has no long_factor"},
        {"{\"rope_scaling\": {\"type\": \"longrope\", \"long_factor\": [1, 1, 1, 1]}}", "has no short_factor"},
        {LONGROPE("[1, 1, 1]", "[1, 1, 1, 1]"), "rope_scaling.short_factor is not a list of 4 numbers"},
        {LONGROPE("[1, 1, 1, 1]", "[1, 1, 1, 1, 1]"), "rope_scaling.long_factor is not a list of 4 numbers"},
        {LONGROPE("[1, 1, 1, 1]", "1"), "rope_scaling.long_factor is not a list of 4 numbers"},
        {LONGROPE("[1, 1, 1, 1]", "[1, 1, \"1\", 1]"), "rope_scaling.long_factor: item 2 is not a number"},
        {LONGROPE("[1, 1, 1, 1]", "[1, 1, 1, 0]"), "long_factor is 0"},
        {LONGROPE("[1, -1, 1, 1]", "[1, 1, 1, 1]"), "short_factor is -1"},
        {"{\"original_max_position_embeddings\": 32, \"rope_scaling\": {\"type\": \"longrope\", " LISTS ","
         " \"original_max_position_embeddings\": 16}}",
         "original_max_position_embeddings and rope_scaling.original_max_position_embeddings contradict"},
        {"{\"rope_scaling\": {\"type\": \"longrope\", " LISTS "}, \"original_max_position_embeddings\": 16}",
         "original_max_position_embeddings has no effect at top level for llama in transformers 5"},
        {MINISTRAL3 "{\"rope_type\": \"longrope\", " LISTS ", \"llama_4_scaling_beta\": 0.1},"
                    " \"original_max_position_embeddings\": 16}",
         "original_max_position_embeddings has no effect at top level for ministral3"},
        {MINICPM_LONGROPE ", \"factor\": 8}}", "the factor of longrope is 8|minicpm|4; remove it"},
        {MINICPM_LONGROPE ", \"attention_factor\": 1.5}}",
         "attention_factor is 1.5|minicpm computes 1.22474|short_mscale and long_mscale"},
        {"{\"model_type\": \"phi3\", \"rope_scaling\": {\"type\": \"longrope\", " LISTS ","
         " \"original_max_position_embeddings\": 16}}",
         "rope_scaling.original_max_position_embeddings is 16|top level|phi3|4096"},
    };
    REFUSE_ALL(cases);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_every_key),
        cmocka_unit_test(fills_in_each_familys_defaults),
        cmocka_unit_test(reads_flags),
        cmocka_unit_test(reads_sliding_windows),
        cmocka_unit_test(reads_layers_that_are_not_rotated),
        cmocka_unit_test(reads_tables_per_kind_of_layer),
        cmocka_unit_test(refuses_tables_per_kind_of_layer),
        cmocka_unit_test(reads_scales),
        cmocka_unit_test(fills_in_the_defaults_of_scaled_families),
        cmocka_unit_test(refuses_scales),
        cmocka_unit_test(reads_experts),
        cmocka_unit_test(refuses_experts),
        cmocka_unit_test(refuses_lists_of_layers),
        cmocka_unit_test(refuses_what_is_not_supported),
        cmocka_unit_test(refuses_sizes),
        cmocka_unit_test(refuses_malformed_text),
        cmocka_unit_test(reads_json_as_python_does),
        cmocka_unit_test(reads_other_forms),
        cmocka_unit_test(reads_types_wherever_they_are),
        cmocka_unit_test(reads_theta),
        cmocka_unit_test(reads_partial_rotary_factors),
        cmocka_unit_test(reads_what_each_type_has),
        cmocka_unit_test(reads_clex),
        cmocka_unit_test(refuses_clex),
        cmocka_unit_test(derives_factor_and_original_window),
        cmocka_unit_test(refuses_rope_blocks),
        cmocka_unit_test(refuses_rope_numbers),
    };
    return cmocka_run_group_tests_name("model_config", tests, NULL, NULL);
}
