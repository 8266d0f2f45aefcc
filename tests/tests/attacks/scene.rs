//! One attempt of one form: who attempts it, on whom, and what came of it.

use std::cell::RefCell;
use std::net::TcpStream;
use std::time::Duration;

use reeve_tests::agent::{LEGACY, MODERN};
use reeve_tests::clients::Era;
use reeve_tests::http::{Answer, Exchange};
use reeve_tests::request::Request;

use crate::governed::Governed;
use crate::targets::Target;

/// How long an answer may take that is sure to come, or a connection that is sure to end.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// After how long an answer is no longer expected, so that it is seen whether others are answered.
pub(crate) const MOMENT: Duration = Duration::from_millis(300);

/// The same of what is right, and so answered by most: a busy machine may take long to answer.
const LONG_MOMENT: Duration = Duration::from_secs(5);

/// How many others, asked one after the other, are answered before an answer is given up.
const OTHERS: usize = 3;

/// An attempt.
pub(crate) struct Scene<'a> {
    pub(crate) target: &'a Target,
    pub(crate) era: Era,
    /// `host:port` of the server, or of the sidecar before it.
    pub(crate) address: &'a str,
    /// `host:port` of the server itself.
    pub(crate) server: &'a str,
    /// Where a tool may fetch from.
    pub(crate) site: &'a str,
    /// 32 digits that stand in nothing but this attempt.
    pub(crate) token: String,
    session: Option<String>,
    received: RefCell<String>,
    moment: Duration,
    /// The sidecar in between, if there is one.
    pub(crate) governed: Option<&'a Governed>,
}

impl<'a> Scene<'a> {
    /// Begins an attempt: in the legacy era in a session of its own, if the server has any. Nothing if the server does not
    /// answer.
    pub(crate) fn begin(
        target: &'a Target,
        era: Era,
        address: &'a str,
        server: &'a str,
        site: &'a str,
        number: u32,
    ) -> Option<Self> {
        let token = format!("{number:032}");
        let mut scene = Self {
            target,
            era,
            address,
            server,
            site,
            token,
            session: None,
            received: RefCell::new(String::new()),
            moment: MOMENT,
            governed: None,
        };
        if era == Era::Legacy {
            scene.session = scene.open_session()?;
        } else {
            scene.answer(&scene.list())?;
        }
        Some(scene)
    }

    /// The same, of something that is to pass.
    pub(crate) fn patient(self) -> Self {
        Self { moment: LONG_MOMENT, ..self }
    }

    /// The same through this sidecar, if any.
    pub(crate) fn through(self, governed: Option<&'a Governed>) -> Self {
        Self { governed, ..self }
    }

    /// The answer to what every server answers.
    fn answer(&self, request: &Request) -> Option<Answer> {
        let exchange = Exchange::begin(self.address, &request.bytes(self.address)).ok()?;
        Some(exchange.whole_within(PATIENCE)).filter(|answer| (1..500).contains(&answer.status))
    }

    /// Opens a session, as an SDK does: nothing if the server does not answer, no session if it has none.
    fn open_session(&self) -> Option<Option<String>> {
        let hello = format!(
            r#"{{"jsonrpc":"2.0","id":0,"method":"initialize","params":{{"protocolVersion":"{LEGACY}","capabilities":{{}},"clientInfo":{{"name":"agent","version":"1"}}}}}}"#
        );
        let answer = self.answer(&self.plain(&hello))?;
        let session = answer.header("mcp-session-id").map(str::to_owned);
        let mut begun = self.plain(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
        if let Some(session) = &session {
            begun.set("Mcp-Session-Id", session);
        }
        begun.set("MCP-Protocol-Version", LEGACY);
        self.answer(&begun)?;
        Some(session)
    }

    fn plain(&self, body: &str) -> Request {
        Request::post("/mcp", body)
    }

    /// The session of this attempt; none in the modern era, and with servers that have none.
    pub(crate) fn session(&self) -> Option<&str> {
        self.session.as_deref()
    }

    /// A text with its place-holders filled:
    ///
    /// | | |
    /// |---|---|
    /// | `$P` `$D` | the name of the permitted and of the denied tool |
    /// | `$p` `$d` | the same, every character escaped |
    /// | `$E` `$X` | members of the arguments of the one and the other |
    /// | `$M` | in the modern era `_meta` and a comma before it |
    /// | `$T` `$N` | the token, and a number that is as much this attempt's |
    /// | `$G` | the name of the guarded tool |
    /// | `$R` `$Q` | the denied resource and prompt |
    pub(crate) fn fill(&self, template: &str) -> String {
        let Target { permitted, denied, guarded, secret, .. } = self.target;
        let meta = match self.era {
            Era::Legacy => String::new(),
            Era::Modern => format!(
                r#","_meta":{{"io.modelcontextprotocol/protocolVersion":"{MODERN}","io.modelcontextprotocol/clientInfo":{{"name":"agent","version":"1"}},"io.modelcontextprotocol/clientCapabilities":{{}}}}"#
            ),
        };
        let secret = secret.as_ref();
        template
            .replace("$P", permitted.name)
            .replace("$D", denied.name)
            .replace("$p", &escaped(permitted.name))
            .replace("$d", &escaped(denied.name))
            .replace("$E", permitted.arguments)
            .replace("$X", denied.arguments)
            .replace("$M", &meta)
            .replace("$G", guarded.map_or("", |tool| tool.name))
            .replace("$R", secret.map_or("", |secret| secret.resource))
            .replace("$Q", secret.and_then(|secret| secret.prompt).unwrap_or_default())
            .replace("$S", self.site)
            .replace("$T", &self.token)
            .replace("$N", &self.number())
    }

    /// A number of seven digits that stands in nothing but this attempt.
    fn number(&self) -> String {
        format!("1{}", &self.token[self.token.len() - 6..])
    }

    /// A post of this body, filled, with the headers of the era, for this method and name.
    pub(crate) fn request(&self, method: &str, name: &str, template: &str) -> Request {
        let mut request = self.plain(&self.fill(template));
        match self.era {
            Era::Legacy => {
                request.set("MCP-Protocol-Version", LEGACY);
                if let Some(session) = &self.session {
                    request.set("Mcp-Session-Id", session);
                }
            }
            Era::Modern => {
                request.set("MCP-Protocol-Version", MODERN);
                request.set("Mcp-Method", method);
                if !name.is_empty() {
                    request.set("Mcp-Name", &self.fill(name));
                }
            }
        }
        request
    }

    /// A call of the denied tool, in no way unusual.
    pub(crate) fn denied(&self) -> Request {
        self.request("tools/call", "$D", DENIED)
    }

    /// A call of the permitted tool, in no way unusual.
    pub(crate) fn permitted(&self) -> Request {
        self.request("tools/call", "$P", PERMITTED)
    }

    /// A request for the list of tools, in no way unusual.
    pub(crate) fn list(&self) -> Request {
        self.request("tools/list", "", LIST)
    }

    /// Calls a tool of a server that changes what it offers.
    pub(crate) fn call(&self, tool: &str) {
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{{"name":"{tool}","arguments":{{"token":"$T"}}$M}}}}"#
        );
        self.send(&self.request("tools/call", tool, &body));
    }

    /// Has the server's tools do harm or none from now on. The sidecar does not hear of it.
    pub(crate) fn turn(&self, to: &str) {
        let directly = Scene::begin(self.target, self.era, self.server, self.server, self.site, 0).expect("it answers");
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{{"name":"turn","arguments":{{"to":"{to}"}}$M}}}}"#
        );
        let told = directly.answer(&directly.request("tools/call", "turn", &body)).expect("it answers");
        assert!(told.body.contains(&format!("turned {to}")), "{}: {told:?}", self.target.label);
    }

    /// Sends a request, and keeps what comes back.
    pub(crate) fn send(&self, request: &Request) -> Answer {
        self.send_bytes(&request.bytes(self.address))
    }

    /// Sends bytes, and keeps what comes back.
    pub(crate) fn send_bytes(&self, bytes: &[u8]) -> Answer {
        // Some requests are the end of some servers, whatever was to be sent next.
        if TcpStream::connect(self.address).is_err() {
            return Answer { status: 0, head: String::new(), body: String::new() };
        }
        // A peer that has refused the beginning need not take the rest.
        let answer = Exchange::attempt(self.address, bytes).whole_or_none(self.moment, || self.see_others_answered());
        self.keep(&answer.head);
        self.keep(&answer.body);
        answer
    }

    /// Many attempts are not answered at all: who is asked after them answers, however busy the machine is.
    fn see_others_answered(&self) {
        for _ in 0..OTHERS {
            let Ok(other) = Exchange::begin(self.address, &self.list().bytes(self.address)) else { return };
            other.whole_within(PATIENCE);
        }
    }

    /// Keeps something that came back.
    pub(crate) fn keep(&self, text: &str) {
        *self.received.borrow_mut() += text;
    }

    /// Whether something that came back says so.
    pub(crate) fn received(&self, text: &str) -> bool {
        self.received.borrow().contains(text)
    }
}

/// A call of the denied tool.
pub(crate) const DENIED: &str =
    r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"$D","arguments":{$X}$M}}"#;

/// A call of the permitted tool.
pub(crate) const PERMITTED: &str =
    r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"$P","arguments":{$E}$M}}"#;

/// A request for the list of tools.
pub(crate) const LIST: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"x":1$M}}"#;

fn escaped(text: &str) -> String {
    text.chars().map(|character| format!("\\u{:04x}", u32::from(character))).collect()
}
