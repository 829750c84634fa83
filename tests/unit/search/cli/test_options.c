/* Reading the command line. */
#include "eval/base/name.h"
#include "search/cli/commands.h"
#include "search/cli/options.h"

#include <math.h>

#include "tests/unit/scratch.h"

/* Options ------------------------------------------------------------------------------------- */

enum fruit { APPLE, PEAR, QUINCE, FRUITS };
static const char *const fruit_names[FRUITS] = {[APPLE] = "apple", [PEAR] = "pear", [QUINCE] = "quince"};

struct sample {
    bool flag, second_flag;
    char *text, *operand;
    struct string_list texts, files, words, names, operands;
    int name;
    int64_t integer;
    struct integer_list integers;
    double number;
    struct number_list numbers;
    struct option_mark mark;
};

#define AT(field) offsetof(struct sample, field)

static const struct option_row sample_rows[] = {
    {.kind = OPTION_TEXT, .word = "OPERAND", .offset = AT(operand), .required = true, .help = "the first word"},
    {.kind = OPTION_TEXTS, .word = "MORE", .offset = AT(operands), .help = "the other words"},
    {.name = "flag", .letter = 'f', .kind = OPTION_FLAG, .offset = AT(flag), .help = "a flag"},
    {.name = "second-flag",
     .letter = 's',
     .kind = OPTION_FLAG,
     .offset = AT(second_flag),
     .needs = "flag",
     .help = "another"},
    {.name = "text", .letter = 't', .kind = OPTION_TEXT, .word = "TEXT", .offset = AT(text), .help = "a text"},
    {.name = "texts", .kind = OPTION_TEXTS, .word = "TEXT", .offset = AT(texts), .help = "texts"},
    {.name = "files", .kind = OPTION_FILES, .word = "FILE...", .offset = AT(files), .sets = 1, .help = "files"},
    {.name = "words", .kind = OPTION_WORDS, .word = "W[,W...]", .offset = AT(words), .sets = 1 | 2, .help = "words"},
    {.name = "integer",
     .letter = 'n',
     .kind = OPTION_INTEGER,
     .word = "N",
     .offset = AT(integer),
     .low = -2,
     .high = 10,
     .initial = "7",
     .help = "an integer"},
};

static const struct option_row more_rows[] = {
    {.name = "fruit",
     .kind = OPTION_NAME,
     .word = "NAME",
     .offset = 0,
     .names = fruit_names,
     .name_count = FRUITS,
     .what = "fruit",
     .initial = "pear",
     .help = "a fruit"},
};

static const struct option_row list_rows[] = {
    {.name = "fruits",
     .kind = OPTION_NAMES,
     .word = "NAME[,NAME...]",
     .offset = AT(names),
     .names = fruit_names,
     .name_count = FRUITS,
     .what = "fruit",
     .sets = 2,
     .help = "fruits"},
    {.name = "lengths",
     .kind = OPTION_INTEGERS,
     .word = "N[,N...]",
     .offset = AT(integers),
     .low = 1,
     .high = 100,
     .initial = "1,2,3",
     .help = "integers"},
    {.name = "number",
     .kind = OPTION_NUMBER,
     .word = "X",
     .offset = AT(number),
     .least = 1.0,
     .most = 2.5,
     .initial = "1.5",
     .help = "a number"},
    {.name = "depths",
     .kind = OPTION_NUMBERS,
     .word = "X[,X...]",
     .offset = AT(numbers),
     .least = 0.0,
     .most = 100.0,
     .help = "numbers"},
    {.name = "mark", .kind = OPTION_MARK, .word = "ID", .offset = AT(mark), .low = 0, .high = 99, .help = "a mark"},
};

static const struct option_group sample_groups[] = {
    OPTION_GROUP("Options", sample_rows, 0),
    OPTION_GROUP("Fruits", more_rows, AT(name)),
    OPTION_GROUP(NULL, list_rows, 0),
};
static const char *const sample_usage[] = {"OPERAND", NULL};
static const char *const sample_examples[] = {"longrope sample x", NULL};
static const struct sample sample_initial = {.mark = {.value = -1}};

static int refuse_ten(const struct option_table *table, void *options, struct error *error) {
    const struct sample *sample = options;
    return sample->integer == 10 ? options_wrong(table, error, "%d is refused", 10) : STATUS_OK;
}

static const struct option_table sample_table = {.command = "sample",
                                                 .summary = "a sample",
                                                 .usage = sample_usage,
                                                 .groups = sample_groups,
                                                 .group_count = 3,
                                                 .examples = sample_examples,
                                                 .size = sizeof(struct sample),
                                                 .initial = &sample_initial,
                                                 .check = refuse_ten};

enum { MOST_WORDS = 24 };

/* What a line's words are read to. Options borrow from them. */
struct line {
    char text[512];
    char *argv[MOST_WORDS];
    int argc, status;
    bool help;
    struct error error;
    struct sample sample;
};

/* Words are separated by '|', so that they can hold blanks and be empty. */
static void read_line(struct line *line, const char *text) {
    *line = (struct line){.argc = 0};
    snprintf(line->text, sizeof line->text, "sample|%s", text);
    for (char *next = line->text; next;) {
        assert_true(line->argc < MOST_WORDS);
        line->argv[line->argc++] = strsep(&next, "|");
    }
    line->status = options_read(&sample_table, line->argc, line->argv, &line->sample, &line->help, &line->error);
}

static void end_line(struct line *line) { options_free(&sample_table, &line->sample); }

static void assert_items(const struct string_list *list, const char *expected) {
    char joined[256] = "";
    for (size_t i = 0; i < list->count; i++) {
        strcat(joined, i ? "|" : "");
        strcat(joined, list->items[i]);
    }
    assert_string_equal(joined, expected);
}

/* The line is wrong; the message has these words, as assert_message(). */
static void assert_wrong(const char *text, const char *words) {
    struct line line;
    read_line(&line, text);
    if (line.status != STATUS_INPUT) fail_msg("'%s' is read with status %d", text, line.status);
    assert_message(line.error.message, words);
    end_line(&line);
}

static void every_kind_is_read(void **state) {
    (void)state;
    struct line line;
    read_line(&line, "--flag|--text|a b|--texts|c|--texts|d,e|--integer|-2|--fruit|quince|--fruits|apple,pear|"
                     "--lengths|5,100|--number|2.5|--depths|0,12.5|--mark|12|x");
    assert_int_equal(line.status, STATUS_OK);
    const struct sample *s = &line.sample;
    assert_true(s->flag && !s->second_flag);
    assert_string_equal(s->text, "a b");
    assert_items(&s->texts, "c|d,e");
    assert_int_equal(s->integer, -2);
    assert_int_equal(s->name, QUINCE);
    assert_items(&s->names, "apple|pear");
    assert_int_equal(s->integers.count, 2);
    assert_true(s->integers.items[0] == 5 && s->integers.items[1] == 100);
    assert_true(s->number == 2.5);
    assert_int_equal(s->numbers.count, 2);
    assert_true(s->numbers.items[0] == 0.0 && s->numbers.items[1] == 12.5);
    assert_true(s->mark.given && s->mark.value == 12);
    assert_string_equal(s->operand, "x");
    end_line(&line);
    read_line(&line, "--words|,a,,b|x");
    assert_int_equal(line.status, STATUS_OK);
    assert_items(&line.sample.words, "|a||b");
    end_line(&line);
}

static void options_not_given_have_initial_values(void **state) {
    (void)state;
    struct line line;
    read_line(&line, "x");
    assert_int_equal(line.status, STATUS_OK);
    const struct sample *s = &line.sample;
    assert_true(s->integer == 7 && s->name == PEAR && s->number == 1.5);
    assert_true(s->integers.count == 3 && s->integers.items[2] == 3);
    assert_true(!s->mark.given && s->mark.value == -1);
    assert_true(!s->flag && !s->text && !s->names.count && !s->numbers.count);
    end_line(&line);
}

static void options_are_spelled_in_many_ways(void **state) {
    (void)state;
    static const char *const spellings[] = {"x|--integer|5", "x|--integer=5", "x|-n|5",  "x|-n5",   "--int=5|x",
                                            "--i|5|x",       "-fn5|x",        "-fn|5|x", "-n5|--|x"};
    for (size_t i = 0; i < sizeof spellings / sizeof *spellings; i++) {
        struct line line;
        read_line(&line, spellings[i]);
        if (line.status != STATUS_OK) fail_msg("'%s': %s", spellings[i], line.error.message);
        assert_int_equal(line.sample.integer, 5);
        assert_string_equal(line.sample.operand, "x");
        end_line(&line);
    }
    struct line line;
    read_line(&line, "--text=a=b|-fs|x"); /* "text" is exact, though it begins "texts" */
    assert_int_equal(line.status, STATUS_OK);
    assert_string_equal(line.sample.text, "a=b");
    assert_true(line.sample.flag && line.sample.second_flag);
    end_line(&line);
    assert_wrong("x|--te|y", "'--te' is not unique|--text, --texts");
}

static void values_may_look_like_options(void **state) {
    (void)state;
    struct line line;
    read_line(&line, "--text|--other|--texts|--|--integer|-1|-|--|--files|-n");
    assert_int_equal(line.status, STATUS_OK);
    assert_string_equal(line.sample.text, "--other");
    assert_items(&line.sample.texts, "--");
    assert_int_equal(line.sample.integer, -1);
    assert_false(line.sample.flag);
    assert_string_equal(line.sample.operand, "-");
    assert_items(&line.sample.operands, "--files|-n");
    end_line(&line);
    assert_wrong("x|--text|--flag", "missing value: --text"); /* as an empty variable of the shell leaves it */
    assert_wrong("x|--files|--integer=3", "missing value: --files");
    assert_wrong("x|-flag", "unknown option '-flag' (did you mean '--flag'?)");
    assert_wrong("x|\xe2\x80\x93-flag", "begins with a dash that is not '-'");
    assert_wrong("x|--files|a|\xe2\x88\x92-flag", "begins with a dash that is not '-'");
}

static void files_are_the_words_up_to_the_next_option(void **state) {
    (void)state;
    struct line line;
    read_line(&line, "x|--files|a|b|--flag|--files=c|d|--|y");
    assert_int_equal(line.status, STATUS_OK);
    assert_items(&line.sample.files, "a|b|c|d");
    assert_string_equal(line.sample.operand, "x");
    assert_items(&line.sample.operands, "y");
    end_line(&line);
}

static void the_last_value_counts_and_lists_grow(void **state) {
    (void)state;
    struct line line;
    read_line(&line, "x|--integer|1|--text|a|--integer|2|--text|b|--flag|--flag|--lengths|4|--lengths|5,6|"
                     "--fruits|pear|--fruits|apple|--depths|1,2,3|--depths|4,5");
    assert_int_equal(line.status, STATUS_OK);
    assert_int_equal(line.sample.integer, 2);
    assert_string_equal(line.sample.text, "b");
    assert_int_equal(line.sample.integers.count, 3);
    assert_true(line.sample.integers.items[0] == 4 && line.sample.integers.items[2] == 6);
    assert_items(&line.sample.names, "pear|apple");
    assert_int_equal(line.sample.numbers.count, 5);
    assert_true(line.sample.numbers.items[0] == 1.0 && line.sample.numbers.items[4] == 5.0);
    end_line(&line);
}

static void a_mark_takes_the_next_word_if_it_is_an_integer(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t value;
    } cases[] = {{"--mark|x", -1}, {"--mark|12|x", 12}, {"--mark=12|x", 12}, {"x|--mark", -1}, {"x|--mark|--flag", -1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct line line;
        read_line(&line, cases[i].text);
        assert_int_equal(line.status, STATUS_OK);
        assert_true(line.sample.mark.given);
        assert_int_equal(line.sample.mark.value, cases[i].value);
        assert_string_equal(line.sample.operand, "x");
        end_line(&line);
    }
    assert_wrong("--mark=y|x", "--mark|'y'|integer");
    assert_wrong("--mark|100|x", "--mark|100|0..99");
}

static void values_have_ranges(void **state) {
    (void)state;
    assert_wrong("x|--integer|-3", "--integer: -3 is not within -2..10");
    assert_wrong("x|--integer|11", "--integer: 11 is not within -2..10");
    assert_wrong("x|--integer|9223372036854775807", "9223372036854775807|-2..10");
    assert_wrong("x|--integer|8k", "--integer: '8k' is not an integer");
    assert_wrong("x|--integer|", "--integer: the value is empty; is a variable of the shell not set?");
    assert_wrong("x|--lengths|5,0,7", "--lengths: 0 is not within 1..100");
    assert_wrong("x|--lengths|5,,7", "--lengths: an item is empty; separate items by single commas");
    assert_wrong("x|--lengths|5,", "--lengths: an item is empty");
    assert_wrong("x|--integer|99999999999999999999", "--integer: 99999999999999999999 is not within -2..10");
    assert_wrong("x|--integer|-99999999999999999999", "--integer: -99999999999999999999 is not within -2..10");
    assert_wrong("x|--number|1e999", "--number: 1e999 is not within 1..2.5");
    assert_wrong("x|--number|-1e999", "--number: -1e999 is not within 1..2.5");
    assert_wrong("x|--number|1e-999", "--number: 1e-999 is not within 1..2.5");
    assert_wrong("x|--number|1e", "--number: '1e' is not a number; one within 1..2.5 is required");
    assert_wrong("x|--number|1,5", "--number: '1,5' is not a number; write decimals with a point, as in 0.3");
    assert_wrong("x|--number|", "--number: the value is empty");
    assert_wrong("x|--texts|", "--texts: the value is empty");
    assert_wrong("x|--number|0.99", "--number: 0.99 is not within 1..2.5");
    assert_wrong("x|--number|2.51", "--number: 2.51 is not within 1..2.5");
    assert_wrong("x|--number|nan", "--number: 'nan' is not a number");
    assert_wrong("x|--depths|50,101", "--depths: 101 is not within 0..100");
    assert_wrong("x|--text|", "--text: the value is empty");
    assert_wrong("|--flag", "OPERAND: the value is empty");
    assert_wrong("x|--integer|10", "10 is refused; see longrope sample --help");
}

static void unknown_names_are_listed(void **state) {
    (void)state;
    assert_wrong("x|--fruit|quinze", "--fruit: unknown fruit 'quinze' (did you mean 'quince'?); choose apple, pear or");
    assert_wrong("x|--fruits|apple,,pear", "--fruits: an item is empty");
    assert_wrong("x|--fruits|app", "--fruits: unknown fruit 'app'"); /* names are not cut as options are */
}

static void unknown_options_are_named(void **state) {
    (void)state;
    assert_wrong("x|--lenghts|5", "unknown option '--lenghts' (did you mean '--lengths'?)");
    assert_wrong("x|--lenghts=5", "unknown option '--lenghts' (did you mean '--lengths'?)");
    assert_wrong("x|--colour", "unknown option '--colour'; see longrope sample --help");
    assert_wrong("x|--=5", "unknown option '--'");
    assert_wrong("x|-x", "unknown option '-x'; see longrope sample --help");
    assert_wrong("x|-fx", "unknown option '-x'");
    assert_wrong("x|--FLAG", "unknown option '--FLAG'");
    assert_wrong("x|--integer", "missing value: --integer N; see longrope sample --help");
    assert_wrong("x|-fn", "missing value: --integer N");
    assert_wrong("x|--flag=yes", "--flag does not take a value");
}

static void options_depend_on_each_other(void **state) {
    (void)state;
    assert_wrong("--flag", "missing OPERAND; see longrope sample --help");
    assert_wrong("x|--second-flag", "--second-flag requires --flag; see");
    assert_wrong("x|--words|a|--files|b", "--files and --words exclude each other; see");
    assert_wrong("x|--fruits|pear|--words|a", "--words and --fruits exclude each other");
    struct line line;
    read_line(&line, "x|--fruits|pear|--files|b");
    assert_int_equal(line.status, STATUS_OK);
    end_line(&line);
}

static void help_ends_the_line(void **state) {
    (void)state;
    static const char *const lines[] = {"--help", "-h", "--he", "--flag|-fh|--unknown", "--help|--integer|x"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        struct line line;
        read_line(&line, lines[i]);
        assert_int_equal(line.status, STATUS_OK);
        assert_true(line.help);
        end_line(&line);
    }
    assert_wrong("--unknown|--help", "unknown option '--unknown'");
}

/* Commands ------------------------------------------------------------------------------------ */

static char *help_of(const struct option_table *table) {
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    options_print_help(table, out);
    assert_int_equal(fclose(out), 0);
    return text;
}

/* Options that have lines of their own in the help, by their long names, in names[count]. */
static size_t names_in_help(char *text, const char *names[OPTIONS_MOST + 1]) {
    size_t count = 0;
    for (char *line; (line = strsep(&text, "\n"));) {
        assert_true(strlen(line) <= 100);
        bool option = strncmp(line, "  -", 3) == 0;
        char *name = option ? strstr(line, "--") : NULL;
        if (!name) continue;
        name[strcspn(name, " ")] = '\0';
        assert_true(count <= OPTIONS_MOST);
        names[count++] = name + 2;
    }
    return count;
}

/* The help's options are those of the table, in its order, and -h. */
static void assert_explained(const struct option_table *table) {
    const char *names[OPTIONS_MOST + 1];
    char *text = help_of(table);
    size_t count = names_in_help(text, names), next = 0;
    for (size_t g = 0; g < table->group_count; g++) {
        for (size_t i = 0; i < table->groups[g].count; i++) {
            const char *name = table->groups[g].rows[i].name;
            if (!name) continue;
            assert_true(next < count);
            assert_string_equal(names[next++], name);
        }
    }
    assert_int_equal(next + 1, count);
    assert_string_equal(names[next], "help");
    free(text);
}

/* Names and letters are unique, what rows name exists, and initial values are right. */
static void assert_sound(const struct option_table *table) {
    const char *names[OPTIONS_MOST + 1] = {"help"};
    char used[OPTIONS_MOST + 2] = "h"; /* letters */
    size_t count = 1, rows = 0;
    for (size_t g = 0; g < table->group_count; g++) {
        for (size_t i = 0; i < table->groups[g].count; i++) {
            const struct option_row *row = &table->groups[g].rows[i];
            assert_true(++rows <= OPTIONS_MOST);
            assert_non_null(row->help);
            assert_true((row->kind == OPTION_FLAG) == !row->word);
            if (row->letter) assert_null(strchr(used, row->letter));
            if (row->letter) strncat(used, &row->letter, 1);
            if (!row->name) continue;
            assert_int_equal(name_find(names, count, row->name), NAME_UNKNOWN);
            names[count++] = row->name;
        }
    }
    for (size_t g = 0; g < table->group_count; g++) {
        for (size_t i = 0; i < table->groups[g].count; i++) {
            const char *needs = table->groups[g].rows[i].needs;
            if (needs) assert_true(name_find(names, count, needs) != NAME_UNKNOWN);
        }
    }
}

static void commands_have_sound_tables(void **state) {
    (void)state;
    assert_sound(&sample_table);
    assert_explained(&sample_table);
    for (size_t i = 0; i < COMMANDS; i++) {
        assert_sound(commands[i]->table);
        assert_explained(commands[i]->table);
    }
}

static void help_is_made_from_rows(void **state) {
    (void)state;
    char *text = help_of(&sample_table);
    assert_non_null(strstr(text, "longrope sample: a sample\n\nUsage: longrope sample OPERAND\n\nOptions:\n"));
    assert_non_null(strstr(text, "\n  OPERAND                 the first word\n"));
    assert_non_null(strstr(text, "\n  -f, --flag              a flag\n"));
    assert_non_null(strstr(text, "\n  -n, --integer N         an integer (default: 7)\n"));
    assert_non_null(
        strstr(text, "\n\nFruits:\n  --fruit NAME            apple, pear or quince: a fruit (default: pear)\n"));
    assert_non_null(
        strstr(text, "\n  --fruits NAME[,NAME...]\n                          apple, pear or quince: fruits\n"));
    assert_non_null(strstr(text, "\n  --mark [ID]             a mark\n"));
    assert_non_null(strstr(text, "\n\nExamples:\n  longrope sample x\n\nExit status:\n  0   done\n"));
    assert_null(strstr(text, "  75"));
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_is_read),
        cmocka_unit_test(options_not_given_have_initial_values),
        cmocka_unit_test(options_are_spelled_in_many_ways),
        cmocka_unit_test(values_may_look_like_options),
        cmocka_unit_test(files_are_the_words_up_to_the_next_option),
        cmocka_unit_test(the_last_value_counts_and_lists_grow),
        cmocka_unit_test(a_mark_takes_the_next_word_if_it_is_an_integer),
        cmocka_unit_test(values_have_ranges),
        cmocka_unit_test(unknown_names_are_listed),
        cmocka_unit_test(unknown_options_are_named),
        cmocka_unit_test(options_depend_on_each_other),
        cmocka_unit_test(help_ends_the_line),
        cmocka_unit_test(commands_have_sound_tables),
        cmocka_unit_test(help_is_made_from_rows),
    };
    return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
