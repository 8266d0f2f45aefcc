//! A port to listen on, at which many may come at once.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::{TcpListener, TcpSocket};

/// How many connections may wait to be accepted. The kernel holds no more than `net.core.somaxconn`, which is 4,096 where nobody has
/// set it. Of one more it drops what completes the handshake: a client tries again after a second, then two and four, and one that
/// takes itself for connected already waits as long for its first answer.
const WAITING: u32 = 4_096;

/// Listens on an address. `[::]` stands for all addresses of both families: where there is no IPv6, for all of IPv4.
///
/// # Errors
/// If the address cannot be listened on.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    match listen_at(address) {
        Err(error)
            if address.is_ipv6() && address.ip().is_unspecified() && error.kind() != io::ErrorKind::AddrInUse =>
        {
            listen_at(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), address.port()))
        }
        listening => listening,
    }
}

fn listen_at(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // Else a program that is started again would have to wait for the last connections of the one before.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(WAITING)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::net::TcpStream;
    use tokio::time::timeout;

    use super::*;

    /// More than sockets usually let wait: 128.
    const MANY: usize = 400;

    #[tokio::test]
    async fn hundreds_connect_at_once_before_any_is_accepted() {
        let listener = listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        let agents: Vec<_> = (0..MANY).map(|_| tokio::spawn(TcpStream::connect(address))).collect();
        let mut connected = Vec::new();
        for agent in agents {
            let stream = timeout(Duration::from_secs(10), agent).await.expect("nobody waits to be accepted");
            connected.push(stream.unwrap().unwrap());
        }
        let mut accepted = Vec::new();
        for _ in 0..MANY {
            accepted
                .push(timeout(Duration::from_secs(10), listener.accept()).await.expect("each is accepted").unwrap());
        }
        assert_eq!((connected.len(), accepted.len()), (MANY, MANY));
    }

    #[tokio::test]
    async fn all_addresses_are_one_port_for_both_families() {
        let listener = listen("[::]:0".parse().unwrap()).unwrap();
        TcpStream::connect(("127.0.0.1", listener.local_addr().unwrap().port())).await.unwrap();
        listener.accept().await.unwrap();
    }

    #[tokio::test]
    async fn a_port_that_was_just_used_can_be_listened_on_again() {
        let listener = listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        let agent = TcpStream::connect(address).await.unwrap();
        let (accepted, _) = listener.accept().await.unwrap();
        // The side that closes first keeps the address for a minute.
        drop(accepted);
        drop((listener, agent));
        listen(address).unwrap();
    }
}
