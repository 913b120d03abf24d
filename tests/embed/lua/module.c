/* SPDX-License-Identifier: MIT */
/*
 * A Lua module: the server beside luv's loop, which is nvim's own in nvim.
 *
 *     local teller = require 'teller_embed'
 *     local server = teller.start(loops, function(event, value) … end)
 *         event: 'listening' (the port), 'stats', 'stopped' (a table)
 *     server:stats(), server:ref(), server:unref(), server:stop(milliseconds)
 *     server:wait(): stops, and returns when no thread is left
 *
 * Both uv_*() and luv_loop() are found in the process: nvim is linked with
 * them, elsewhere luv has to be loaded for all to see (see host.lua).
 *
 * A server that is collected is stopped, and waited for: lua_close() collects
 * it before luv's loop, which was there first, and luv then closes what is on
 * that loop. A host that takes its loop down by itself, as nvim does when it
 * quits, may close our handles first; that does no harm.
 */
#include <stdlib.h>

#include <lauxlib.h>
#include <lua.h>

#include "../module.h"

/* luv's */
uv_loop_t *luv_loop(lua_State *L);

#define TYPE "teller.embed"

struct server {
    struct embed *embed; /* NULL: stopped */
    struct told *told;
};

/*
 * What the events need; it lives until the last of them, longer than the
 * userdata may. Lua's part of it is a thread of ours: the one that called
 * start() may have ended.
 */
struct told {
    lua_State *L;
    int thread;
    int callback;
    struct server *server;
};

static void push_stats(lua_State *L, const struct tlr_counters *counters)
{
    lua_createtable(L, 0, 4);
    lua_pushnumber(L, (lua_Number)counters->accepted);
    lua_setfield(L, -2, "accepted");
    lua_pushnumber(L, (lua_Number)counters->open);
    lua_setfield(L, -2, "open");
    lua_pushnumber(L, (lua_Number)counters->bytes_in);
    lua_setfield(L, -2, "bytes_in");
    lua_pushnumber(L, (lua_Number)counters->bytes_out);
    lua_setfield(L, -2, "bytes_out");
}

struct call {
    struct told *told;
    const char *event;
    int port;
    const struct tlr_counters *counters; /* NULL: the port is told */
};

/* Protected: out of memory, too, must not jump over libuv. */
static int call_lua(lua_State *L)
{
    struct call *call = lua_touserdata(L, 1);

    lua_rawgeti(L, LUA_REGISTRYINDEX, call->told->callback);
    lua_pushstring(L, call->event);
    if (call->counters != NULL) {
        push_stats(L, call->counters);
    } else {
        lua_pushinteger(L, call->port);
    }
    lua_call(L, 2, 0);
    return 0;
}

static void emit(struct told *told, const char *event, int port,
                 const struct tlr_counters *counters)
{
    struct call call = {told, event, port, counters};

    if (lua_cpcall(told->L, call_lua, &call) != 0) {
        const char *message = lua_tostring(told->L, -1);

        fprintf(stderr, "%s: %s\n", event, message != NULL ? message : "?");
        lua_pop(told->L, 1);
    }
}

static void listening(void *user, int port)
{
    emit(user, "listening", port, NULL);
}

static void stats(void *user, const struct tlr_counters *counters)
{
    emit(user, "stats", 0, counters);
}

static void forget(struct told *told)
{
    luaL_unref(told->L, LUA_REGISTRYINDEX, told->callback);
    luaL_unref(told->L, LUA_REGISTRYINDEX, told->thread);
    free(told);
}

static void stopped(void *user, const struct tlr_counters *counters)
{
    struct told *told = user;

    told->server->embed = NULL;
    told->server->told = NULL;
    emit(told, "stopped", 0, counters);
    forget(told);
}

static int collect(lua_State *L)
{
    struct server *server = luaL_checkudata(L, 1, TYPE);

    if (server->embed != NULL) {
        (void)embed_stop_wait(server->embed, 0); /* this is its thread */
        server->embed = NULL;
        forget(server->told);
    }
    return 0;
}

static int start(lua_State *L)
{
    int loops = (int)luaL_checkinteger(L, 1);
    struct embed_events events = {listening, stats, stopped, NULL, NULL};
    struct server *server;
    int err;

    luaL_checktype(L, 2, LUA_TFUNCTION);
    server = lua_newuserdata(L, sizeof(*server));
    server->embed = NULL;
    luaL_getmetatable(L, TYPE);
    lua_setmetatable(L, -2);
    server->told = malloc(sizeof(*server->told));
    if (server->told == NULL) {
        return luaL_error(L, "%s", uv_strerror(UV_ENOMEM));
    }
    server->told->server = server;
    server->told->L = lua_newthread(L);
    server->told->thread = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_pushvalue(L, 2);
    server->told->callback = luaL_ref(L, LUA_REGISTRYINDEX);
    events.user = server->told;
    server->embed = embed_start(luv_loop(L), loops, 20, &events, &err);
    if (server->embed == NULL) {
        forget(server->told);
        return luaL_error(L, "%s", uv_strerror(err));
    }
    return 1;
}

static struct embed *running(lua_State *L)
{
    struct server *server = luaL_checkudata(L, 1, TYPE);

    return server->embed;
}

static int stats_now(lua_State *L)
{
    struct embed *embed = running(L);
    struct tlr_counters counters;

    if (embed == NULL) {
        return 0;
    }
    embed_stats(embed, &counters);
    push_stats(L, &counters);
    return 1;
}

static int ref(lua_State *L)
{
    struct embed *embed = running(L);

    if (embed != NULL) {
        embed_ref(embed);
    }
    return 0;
}

static int unref(lua_State *L)
{
    struct embed *embed = running(L);

    if (embed != NULL) {
        embed_unref(embed);
    }
    return 0;
}

static int stop(lua_State *L)
{
    struct embed *embed = running(L);

    if (embed != NULL) {
        embed_stop(embed, (unsigned)luaL_optinteger(L, 2, 0));
    }
    return 0;
}

EMBED_EXTERN int luaopen_teller_embed(lua_State *L)
{
    static const luaL_Reg methods[] = {{"stats", stats_now}, {"ref", ref},
                                       {"unref", unref},     {"stop", stop},
                                       {"wait", collect},    {"__gc", collect},
                                       {NULL, NULL}};

    luaL_newmetatable(L, TYPE);
    luaL_register(L, NULL, methods);
    lua_pushvalue(L, -1);
    lua_setfield(L, -2, "__index");
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, start);
    lua_setfield(L, -2, "start");
    return 1;
}
