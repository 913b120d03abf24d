/* SPDX-License-Identifier: MIT */
/* See serve.h. */
#include "serve.h"

#include <signal.h>
#include <stdio.h>

/* The first one drains for three seconds at most, the second one stops. */
static void on_signal(uv_signal_t *signal, int number)
{
    static unsigned times;

    (void)number;
    tlr_server_drain(signal->data, times++ == 0 ? 3000 : 0);
}

int serve(const struct tlr_options *options, int port)
{
    static const int numbers[] = {SIGINT, SIGTERM};
    uv_loop_t *loop = uv_default_loop();
    uv_signal_t signals[2];
    struct tlr_server *server = NULL;
    struct sockaddr_storage bound;
    struct sockaddr_in *address = (struct sockaddr_in *)&bound;
    int err;
    int i;

    uv_ip4_addr("127.0.0.1", port, address);
    if ((err = tlr_server_create(&server, loop, options)) != 0 ||
        (err = tlr_server_listen(server, (struct sockaddr *)&bound, 0)) != 0 ||
        (err = tlr_server_start(server)) != 0) {
        fprintf(stderr, "cannot serve: %s\n", uv_strerror(err));
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
