/* SPDX-License-Identifier: MIT */
#include "settings.h"

#include <string.h>

#include "cli/check.h"
#include "cli/options.h"
#include "option_rows.h"
#include "pattern.h"

/* The values as the option table writes them. */
struct values {
    struct tlr_load_settings *to;
    const char *address;
    const char *sources;
    unsigned mode;
    uint64_t connections;
    uint64_t round_trips;
    uint64_t duration_ms;
    uint64_t warmup_ms;
    uint64_t ramp_ms;
    uint64_t think_ms;
    uint64_t session;
    uint64_t depth;
    uint64_t pieces;
    uint64_t threads; /* 0: not given; loops likewise */
    uint64_t loops;
    uint64_t timeout_ms;
    uint64_t rate;
    uint64_t read_rate;
    uint64_t write_rate;
    uint64_t send_buffer;
    uint64_t receive_buffer;
    bool sized;
    bool nodelay;
    bool delay;
};

#define LONGEST_MS (UINT64_C(1000) * 86400 * 365)
#define LARGEST (UINT64_C(1) << 40)

static const char summary[] =
    "Loads a TCP echo server and checks every byte that comes back. Each "
    "connection sends messages, the next one when one is back, and each byte "
    "can be told from where and whom it came. With --rate each message is due "
    "at its time instead, and its latency runs from there.";

static const char notes[] =
    "Sizes take k, M and G (powers of 1024), times ms, s, m and h.\n"
    "\n"
    "Modes: echo; stream (as many bytes as go through); connect (open, end,\n"
    "open anew); idle (hold, and at the end ask each); half-close (send all, end,\n"
    "and only then read); slow (echo at --read-rate, --write-rate); hello (send\n"
    "nothing, await the first byte).\n"
    "\n"
    "Goals: p50, p99.9, max, min, mean (of connect.p99, first_byte.p99,\n"
    "lateness.p99 and think.p99 too) with us, ms or s; rate (round trips or\n"
    "sessions a second), bytes (a second), busy (percent), errors, errors.CAUSE,\n"
    "round_trips, sessions, connected, unsent, memory (bytes a connection);\n"
    "< <= = != >= >. All are checked. One on errors that holds, such as errors<=5,\n"
    "allows them.\n"
    "\n"
    "Also: teller-load merge LOG... adds logs up, teller-load compare JSON...\n"
    "puts results side by side; see --help of each.\n"
    "\n"
    "Ctrl-C ends the run and prints the result, a second one gives up what is\n"
    "still on the way.\n"
    "Exit status: 0 every byte verified, 1 a byte wrong or missing or another\n"
    "error (a result that cannot be written is one), 2 wrong usage, 3 verified (or\n"
    "allowed) but a requirement missed.";

static const char *const modes[] = {
    "echo", "stream", "connect", "idle", "half-close", "slow", "hello", NULL};

static int apply_sizes(const struct tlr_cli_option *option, const char *value,
    struct tlr_cli_text *complaint)
{
    struct values *values = option->target;
    if (tlr_load_sizes_parse(value, &values->to->sizes) == 0) {
        values->sized = true;
        return 0;
    }
    tlr_cli_text_add(complaint,
        "wants bytes, such as 64, a range, 64..16k, or up to %d of these with "
        "weights, 64=90,1k..4k=10, not \"%s\"",
        TLR_LOAD_SIZES_MOST, value);
    return UV_EINVAL;
}

static bool parse(struct values *values, int argc, char **argv, int *status)
{
    struct tlr_load_settings *to = values->to;
    const struct tlr_cli_option positionals[] = {
        {.name = "ADDRESS",
            .help = "the server: HOST:PORT, [IPV6]:PORT, or PORT on 127.0.0.1",
            .apply = tlr_cli_apply_string, .target = &values->address},
    };
    const struct tlr_cli_option options[] = {
        {.name = "--mode", .argument = "MODE",
            .help = "echo, stream, connect, idle, half-close, slow or hello; "
                    "see below (echo)",
            .apply = tlr_cli_apply_choice, .target = &values->mode,
            .choices = modes},
        {.name = "--connections", .argument = "N",
            .help = "connections, all open at once (50)",
            .apply = tlr_cli_apply_number, .target = &values->connections,
            .min = 1, .max = TLR_LOAD_PATTERN_CONNECTIONS},
        {.name = "--rate", .argument = "N",
            .help = "messages a second, over all connections: each is due at "
                    "its time, whether its connection is free or not; with "
                    "connect and hello, connections",
            .apply = tlr_cli_apply_number, .target = &values->rate,
            .min = 1, .max = UINT64_C(100000000)},
        {.name = "--duration", .argument = "SECONDS",
            .help = "how long to send (5, without --round-trips)",
            .apply = tlr_cli_apply_seconds, .target = &values->duration_ms,
            .min = 1, .max = LONGEST_MS},
        {.name = "--round-trips", .argument = "N",
            .help = "messages that each connection sends, instead of a "
                    "duration; with both, what ends first ends it",
            .apply = tlr_cli_apply_number, .target = &values->round_trips,
            .min = 1, .max = UINT64_C(1) << 47},
        {.name = "--warmup", .argument = "SECONDS",
            .help = "send so long before what is measured; connections, the first "
                    "connects, errors and unsent messages count all the same (0)",
            .apply = tlr_cli_apply_seconds, .target = &values->warmup_ms,
            .min = 0, .max = LONGEST_MS},
        {.name = "--ramp", .argument = "SECONDS",
            .help = "spread the opening of the connections over so long (0)",
            .apply = tlr_cli_apply_seconds, .target = &values->ramp_ms,
            .min = 0, .max = LONGEST_MS},
        {.name = "--think", .argument = "SECONDS",
            .help = "what a connection waits after a round trip before it "
                    "begins the next one (0)",
            .apply = tlr_cli_apply_seconds, .target = &values->think_ms,
            .min = 0, .max = LONGEST_MS},
        {.name = "--session", .argument = "N",
            .help = "round trips before a connection is ended and opened anew",
            .apply = tlr_cli_apply_number, .target = &values->session,
            .min = 1, .max = UINT64_C(1) << 47},
        {.name = "--size", .argument = "BYTES",
            .help = "bytes of a message: 64, a range 64..16k, or a table "
                    "64=90,1k..4k=10 of these with weights (64)",
            .apply = apply_sizes, .target = values},
        {.name = "--depth", .argument = "N",
            .help = "messages on the way per connection (1)",
            .apply = tlr_cli_apply_number, .target = &values->depth,
            .min = 1, .max = 65536},
        {.name = "--pieces", .argument = "BYTES",
            .help = "bytes of one write at most: cuts messages up",
            .apply = tlr_cli_apply_size, .target = &values->pieces,
            .min = 1, .max = LARGEST},
        {.name = "--read-rate", .argument = "BYTES",
            .help = "with slow: bytes a second that each connection reads",
            .apply = tlr_cli_apply_size, .target = &values->read_rate,
            .min = 1, .max = LARGEST},
        {.name = "--write-rate", .argument = "BYTES",
            .help = "with slow: bytes a second that each connection writes",
            .apply = tlr_cli_apply_size, .target = &values->write_rate,
            .min = 1, .max = LARGEST},
        {.name = "--threads", .argument = "N",
            .help = "threads, each with a loop and its share of the "
                    "connections (1)",
            .apply = tlr_cli_apply_number, .target = &values->threads,
            .min = 1, .max = 1024},
        {.name = "--loops", .argument = "N",
            .help = "the same, as teller-echo calls it",
            .apply = tlr_cli_apply_number, .target = &values->loops,
            .min = 1, .max = 1024},
        {.name = "--source", .argument = "ADDRESS,...",
            .help = "local addresses to connect from, in turn: each has some "
                    "28,000 ports",
            .apply = tlr_cli_apply_string, .target = &values->sources},
        {.name = "--nodelay",
            .help = "set TCP_NODELAY (it is)",
            .apply = tlr_cli_apply_flag, .target = &values->nodelay},
        {.name = "--no-nodelay",
            .help = "do not: leave Nagle's algorithm on",
            .apply = tlr_cli_apply_flag, .target = &values->delay},
        {.name = "--rcvbuf", .argument = "BYTES",
            .help = "SO_RCVBUF (the system's)",
            .apply = tlr_cli_apply_size, .target = &values->receive_buffer,
            .min = 1, .max = INT32_MAX},
        {.name = "--sndbuf", .argument = "BYTES",
            .help = "SO_SNDBUF (the system's)",
            .apply = tlr_cli_apply_size, .target = &values->send_buffer,
            .min = 1, .max = INT32_MAX},
        {.name = "--timeout", .argument = "SECONDS",
            .help = "a connect, a round trip or an end that takes so long has "
                    "failed; with stream, half-close and slow, the absence of "
                    "progress (10)",
            .apply = tlr_cli_apply_seconds, .target = &values->timeout_ms,
            .min = 1, .max = UINT64_C(1000) * 86400},
        {.name = "--abort-on-error", .help = "give up at the first error",
            .apply = tlr_cli_apply_flag, .target = &to->plan.abort_on_error},
        {.name = "--require", .argument = "GOAL",
            .help = "such as p99<5ms, errors=0, rate>=1000/s: exit status 3 if "
                    "it is missed; see below",
            .apply = tlr_load_require_apply, .target = &to->require,
            .repeats = true},
        {.name = "--repeat", .argument = "N",
            .help = "run so many times; the result is the median of them (1)",
            .apply = tlr_cli_apply_number, .target = &to->repeat,
            .min = 1, .max = 1000},
        TLR_LOAD_OPTION_JSON(&to->json),
        {.name = "--csv", .help = "print it as CSV: names, and a line a run",
            .apply = tlr_cli_apply_flag, .target = &to->csv},
        {.name = "--report", .argument = "FILE",
            .help = "write it as a page with charts (HTML)",
            .apply = tlr_load_apply_file, .target = &to->report},
        TLR_LOAD_OPTION_HISTOGRAM(&to->histogram),
        {.name = "--log", .argument = "FILE",
            .help = "write the latency of each second (HdrHistogram's log)",
            .apply = tlr_load_apply_file, .target = &to->log},
        TLR_LOAD_OPTION_QUIET(&to->quiet),
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

static bool has_messages(unsigned mode)
{
    return mode == TLR_LOAD_ECHO || mode == TLR_LOAD_SLOW;
}

static uint64_t loops_of(const struct values *values)
{
    return values->threads != 0 ? values->threads
           : values->loops != 0 ? values->loops
                                : 1;
}

/* An option that would do nothing in the mode. Returns NULL or what is wrong. */
static const char *find_idle_option(const struct values *values)
{
    unsigned mode = values->mode;
    bool sends = mode != TLR_LOAD_CHURN && mode != TLR_LOAD_HELLO;
    if ((values->read_rate != 0 || values->write_rate != 0) &&
        mode != TLR_LOAD_SLOW) {
        return "--read-rate and --write-rate are for --mode slow";
    }
    if (values->session != 0 && !has_messages(mode)) {
        return "--session is for --mode echo and slow";
    }
    if (values->think_ms != 0 && !has_messages(mode)) {
        return "--think is for --mode echo and slow";
    }
    if (values->depth != 1 && !has_messages(mode)) {
        return "--depth is for --mode echo and slow";
    }
    if (values->sized && (!sends || mode == TLR_LOAD_STREAM)) {
        return "--size is for --mode echo, idle, half-close and slow";
    }
    if (values->pieces != 0 && !sends) {
        return "--pieces is for --mode echo, stream, idle, half-close and slow";
    }
    if (values->rate != 0 && sends && !has_messages(mode)) {
        return "--rate is for --mode echo, slow, connect and hello";
    }
    if (values->round_trips != 0 &&
        (mode == TLR_LOAD_STREAM || mode == TLR_LOAD_IDLE)) {
        return "--round-trips is not for --mode stream and idle; give "
               "--duration";
    }
    return NULL;
}

/* Where a connection cannot think between two round trips: in the open loop it is
 * the schedule that says when to send, and of several messages on the way there is
 * no between. Returns NULL or what is wrong. */
static const char *find_thoughtless(const struct values *values)
{
    if (values->think_ms != 0 && values->rate != 0) {
        return "--think is for the closed loop, and --rate makes it the open "
               "one; give one of them";
    }
    if (values->think_ms != 0 && values->depth != 1) {
        return "--think is for one message at a time, and --depth is for more; "
               "give one of them";
    }
    return NULL;
}

static bool same(const char *a, const char *b)
{
    return a != NULL && b != NULL && strcmp(a, b) == 0;
}

/* What no single option can see. Returns NULL or what is wrong. */
static const char *find_conflict(
    const struct values *values, uint64_t largest)
{
    if (values->round_trips > (UINT64_C(1) << 47) / largest) {
        return "--round-trips times --size is more than 128 TiB; lower one";
    }
    if (values->depth > (UINT64_C(1) << 47) / largest) {
        return "--depth times --size is more than 128 TiB; lower one";
    }
    if (values->threads != 0 && values->loops != 0) {
        return "--threads and --loops are the same; give one of them";
    }
    if (loops_of(values) > values->connections) {
        return "--threads is more than --connections; lower it";
    }
    if (values->nodelay && values->delay) {
        return "--nodelay and --no-nodelay: give one of them";
    }
    if (values->to->json && values->to->csv) {
        return "--json and --csv: give one of them";
    }
    if (same(values->to->report, values->to->histogram) ||
        same(values->to->report, values->to->log) ||
        same(values->to->histogram, values->to->log)) {
        return "--report, --histogram and --log: give each a file of its own";
    }
    if (values->to->log != NULL && values->to->repeat > 1) {
        return "--log is of one run; leave --repeat out";
    }
    const char *idle = find_idle_option(values);
    return idle != NULL ? idle : find_thoughtless(values);
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
            stderr, "teller-load: %s\n", tlr_cli_text_line(&complaint));
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
    bool slow = from->mode == TLR_LOAD_SLOW;
    settings->address = from->address;
    settings->plan = (struct tlr_load_plan){
        .mode = (enum tlr_load_mode)from->mode,
        .connections = (uint32_t)from->connections,
        .loops = (uint32_t)loops_of(from),
        .depth = (uint32_t)from->depth,
        .size = tlr_load_sizes_largest(&settings->sizes),
        .pieces = from->pieces,
        .round_trips = from->round_trips,
        .session = from->session,
        .rate = (double)from->rate,
        .think_ms = from->think_ms,
        .ramp_ms = from->ramp_ms,
        .warmup_ms = from->warmup_ms,
        .duration_ms = endless ? 5000 : from->duration_ms,
        .timeout_ms = from->timeout_ms,
        .read_rate = slow && from->read_rate == 0 && from->write_rate == 0
                         ? 1024
                         : from->read_rate,
        .write_rate = from->write_rate,
        .send_buffer = (unsigned)from->send_buffer,
        .receive_buffer = (unsigned)from->receive_buffer,
        .delay = from->delay,
        .abort_on_error = settings->plan.abort_on_error,
    };
    if (settings->sizes.count > 1 ||
        settings->sizes.rows[0].low != settings->sizes.rows[0].high) {
        settings->plan.sizes = &settings->sizes;
    }
}

/* One of --source: an address without a port. */
static int add_source(
    struct tlr_load_settings *settings, const char *text, size_t length)
{
    char address[TLR_CLI_ADDRESS_LENGTH];
    struct tlr_load_plan *plan = &settings->plan;
    struct sockaddr_storage *to = &settings->sources[plan->source_count];
    if (length >= sizeof(address) || plan->source_count == TLR_LOAD_SOURCES) {
        return UV_EINVAL;
    }
    memcpy(address, text, length);
    address[length] = '\0';
    memset(to, 0, sizeof(*to));
    if (uv_ip4_addr(address, 0, (struct sockaddr_in *)to) != 0 &&
        uv_ip6_addr(address, 0, (struct sockaddr_in6 *)to) != 0) {
        return UV_EINVAL;
    }
    plan->source_count++;
    return 0;
}

static bool take_sources(struct tlr_load_settings *settings, const char *text)
{
    settings->plan.sources = settings->sources;
    while (text != NULL) {
        const char *comma = strchr(text, ',');
        size_t length = comma == NULL ? strlen(text) : (size_t)(comma - text);
        if (add_source(settings, text, length) != 0) {
            (void)fprintf(stderr,
                "teller-load: --source wants up to %d addresses of this "
                "machine, with commas between them, not \"%s\"\n",
                TLR_LOAD_SOURCES, text);
            return false;
        }
        text = comma == NULL ? NULL : comma + 1;
    }
    return true;
}

static bool fits_a_source(
    const struct tlr_load_plan *plan, const struct sockaddr_storage *address)
{
    for (size_t i = 0; i < plan->source_count; i++) {
        if (plan->sources[i].ss_family == address->ss_family) {
            return true;
        }
    }
    return plan->source_count == 0;
}

/* Without one, an address would be connected to from anywhere. */
void tlr_load_settings_fit(
    const struct tlr_load_plan *plan, struct tlr_cli_addresses *addresses)
{
    size_t count = 0;
    for (size_t i = 0; i < addresses->count; i++) {
        if (fits_a_source(plan, &addresses->items[i])) {
            addresses->items[count++] = addresses->items[i];
        }
    }
    addresses->count = count;
}

/* Looks up what --source can connect to. Returns a status; all is said. */
static int take_addresses(struct tlr_load_settings *settings)
{
    struct tlr_load_plan *plan = &settings->plan;
    int status = look_up(settings);
    if (status != TLR_CLI_STATUS_OK) {
        return status;
    }
    tlr_load_settings_fit(plan, &settings->addresses);
    if (settings->addresses.count == 0) {
        (void)fprintf(stderr,
            "teller-load: --source has no address of the kind of \"%s\": IPv4 "
            "and IPv6 do not connect\n",
            settings->address);
        tlr_cli_addresses_free(&settings->addresses);
        return TLR_CLI_STATUS_USAGE;
    }
    plan->addresses = settings->addresses.items;
    plan->address_count = settings->addresses.count;
    return TLR_CLI_STATUS_OK;
}

bool tlr_load_settings_read(
    struct tlr_load_settings *settings, int argc, char **argv, int *status)
{
    struct values values = {
        .to = settings,
        .connections = 50,
        .depth = 1,
        .timeout_ms = 10000,
    };
    memset(settings, 0, sizeof(*settings));
    settings->repeat = 1;
    if (!parse(&values, argc, argv, status)) {
        return false;
    }
    if (!values.sized) {
        int err = tlr_load_sizes_parse(
            values.mode == TLR_LOAD_HALF_CLOSE ? "64k" : "64",
            &settings->sizes);
        TLR_CLI_CHECK(err == 0);
    }
    const char *conflict = find_conflict(
        &values, tlr_load_sizes_largest(&settings->sizes));
    if (conflict != NULL) {
        (void)fprintf(stderr, "teller-load: %s\n", conflict);
        *status = TLR_CLI_STATUS_USAGE;
        return false;
    }
    take(settings, &values);
    if (!take_sources(settings, values.sources)) {
        *status = TLR_CLI_STATUS_USAGE;
        return false;
    }
    *status = take_addresses(settings);
    return *status == TLR_CLI_STATUS_OK;
}

void tlr_load_settings_free(struct tlr_load_settings *settings)
{
    tlr_cli_addresses_free(&settings->addresses);
}
