//! What hyper reads of the same bytes: it is no less strict than what is written here may be.

use http_body_util::{BodyExt, Empty};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

/// The answer that hyper reads on a connection that ends after these bytes.
async fn hypers_reading(bytes: Vec<u8>) -> Option<(u16, HeaderMap, Vec<u8>)> {
    let (ours, mut theirs) = tokio::io::duplex(1 << 16);
    tokio::spawn(async move {
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            theirs.read_buf(&mut request).await.unwrap();
        }
        theirs.write_all(&bytes).await.unwrap();
        theirs.shutdown().await.unwrap();
        let _ = theirs.read_to_end(&mut request).await;
    });
    let (mut sender, driver) = hyper::client::conn::http1::handshake(TokioIo::new(ours)).await.unwrap();
    tokio::spawn(driver);
    let request = http::Request::get("/").header("host", "x").body(Empty::<Bytes>::new()).unwrap();
    let (head, body) = sender.send_request(request).await.ok()?.into_parts();
    Some((head.status.as_u16(), head.headers, body.collect().await.ok()?.to_bytes().to_vec()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn what_is_read_hyper_reads_too_and_alike(bytes in spoiled()) {
        if let Ok(Some(whole)) = read([bytes.as_slice()]) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let hypers = runtime.block_on(hypers_reading(bytes));
            prop_assert_eq!(Some((whole.head.status.as_u16(), whole.head.headers, whole.body)), hypers);
        }
    }
}

#[test]
fn answers_as_servers_give_them_are_read_as_by_hyper() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for answer in ANSWERS {
        let whole = read([answer.as_bytes()]).unwrap().unwrap();
        let hypers = runtime.block_on(hypers_reading(answer.as_bytes().to_vec()));
        assert_eq!(Some((whole.head.status.as_u16(), whole.head.headers, whole.body)), hypers, "{answer}");
    }
}

/// Why something is refused that hyper reads. Each breaks RFC 9112, and common clients refuse it where servers may have it: Node.js
/// lines that end in LF alone and both framings, Go other transfer codings.
const STRICTER: &[Malformed] = &[
    Malformed::BareLineFeed,
    Malformed::ChunkExtension,
    // A line feed before the answer.
    Malformed::NotHttp,
    Malformed::Trailers,
    Malformed::TransferEncoding,
    Malformed::TwoFramings,
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn what_hyper_reads_is_refused_for_known_reasons_only(bytes in spoiled()) {
        if let Err(malformed) = read([bytes.as_slice()]) && !STRICTER.contains(&malformed) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            prop_assert_eq!(runtime.block_on(hypers_reading(bytes)), None, "{}", malformed);
        }
    }
}
