//! What goes on though its agent has hung up: requests of the legacy era, which that does not end. They may hold half of the places
//! that there are. Beyond that the oldest is let go, so that nobody can keep all others waiting and be gone.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use tokio::sync::oneshot;

/// Those that hold one kind of places. Clones are the same.
#[derive(Clone, Debug)]
pub(crate) struct Abandoned(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    most: usize,
    requests: Mutex<Requests>,
}

#[derive(Debug, Default)]
struct Requests {
    next: u64,
    /// What tells each that it is let go, the oldest first.
    by_age: BTreeMap<u64, oneshot::Sender<()>>,
}

/// A request among them, as long as it is held. Ready when it is let go.
#[derive(Debug)]
pub(crate) struct Entry {
    of: Abandoned,
    number: u64,
    let_go: oneshot::Receiver<()>,
}

impl Abandoned {
    /// Those that may hold half of so many places.
    pub(crate) fn of(places: usize) -> Self {
        Self(Arc::new(Shared { most: places.div_ceil(2), requests: Mutex::default() }))
    }

    /// Enters one. The oldest makes room if there is none.
    pub(crate) fn enter(&self) -> Entry {
        let (tell, let_go) = oneshot::channel();
        let mut requests = self.requests();
        let number = requests.next;
        requests.next += 1;
        requests.by_age.insert(number, tell);
        while requests.by_age.len() > self.0.most {
            let Some((_, oldest)) = requests.by_age.pop_first() else { break };
            // One that has ended meanwhile need not be told.
            let _ = oldest.send(());
        }
        Entry { of: self.clone(), number, let_go }
    }

    fn requests(&self) -> MutexGuard<'_, Requests> {
        self.0.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Future for Entry {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        // Whoever tells lives as long as the entry, or has told.
        Pin::new(&mut self.let_go).poll(cx).map(drop)
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.of.requests().by_age.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_let_go(entry: &mut Entry) -> bool {
        Pin::new(entry).poll(&mut Context::from_waker(std::task::Waker::noop())).is_ready()
    }

    #[test]
    fn beyond_half_of_the_places_the_oldest_is_let_go() {
        let abandoned = Abandoned::of(4);
        let (mut first, mut second) = (abandoned.enter(), abandoned.enter());
        assert!(!is_let_go(&mut first));
        let mut third = abandoned.enter();
        assert!(is_let_go(&mut first) && !is_let_go(&mut second) && !is_let_go(&mut third));
    }

    #[test]
    fn one_that_has_ended_makes_room() {
        let abandoned = Abandoned::of(4);
        let (first, mut second) = (abandoned.enter(), abandoned.enter());
        drop(first);
        let mut third = abandoned.enter();
        assert!(!is_let_go(&mut second) && !is_let_go(&mut third));
    }

    #[test]
    fn one_place_is_enough_for_one() {
        let abandoned = Abandoned::of(1);
        let mut first = abandoned.enter();
        assert!(!is_let_go(&mut first));
        let _second = abandoned.enter();
        assert!(is_let_go(&mut first));
    }
}
