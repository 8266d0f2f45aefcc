//! TLS in front of a server that has none: a certificate of an authority that nobody else knows, and a record of what came.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

/// Listens until it is dropped.
#[derive(Debug)]
pub struct Front {
    /// Where it is.
    pub url: String,
    /// The certificate (PEM) of the authority that vouches for it.
    pub authority: String,
    came: Came,
    _runtime: Runtime,
}

type Came = Arc<Mutex<Vec<u8>>>;

impl Front {
    /// Listens on a port of `host`, an address of this machine, and passes on what comes to `server`, as in `name:80`.
    ///
    /// # Panics
    /// If it cannot listen.
    pub fn start(host: &str, server: &str) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind((host, 0))).expect("the address has a free port");
        let address = listener.local_addr().expect("a bound listener has an address");
        let (authority, tls) = issue(address);
        let (came, server) = (Came::default(), server.to_owned());
        let seen = Arc::clone(&came);
        runtime.spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (tls, server, came) = (tls.clone(), server.clone(), Arc::clone(&seen));
                // A connection that breaks is its client's affair.
                tokio::spawn(async move { pass(client, &tls, &server, &came).await.ok() });
            }
        });
        Self { url: format!("https://{address}/mcp"), authority, came, _runtime: runtime }
    }

    /// All that clients have sent so far, of all connections together.
    pub fn came(&self) -> String {
        String::from_utf8_lossy(&self.came.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }
}

/// The certificate of a new authority, PEM, and one of its servers at this address.
fn issue(address: SocketAddr) -> (String, TlsAcceptor) {
    let key = || KeyPair::generate().expect("a key can be made");
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "a private authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, key()).expect("an authority signs itself");
    let own = key();
    let params = CertificateParams::new([address.ip().to_string()]).expect("a certificate may name an address");
    let certificate = params.signed_by(&own, &authority).expect("an authority signs");
    let private = PrivateKeyDer::try_from(own.serialize_der()).expect("a private key");
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|config| config.with_no_client_auth().with_single_cert(vec![certificate.der().clone()], private))
        .expect("the key is that of its certificate");
    (authority.pem(), TlsAcceptor::from(Arc::new(config)))
}

async fn pass(client: TcpStream, tls: &TlsAcceptor, server: &str, came: &Came) -> std::io::Result<()> {
    let (mut from_client, mut to_client) = tokio::io::split(tls.accept(client).await?);
    let (mut from_server, mut to_server) = TcpStream::connect(server).await?.into_split();
    let there = async {
        let mut bytes = vec![0; 16_384];
        loop {
            let read = from_client.read(&mut bytes).await?;
            if read == 0 {
                return to_server.shutdown().await;
            }
            came.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&bytes[..read]);
            to_server.write_all(&bytes[..read]).await?;
        }
    };
    let back = async {
        tokio::io::copy(&mut from_server, &mut to_client).await?;
        to_client.shutdown().await
    };
    tokio::try_join!(there, back).map(drop)
}
