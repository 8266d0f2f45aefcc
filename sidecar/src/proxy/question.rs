//! Requests of servers that agents answer: each once, and none that was not asked.

use std::sync::Arc;

use super::request::with_id;
use crate::live::Backend;
use crate::mcp::envelope::Id;
use crate::mcp::rejection::{Cause, Rejection};

/// A request of the server that the agent answers.
#[derive(Debug)]
pub(super) struct Question {
    backend: Arc<Backend>,
    session: Option<Box<str>>,
    id: Box<[u8]>,
}

impl Question {
    /// The open request that an answer of this session with this id is for.
    ///
    /// # Errors
    /// [`Cause::UnmatchedResponse`] if there is none.
    pub(super) fn take(backend: &Arc<Backend>, session: Option<&str>, id: Option<&[u8]>) -> Result<Self, Rejection> {
        let asked = |id: &Id<'_>| backend.asked().take(&backend.name, session.unwrap_or_default(), id);
        match (id, with_id(id, asked).flatten()) {
            (Some(id), Some(())) => {
                Ok(Self { backend: Arc::clone(backend), session: session.map(Into::into), id: id.into() })
            }
            _ => Err(Rejection::new(Cause::UnmatchedResponse, "This answers no open request of the server.").of(id)),
        }
    }

    /// The server did not get the answer: the agent may give it again.
    pub(super) fn put_back(self) {
        let Self { backend, session, id } = self;
        let session = session.as_deref().unwrap_or_default();
        with_id(Some(&id), |id| backend.asked().insert(&backend.name, session, id, ()));
    }
}
