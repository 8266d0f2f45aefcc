//! What each real server has that an attack is after, and what shows that it got it.

use reeve_tests::servers::{Kind, Server};
use reeve_tests::sink::Sink;

/// What shows that a tool ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trace {
    /// The server says so in its log.
    Log,
    /// A request that the tool makes elsewhere begins so.
    Request,
    /// The server answers with it.
    Answer,
}

/// A tool, and arguments that it takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tool {
    pub(crate) name: &'static str,
    /// The members of its arguments. `$T` is the attempt's token, `$S` the address of a site.
    pub(crate) arguments: &'static str,
    /// What shows that it ran, and with which text: `$T` is the attempt's token, `$N` its number.
    pub(crate) trace: (Trace, &'static str),
}

/// Something else than tools that a server gives out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Secret {
    pub(crate) resource: &'static str,
    pub(crate) prompt: Option<&'static str>,
    /// What reading the resource and getting the prompt bring.
    pub(crate) contents: &'static [&'static str],
    /// Resources beside it that anybody may read: how their URIs begin.
    pub(crate) public: Option<&'static str>,
}

/// A server, and what policy says of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target {
    pub(crate) kind: Kind,
    /// The server's name in tables.
    pub(crate) label: &'static str,
    /// A tool that anybody may call.
    pub(crate) permitted: Tool,
    /// A tool that nobody may call.
    pub(crate) denied: Tool,
    /// What only the definition of the denied tool says.
    pub(crate) hidden: &'static str,
    /// A tool that may be called once with each `a`, and if its `b` is 2 with an `a` of at most 1000.
    pub(crate) guarded: Option<Tool>,
    /// What nobody may read.
    pub(crate) secret: Option<Secret>,
    /// Whether it changes what it offers while it is used.
    pub(crate) changes: bool,
}

/// The tools of a server that changes what it offers. Any may be called as long as it does no more than read.
const CHANGING: &str = "[find_record, purge_record, wipe_record, get_excerpt]";

/// The tool of such a server that asks before it does anything. For each token it may do it once.
const EXPORTS: &str = "  - name: exports\n    tools: [export_record]\n    action: Allow\n    limits: [{counter: exports, window: \
                       1h, max: 1, scope: Key, key: args.token}]\n";

/// Files of such a server.
const NOTES: Secret = Secret {
    resource: "file:///notes/secret/b,c.txt",
    prompt: None,
    contents: &["A secret note."],
    public: Some("file:///notes/public/"),
};

/// What some of these servers have beside them, that nobody may read either.
pub(crate) const REMOTE: &str = "ftp://notes.example/secret/b.txt";

const ECHO: Tool = Tool { name: "echo", arguments: r#""message":"$T""#, trace: (Trace::Answer, "Echo: $T") };

/// A server of `tests/peers` with the three tools that all of those have.
const fn own(kind: Kind, label: &'static str) -> Target {
    Target {
        kind,
        label,
        permitted: ECHO,
        denied: Tool {
            name: "delete_everything",
            arguments: r#""token":"$T""#,
            trace: (Trace::Log, r#"ran delete_everything "$T""#),
        },
        hidden: "Deletes every datastore.",
        guarded: Some(Tool { name: "add", arguments: r#""a":1,"b":2"#, trace: (Trace::Log, r#"ran add "$N"#) }),
        secret: None,
        changes: false,
    }
}

const fn health_imaging(kind: Kind, label: &'static str) -> Target {
    Target {
        kind,
        label,
        permitted: Tool {
            name: "get_datastore",
            arguments: r#""datastore_id":"$T""#,
            trace: (Trace::Request, "GET /datastore/$T"),
        },
        denied: Tool {
            name: "start_dicom_import_job",
            arguments: r#""datastore_id":"$T","data_access_role_arn":"arn:aws:iam::123456789012:role/import","input_s3_uri":"s3://in/","output_s3_uri":"s3://out/""#,
            trace: (Trace::Request, "POST /startDICOMImportJob/datastore/$T"),
        },
        hidden: "Start a DICOM import job.",
        guarded: None,
        secret: None,
        changes: false,
    }
}

/// Every server.
pub(crate) const TARGETS: &[Target] = &[
    own(Kind::TypeScript, "TypeScript").changing().keeping(NOTES),
    own(Kind::Express, "Express").changing().keeping(NOTES),
    Target {
        guarded: None,
        secret: Some(Secret {
            resource: "test://static-text",
            prompt: Some("test_simple_prompt"),
            contents: &["The text of a resource.", "A simple prompt."],
            public: None,
        }),
        ..own(Kind::Conformance, "TypeScript with sessions")
    }
    .calling(Tool { name: "test_simple_text", arguments: "", trace: (Trace::Answer, "A simple text.") }),
    Target {
        kind: Kind::Everything,
        label: "server-everything",
        permitted: ECHO,
        denied: Tool {
            name: "gzip-file-as-resource",
            arguments: r#""name":"a.gz","data":"$S/$T""#,
            trace: (Trace::Request, "GET /$T"),
        },
        hidden: "Compresses a single file using gzip compression.",
        guarded: None,
        secret: Some(Secret {
            resource: "demo://resource/static/document/features.md",
            prompt: Some("simple-prompt"),
            contents: &["Everything Server", "This is a simple prompt without arguments."],
            public: None,
        }),
        changes: false,
    },
    own(Kind::Python, "Python").changing().keeping(NOTES),
    own(Kind::Fast, "fastmcp").changing().keeping(NOTES),
    health_imaging(Kind::HealthImaging, "HealthImaging"),
    health_imaging(Kind::HealthImagingBridged, "bridged"),
    own(Kind::Rust, "Rust").changing(),
    own(Kind::Go13, "Go 1.3.0"),
    own(Kind::Go14, "Go 1.4.0"),
];

impl Target {
    const fn calling(mut self, permitted: Tool) -> Self {
        self.permitted = permitted;
        self
    }

    const fn keeping(mut self, secret: Secret) -> Self {
        self.secret = Some(secret);
        self
    }

    const fn changing(mut self) -> Self {
        self.changes = true;
        self
    }

    /// Starts the server, whose tools make their requests to this site.
    pub(crate) fn start(&self, sink: &Sink) -> Server {
        let mut environment = vec![("AWS_ENDPOINT_URL", &*sink.url)];
        environment.extend(self.changes.then_some(("REEVE_CHANGES", "yes")));
        Server::start_with(self.kind, &environment)
    }

    /// A policy that permits what may be called, and nothing else.
    pub(crate) fn denied_by_default(&self) -> String {
        let name = self.permitted.name;
        let mut rules = format!("  - {{name: harmless, tools: ['{name}'], action: Allow}}\n{}", self.guard("Allow"));
        rules += &format!("  - {{name: reading, tools: {CHANGING}, risk: {{categories: [Read]}}, action: Allow}}\n");
        if let Some(public) = self.secret.and_then(|secret| secret.public) {
            rules += &format!("  - {{name: public, resources: ['{public}**'], action: Allow}}\n");
        }
        policy(&(rules + EXPORTS + &no_more_than_reading()), "Deny")
    }

    /// A policy that denies what may not be called, and nothing else: whatever is taken for something else, passes.
    pub(crate) fn denied_by_rule(&self) -> String {
        let mut rules = format!("  - {{name: dangerous, tools: ['{}'], action: Deny}}\n", self.denied.name);
        if let Some(secret) = self.secret {
            rules += &format!("  - {{name: secret, resources: ['{}', '{REMOTE}'], action: Deny}}\n", secret.resource);
            if let Some(prompt) = secret.prompt {
                rules += &format!("  - {{name: prompt, prompts: ['{prompt}'], action: Deny}}\n");
            }
        }
        policy(&(rules + EXPORTS + &self.guard("Constrain") + &no_more_than_reading()), "Allow")
    }

    fn guard(&self, action: &str) -> String {
        let Some(tool) = self.guarded else { return String::new() };
        let require = "[{expression: 'args.b != 2 || args.a <= 1000.0', message: at most 1000}]";
        let limits = "[{counter: adds, window: 1h, max: 1, scope: Key, key: args.a}]";
        let bounds = format!("require: {require}, limits: {limits}");
        format!("  - {{name: guarded, tools: ['{}'], action: {action}, {bounds}}}\n", tool.name)
    }
}

fn no_more_than_reading() -> String {
    format!("  - {{name: more, tools: {CHANGING}, risk: {{minSeverity: Medium}}, action: Deny}}\n")
}

fn policy(rules: &str, default: &str) -> String {
    format!(
        "apiVersion: reeve.dev/v1alpha1\nkind: McpPolicy\nmetadata: {{name: attacked}}\nspec:\n  serverRefs: \
         [{{name: '*'}}]\n  serverRequests: {{elicitation: Allow}}\n  default: {default}\n  rules:\n{rules}"
    )
}
