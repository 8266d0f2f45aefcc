//! The least that can stand between two parties: bytes are copied, and nothing is looked at.

use std::net::SocketAddr;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};

/// Serves for ever.
///
/// # Panics
/// If it cannot listen.
pub async fn run(listen: SocketAddr, server: SocketAddr) {
    let listener = TcpListener::bind(listen).await.expect("the address is free");
    loop {
        let Ok((mut agent, _)) = listener.accept().await else { continue };
        tokio::spawn(async move {
            let Ok(mut upstream) = TcpStream::connect(server).await else { return };
            let (_, _) = (agent.set_nodelay(true), upstream.set_nodelay(true));
            // Either side may end it at any time.
            let _ = copy_bidirectional(&mut agent, &mut upstream).await;
        });
    }
}
