/* SPDX-License-Identifier: MIT */
/* See options.h. */
#include "options.h"

#include <stdlib.h>
#include <string.h>

#include "cli/parse.h"

#define DEFAULT_LISTEN "127.0.0.1:7007"
#define DEFAULT_DRAIN 10000
#define YEAR_MS (365ull * 24 * 3600 * 1000)
#define LOOPS_MOST 1024
#define RULES_MOST 65536
#define NETWORK_LENGTH 64 /* longer than any that makes sense */

/* In the order of enum tlr_balance. */
static const char *const balances[] = {"least", "rr", "reuseport", NULL};

#define VERSION_TEXT(major, minor, patch) #major "." #minor "." #patch
#define VERSION(major, minor, patch) VERSION_TEXT(major, minor, patch)

/* In the order of enum tlr_at_limit. */
static const char *const at_limits[] = {"wait", "close", NULL};

/* A number, or auto: TLR_AUTO. */
static int apply_limit(const struct tlr_cli_option *option, const char *value,
                       struct tlr_cli_text *complaint)
{
    uint64_t *limit = option->target;

    if (strcmp(value, "auto") == 0) {
        *limit = TLR_AUTO;
        return 0;
    }
    if (tlr_cli_parse_number(value, 0, TLR_AUTO - 1, limit) != 0) {
        tlr_cli_text_add(complaint,
                         "wants a whole number from 0 to %u, or auto, "
                         "not \"%s\"",
                         TLR_AUTO - 1, value);
        return UV_EINVAL;
    }
    return 0;
}

static int apply_loops(const struct tlr_cli_option *option, const char *value,
                       struct tlr_cli_text *complaint)
{
    int *loops = option->target;
    uint64_t number;

    if (strcmp(value, "host") == 0) {
        *loops = TLR_LOOPS_HOST;
        return 0;
    }
    if (tlr_cli_parse_number(value, 0, LOOPS_MOST, &number) != 0) {
        tlr_cli_text_add(complaint,
                         "wants a whole number from 0 to %d, or host, "
                         "not \"%s\"",
                         LOOPS_MOST, value);
        return UV_EINVAL;
    }
    *loops = (int)number;
    return 0;
}

static int add_rule(struct tlr_echo_rules *rules,
                    const struct tlr_access_rule *rule,
                    struct tlr_cli_text *complaint)
{
    struct tlr_access_rule *items;

    if (rules->count == RULES_MOST) {
        tlr_cli_text_add(complaint, "takes no more than %d networks",
                         RULES_MOST);
        return UV_EINVAL;
    }
    if ((rules->count & (rules->count - 1)) == 0) { /* 0, 1, 2, 4, 8 … */
        items = realloc(rules->items, (rules->count == 0 ? 1 : rules->count) *
                                          2 * sizeof(*items));
        if (items == NULL) {
            tlr_cli_text_add(complaint, "takes more memory than there is");
            return UV_EINVAL;
        }
        rules->items = items;
    }
    rules->items[rules->count++] = *rule;
    return 0;
}

/* One of a list, which ends at a comma or with the text. */
static int apply_network(struct tlr_echo_rules *rules, int allow,
                         const char *text, size_t length,
                         struct tlr_cli_text *complaint)
{
    struct tlr_access_rule rule;
    char network[NETWORK_LENGTH];

    if (length < sizeof(network)) {
        memcpy(network, text, length);
        network[length] = '\0';
        if (tlr_access_parse(network, allow, &rule) == 0) {
            return add_rule(rules, &rule, complaint);
        }
    }
    tlr_cli_text_add(complaint,
                     "wants addresses, or networks without bits beyond the "
                     "prefix, such as 10.0.0.0/8,2001:db8::/32, not \"%.*s\"",
                     (int)length, text);
    return UV_EINVAL;
}

static int apply_networks(const struct tlr_cli_option *option, int allow,
                          const char *value, struct tlr_cli_text *complaint)
{
    size_t length = strcspn(value, ",");
    int err =
        apply_network(option->target, allow, value, length, complaint);

    while (err == 0 && value[length] == ',') {
        value += length + 1;
        length = strcspn(value, ",");
        err = apply_network(option->target, allow, value, length, complaint);
    }
    return err;
}

static int apply_allow(const struct tlr_cli_option *option, const char *value,
                       struct tlr_cli_text *complaint)
{
    return apply_networks(option, 1, value, complaint);
}

static int apply_deny(const struct tlr_cli_option *option, const char *value,
                      struct tlr_cli_text *complaint)
{
    return apply_networks(option, 0, value, complaint);
}

static bool parse(struct tlr_echo_options *options, int argc,
                  char *const *argv, int *status)
{
    const struct tlr_cli_option table[] = {
        {.name = "--listen", .argument = "ADDRESS",
         .help = "where to listen: 127.0.0.1:7007, [::1]:7007, 7007, *:7007 "
                 "for every address; port 0 for any free one; may be given "
                 "several times (" DEFAULT_LISTEN ")",
         .apply = tlr_cli_apply_list, .target = &options->listen,
         .repeats = true},
        {.name = "--loops", .argument = "N",
         .help = "event loops that serve, each on a thread of its own; 0 for "
                 "one per CPU; host to accept and serve on one loop without "
                 "any thread (0)",
         .apply = apply_loops, .target = &options->loops},
        {.name = "--balance", .argument = "least|rr|reuseport",
         .help = "who gets a connection: the loop with the fewest open, each "
                 "in turn, or whom the kernel chooses (Linux) (least)",
         .apply = tlr_cli_apply_choice, .target = &options->balance,
         .choices = balances},
        {.name = "--backlog", .argument = "N",
         .help = "connections the kernel queues until they are accepted; 0 "
                 "for as many as it allows (0)",
         .apply = tlr_cli_apply_number, .target = &options->backlog,
         .max = INT32_MAX},
        {.name = "--max-connections", .argument = "N|auto",
         .help = "connections open at a time; 0 for no limit; auto for as "
                 "many as descriptors allow (auto)",
         .apply = apply_limit, .target = &options->max_connections},
        {.name = "--max-per-worker", .argument = "N|auto",
         .help = "the same for one loop; auto for twice an even share (auto)",
         .apply = apply_limit, .target = &options->max_per_worker},
        {.name = "--max-per-peer", .argument = "N|auto",
         .help = "connections open at a time from one IPv4 address, or one "
                 "IPv6 /64; further ones are closed; 0 for no limit; auto for "
                 "7/8 of --max-connections from 1000 on, but loopback (auto)",
         .apply = apply_limit, .target = &options->max_per_peer},
        {.name = "--accept-rate", .argument = "N",
         .help = "connections accepted in a second; 0 for no limit (50000)",
         .apply = tlr_cli_apply_number, .target = &options->accept_rate,
         .max = UINT32_MAX},
        {.name = "--accept-burst", .argument = "N",
         .help = "how many of them at once after a quiet time; 0 for a "
                 "second's worth (0)",
         .apply = tlr_cli_apply_number, .target = &options->accept_burst,
         .max = UINT32_MAX},
        {.name = "--at-limit", .argument = "wait|close",
         .help = "who comes when a limit is reached waits in the kernel's "
                 "queue, or is closed (wait)",
         .apply = tlr_cli_apply_choice, .target = &options->at_limit,
         .choices = at_limits},
        {.name = "--allow", .argument = "NETWORK",
         .help = "who may connect, as in 10.0.0.0/8 or 2001:db8::/32,::1; "
                 "nobody else then may; the smallest network decides that an "
                 "address is in; may be given several times",
         .apply = apply_allow, .target = &options->access, .repeats = true},
        {.name = "--deny", .argument = "NETWORK",
         .help = "who may not; written and decided in the same way",
         .apply = apply_deny, .target = &options->access, .repeats = true},
        {.name = "--max-queued", .argument = "SIZE",
         .help = "output that all connections together may have waiting; 0 "
                 "for an eighth of the memory (0)",
         .apply = tlr_cli_apply_size, .target = &options->max_queued,
         .max = SIZE_MAX / 2},
        {.name = "--idle-timeout", .argument = "SECONDS",
         .help = "close a connection on which nothing has come or gone for so "
                 "long, or up to a tenth less; 0 for never (0)",
         .apply = tlr_cli_apply_seconds, .target = &options->idle_timeout,
         .max = UINT32_MAX},
        {.name = "--write-timeout", .argument = "SECONDS",
         .help = "reset a connection whose peer takes less than --write-rate "
                 "of what it is owed for so long; 0 for never (0)",
         .apply = tlr_cli_apply_seconds, .target = &options->write_timeout,
         .max = UINT32_MAX},
        {.name = "--write-rate", .argument = "SIZE",
         .help = "bytes a second that a peer has to take (1)",
         .apply = tlr_cli_apply_size, .target = &options->write_rate,
         .max = UINT32_MAX},
        {.name = "--max-lifetime", .argument = "SECONDS",
         .help = "end a connection that is so old, or up to a tenth less; 0 "
                 "for never (0)",
         .apply = tlr_cli_apply_seconds, .target = &options->max_lifetime,
         .max = UINT32_MAX},
        {.name = "--read-buffer", .argument = "SIZE",
         .help = "bytes one read may bring, as in 64K (64K)",
         .apply = tlr_cli_apply_size, .target = &options->read_buffer,
         .min = 1, .max = 1u << 30},
        {.name = "--drain", .argument = "SECONDS",
         .help = "after Ctrl-C or SIGTERM, how long open connections may take "
                 "to finish before they are closed (10)",
         .apply = tlr_cli_apply_seconds, .target = &options->drain,
         .max = YEAR_MS},
        {.name = "--stall-time", .argument = "SECONDS",
         .help = "say so, and give it no connections, when a loop has not "
                 "turned for so long; 0 not to look (1)",
         .apply = tlr_cli_apply_seconds, .target = &options->stall_time,
         .max = UINT32_MAX},
        {.name = "--takeover", .argument = "PATH",
         .help = "take the listening sockets over from the teller-echo that "
                 "offers them at this path, which then drains; if there is "
                 "none, --listen; and offer them there to the next one (not "
                 "on Windows)",
         .apply = tlr_cli_apply_string, .target = &options->takeover},
        {.name = "--user", .argument = "NAME[:GROUP]",
         .help = "as root: become this user once it listens (not on Windows)",
         .apply = tlr_cli_apply_string, .target = &options->user},
        {.name = "--stats", .argument = "SECONDS",
         .help = "print a line of figures this often; 0 for never (0)",
         .apply = tlr_cli_apply_seconds, .target = &options->stats,
         .max = YEAR_MS},
        {.name = "--json", .help = "print JSON, an object a line",
         .apply = tlr_cli_apply_flag, .target = &options->json},
        {.name = "--quiet", .help = "print errors only",
         .apply = tlr_cli_apply_flag, .target = &options->quiet},
    };
    const struct tlr_cli_program program = {
        .name = "teller-echo",
        .version = VERSION(TLR_VERSION_MAJOR, TLR_VERSION_MINOR,
                           TLR_VERSION_PATCH),
        .summary = "Sends back to each TCP client what it sends, on a pool of "
                   "event loops.",
        .notes = "The first Ctrl-C (SIGTERM, Ctrl-Break) drains, the second "
                 "stops at once.\n"
                 "Exit status: 0 stopped as asked, 1 a failure, 2 wrong "
                 "usage.\n",
        .options = table,
        .option_count = sizeof(table) / sizeof(table[0]),
    };

    return tlr_cli_begin(&program, argc, argv, status);
}

bool tlr_echo_options_read(struct tlr_echo_options *options,
                           const char **items, int argc, char *const *argv,
                           int *status)
{
    struct tlr_options defaults;

    tlr_options_init(&defaults, sizeof(defaults));
    memset(options, 0, sizeof(*options));
    options->listen.items = items;
    options->listen.capacity = (size_t)argc;
    options->loops = defaults.loops;
    options->balance = defaults.balance;
    options->max_connections = defaults.max_connections;
    options->max_per_worker = defaults.max_per_worker;
    options->max_per_peer = defaults.max_per_peer;
    options->accept_rate = defaults.accept_rate;
    options->write_rate = defaults.write_rate;
    options->stall_time = defaults.stall_time;
    options->read_buffer = defaults.read_buffer;
    options->drain = DEFAULT_DRAIN;
    return parse(options, argc, argv, status);
}

void tlr_echo_options_default_listen(struct tlr_echo_options *options)
{
    if (options->listen.count == 0) {
        options->listen.items[options->listen.count++] = DEFAULT_LISTEN;
    }
}

void tlr_echo_options_free(struct tlr_echo_options *options)
{
    free(options->access.items);
}
