//! A session's own stream is open at the server before what the agent sends after it.
//!
//! Servers put their requests to the agent on that stream, and lose them while there is none. Agents open it and go on at once,
//! over another connection, so that whatever lies between may turn the two around. Here the later request waits for the head of
//! the answer to the earlier one; and right after the handshake, of an agent that answers servers, for the stream to be asked
//! for at all.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::held;
use crate::mcp::digest;

/// How long after the handshake an agent that answers servers may take to ask for its stream, while its other requests wait.
/// Every SDK asks within a millisecond or two.
const ASKED_FOR_WITHIN: Duration = Duration::from_millis(250);

/// How long a stream that was asked for keeps requests waiting: some servers say nothing on it before its first event.
const OPEN_WITHIN: Duration = Duration::from_secs(1);

/// How long a handshake may take.
const READY_WITHIN: Duration = Duration::from_secs(10);

/// The most sessions that are looked after at once. The requests of further ones do not wait.
const AT_MOST: usize = 4096;

/// Of the server's name, and the session: servers choose how long ids are.
type Key = digest::Key;

fn key(server: &str, session: &str) -> Key {
    Key::of([server, session].map(str::as_bytes))
}

/// The streams that are not open yet.
#[derive(Debug, Default)]
pub(super) struct Openings(Mutex<HashMap<Key, Coming>>);

/// A stream that is not open yet.
#[derive(Debug)]
struct Coming {
    stage: Stage,
    /// When it is no longer waited for.
    until: Instant,
    /// Has no permit and never gets one: closing it wakes who waits for the next stage.
    over: Arc<Semaphore>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The server has answered `initialize`; nothing waits while the agent has not said that it is ready.
    Handshake,
    /// The agent is ready, and will ask for its stream.
    Expected,
    /// It has asked, and the server has not answered.
    Opening,
}

/// A stream that is being opened, until this is dropped.
#[derive(Debug)]
pub(super) struct Opening<'a> {
    all: &'a Openings,
    key: Key,
    over: Arc<Semaphore>,
}

impl Openings {
    /// The session has begun, of an agent that answers servers.
    pub(super) fn begun(&self, server: &str, session: &str) {
        enter(&mut held(&self.0), key(server, session), Stage::Handshake, READY_WITHIN);
    }

    /// The agent has said in the session that it is ready.
    pub(super) fn ready(&self, server: &str, session: &str) {
        let key = key(server, session);
        let mut all = held(&self.0);
        // An agent may have asked for its stream before.
        if all.get(&key).is_some_and(|coming| coming.stage == Stage::Handshake) {
            enter(&mut all, key, Stage::Expected, ASKED_FOR_WITHIN);
        }
    }

    /// The stream of the session is being opened.
    pub(super) fn begin(&self, server: &str, session: &str) -> Opening<'_> {
        let key = key(server, session);
        let over = enter(&mut held(&self.0), key, Stage::Opening, OPEN_WITHIN);
        Opening { all: self, key, over }
    }

    /// Waits for the stream of the session, if one is to come: for so long in all, however many are begun meanwhile.
    pub(super) async fn settled(&self, server: &str, session: &str) {
        let patience = Instant::now() + OPEN_WITHIN;
        while let Some((over, until)) = self.awaited(server, session) {
            // An error says that the next stage is there.
            if tokio::time::timeout_at(until.min(patience), over.acquire()).await.is_err() {
                return;
            }
        }
    }

    fn awaited(&self, server: &str, session: &str) -> Option<(Arc<Semaphore>, Instant)> {
        let mut all = held(&self.0);
        if all.is_empty() {
            return None;
        }
        let key = key(server, session);
        let coming = all.get(&key).filter(|coming| coming.stage != Stage::Handshake)?;
        let awaited = (Arc::clone(&coming.over), coming.until);
        if coming.stage == Stage::Expected && coming.until <= Instant::now() {
            all.remove(&key);
            return None;
        }
        Some(awaited)
    }
}

/// Notes that the session's stream has come to a stage; gives what its end closes.
fn enter(all: &mut HashMap<Key, Coming>, key: Key, stage: Stage, within: Duration) -> Arc<Semaphore> {
    let (now, over) = (Instant::now(), Arc::new(Semaphore::new(0)));
    if all.len() >= AT_MOST {
        all.retain(|_, coming| coming.until > now);
    }
    if all.len() < AT_MOST || all.contains_key(&key) {
        let coming = Coming { stage, until: now + within, over: Arc::clone(&over) };
        if let Some(earlier) = all.insert(key, coming) {
            earlier.over.close();
        }
    }
    over
}

impl Drop for Opening<'_> {
    fn drop(&mut self) {
        let mut all = held(&self.all.0);
        // A later stream of the session may have taken its place.
        if all.get(&self.key).is_some_and(|coming| Arc::ptr_eq(&coming.over, &self.over)) {
            all.remove(&self.key);
        }
        self.over.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_comes_later_waits_until_the_stream_is_open_and_not_for_ever() {
        let (openings, server) = (Openings::default(), "server");
        let begun = Instant::now();
        let opening = openings.begin(server, "one");
        openings.settled(server, "two").await;
        openings.settled("other", "one").await;
        assert_eq!(
            begun.elapsed(),
            Duration::ZERO,
            "neither another session's nor another server's stream is waited for"
        );
        openings.settled(server, "one").await;
        assert!(begun.elapsed().abs_diff(OPEN_WITHIN) < TICK);
        openings.settled(server, "one").await;
        assert!(begun.elapsed().abs_diff(OPEN_WITHIN) < TICK, "it was waited for once");
        drop(opening);
        assert!(held(&openings.0).is_empty(), "nothing is kept of it");
    }

    #[tokio::test(start_paused = true)]
    async fn what_overtakes_the_stream_right_after_the_handshake_waits_for_it() {
        let (openings, server) = (Openings::default(), "server");
        let begun = Instant::now();
        openings.begun(server, "one");
        openings.settled(server, "one").await;
        assert_eq!(begun.elapsed(), Duration::ZERO, "the handshake itself does not wait");
        openings.ready(server, "one");
        let answered = async {
            tokio::time::sleep(ASKED_FOR_WITHIN / 2).await;
            let opening = openings.begin(server, "one");
            tokio::time::sleep(OPEN_WITHIN / 2).await;
            drop(opening);
        };
        tokio::join!(openings.settled(server, "one"), answered);
        assert!(begun.elapsed().abs_diff(ASKED_FOR_WITHIN / 2 + OPEN_WITHIN / 2) < TICK);
        assert!(held(&openings.0).is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn an_agent_that_never_asks_for_its_stream_waits_once() {
        let (openings, server) = (Openings::default(), "server");
        let begun = Instant::now();
        openings.begun(server, "one");
        openings.ready(server, "one");
        openings.settled(server, "one").await;
        assert!(begun.elapsed().abs_diff(ASKED_FOR_WITHIN) < TICK);
        openings.ready(server, "one");
        openings.settled(server, "one").await;
        assert!(begun.elapsed().abs_diff(ASKED_FOR_WITHIN) < TICK);
        assert!(held(&openings.0).is_empty(), "nothing is kept of it");
    }

    #[tokio::test(start_paused = true)]
    async fn an_agent_that_opens_streams_without_end_cannot_hold_back_its_calls() {
        let (openings, server) = (Openings::default(), "server");
        let begun = Instant::now();
        let streams = async {
            let mut opening = openings.begin(server, "one");
            loop {
                tokio::time::sleep(OPEN_WITHIN / 4).await;
                let later = openings.begin(server, "one");
                drop(std::mem::replace(&mut opening, later));
            }
        };
        tokio::select! {
            biased;
            () = streams => {}
            () = openings.settled(server, "one") => {}
        }
        assert!(begun.elapsed().abs_diff(OPEN_WITHIN) < TICK);
    }

    #[tokio::test(start_paused = true)]
    async fn an_agent_that_answers_no_server_never_waits() {
        let (openings, server) = (Openings::default(), "server");
        let begun = Instant::now();
        openings.ready(server, "one");
        openings.settled(server, "one").await;
        assert_eq!(begun.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn the_end_of_an_earlier_opening_is_not_that_of_a_later_one() {
        let (openings, server) = (Openings::default(), "server");
        let earlier = openings.begin(server, "one");
        let later = openings.begin(server, "one");
        drop(earlier);
        let begun = Instant::now();
        openings.settled(server, "one").await;
        assert!(begun.elapsed().abs_diff(OPEN_WITHIN) < TICK);
        drop(later);
    }

    #[tokio::test(start_paused = true)]
    async fn sessions_that_never_get_their_stream_take_bounded_memory() {
        let (openings, server) = (Openings::default(), "server");
        for number in 0..2 * AT_MOST {
            openings.begun(server, &number.to_string());
        }
        assert_eq!(held(&openings.0).len(), AT_MOST);
        tokio::time::advance(READY_WITHIN).await;
        openings.begun(server, "one");
        assert_eq!(held(&openings.0).len(), 1);
    }

    /// The resolution of timers.
    const TICK: Duration = Duration::from_millis(5);
}
