/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cli/options.h"

/* A program with one option of each kind, as teller-echo has them. */
struct fixture {
    const char *addresses[3];
    struct tlr_cli_list listen;
    uint64_t loops;
    uint64_t buffer;
    uint64_t drain_ms;
    unsigned balance;
    bool quiet;
    const char *operand;
    struct tlr_cli_text message;
};

static const char *const balances[] = {"least", "rr", "reuseport", NULL};

static enum tlr_cli_outcome parse(struct fixture *f, const char *const *words)
{
    char *argv[16] = {(char *)"teller-test"};
    int argc = 1;
    memset(f, 0, sizeof(*f));
    f->listen = (struct tlr_cli_list){.items = f->addresses, .capacity = 3};
    for (; *words != NULL; words++) {
        argv[argc++] = (char *)*words;
    }
    const struct tlr_cli_option options[] = {
        {.name = "--listen", .argument = "ADDRESS", .repeats = true,
            .help = "where to listen", .apply = tlr_cli_apply_list,
            .target = &f->listen},
        {.name = "--loops", .argument = "N",
            .help = "threads with a loop each, or 0 for one per processor "
                    "that this process may use",
            .apply = tlr_cli_apply_number, .target = &f->loops, .max = 1024},
        {.name = "--read-buffer", .argument = "SIZE", .help = "bytes",
            .apply = tlr_cli_apply_size, .target = &f->buffer, .min = 1024,
            .max = 16 << 20},
        {.name = "--drain", .argument = "SECONDS", .help = "time to drain",
            .apply = tlr_cli_apply_seconds, .target = &f->drain_ms,
            .max = 3600 * 1000},
        {.name = "--balance", .argument = "least|rr|reuseport",
            .help = "the policy", .apply = tlr_cli_apply_choice,
            .target = &f->balance, .choices = balances},
        {.name = "--quiet", .help = "print less", .apply = tlr_cli_apply_flag,
            .target = &f->quiet},
    };
    const struct tlr_cli_option operands[] = {
        {.name = "WORD", .help = "any word", .apply = tlr_cli_apply_string,
            .target = &f->operand, .optional = true},
    };
    const struct tlr_cli_program program = {
        .name = "teller-test",
        .version = "1.2.3",
        .summary = "Tests.",
        .options = options,
        .option_count = sizeof(options) / sizeof(options[0]),
        .positionals = operands,
        .positional_count = 1,
    };
    return tlr_cli_parse(&program, argc, argv, &f->message);
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void expect_wrong(const char *const *words, const char *line)
{
    struct fixture f;
    assert_int_equal(parse(&f, words), TLR_CLI_WRONG);
    assert_string_equal(tlr_cli_text_get(&f.message), line);
    tlr_cli_text_free(&f.message);
}

static void values_follow_a_space_or_an_equals_sign(void **state)
{
    struct fixture f;
    (void)state;
    assert_int_equal(parse(&f, WORDS("--loops", "4", "--read-buffer=64k",
                         "--drain", "2.5", "--balance=rr", "--quiet")),
        TLR_CLI_GO);
    assert_int_equal(f.loops, 4);
    assert_int_equal(f.buffer, 65536);
    assert_int_equal(f.drain_ms, 2500);
    assert_int_equal(f.balance, 1);
    assert_true(f.quiet);
    assert_null(f.operand);
    assert_int_equal(f.message.length, 0);
}

static void a_repeated_option_collects_its_values_in_order(void **state)
{
    struct fixture f;
    (void)state;
    assert_int_equal(
        parse(&f, WORDS("--listen", "7007", "--listen=[::1]:7008")),
        TLR_CLI_GO);
    assert_int_equal(f.listen.count, 2);
    assert_string_equal(f.addresses[0], "7007");
    assert_string_equal(f.addresses[1], "[::1]:7008");
    expect_wrong(WORDS("--listen=1", "--listen=2", "--listen=3", "--listen=4"),
        "teller-test: --listen may be given 3 times at most\n");
}

static void options_may_follow_operands_and_two_dashes_end_them(void **state)
{
    struct fixture f;
    (void)state;
    assert_int_equal(parse(&f, WORDS("word", "--loops=2")), TLR_CLI_GO);
    assert_string_equal(f.operand, "word");
    assert_int_equal(f.loops, 2);
    assert_int_equal(parse(&f, WORDS("--", "--loops")), TLR_CLI_GO);
    assert_string_equal(f.operand, "--loops");
    assert_int_equal(parse(&f, WORDS("-")), TLR_CLI_GO);
    assert_string_equal(f.operand, "-");
}

static void an_unknown_option_is_answered_with_the_likely_one(void **state)
{
    (void)state;
    expect_wrong(WORDS("--lopps", "3"),
        "teller-test: unknown option --lopps; did you mean --loops? (--help "
        "lists them all)\n");
    expect_wrong(WORDS("--olops=3"),
        "teller-test: unknown option --olops; did you mean --loops? (--help "
        "lists them all)\n");
    expect_wrong(WORDS("--zebra"),
        "teller-test: unknown option --zebra (--help lists them all)\n");
    expect_wrong(WORDS("-x"),
        "teller-test: unknown option -x (--help lists them all)\n");
}

static void an_abbreviation_is_not_accepted_but_understood(void **state)
{
    (void)state;
    expect_wrong(WORDS("--read", "1k"),
        "teller-test: unknown option --read; did you mean --read-buffer? "
        "(--help lists them all)\n");
}

static void a_bad_value_is_answered_with_what_is_wanted(void **state)
{
    (void)state;
    expect_wrong(WORDS("--loops", "x"),
        "teller-test: --loops wants a whole number from 0 to 1024, not "
        "\"x\"\n");
    expect_wrong(WORDS("--loops=1025"),
        "teller-test: --loops wants a whole number from 0 to 1024, not "
        "\"1025\"\n");
    expect_wrong(WORDS("--read-buffer", "12"),
        "teller-test: --read-buffer wants a size from 1KiB to 16MiB, such as "
        "64, 64k or 1M, not \"12\"\n");
    expect_wrong(WORDS("--drain", "soon"),
        "teller-test: --drain wants seconds from 0 to 3600, such as 2.5, "
        "500ms or 1m, not \"soon\"\n");
    expect_wrong(WORDS("--balance", "most"),
        "teller-test: --balance wants least, rr or reuseport, not \"most\"\n");
    expect_wrong(
        WORDS("--listen="), "teller-test: --listen must not be empty\n");
    expect_wrong(WORDS("--loops", "1\n2"),
        "teller-test: --loops wants a whole number from 0 to 1024, not "
        "\"1?2\"\n");
}

static void wrong_usage_says_how_to_mend_it(void **state)
{
    (void)state;
    expect_wrong(
        WORDS("--loops"), "teller-test: --loops lacks its value: --loops N\n");
    expect_wrong(WORDS("--quiet=yes"),
        "teller-test: --quiet takes no value; leave out \"=yes\"\n");
    expect_wrong(WORDS("--help=3"),
        "teller-test: --help takes no value; leave out \"=3\"\n");
    expect_wrong(WORDS("--version="),
        "teller-test: --version takes no value; leave out \"=\"\n");
    expect_wrong(WORDS("--loops=1", "--loops=2"),
        "teller-test: --loops is given twice; leave one\n");
    expect_wrong(WORDS("a", "b"),
        "teller-test: \"b\" is one argument too many; leave it out\n");
}

static void the_help_is_aligned_and_wrapped(void **state)
{
    struct fixture f;
    (void)state;
    assert_int_equal(parse(&f, WORDS("--help")), TLR_CLI_ASKED);
    assert_string_equal(tlr_cli_text_get(&f.message),
        "usage: teller-test [WORD] [OPTION]...\n"
        "\n"
        "Tests.\n"
        "\n"
        "  WORD                          any word\n"
        "  --listen ADDRESS              where to listen\n"
        "  --loops N                     threads with a loop each, or 0 for "
        "one per\n"
        "                                processor that this process may use\n"
        "  --read-buffer SIZE            bytes\n"
        "  --drain SECONDS               time to drain\n"
        "  --balance least|rr|reuseport  the policy\n"
        "  --quiet                       print less\n"
        "  --version                     print the version and leave\n"
        "  --help                        print this and leave; -h does, too\n");
    tlr_cli_text_free(&f.message);
}

static void a_short_name_asks_for_help_too(void **state)
{
    struct fixture f;
    (void)state;
    assert_int_equal(parse(&f, WORDS("-h")), TLR_CLI_ASKED);
    assert_ptr_equal(strstr(tlr_cli_text_get(&f.message), "usage: "),
        f.message.data);
    tlr_cli_text_free(&f.message);
}

static void the_version_is_one_line(void **state)
{
    struct fixture f;
    (void)state;
    assert_int_equal(parse(&f, WORDS("--version")), TLR_CLI_ASKED);
    assert_string_equal(tlr_cli_text_get(&f.message), "teller-test 1.2.3\n");
    tlr_cli_text_free(&f.message);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_follow_a_space_or_an_equals_sign),
        cmocka_unit_test(a_repeated_option_collects_its_values_in_order),
        cmocka_unit_test(options_may_follow_operands_and_two_dashes_end_them),
        cmocka_unit_test(an_unknown_option_is_answered_with_the_likely_one),
        cmocka_unit_test(an_abbreviation_is_not_accepted_but_understood),
        cmocka_unit_test(a_bad_value_is_answered_with_what_is_wanted),
        cmocka_unit_test(wrong_usage_says_how_to_mend_it),
        cmocka_unit_test(the_help_is_aligned_and_wrapped),
        cmocka_unit_test(a_short_name_asks_for_help_too),
        cmocka_unit_test(the_version_is_one_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
