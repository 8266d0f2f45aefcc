//! What takes long to show. `tests/run soak` runs it, and writes what came of it to `docs/soak.md`.
//!
//! | file | claim |
//! |---|---|
//! | `calls` | memory is flat over ten million calls, whatever goes wrong among them, and the books add up |
//! | `connections` | ten thousand agents are served at once, each in its turn |
//! | `troubles` | what goes wrong |
//! | `pipe` | the audit log as a pipe, whose lines are counted and not kept |
//! | `page` | the page |

mod calls;
mod connections;
mod page;
mod pipe;
mod troubles;
