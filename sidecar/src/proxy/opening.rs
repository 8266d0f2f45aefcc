//! A session's own stream is open at the server before what the agent sends after it.
//!
//! Servers put their requests to the agent on that stream, and lose them while there is none. Agents open it and go on at once,
//! over another connection, so that whatever lies between may turn the two around: here the later request waits for the head
//! of the answer to the earlier one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Semaphore;

use super::held;

/// How long a request waits at most: some servers say nothing on a stream before its first event.
const AT_MOST: Duration = Duration::from_millis(250);

/// The server's name, and the session.
type Key = (Arc<str>, Box<str>);

/// The streams that are being opened.
#[derive(Debug, Default)]
pub(super) struct Openings(Mutex<HashMap<Key, Arc<Semaphore>>>);

/// A stream that is being opened, until this is dropped.
#[derive(Debug)]
pub(super) struct Opening<'a> {
    all: &'a Openings,
    key: Key,
    /// Has no permit and never gets one: closing it wakes who waits.
    open: Arc<Semaphore>,
}

impl Openings {
    /// A stream of the session is being opened.
    pub(super) fn begin(&self, server: &Arc<str>, session: &str) -> Opening<'_> {
        let key: Key = (Arc::clone(server), session.into());
        let open = Arc::new(Semaphore::new(0));
        held(&self.0).insert(key.clone(), Arc::clone(&open));
        Opening { all: self, key, open }
    }

    /// Waits for the stream of the session that is being opened, if one is.
    pub(super) async fn settled(&self, server: &Arc<str>, session: &str) {
        let opening = {
            let all = held(&self.0);
            if all.is_empty() {
                return;
            }
            all.get(&(Arc::clone(server), session.into())).map(Arc::clone)
        };
        if let Some(open) = opening {
            // Open, or too slow: the request goes on either way.
            let _ = tokio::time::timeout(AT_MOST, open.acquire()).await;
        }
    }
}

impl Drop for Opening<'_> {
    fn drop(&mut self) {
        self.open.close();
        let mut all = held(&self.all.0);
        // A later stream of the session may have taken its place.
        if all.get(&self.key).is_some_and(|open| Arc::ptr_eq(open, &self.open)) {
            all.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_comes_later_waits_until_the_stream_is_open_and_not_for_ever() {
        let (openings, server) = (Openings::default(), Arc::from("server"));
        let begun = tokio::time::Instant::now();
        let opening = openings.begin(&server, "one");
        openings.settled(&server, "two").await;
        openings.settled(&Arc::from("other"), "one").await;
        assert_eq!(
            begun.elapsed(),
            Duration::ZERO,
            "neither another session's nor another server's stream is waited for"
        );
        openings.settled(&server, "one").await;
        assert_eq!(begun.elapsed(), AT_MOST);
        let (waited, ()) = tokio::join!(openings.settled(&server, "one"), async { drop(opening) });
        assert_eq!(((), begun.elapsed()), (waited, AT_MOST), "it did not wait once more");
        openings.settled(&server, "one").await;
        assert!(held(&openings.0).is_empty(), "nothing is kept of it");
    }

    #[tokio::test(start_paused = true)]
    async fn the_end_of_an_earlier_opening_is_not_that_of_a_later_one() {
        let (openings, server) = (Openings::default(), Arc::from("server"));
        let earlier = openings.begin(&server, "one");
        let later = openings.begin(&server, "one");
        drop(earlier);
        let begun = tokio::time::Instant::now();
        openings.settled(&server, "one").await;
        assert_eq!(begun.elapsed(), AT_MOST);
        drop(later);
    }
}
