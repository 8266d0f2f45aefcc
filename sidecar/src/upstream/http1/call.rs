//! One call on a connection: from a lease of the pool to the head of the answer, whose body then has the connection.

use std::future::poll_fn;
use std::sync::Weak;
use std::time::Duration;

use http::Response;

use super::connection::Http1;
use super::decoder::Decoder;
use super::framing::{self, After};
use super::incoming::Incoming;
use super::parse::Search;
use crate::upstream::connect::Connector;
use crate::upstream::errand::Errand;
use crate::upstream::exchange::{Attempt, told};
use crate::upstream::pool::{Pool, Wanted};
use crate::upstream::wire::Expect;

impl Http1 {
    /// Sends a request and waits for the head of its answer. `reused`: the connection has carried another. Dropping the future closes
    /// the connection.
    pub(in crate::upstream) async fn send(
        mut self,
        errand: &Errand<'_>,
        connector: &Connector,
        pool: Weak<Pool>,
        reused: bool,
    ) -> Result<Response<Incoming>, Attempt> {
        self.begin(errand, connector, if reused { Expect::Quiet } else { Expect::Open });
        let mut search = Search::default();
        let answer = poll_fn(|cx| self.poll_answer(errand.body(), &mut search, cx)).await;
        let framed = answer.and_then(|head| Ok((framing::of(errand.method(), &head)?, head)));
        match framed {
            Ok(((framing, after), head)) => {
                self.wait_at_most(framing::may_wait(&head.headers).unwrap_or(Duration::MAX));
                let unsent = self.is_underway().then(|| errand.body().clone());
                let keeper = if after == After::Kept { pool } else { Weak::new() };
                Ok(Response::from_parts(head, Incoming::new(self, Decoder::new(framing), unsent, keeper)))
            }
            Err(broken) => {
                let failure = told(broken.into(), self.is_untouched());
                Err(Attempt::failed(failure, reused, Wanted::Unused))
            }
        }
    }
}
