/* SPDX-License-Identifier: MIT */
#include "settings.h"

#include <string.h>

#include "cli/options.h"
#include "pattern.h"

/* The values as the option table writes them. */
struct values {
    const char *address;
    uint64_t connections;
    uint64_t size;
    uint64_t round_trips;
    uint64_t duration_ms;
    uint64_t depth;
    uint64_t loops;
    uint64_t timeout_ms;
    bool json;
    bool quiet;
};

static const char summary[] =
    "Loads a TCP echo server and checks every byte that comes back. Each "
    "connection sends messages, the next one when one is back, and each byte "
    "can be told from where and whom it came.";

static const char notes[] =
    "Sizes take k, M and G (powers of 1024), times ms, s, m and h.\n"
    "Ctrl-C ends the run and prints the result, a second one gives up what is\n"
    "still on the way.\n"
    "Exit status: 0 every byte verified, 1 a byte wrong or missing or a\n"
    "connection failed, 2 wrong usage.";

static bool parse(struct values *values, int argc, char **argv, int *status)
{
    const struct tlr_cli_option positionals[] = {
        {.name = "ADDRESS",
            .help = "the server: HOST:PORT, [IPV6]:PORT, or PORT on 127.0.0.1",
            .apply = tlr_cli_apply_string, .target = &values->address},
    };
    const struct tlr_cli_option options[] = {
        {.name = "--connections", .argument = "N",
            .help = "connections, all open at once (50)",
            .apply = tlr_cli_apply_number, .target = &values->connections,
            .min = 1, .max = TLR_LOAD_PATTERN_CONNECTIONS},
        {.name = "--size", .argument = "BYTES",
            .help = "bytes of a message (64)",
            .apply = tlr_cli_apply_size, .target = &values->size,
            .min = 1, .max = UINT64_C(1) << 40},
        {.name = "--round-trips", .argument = "N",
            .help = "messages that each connection sends, instead of a "
                    "duration; with both, what ends first ends it",
            .apply = tlr_cli_apply_number, .target = &values->round_trips,
            .min = 1, .max = UINT64_C(1) << 47},
        {.name = "--duration", .argument = "SECONDS",
            .help = "how long to send (5, without --round-trips)",
            .apply = tlr_cli_apply_seconds, .target = &values->duration_ms,
            .min = 1, .max = UINT64_C(1000) * 86400 * 365},
        {.name = "--depth", .argument = "N",
            .help = "messages on the way per connection (1)",
            .apply = tlr_cli_apply_number, .target = &values->depth,
            .min = 1, .max = 65536},
        {.name = "--loops", .argument = "N",
            .help = "threads, each with a loop and its share of the "
                    "connections (1)",
            .apply = tlr_cli_apply_number, .target = &values->loops,
            .min = 1, .max = 1024},
        {.name = "--timeout", .argument = "SECONDS",
            .help = "a connection without progress for so long has failed "
                    "(10)",
            .apply = tlr_cli_apply_seconds, .target = &values->timeout_ms,
            .min = 1, .max = UINT64_C(1000) * 86400},
        {.name = "--json", .help = "print the result as one JSON object",
            .apply = tlr_cli_apply_flag, .target = &values->json},
        {.name = "--quiet",
            .help = "print errors only (and what --json asks for)",
            .apply = tlr_cli_apply_flag, .target = &values->quiet},
    };
    const struct tlr_cli_program program = {
        .name = "teller-load",
        .version = TLR_VERSION_TEXT,
        .summary = summary,
        .notes = notes,
        .options = options,
        .option_count = sizeof(options) / sizeof(options[0]),
        .positionals = positionals,
        .positional_count = 1,
    };
    return tlr_cli_begin(&program, argc, argv, status);
}

/* What no single option can see. Returns NULL or what is wrong. */
static const char *find_conflict(const struct values *values)
{
    if (values->round_trips > (UINT64_C(1) << 47) / values->size) {
        return "--round-trips times --size is more than 128 TiB; lower one";
    }
    if (values->depth > (UINT64_C(1) << 47) / values->size) {
        return "--depth times --size is more than 128 TiB; lower one";
    }
    if (values->loops > values->connections) {
        return "--loops is more than --connections; lower it";
    }
    return NULL;
}

static int look_up(struct tlr_load_settings *settings)
{
    struct tlr_cli_text complaint = {0};
    int status = TLR_CLI_STATUS_OK;
    int err = tlr_cli_resolve(
        settings->address, "127.0.0.1", &settings->addresses, &complaint);
    if (err == 0 &&
        (settings->addresses.every ||
            tlr_cli_port((struct sockaddr *)settings->addresses.items) == 0)) {
        tlr_cli_text_add(&complaint,
            "nothing can be connected to at \"%s\"; write HOST:PORT with a "
            "port from 1 to 65535",
            settings->address);
        err = UV_EINVAL;
    }
    if (err != 0) {
        (void)fprintf(
            stderr, "teller-load: %s\n", tlr_cli_text_get(&complaint));
        tlr_cli_addresses_free(&settings->addresses);
        status = err == UV_EINVAL ? TLR_CLI_STATUS_USAGE
                                  : TLR_CLI_STATUS_FAILURE;
    }
    tlr_cli_text_free(&complaint);
    return status;
}

static void take(struct tlr_load_settings *settings, const struct values *from)
{
    bool endless = from->duration_ms == 0 && from->round_trips == 0;
    memset(settings, 0, sizeof(*settings));
    settings->address = from->address;
    settings->json = from->json;
    settings->quiet = from->quiet;
    settings->plan = (struct tlr_load_plan){
        .connections = (uint32_t)from->connections,
        .loops = (uint32_t)from->loops,
        .depth = (uint32_t)from->depth,
        .size = from->size,
        .round_trips = from->round_trips,
        .duration_ms = endless ? 5000 : from->duration_ms,
        .timeout_ms = from->timeout_ms,
    };
}

bool tlr_load_settings_read(
    struct tlr_load_settings *settings, int argc, char **argv, int *status)
{
    struct values values = {
        .connections = 50,
        .size = 64,
        .depth = 1,
        .loops = 1,
        .timeout_ms = 10000,
    };
    if (!parse(&values, argc, argv, status)) {
        return false;
    }
    const char *conflict = find_conflict(&values);
    if (conflict != NULL) {
        (void)fprintf(stderr, "teller-load: %s\n", conflict);
        *status = TLR_CLI_STATUS_USAGE;
        return false;
    }
    take(settings, &values);
    *status = look_up(settings);
    settings->plan.addresses = settings->addresses.items;
    settings->plan.address_count = settings->addresses.count;
    return *status == TLR_CLI_STATUS_OK;
}

void tlr_load_settings_free(struct tlr_load_settings *settings)
{
    tlr_cli_addresses_free(&settings->addresses);
}
