//! What faults do to a sidecar under load: nothing that policy denies passes, what was not in flight is not lost, the books add
//! up afterwards, and the same process serves on.
//!
//! | theme | what goes wrong |
//! |---|---|
//! | `process` | the sidecar is killed, and told to end |
//! | `reload` | its configuration changes a hundred times a second |
//! | `server` | the server dies, hangs, trickles, breaks off, answers garbage, too much, or without end |
//! | `agents` | agents hang up, send a byte a second, open ten thousand connections |
//! | `exhausted` | the disk of the audit log is full, descriptors run out |
//! | `clock` | the time of day is set, forward and back |
//! | `memory` | agents have the sidecar hold all that it may |
//! | `bounds` | each bound of the listener and of answers is reached: what is told and counted |

mod agents;
mod bounds;
mod clock;
mod exhausted;
mod memory;
mod process;
mod reload;
mod server;

use reeve_tests::books as scene;
