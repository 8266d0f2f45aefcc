//! Gives back the memory of what of the program has run and does not any more: once a configuration is in force, and now and then.

use std::sync::Arc;
use std::time::Duration;

use reeve_resident::Program;

use super::Current;
use super::aside::aside;

/// Without another configuration for so long, the last is taken to stay. Hints for its policies are worked out by then, and what
/// a start runs once has run.
const SETTLED: Duration = Duration::from_secs(2);

/// How often besides: what is run seldom, such as what answers a broken request, adds up over hours.
const AGAIN: Duration = Duration::from_secs(300);

/// Does so for ever.
pub async fn settle(current: Arc<Current>, program: Program) {
    loop {
        let _ = tokio::time::timeout(AGAIN, current.replaced()).await;
        while tokio::time::timeout(SETTLED, current.replaced()).await.is_ok() {}
        let program = program.clone();
        match aside(move || program.give_back()).await {
            Some(Ok(bytes)) => tracing::debug!(bytes, "what of the program is not used is given back to the system"),
            Some(Err(error)) => tracing::debug!(%error, "the system takes back nothing of the program"),
            None => {}
        }
    }
}
