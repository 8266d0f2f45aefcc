//! What the standard variables of OpenTelemetry say, and what in them is not followed.
//!
//! As the specification asks, no value of theirs keeps the program from serving: what cannot be followed is told, by the name of
//! its variable, and the default holds instead; where there is no sensible one, nothing is traced.

use std::num::NonZeroUsize;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};

use super::sampler::{self, Sampler};
use crate::config::Tls;
use crate::upstream::{Target, TargetError};

/// What the variables come to.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// How spans are made and where they go; none: nothing is traced.
    pub export: Option<Export>,
    /// What is not followed, a sentence each.
    pub problems: Vec<String>,
}

/// How spans are made and where they go.
#[derive(Clone, Debug, PartialEq)]
pub struct Export {
    /// The URL that batches are posted to.
    pub url: String,
    /// What is sent along, such as a key.
    pub headers: HeaderMap,
    /// How the collector is trusted, if not as the system says.
    pub tls: Option<Tls>,
    /// How long it may take to answer.
    pub timeout: Duration,
    /// Which calls are recorded.
    pub sampler: Sampler,
    /// What the spans are of: `service.name` and whatever else was given.
    pub resource: Vec<(String, String)>,
    /// How spans are gathered.
    pub batch: Batch,
}

/// How spans are gathered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batch {
    /// How long the first span of a batch waits for others.
    pub delay: Duration,
    /// For how long it is tried to deliver a batch.
    pub patience: Duration,
    /// The most spans that wait.
    pub queue: NonZeroUsize,
    /// The most spans of a batch.
    pub size: NonZeroUsize,
}

/// The largest queue that is made, whatever is asked for. Bytes are bounded beside.
const LARGEST_QUEUE: usize = 65_536;

impl Export {
    /// The URL for the log: a query may hold a key.
    pub fn shown_url(&self) -> &str {
        self.url.split('?').next().unwrap_or_default()
    }
}

impl Settings {
    /// Reads the variables by `read`. An empty value is none.
    pub fn read(read: impl Fn(&str) -> Option<String>) -> Self {
        let mut reader = Reader { read: &read, problems: Vec::new() };
        let export = reader.export();
        let problems = reader.problems;
        Self { export, problems }
    }
}

struct Reader<'a> {
    read: &'a dyn Fn(&str) -> Option<String>,
    problems: Vec<String>,
}

impl Reader<'_> {
    fn get(&self, name: &str) -> Option<String> {
        (self.read)(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    /// The variable of traces, else the one of everything; with the name of which it was.
    fn of_traces(&self, rest: &str) -> Option<(String, String)> {
        let names = [format!("OTEL_EXPORTER_OTLP_TRACES_{rest}"), format!("OTEL_EXPORTER_OTLP_{rest}")];
        names.into_iter().find_map(|name| self.get(&name).map(|value| (name, value)))
    }

    fn problem(&mut self, name: &str, why: &str) {
        self.problems.push(format!("{name} {why}"));
    }

    fn export(&mut self) -> Option<Export> {
        let url = self.url()?;
        if self.get("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true")) || !self.is_wanted() {
            return None;
        }
        if !self.is_spoken() {
            return None;
        }
        self.note_propagators();
        Some(Export {
            tls: self.tls(&url),
            url,
            headers: self.headers(),
            timeout: self.timeout(),
            sampler: self.sampler(),
            resource: self.resource(),
            batch: self.batch(),
        })
    }

    /// The path of traces is added to the URL that is for everything.
    fn url(&mut self) -> Option<String> {
        let (name, value) = self.of_traces("ENDPOINT")?;
        let is_of_traces = name.contains("TRACES");
        if !is_of_traces && value.contains('?') {
            let why = "has a query, to which no path can be added: give the whole URL in OTEL_EXPORTER_OTLP_TRACES_ENDPOINT; \
                       no call is traced";
            self.problem(&name, why);
            return None;
        }
        let url = if is_of_traces { value } else { format!("{}/v1/traces", value.trim_end_matches('/')) };
        // What is wrong with it may be that it holds a password: it is not repeated.
        let is_http = url.starts_with("http://") || url.starts_with("https://");
        match Target::parse(&url) {
            Ok(_) if is_http => return Some(url),
            Err(TargetError::UserInfo) => self.problem(
                &name,
                "holds a user name or password: give them in OTEL_EXPORTER_OTLP_HEADERS; no call is traced",
            ),
            _ => self.problem(&name, "is no URL such as http://collector:4318: no call is traced"),
        }
        None
    }

    fn is_wanted(&mut self) -> bool {
        const NAME: &str = "OTEL_TRACES_EXPORTER";
        match self.get(NAME).as_deref() {
            None | Some("otlp") => true,
            Some("none") => false,
            Some(other) => {
                self.problem(NAME, &format!("is {other:?}, and only otlp and none are supported: no call is traced"));
                false
            }
        }
    }

    /// Another protocol than the one that is spoken is spoken at another port: nothing sent there would be understood.
    fn is_spoken(&mut self) -> bool {
        match self.of_traces("PROTOCOL") {
            Some((name, protocol)) if protocol != "http/protobuf" => {
                let why = format!(
                    "is {protocol:?}, and only http/protobuf is supported (a collector has it on port 4318): no call is traced"
                );
                self.problem(&name, &why);
                false
            }
            _ => true,
        }
    }

    fn note_propagators(&mut self) {
        const NAME: &str = "OTEL_PROPAGATORS";
        let Some(value) = self.get(NAME) else { return };
        let words: Vec<&str> = value.split(',').map(str::trim).collect();
        if !words.contains(&"tracecontext") || words.iter().any(|word| !matches!(*word, "tracecontext" | "baggage")) {
            let why = format!("is {value:?}, and only tracecontext is read and written (baggage passes as it is)");
            self.problem(NAME, &why);
        }
    }

    fn headers(&mut self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let Some((name, value)) = self.of_traces("HEADERS") else { return headers };
        for pair in value.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
            let read = pair.split_once('=').and_then(|(key, value)| {
                let key = HeaderName::try_from(key.trim()).ok()?;
                let mut value = HeaderValue::try_from(percent_decoded(value.trim())?).ok()?;
                value.set_sensitive(true);
                Some((key, value))
            });
            match read {
                Some((key, value)) => drop(headers.insert(key, value)),
                // What it is may be secret.
                None => self.problem(&name, "has a part that is no KEY=VALUE of a header: that part is left out"),
            }
        }
        headers
    }

    fn tls(&mut self, url: &str) -> Option<Tls> {
        let [bundle, certificate, key] =
            ["CERTIFICATE", "CLIENT_CERTIFICATE", "CLIENT_KEY"].map(|rest| self.of_traces(rest));
        let (name, _) = [&bundle, &certificate, &key].into_iter().flatten().next()?.clone();
        if url.starts_with("http://") {
            self.problem(&name, "is given, and the collector is reached without TLS: it is left out");
            return None;
        }
        let file = |variable: Option<(String, String)>| variable.map(|(_, file)| file);
        let mut tls = Tls { ca_bundle: file(bundle), client_certificate: file(certificate), client_key: file(key) };
        if tls.client_certificate.is_some() != tls.client_key.is_some() {
            (tls.client_certificate, tls.client_key) = (None, None);
            let why =
                "and OTEL_EXPORTER_OTLP_CLIENT_KEY go together, and one is missing: no client certificate is shown";
            self.problem("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", why);
        }
        Some(tls)
    }

    fn timeout(&mut self) -> Duration {
        if let Some((name, compression)) = self.of_traces("COMPRESSION").filter(|(_, value)| value != "none") {
            self.problem(&name, &format!("is {compression:?}, which is not supported: spans are sent uncompressed"));
        }
        match self.of_traces("TIMEOUT") {
            Some((name, value)) => self.milliseconds(&name, &value, 10_000),
            None => Duration::from_millis(10_000),
        }
    }

    fn sampler(&mut self) -> Sampler {
        const NAME: &str = "OTEL_TRACES_SAMPLER";
        const ARGUMENT: &str = "OTEL_TRACES_SAMPLER_ARG";
        let Some(word) = self.get(NAME) else { return Sampler::default() };
        let mut ratio = 1.0;
        if let Some(argument) = self.get(ARGUMENT).filter(|_| word.ends_with("traceidratio")) {
            match argument.parse::<f64>() {
                Ok(given) if (0.0..=1.0).contains(&given) => ratio = given,
                _ => {
                    self.problem(ARGUMENT, &format!("is {argument:?}, which is no number from 0 to 1: it counts as 1"));
                }
            }
        }
        Sampler::named(&word, ratio).unwrap_or_else(|| {
            let words = sampler::WORDS.join(", ");
            self.problem(NAME, &format!("is {word:?}, and only {words} are supported: parentbased_always_on holds"));
            Sampler::default()
        })
    }

    fn resource(&mut self) -> Vec<(String, String)> {
        const NAME: &str = "OTEL_RESOURCE_ATTRIBUTES";
        let mut resource = vec![
            ("service.name".to_owned(), "reeve-sidecar".to_owned()),
            ("service.version".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
        ];
        let mut set = |key: String, value: String| match resource.iter_mut().find(|(known, _)| *known == key) {
            Some((_, old)) => *old = value,
            None => resource.push((key, value)),
        };
        let mut wrong = false;
        for pair in
            self.get(NAME).iter().flat_map(|given| given.split(',')).map(str::trim).filter(|pair| !pair.is_empty())
        {
            let read = pair.split_once('=').and_then(|(key, value)| {
                let key = percent_decoded(key.trim()).filter(|key| !key.is_empty())?;
                Some((key, percent_decoded(value.trim())?))
            });
            match read {
                Some((key, value)) => set(key, value),
                None => wrong = true,
            }
        }
        if let Some(name) = self.get("OTEL_SERVICE_NAME") {
            set("service.name".into(), name);
        }
        if wrong {
            self.problem(NAME, "has a part that is no KEY=VALUE: that part is left out");
        }
        resource
    }

    fn batch(&mut self) -> Batch {
        let queue = self.number("OTEL_BSP_MAX_QUEUE_SIZE", 2_048, LARGEST_QUEUE);
        let size = self.number("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", 512.min(queue.get()), queue.get());
        let mut time = |name: &str, default| match self.get(name) {
            Some(value) => self.milliseconds(name, &value, default),
            None => Duration::from_millis(default),
        };
        Batch {
            delay: time("OTEL_BSP_SCHEDULE_DELAY", 5_000),
            patience: time("OTEL_BSP_EXPORT_TIMEOUT", 30_000),
            queue,
            size,
        }
    }

    fn number(&mut self, name: &str, default: usize, most: usize) -> NonZeroUsize {
        let default = NonZeroUsize::new(default).unwrap_or(NonZeroUsize::MIN);
        let Some(value) = self.get(name) else { return default };
        match value.parse::<NonZeroUsize>() {
            Ok(number) if number.get() <= most => number,
            _ => {
                self.problem(
                    name,
                    &format!("is {value:?}, which is no whole number from 1 to {most}: {default} holds"),
                );
                default
            }
        }
    }

    fn milliseconds(&mut self, name: &str, value: &str, default: u64) -> Duration {
        /// A day.
        const MOST: u64 = 86_400_000;
        match value.parse::<u64>() {
            Ok(time) if (1..=MOST).contains(&time) => Duration::from_millis(time),
            _ => {
                let why =
                    format!("is {value:?}, which is no whole number of milliseconds from 1 to {MOST}: {default} holds");
                self.problem(name, &why);
                Duration::from_millis(default)
            }
        }
    }
}

/// Text in which `%2C` stands for a comma, as in W3C Baggage. None if it is not written so.
fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        if *byte != b'%' {
            bytes.push(*byte);
            continue;
        }
        let (digits, after) = rest.split_at_checked(2)?;
        let digits = std::str::from_utf8(digits).ok().filter(|digits| !digits.starts_with('+'))?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        rest = after;
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests;
