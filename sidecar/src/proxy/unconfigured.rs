//! Before any configuration has come: every request is refused, on every path, and counted; calls are recorded too.

use std::borrow::Cow;

use http::Response;
use http::request::Parts;
use hyper::body::Incoming;
use reeve_crds::v1alpha1::Mode;
use reeve_policy::decide::Verdict;
use reeve_policy::json::{Document, Limits};
use reeve_policy::reason::Reason;

use super::body::Body;
use super::examine::{Kind, session};
use super::{Shared, reply};
use crate::audit::{Arguments, Decision, Entry, Event, Parties, SessionTag};
use crate::live::host_name;
use crate::mcp::answer::Refusal;
use crate::mcp::envelope::{Envelope, Message, Reference, Sender};
use crate::mcp::method::{Form, Handling, Named, TABLE};
use crate::mcp::rejection::{Cause, Rejection};
use crate::mcp::version::Era;
use crate::mcp::{era, headers};
use crate::trace::{self, Span, Stated};

const REASON: Reason = Reason::NoConfiguration;

/// What a request calls.
struct Called<'d> {
    method: &'static str,
    kind: Kind,
    names: Vec<Cow<'d, str>>,
}

impl Shared {
    /// Answers while no configuration has come.
    pub(super) async fn unconfigured(&self, parts: &Parts, body: Incoming) -> Result<Response<Body>, Rejection> {
        if parts.method != http::Method::POST {
            return Err(Rejection::new(Cause::NotConfigured, REASON.meaning()));
        }
        headers::check_body(&parts.headers)?;
        let body = self.bodies.read(body).await?;
        let received = self.clock.now();
        let document = Document::parse(body.bytes.clone(), Limits::default())?;
        let envelope = Envelope::read(&document, Sender::Agent)?;
        let era = era::agree(&parts.headers, &envelope)?.era();
        let Message::Request { id, .. } = &envelope.message else {
            return Err(envelope.reject(Cause::NotConfigured, REASON.meaning()));
        };
        let called = called(&envelope, era)?;
        let kind = called.as_ref().map_or(Kind::Resource, |called| called.kind);
        match called {
            Some(called) => self.record_unconfigured(&called, &envelope, era, parts, received),
            None => self.metrics.rejected(Cause::NotConfigured),
        }
        let refusal = Refusal { verdict: &Verdict::refusal(REASON), text: REASON.meaning() };
        Ok(reply::refusal(id.raw(), era, kind, &refusal))
    }

    /// Records and counts what is called. Whom it is charged to, and which server it is for, nobody knows yet.
    fn record_unconfigured(
        &self,
        called: &Called<'_>,
        envelope: &Envelope<'_>,
        era: Era,
        parts: &Parts,
        received: reeve_policy::time::Instant,
    ) {
        let parties = Parties::new("", &host_name(), "");
        let given = envelope.params.arguments().ok().flatten().filter(|_| self.audit.is_on());
        let arguments = given.map(|given| Arguments::of(given, &[]));
        let caller = envelope.params.caller();
        let stated = Stated { meta: caller.as_ref(), headers: &parts.headers };
        let mut followed = stated.follow(self.tracer.as_ref().filter(|_| !called.names.is_empty()), received);
        let session = session(&parts.headers, era).map(SessionTag::of);
        for name in &called.names {
            let entry = Entry {
                event: Event::Call,
                time: self.clock.wall(),
                parties: &parties,
                session,
                method: called.method,
                target: Some(called.kind.target(name)),
                arguments: arguments.as_ref(),
                trace_id: followed.trace,
            };
            if let Some(mut span) = followed.span.take() {
                describe(&mut span, &entry);
            }
            let slot = self.audit.reserve(&entry);
            let latency = self.clock.now().since(received);
            self.metrics.unconfigured((called.kind != Kind::Tool).then_some(called.method));
            self.metrics.decided_within(latency);
            // The call is refused, whether there is room for its record or not.
            if let Ok(slot) = slot {
                let (rule, policy_generation) = (None, None);
                slot.write(&Decision {
                    reason: REASON,
                    rule,
                    policy_generation,
                    mode: Mode::Enforce,
                    latency,
                    shadow: &[],
                });
            }
        }
    }
}

/// The span of the message ends with the refusal.
fn describe(span: &mut Span, entry: &Entry<'_>) {
    span.decided(&trace::Call {
        method: entry.method,
        target: entry.target,
        is_known: false,
        session: entry.session,
        server: "",
        grant: "",
        reason: REASON,
        rule: None,
        mode: Mode::Enforce,
    });
}

/// What a request calls, by the table of methods; none if it is no call.
fn called<'d>(envelope: &Envelope<'d>, era: Era) -> Result<Option<Called<'d>>, Rejection> {
    let is_asked = |row: &&crate::mcp::method::Row| {
        row.sender == Sender::Agent && row.form == Form::Request && envelope.method() == Some(row.method)
    };
    let Some(row) = TABLE.iter().find(is_asked) else { return Ok(None) };
    let params = &envelope.params;
    let (kind, names) = match row.handling(era) {
        Handling::Decide(Named::Tool) => (Kind::Tool, vec![params.name()?]),
        Handling::Decide(Named::Prompt) => (Kind::Prompt, vec![params.name()?]),
        Handling::Decide(Named::Resource) => (Kind::Resource, vec![params.uri()?]),
        Handling::Decide(Named::Reference) => match params.reference()? {
            Reference::Prompt(name) => (Kind::Prompt, vec![name]),
            Reference::Resource(uri) => (Kind::Resource, vec![uri]),
        },
        Handling::Listen => (Kind::Resource, params.resource_subscriptions()?),
        _ => return Ok(None),
    };
    Ok(Some(Called { method: row.method, kind, names }))
}
