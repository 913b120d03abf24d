/* SPDX-License-Identifier: MIT */
/*
 * echo [PORT]: sends back what it gets. The shortest program there is: a read
 * is asked for, what it brings is written, and when that is done, the next read.
 * Who does not read is not read from.
 */
#include <teller.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static void on_open(struct tlr_conn *conn)
{
    (void)tlr_read(conn); /* cannot fail on a new connection */
}

static void on_read(struct tlr_conn *conn, ssize_t nread, char *data)
{
    if (nread < 0 || tlr_write(conn, data, (size_t)nread) != 0) {
        tlr_close(conn); /* the end of the stream, or an error */
    }
}

static void on_write(struct tlr_conn *conn, int status)
{
    if (status != 0 || tlr_read(conn) != 0) {
        tlr_close(conn);
    }
}

/* The first one drains for three seconds at most, the second one stops. */
static void on_signal(uv_signal_t *signal, int number)
{
    static unsigned times;

    (void)number;
    tlr_server_drain(signal->data, times++ == 0 ? 3000 : 0);
}

int main(int argc, char **argv)
{
    static const int numbers[] = {SIGINT, SIGTERM};
    uv_loop_t *loop = uv_default_loop();
    uv_signal_t signals[2];
    struct tlr_options options;
    struct tlr_server *server = NULL;
    struct sockaddr_storage bound;
    struct sockaddr_in *address = (struct sockaddr_in *)&bound;
    int err;
    int i;

    tlr_options_init(&options, sizeof(options));
    options.handler.on_open = on_open;
    options.handler.on_read = on_read;
    options.handler.on_write = on_write;
    uv_ip4_addr("127.0.0.1", argc > 1 ? atoi(argv[1]) : 7007, address);
    if ((err = tlr_server_create(&server, loop, &options)) != 0 ||
        (err = tlr_server_listen(server, (struct sockaddr *)&bound, 0)) != 0 ||
        (err = tlr_server_start(server)) != 0) {
        fprintf(stderr, "echo: %s\n", uv_strerror(err));
        tlr_server_destroy(server);
        return 1;
    }
    for (i = 0; i < 2; i++) {
        uv_signal_init(loop, &signals[i]);
        uv_signal_start(&signals[i], on_signal, numbers[i]);
        uv_unref((uv_handle_t *)&signals[i]); /* the server keeps it going */
        signals[i].data = server;
    }
    tlr_server_address(server, 0, &bound);
    printf("listening on 127.0.0.1:%u\n", (unsigned)ntohs(address->sin_port));
    fflush(stdout);
    uv_run(loop, UV_RUN_DEFAULT); /* until it has stopped */
    tlr_server_destroy(server);
    return 0;
}
