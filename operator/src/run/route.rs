//! Which part answers which request at the port with TLS.

use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response, StatusCode};
use hyper::body::Incoming;

use crate::delivery::{Delivery, Registry};
use crate::http::{Body, whole};
use crate::webhook::{INJECT_PATH, VALIDATE_PATH, Webhook};

/// Answers by the path. Cheap to clone.
#[derive(Clone)]
pub(super) struct Route {
    pub(super) webhook: Webhook,
    pub(super) delivery: Delivery,
    pub(super) registry: Arc<Registry>,
}

impl Route {
    pub(super) async fn respond(self, request: Request<Incoming>) -> Response<Body> {
        match request.uri().path() {
            reeve_wire::PATH => self.delivery.respond(request).await,
            // A pod that is admitted by a replica that knows no server yet would have none routed.
            INJECT_PATH | VALIDATE_PATH if !self.registry.is_open() => text(
                StatusCode::SERVICE_UNAVAILABLE,
                "this replica of Reeve's operator has just started: try again\n".into(),
            ),
            INJECT_PATH | VALIDATE_PATH => self.webhook.respond(request).await,
            path => text(StatusCode::NOT_FOUND, format!("there is nothing at {path}\n")),
        }
    }

    /// Asks sidecars to go to another replica, over a time, and waits until they have.
    pub(super) async fn drain(&self, spread: Duration) {
        self.delivery.drain(spread).await;
    }
}

fn text(status: StatusCode, content: String) -> Response<Body> {
    let mut response = Response::new(whole(content));
    *response.status_mut() = status;
    response
}
