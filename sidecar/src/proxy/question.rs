//! Requests of servers that agents answer: each once, and none that was not asked.

use std::sync::Arc;

use super::request::with_id;
use crate::live::Route;
use crate::mcp::envelope::Id;
use crate::mcp::rejection::{Cause, Rejection};

/// A request of the server that the agent answers.
#[derive(Debug)]
pub(super) struct Question {
    route: Arc<Route>,
    session: Option<Box<str>>,
    id: Box<[u8]>,
}

impl Question {
    /// The open request that an answer of this session with this id is for.
    ///
    /// # Errors
    /// [`Cause::UnmatchedResponse`] if there is none.
    pub(super) fn take(route: &Arc<Route>, session: Option<&str>, id: Option<&[u8]>) -> Result<Self, Rejection> {
        let asked = |id: &Id<'_>| route.asked().take(&route.name, session.unwrap_or_default(), id);
        match (id, with_id(id, asked).flatten()) {
            (Some(id), Some(())) => {
                Ok(Self { route: Arc::clone(route), session: session.map(Into::into), id: id.into() })
            }
            _ => Err(Rejection::new(Cause::UnmatchedResponse, "This answers no open request of the server.").of(id)),
        }
    }

    /// The server did not get the answer: the agent may give it again.
    pub(super) fn put_back(self) {
        let Self { route, session, id } = self;
        let session = session.as_deref().unwrap_or_default();
        with_id(Some(&id), |id| route.asked().insert(&route.name, session, id, ()));
    }
}
