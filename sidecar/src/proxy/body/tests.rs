//! Answers leave in slices, and what they take is counted until they have left.

use std::sync::Arc;

use http_body_util::BodyExt;
use tokio::sync::Semaphore;

use super::*;

const LARGE: usize = (1 << 20) + 5;

async fn next(body: &mut (impl http_body::Body<Data = Bytes, Error = std::io::Error> + Unpin)) -> Option<Bytes> {
    Some(body.frame().await?.unwrap().into_data().unwrap())
}

#[tokio::test]
async fn a_large_answer_leaves_in_slices_and_is_counted_until_the_last_of_them_is_gone() {
    let memory = Memory::new(LARGE);
    let mut share = memory.share();
    share.try_cover(LARGE).unwrap();
    let whole = Bytes::from_iter((0..=u8::MAX).cycle().take(LARGE));
    let mut body = Body::counted(whole.clone(), share);
    assert_eq!(body.size_hint().exact(), Some(LARGE as u64));
    let mut slices = Vec::new();
    while let Some(slice) = next(&mut body).await {
        assert!((1..=SLICE).contains(&slice.len()), "{}", slice.len());
        slices.push(slice);
    }
    assert!(body.is_end_stream());
    drop(body);
    assert_eq!(slices.concat(), whole);
    let mut another = memory.share();
    while let Some(_unsent) = slices.pop() {
        assert_eq!(another.try_cover(1 << 20), Err(Full), "a slice keeps the memory of the whole");
    }
    another.try_cover(1 << 20).unwrap();
}

#[tokio::test]
async fn a_request_keeps_its_place_until_its_answer_has_been_taken_to_the_last_slice() {
    let places = Arc::new(Semaphore::new(1));
    let place = Arc::clone(&places).try_acquire_owned().ok();
    let mut placed = Placed::new(Body::from(Bytes::from(vec![0; 2 * SLICE])), place);
    assert_eq!(next(&mut placed).await.unwrap().len(), SLICE);
    assert!(!placed.is_end_stream() && places.available_permits() == 0);
    assert_eq!(next(&mut placed).await.unwrap().len(), SLICE);
    assert!(placed.is_end_stream(), "after which the connection drops it");
}

#[test]
fn a_large_request_is_counted_until_nobody_has_a_part_of_it() {
    let memory = Memory::new(LARGE);
    let mut share = memory.share();
    share.try_cover(LARGE).unwrap();
    let received = Received { bytes: Bytes::from(vec![0; LARGE]), memory: Some(share) };
    let Received { bytes, memory: rest } = received.on_its_way();
    let with_the_connection = bytes.slice(LARGE - 1..);
    drop((bytes, rest));
    assert_eq!(memory.share().try_cover(1 << 20), Err(Full));
    drop(with_the_connection);
    memory.share().try_cover(1 << 20).unwrap();
}
