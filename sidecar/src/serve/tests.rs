use std::net::Ipv4Addr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;
use crate::config::source::Origin;

const DEADLINE: Duration = Duration::from_secs(20);

async fn get(address: SocketAddr, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut text = String::new();
    stream.read_to_string(&mut text).await?;
    Ok(text)
}

#[tokio::test]
async fn while_calls_in_flight_finish_probes_read_that_it_is_not_ready() {
    let folder = tempfile::tempdir().unwrap();
    let policy = folder.path().join("policy.json");
    std::fs::write(&policy, r#"{"version":"1","default":"deny","tools":{"t":{}}}"#).unwrap();
    let any = || Addresses::Given(vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 0))]);
    let sidecar = Sidecar::start(Options {
        inputs: Inputs {
            origin: Origin::Flags { policies: vec![policy], upstream: "http://127.0.0.1:1/mcp".into() },
            grant: None,
            audit: Some("off".into()),
            audit_on_full: None,
        },
        listen: any(),
        admin: any(),
        inspect: any(),
        cache_dir: None,
        grace_period: DEADLINE,
    });
    let sidecar = sidecar.await.unwrap();
    let (agents, admin) = (sidecar.agents(), sidecar.admin());
    assert!(get(admin, "/ready").await.unwrap().starts_with("HTTP/1.1 200"));

    // In flight: its body is still to come. The probe that follows is answered after the head was taken up.
    let mut call = TcpStream::connect(agents).await.unwrap();
    let head = format!(
        "POST /mcp HTTP/1.1\r\nHost: {agents}\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{{"
    );
    call.write_all(head.as_bytes()).await.unwrap();
    get(agents, "/").await.unwrap();

    let stopping = tokio::spawn(sidecar.stop());
    let draining = async {
        while get(admin, "/ready").await.unwrap().starts_with("HTTP/1.1 200") {}
        get(admin, "/ready").await.unwrap()
    };
    let told = tokio::time::timeout(DEADLINE, draining).await.unwrap();
    assert!(told.starts_with("HTTP/1.1 503") && told.contains("shutting down"), "{told}");
    assert!(get(admin, "/metrics").await.unwrap().starts_with("HTTP/1.1 200"));

    call.write_all(b"}").await.unwrap();
    let mut text = String::new();
    call.read_to_string(&mut text).await.unwrap();
    assert!(text.starts_with("HTTP/1.1 400"), "{text}");
    tokio::time::timeout(DEADLINE, stopping).await.unwrap().unwrap();
    assert!(get(admin, "/ready").await.is_err());
}
