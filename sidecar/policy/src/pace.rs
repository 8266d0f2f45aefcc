//! Long work that gives way: it pauses now and then, for whoever waits for the core that it runs on.
//!
//! To read and compile ten thousand rules takes a third of a second. However little a thread counts, Linux lets it go on for
//! some milliseconds before another has its turn, and where there is one core, those are milliseconds of a call. Whoever
//! serves calls beside such work does it within [`giving_way`]; what takes long calls `pause` between its parts, which
//! elsewhere does nothing.

use std::cell::Cell;
use std::thread;
use std::time::{Duration, Instant};

/// How long work goes on without a pause.
const STRETCH: Duration = Duration::from_micros(250);

/// How long a pause is meant to be; Linux makes it some 50 µs. Who waits for the core has it until they wait for something
/// else.
const PAUSE: Duration = Duration::from_micros(1);

thread_local! {
    /// When this thread last paused, if its work gives way.
    static PAUSED: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Whether the work of a thread gives way, for another thread that does a part of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    gives_way: bool,
}

impl Pace {
    /// That of this thread.
    pub(crate) fn here() -> Self {
        Self { gives_way: PAUSED.get().is_some() }
    }

    /// Does work at this pace.
    pub(crate) fn keep<T>(self, work: impl FnOnce() -> T) -> T {
        let before = PAUSED.replace(self.gives_way.then(Instant::now));
        let done = work();
        PAUSED.set(before);
        done
    }
}

/// Does work that gives way, on this thread and on those that work for it. Not for an async runtime's threads: it sleeps.
pub fn giving_way<T>(work: impl FnOnce() -> T) -> T {
    Pace { gives_way: true }.keep(work)
}

/// Where work may pause: it does if it gives way and the last pause is long enough ago.
pub(crate) fn pause() {
    if PAUSED.get().is_some_and(|last| last.elapsed() >= STRETCH) {
        thread::sleep(PAUSE);
        PAUSED.set(Some(Instant::now()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Work of many parts; gives how often it paused.
    fn pauses() -> usize {
        let mut seen = PAUSED.get();
        let began = Instant::now();
        let mut count = 0;
        while began.elapsed() < 40 * STRETCH {
            pause();
            count += usize::from(PAUSED.get() != seen);
            seen = PAUSED.get();
        }
        count
    }

    #[test]
    fn work_pauses_only_where_it_gives_way() {
        assert_eq!(pauses(), 0);
        assert!(giving_way(pauses) > 0);
        assert_eq!(pauses(), 0, "what follows does not");
    }

    #[test]
    fn what_works_for_another_thread_keeps_its_pace() {
        let elsewhere = |pace: Pace| thread::spawn(move || pace.keep(pauses)).join().unwrap();
        assert_eq!(elsewhere(Pace::here()), 0);
        assert!(giving_way(|| elsewhere(Pace::here())) > 0);
    }
}
