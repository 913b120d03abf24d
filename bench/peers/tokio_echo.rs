// SPDX-License-Identifier: MIT
//
// An echo server on tokio, in its usual idiom: a task for each connection, which
// reads and writes it all before it reads again, on a runtime with as many
// threads as argv[2] says. Port 0 of 127.0.0.1 or argv[1]; ends by SIGTERM.
use std::env;
use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::signal::unix::{signal, SignalKind};

async fn echo(mut socket: TcpStream) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let mut buffer = vec![0; 65536];
    loop {
        let size = socket.read(&mut buffer).await?;
        if size == 0 {
            return Ok(());
        }
        socket.write_all(&buffer[..size]).await?;
    }
}

async fn accept(listener: TcpListener) {
    loop {
        if let Ok((socket, _)) = listener.accept().await {
            tokio::spawn(echo(socket));
        }
    }
}

async fn serve(port: u16) -> io::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    let mut term = signal(SignalKind::terminate())?;
    println!("listening on {}", listener.local_addr()?);
    tokio::spawn(accept(listener));
    term.recv().await;
    Ok(())
}

fn main() -> io::Result<()> {
    let number = |i| env::args().nth(i).and_then(|text| text.parse().ok());
    Builder::new_multi_thread()
        .worker_threads(number(2).unwrap_or(1).into())
        .enable_all()
        .build()?
        .block_on(serve(number(1).unwrap_or(0)))
}
