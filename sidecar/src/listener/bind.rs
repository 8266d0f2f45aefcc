//! Binds the addresses of a listener, and says which and what to do if one cannot be had.

use std::io;
use std::net::SocketAddr;

use reeve_process::port::listen;
use tokio::net::TcpListener;

/// Where to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Addresses {
    /// What applies if the user says nothing: an IPv6 address is left out where the machine has no IPv6.
    Default(Vec<SocketAddr>),
    /// What the user asked for: all of it must be had.
    Given(Vec<SocketAddr>),
    /// The address that users know, or another port of it if that one is taken.
    Preferred(SocketAddr),
}

/// An address cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address} for {purpose}: {source}; choose another address with {flag}")]
pub struct BindError {
    /// The address.
    pub address: SocketAddr,
    /// What it is for.
    pub purpose: &'static str,
    /// The flag that sets it.
    pub flag: &'static str,
    /// Why.
    pub source: io::Error,
}

/// Binds every address, or none. `purpose` and `flag` are for the error's text.
///
/// # Errors
/// The first address that cannot be had.
pub fn bind(addresses: &Addresses, purpose: &'static str, flag: &'static str) -> Result<Vec<TcpListener>, BindError> {
    let list = match addresses {
        Addresses::Default(list) | Addresses::Given(list) => &list[..],
        Addresses::Preferred(address) => std::slice::from_ref(address),
    };
    let optional_v6 = matches!(addresses, Addresses::Default(_));
    let mut listeners: Vec<TcpListener> = Vec::with_capacity(list.len());
    for &address in list {
        let mut bound = listen(address);
        if let (Err(_), Addresses::Preferred(address)) = (&bound, addresses) {
            bound = listen(SocketAddr::new(address.ip(), 0));
        }
        match bound {
            Ok(listener) => listeners.push(listener),
            Err(error) if optional_v6 && address.is_ipv6() && lacks_family(&error) => {
                tracing::debug!(%address, %error, "this machine has no IPv6: not listening there");
            }
            Err(source) => {
                return Err(BindError { address, purpose, flag, source });
            }
        }
    }
    Ok(listeners)
}

fn lacks_family(error: &io::Error) -> bool {
    use rustix::io::Errno;
    [Errno::AFNOSUPPORT, Errno::ADDRNOTAVAIL].iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_preferred_port_that_is_taken_is_replaced_by_another() {
        let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = taken.local_addr().unwrap();
        let bound = bind(&Addresses::Preferred(address), "agents", "--listen").unwrap();
        let [listener] = &bound[..] else { panic!("{bound:?}") };
        let instead = listener.local_addr().unwrap();
        assert_eq!(instead.ip(), address.ip());
        assert_ne!(instead.port(), address.port());
    }

    fn unassigned_v6() -> SocketAddr {
        // RFC 3849 sets this prefix apart for documentation: no machine has it.
        "[2001:db8::1]:0".parse().unwrap()
    }

    #[tokio::test]
    async fn a_port_in_use_is_named_with_the_flag_that_changes_it() {
        let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = taken.local_addr().unwrap();
        let error = bind(&Addresses::Given(vec![address]), "agents", "--listen").unwrap_err();
        let text = error.to_string();
        assert!(text.contains(&format!("cannot listen on {address} for agents: ")), "{text}");
        assert!(text.ends_with("choose another address with --listen"), "{text}");
    }

    #[tokio::test]
    async fn a_missing_ipv6_is_no_error_unless_it_was_asked_for() {
        let list = vec!["127.0.0.1:0".parse().unwrap(), unassigned_v6()];
        let bound = bind(&Addresses::Default(list.clone()), "agents", "--listen").unwrap();
        assert_eq!(bound.len(), 1);
        assert!(bind(&Addresses::Given(list), "agents", "--listen").is_err());
    }
}
