//! Whatever bytes a sidecar sends, in whatever pieces: no panic, and the stream ends with them.

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{Request, Version};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use proptest::prelude::*;
use reeve_wire::{PATH, lines};

use super::office::Office;
use super::peer::hello;

/// Lines that are right, lines that nearly are, and anything.
fn line() -> impl Strategy<Value = Vec<u8>> {
    let recorded: Vec<&str> = include_str!("../../../../sidecar/wire/tests/recorded.jsonl")
        .lines()
        .filter_map(|line| line.strip_prefix("< "))
        .collect();
    let right = proptest::sample::select(recorded).prop_map(|line| line.as_bytes().to_vec());
    let nearly = (right.clone(), any::<proptest::sample::Index>(), any::<u8>()).prop_map(|(mut line, at, byte)| {
        let at = at.index(line.len());
        line[at] = byte;
        line
    });
    prop_oneof![right, nearly, proptest::collection::vec(any::<u8>(), 0..60)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    #[test]
    fn no_bytes_of_a_sidecar_do_harm(
        begins in any::<bool>(),
        said in proptest::collection::vec(line(), 0..12),
        piece in 1..200_usize,
    ) {
        let mut bytes = if begins { lines::write(&hello(None)).unwrap().to_vec() } else { Vec::new() };
        bytes.extend(said.join(&b'\n'));
        let pieces: Vec<_> = bytes.chunks(piece).map(Bytes::copy_from_slice).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let office = Office::open().await;
            office.give_word("p1", "a", 1);
            for account in ["clinic:agent", "reeve-system:reeve"] {
                let token = office.issuer.token(account, "p1", reeve_wire::AUDIENCE, std::time::Duration::from_secs(60));
                let frame = |piece| Ok::<_, std::convert::Infallible>(Frame::data(piece));
                let frames: Vec<_> = pieces.iter().cloned().map(frame).collect();
                let request = Request::post(PATH)
                    .version(Version::HTTP_2)
                    .header(AUTHORIZATION, format!("Bearer {token}"))
                    .body(StreamBody::new(futures_util::stream::iter(frames)))
                    .unwrap();
                let answer = office.delivery.answer(request).await;
                assert_eq!(answer.status(), http::StatusCode::OK);
                // It ends, and with it its task: a panic there would keep the place's count from being whole.
                answer.into_body().collect().await.unwrap();
            }
            tokio::time::timeout(super::office::LONGEST, office.delivery.drain(std::time::Duration::ZERO)).await.unwrap();
        });
    }
}
