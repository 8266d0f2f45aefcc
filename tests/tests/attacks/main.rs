//! Attacks: every form in which a call could get past the sidecar, tried on real servers with and without it.
//!
//! ```text
//! forms ──► scene (one attempt) ──► server                what it does by itself
//!                              └──► sidecar ──► server    what is left of that
//! ```
//!
//! Whether a tool ran is not taken from an answer but from what the tool leaves behind: a line in its server's log, or a request
//! to somebody else.

mod differential;
mod forms;
mod governed;
mod page;
mod run;
mod scene;
mod smuggling;
mod targets;
mod wire;

use std::sync::Mutex;

/// Held by who keeps every server busy: two at once would wait for each other's answers, and take silence for one.
static BUSY: Mutex<()> = Mutex::new(());
