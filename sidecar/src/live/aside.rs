//! Work that must not hold up calls: reading and compiling configurations, and giving up those that are no longer in force.

use std::sync::Arc;
use std::time::Duration;

use reeve_policy::pace::giving_way;
use tokio::sync::oneshot;

use super::Live;

/// How much less than calls what is done aside counts for the scheduler: on a machine with one core, calls would otherwise
/// wait for milliseconds while a configuration is compiled.
const NICE: i32 = 10;

/// Does work on a thread that serving goes before. None if it panicked, or there is no thread for it.
pub async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (done, outcome) = oneshot::channel();
    let work = move || {
        // Of this thread alone, as Linux has it. Without it calls may have to wait a little, and that is all.
        let _ = rustix::process::setpriority_process(None, NICE);
        // Nobody waits any more if the process ends.
        let _ = done.send(giving_way(work));
    };
    if let Err(error) = std::thread::Builder::new().name("reload".into()).spawn(work) {
        tracing::error!(%error, "a thread cannot be started");
        return None;
    }
    outcome.await.ok()
}

/// How often it is looked whether calls are still being decided under a configuration that is no longer in force.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Waits until no call is being decided under a configuration any more, and gives it up aside: ten thousand rules take
/// milliseconds, for which whoever served the last of those calls would have to wait. What a stream needs of it stays with the
/// stream.
pub async fn give_up(replaced: Option<Arc<Live>>) {
    let Some(live) = replaced else { return };
    while !live.is_alone() {
        tokio::time::sleep(LOOK_EVERY).await;
    }
    aside(move || drop(live)).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::SidecarConfig;

    #[tokio::test(start_paused = true)]
    async fn a_configuration_is_given_up_when_the_last_call_under_it_has_ended() {
        let live = Arc::new(Live { number: 1, config: SidecarConfig::default(), routes: Vec::new() });
        let (call, left) = (Arc::clone(&live), Arc::downgrade(&live));
        let mut given_up = tokio::spawn(give_up(Some(live)));
        assert!(tokio::time::timeout(3 * LOOK_EVERY, &mut given_up).await.is_err());
        assert_eq!(left.strong_count(), 2, "a call still runs under it");
        drop(call);
        given_up.await.unwrap();
        assert_eq!(left.strong_count(), 0);
    }

    #[tokio::test]
    async fn work_that_panics_aside_is_told_of() {
        assert_eq!(aside(|| 7).await, Some(7));
        assert_eq!(aside::<()>(|| panic!("the work fails")).await, None);
    }
}
