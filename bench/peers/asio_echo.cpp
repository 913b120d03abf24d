// SPDX-License-Identifier: MIT
//
// An echo server on asio, in its usual idiom: a session that owns its socket
// and is kept alive by its operations, reads some and writes it all before it
// reads again; an acceptor that accepts again after each, whatever came of it.
// Port 0 of 127.0.0.1 or argv[1]; ends by SIGTERM.
#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <utility>

#include <asio.hpp>

using asio::ip::tcp;

class session : public std::enable_shared_from_this<session> {
public:
    explicit session(tcp::socket socket) : socket_(std::move(socket)) {}

    void read()
    {
        auto self = shared_from_this();

        socket_.async_read_some(
            asio::buffer(data_), [self](std::error_code error, std::size_t n) {
                if (!error) {
                    self->write(n);
                }
            });
    }

private:
    void write(std::size_t n)
    {
        auto self = shared_from_this();

        asio::async_write(socket_, asio::buffer(data_, n),
                          [self](std::error_code error, std::size_t) {
                              if (!error) {
                                  self->read();
                              }
                          });
    }

    tcp::socket socket_;
    std::array<char, 65536> data_;
};

static void accept(tcp::acceptor &acceptor)
{
    acceptor.async_accept([&](std::error_code error, tcp::socket socket) {
        if (error == asio::error::operation_aborted) {
            return;
        }
        if (!error) {
            std::error_code ignored;

            socket.set_option(tcp::no_delay(true), ignored);
            std::make_shared<session>(std::move(socket))->read();
        }
        accept(acceptor);
    });
}

int main(int argc, char **argv)
{
    asio::io_context context;
    auto port = static_cast<unsigned short>(argc > 1 ? std::atoi(argv[1]) : 0);
    tcp::acceptor acceptor(
        context, tcp::endpoint(asio::ip::address_v4::loopback(), port));
    asio::signal_set signals(context, SIGTERM);

    signals.async_wait([&](std::error_code, int) { context.stop(); });
    std::printf("listening on 127.0.0.1:%u\n",
                static_cast<unsigned>(acceptor.local_endpoint().port()));
    std::fflush(stdout);
    accept(acceptor);
    context.run();
    return 0;
}
