/* SPDX-License-Identifier: MIT */
/*
 * A Node-API addon: the server beside Node's loop, for any version of Node, on
 * Linux and in node.exe. In JavaScript:
 *
 *     const server = addon.start(loops, (event, value) => …)
 *         event: 'listening' (the port), 'stats' (of connections that have
 *         ended), 'stopped' (the last ones)
 *     addon.stats(server)
 *     addon.ref(server), addon.unref(server)
 *     addon.stop(server, milliseconds)
 *
 * Each environment (the main one, each worker thread) has servers of its own,
 * on its own loop, and each server has a clean-up hook: the environment that
 * ends (at the end of its script, by terminate(), by process.exit() in a worker
 * thread) calls it, and then runs its loop until the hook is removed, which is
 * when the server has stopped. No JavaScript is run by then. process.exit() on
 * the main thread calls no hook at all there: the workers' threads then go on
 * until the process ends, and use nothing that Node takes down before.
 */
#define NAPI_VERSION 8
#include <node_api.h>

#include <stdlib.h>

#include "../module.h"

struct server {
    napi_env env;
    struct embed *embed; /* NULL: stopped */
    napi_ref emit;
    napi_ref name; /* keeps the external, and so this memory, until stopped */
    napi_async_context context;
    napi_async_cleanup_hook_handle hook;
    int ending; /* the environment ends, and calls no JavaScript */
};

static napi_value number(napi_env env, double value)
{
    napi_value result;

    return napi_create_double(env, value, &result) == napi_ok ? result : NULL;
}

static napi_value stats(napi_env env, const struct tlr_counters *counters)
{
    napi_value result;

    if (napi_create_object(env, &result) != napi_ok) {
        return NULL;
    }
    /* An exception that these leave is thrown when it gets to JavaScript. */
    (void)napi_set_named_property(env, result, "accepted",
                                  number(env, (double)counters->accepted));
    (void)napi_set_named_property(env, result, "open",
                                  number(env, (double)counters->open));
    (void)napi_set_named_property(env, result, "bytesIn",
                                  number(env, (double)counters->bytes_in));
    (void)napi_set_named_property(env, result, "bytesOut",
                                  number(env, (double)counters->bytes_out));
    (void)napi_set_named_property(env, result, "emulated",
                                  number(env, (double)counters->emulated));
    return result;
}

/*
 * Around each callback on Node's thread. An exception is an uncaught one of
 * JavaScript's; while a worker thread is being terminated calls fail without
 * one, and nothing is to be done about it.
 */
static void trampoline(void (*call)(void *argument), void *argument,
                       void *user)
{
    struct server *server = user;
    napi_env env = server->env;
    napi_handle_scope handles;
    napi_callback_scope scope = NULL;
    napi_value resource, error;
    bool thrown = false;

    if (server->ending || napi_open_handle_scope(env, &handles) != napi_ok) {
        call(argument);
        return;
    }
    if (napi_create_object(env, &resource) == napi_ok) {
        (void)napi_open_callback_scope(env, resource, server->context, &scope);
    }
    call(argument);
    if (napi_is_exception_pending(env, &thrown) == napi_ok && thrown &&
        napi_get_and_clear_last_exception(env, &error) == napi_ok) {
        (void)napi_fatal_exception(env, error);
    }
    if (scope != NULL) {
        (void)napi_close_callback_scope(env, scope);
    }
    (void)napi_close_handle_scope(env, handles);
}

static void emit(struct server *server, const char *event, napi_value value)
{
    napi_env env = server->env;
    napi_value fn, receiver, arguments[2];

    if (value != NULL &&
        napi_get_reference_value(env, server->emit, &fn) == napi_ok &&
        napi_get_undefined(env, &receiver) == napi_ok &&
        napi_create_string_utf8(env, event, NAPI_AUTO_LENGTH, &arguments[0]) ==
            napi_ok) {
        arguments[1] = value;
        /* What it throws is for the trampoline. */
        (void)napi_call_function(env, receiver, fn, 2, arguments, NULL);
    }
}

static void listening(void *user, int port)
{
    struct server *server = user;

    if (!server->ending) {
        emit(server, "listening", number(server->env, port));
    }
}

static void tell_stats(void *user, const struct tlr_counters *counters)
{
    struct server *server = user;

    if (!server->ending) {
        emit(server, "stats", stats(server->env, counters));
    }
}

/*
 * The trampoline still uses the server when this returns: it is freed with its
 * external, when that is collected, or when the environment ends.
 */
static void stopped(void *user, const struct tlr_counters *counters)
{
    struct server *server = user;
    napi_env env = server->env;

    server->embed = NULL;
    if (server->ending) {
        /* Node lets go of everything else by itself. */
        (void)napi_remove_async_cleanup_hook(server->hook);
        return;
    }
    (void)napi_remove_async_cleanup_hook(server->hook);
    emit(server, "stopped", stats(env, counters));
    (void)napi_delete_reference(env, server->emit);
    (void)napi_delete_reference(env, server->name);
}

/*
 * An unref'd server would not keep the loop turning, which Node does only while
 * something is alive there: until it has stopped it has to.
 */
static void environment_ends(napi_async_cleanup_hook_handle hook, void *user)
{
    struct server *server = user;

    (void)hook;
    server->ending = 1;
    embed_ref(server->embed);
    embed_stop(server->embed, 0);
}

static void collect(napi_env env, void *data, void *hint)
{
    struct server *server = data;

    (void)hint;
    (void)napi_async_destroy(env, server->context);
    free(server);
}

static napi_value throw_code(napi_env env, int err)
{
    (void)napi_throw_error(env, uv_err_name(err), uv_strerror(err));
    return NULL;
}

static const struct embed_events events = {listening, tell_stats, stopped,
                                           trampoline, NULL};

/* What cannot fail but for memory comes first; the server is the last. */
static napi_value start(napi_env env, napi_callback_info info)
{
    struct server *server = calloc(1, sizeof(*server));
    struct embed_events told = events;
    napi_value arguments[2], name, external;
    size_t count = 2;
    uv_loop_t *loop;
    int32_t loops;
    int err = UV_EINVAL;

    if (server == NULL) {
        return throw_code(env, UV_ENOMEM);
    }
    server->env = env;
    told.user = server;
    if (napi_get_cb_info(env, info, &count, arguments, NULL, NULL) != napi_ok ||
        napi_get_value_int32(env, arguments[0], &loops) != napi_ok ||
        napi_get_uv_event_loop(env, &loop) != napi_ok ||
        napi_create_string_utf8(env, "teller", NAPI_AUTO_LENGTH, &name) !=
            napi_ok ||
        napi_async_init(env, NULL, name, &server->context) != napi_ok) {
        free(server);
        return throw_code(env, err);
    }
    if (napi_create_external(env, server, collect, NULL, &external) !=
        napi_ok) {
        collect(env, server, NULL);
        return throw_code(env, err);
    }
    if (napi_create_reference(env, arguments[1], 1, &server->emit) != napi_ok) {
        return throw_code(env, err);
    }
    if (napi_create_reference(env, external, 1, &server->name) == napi_ok) {
        if (napi_add_async_cleanup_hook(env, environment_ends, server,
                                        &server->hook) == napi_ok) {
            server->embed = embed_start(loop, loops, 20, &told, &err);
            if (server->embed != NULL) {
                return external;
            }
            (void)napi_remove_async_cleanup_hook(server->hook);
        }
        (void)napi_delete_reference(env, server->name);
    }
    (void)napi_delete_reference(env, server->emit);
    return throw_code(env, err);
}

/* The server of a call's first argument, NULL if it has stopped. */
static struct embed *argument(napi_env env, napi_callback_info info,
                              uint32_t *second)
{
    napi_value arguments[2];
    size_t count = 2;
    void *server;

    if (napi_get_cb_info(env, info, &count, arguments, NULL, NULL) != napi_ok ||
        napi_get_value_external(env, arguments[0], &server) != napi_ok) {
        (void)throw_code(env, UV_EINVAL);
        return NULL;
    }
    if (count < 2 ||
        napi_get_value_uint32(env, arguments[1], second) != napi_ok) {
        *second = 0;
    }
    return ((struct server *)server)->embed;
}

static napi_value stats_now(napi_env env, napi_callback_info info)
{
    uint32_t unused;
    struct embed *embed = argument(env, info, &unused);
    struct tlr_counters counters;

    if (embed == NULL) {
        return NULL;
    }
    embed_stats(embed, &counters);
    return stats(env, &counters);
}

static napi_value ref(napi_env env, napi_callback_info info)
{
    uint32_t unused;
    struct embed *embed = argument(env, info, &unused);

    if (embed != NULL) {
        embed_ref(embed);
    }
    return NULL;
}

static napi_value unref(napi_env env, napi_callback_info info)
{
    uint32_t unused;
    struct embed *embed = argument(env, info, &unused);

    if (embed != NULL) {
        embed_unref(embed);
    }
    return NULL;
}

static napi_value stop(napi_env env, napi_callback_info info)
{
    uint32_t deadline;
    struct embed *embed = argument(env, info, &deadline);

    if (embed != NULL) {
        embed_stop(embed, deadline);
    }
    return NULL;
}

NAPI_MODULE_INIT()
{
    napi_property_descriptor functions[] = {
        {"start", NULL, start, NULL, NULL, NULL, napi_enumerable, NULL},
        {"stats", NULL, stats_now, NULL, NULL, NULL, napi_enumerable, NULL},
        {"ref", NULL, ref, NULL, NULL, NULL, napi_enumerable, NULL},
        {"unref", NULL, unref, NULL, NULL, NULL, napi_enumerable, NULL},
        {"stop", NULL, stop, NULL, NULL, NULL, napi_enumerable, NULL},
    };

    (void)napi_define_properties(
        env, exports, sizeof(functions) / sizeof(functions[0]), functions);
    return exports;
}
