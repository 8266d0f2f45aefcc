//! Spans as the official messages read them.

use std::num::NonZeroUsize;
use std::time::Duration;

use http::HeaderValue;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::{self as official, span::SpanKind, status::StatusCode};
use prost::Message;
use reeve_crds::v1alpha1::Mode;
use reeve_policy::decide::Target;
use reeve_policy::reason::Reason;
use reeve_policy::time::WallTime;

use super::settings::Batch;
use super::*;
use crate::audit::SessionTag;
use crate::mcp::version::Version;
use crate::metrics::Metrics;

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const OTHER: &str = "00-11111111111111111111111111111111-2222222222222222-01";
const BEGUN: i64 = 1_793_701_999_500_000_000;

struct World {
    tracer: Arc<Tracer>,
    clock: Clock,
}

impl World {
    fn new() -> Self {
        Self::sampling(Sampler::default())
    }

    fn sampling(sampler: Sampler) -> Self {
        let clock = Clock::manual(Instant(1_000), WallTime(BEGUN));
        let (queue, size) = (NonZeroUsize::new(2).unwrap(), NonZeroUsize::new(8).unwrap());
        let batch = Batch { delay: Duration::ZERO, patience: Duration::ZERO, queue, size };
        let counters = Metrics::new(clock.clone()).unwrap().span_counters();
        let queue = Arc::new(Queue::new(batch));
        let tracer = Tracer { sampler, ids: Ids::default(), clock: clock.clone(), queue, counters };
        Self { tracer: Arc::new(tracer), clock }
    }

    fn follow(&self, meta: Option<&Caller>, headers: &HeaderMap) -> Followed {
        Stated { meta, headers }.follow(Some(&self.tracer), Instant(1_000))
    }

    /// The spans that have ended, in the message that is sent.
    async fn ended(&self) -> Vec<official::Span> {
        let batch = self.tracer.queue.batch().await.unwrap();
        let resource = [("service.name".to_owned(), "agent".to_owned())];
        let request = export::request(&export::resource(&resource), &batch);
        let mut request = ExportTraceServiceRequest::decode(&*request).unwrap();
        let mut of_resource = request.resource_spans.pop().unwrap();
        assert!(request.resource_spans.is_empty());
        assert_eq!(pairs(&of_resource.resource.unwrap().attributes), ["service.name=agent"]);
        let in_scope = of_resource.scope_spans.pop().unwrap();
        assert_eq!(in_scope.scope.unwrap().name, "reeve");
        in_scope.spans
    }
}

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    pairs.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value))).collect()
}

fn caller(span: &str, state: Option<&str>) -> Caller {
    Caller { span: Context::parse(span.as_bytes()).unwrap(), state: State::read(state.into_iter()) }
}

fn pairs(attributes: &[KeyValue]) -> Vec<String> {
    let text = |value: &Option<AnyValue>| match value.as_ref().and_then(|value| value.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        other => panic!("{other:?}"),
    };
    attributes.iter().map(|KeyValue { key, value, .. }| format!("{key}={}", text(value))).collect()
}

fn call(target: Option<Target<'static>>, reason: Reason) -> Call<'static> {
    Call {
        method: "tools/call",
        target,
        is_known: true,
        session: Some(SessionTag::of("secret")),
        server: "imaging",
        grant: "clinic/agent",
        reason,
        rule: Some("clinic/imaging#exports/limits/day"),
        mode: Mode::Enforce,
    }
}

#[tokio::test]
async fn a_span_says_who_called_what_and_which_rule_decided() {
    let world = World::new();
    let mut span = world.follow(None, &headers(&[("traceparent", PARENT), ("tracestate", "vendor=1")])).span.unwrap();
    span.request_id(b"\"seven\"");
    span.version(Version::parse("2025-11-25").unwrap());
    span.decided(&call(Some(Target::Tool("export")), Reason::AllowedByRule));
    span.answered();
    let own = span.context();
    world.clock.advance(Duration::from_millis(7));
    drop(span);
    let [span] = &world.ended().await[..] else { panic!("one span") };
    assert_eq!((&*span.trace_id, &*span.span_id), (&own.trace.bytes()[..], &own.span.bytes()[..]));
    assert_eq!(span.parent_span_id, SpanId::parse(b"00f067aa0ba902b7").unwrap().bytes());
    assert_eq!((span.trace_state.as_str(), span.name.as_str()), ("vendor=1", "tools/call export"));
    assert_eq!((span.kind(), span.flags), (SpanKind::Server, 0x301));
    let begun = u64::try_from(BEGUN).unwrap();
    assert_eq!((span.start_time_unix_nano, span.end_time_unix_nano), (begun, begun + 7_000_000));
    let expected = [
        "jsonrpc.request.id=seven",
        "mcp.protocol.version=2025-11-25",
        "mcp.method.name=tools/call",
        "gen_ai.operation.name=execute_tool",
        "gen_ai.tool.name=export",
        "network.transport=tcp",
        "reeve.server=imaging",
        "reeve.grant=clinic/agent",
        &format!("reeve.session={}", SessionTag::of("secret")),
        "reeve.decision=allow",
        "reeve.reason=AllowedByRule",
        "reeve.policy=clinic/imaging",
        "reeve.rule=clinic/imaging#exports/limits/day",
        "reeve.mode=Enforce",
    ];
    assert_eq!(pairs(&span.attributes), expected);
    assert_eq!(span.status, None);
}

#[tokio::test]
async fn a_refusal_is_an_error_of_the_class_of_its_reason() {
    let world = World::new();
    let mut span = world.follow(None, &HeaderMap::new()).span.unwrap();
    span.decided(&call(Some(Target::Tool("export")), Reason::LimitExceeded));
    drop(span);
    let [span] = &world.ended().await[..] else { panic!("one span") };
    assert!(pairs(&span.attributes).contains(&"error.type=LimitExceeded".into()), "{span:?}");
    let status = span.status.clone().unwrap();
    assert_eq!((status.code(), &*status.message), (StatusCode::Error, Reason::LimitExceeded.meaning()));
    assert!(span.parent_span_id.is_empty() && span.links.is_empty() && span.flags == 0x101);
}

#[tokio::test]
async fn only_the_first_word_on_how_a_call_ended_counts_and_none_means_that_its_agent_went_away() {
    let world = World::new();
    let ended: [fn(&mut Span); 4] = [
        |_| {},
        |span| span.errored("-32602"),
        |span| {
            span.failed("connect", "it could not be reached");
            span.answered();
            span.failed("cancelled", "later");
        },
        Span::answered,
    ];
    let mut found = Vec::new();
    for end in ended {
        let mut span = world.follow(None, &HeaderMap::new()).span.unwrap();
        span.decided(&call(None, Reason::AllowedByRule));
        end(&mut span);
        drop(span);
        let span = world.ended().await.pop().unwrap();
        assert_eq!(span.name, "tools/call");
        let errors =
            pairs(&span.attributes).into_iter().filter(|pair| pair.contains("error") || pair.contains("status"));
        found.push(errors.collect::<Vec<_>>().join(" "));
    }
    let code = "rpc.response.status_code=-32602 error.type=-32602";
    assert_eq!(found, ["error.type=cancelled", code, "error.type=connect", ""]);
}

#[tokio::test]
async fn names_that_agents_invent_are_cut_and_name_no_span() {
    let world = World::new();
    let mut span = world.follow(None, &HeaderMap::new()).span.unwrap();
    span.request_id("\"é\\u0041\"".as_bytes());
    let name: &'static str = "é".repeat(600).leak();
    span.decided(&Call { is_known: false, ..call(Some(Target::Tool(name)), Reason::NoRule) });
    drop(span);
    let [span] = &world.ended().await[..] else { panic!("one span") };
    assert_eq!(span.name, "tools/call");
    let pairs = pairs(&span.attributes);
    assert!(pairs.contains(&format!("gen_ai.tool.name={}", "é".repeat(256))), "{pairs:?}");
    assert!(!pairs.iter().any(|pair| pair.starts_with("jsonrpc")), "{pairs:?}");
}

#[tokio::test]
async fn neither_a_resource_nor_a_session_is_named() {
    let world = World::new();
    let mut span = world.follow(None, &HeaderMap::new()).span.unwrap();
    span.decided(&call(Some(Target::Resource("file:///patients/secret")), Reason::AllowedByRule));
    drop(span);
    assert!(!format!("{:?}", world.ended().await).contains("secret"));
}

#[tokio::test]
async fn the_messages_word_on_its_caller_holds_before_the_headers_which_is_linked() {
    let world = World::new();
    let mut told = headers(&[("traceparent", OTHER), ("tracestate", "vendor=1")]);
    let mut followed = world.follow(Some(&caller(PARENT, None)), &told);
    assert_eq!(followed.trace, Context::parse(PARENT.as_bytes()).map(|parent| parent.trace));
    followed.tell(&mut told);
    let context = followed.span.as_ref().unwrap().context();
    assert_eq!(Context::of_headers(&told), Some(context));
    assert_eq!(told.get("tracestate"), None, "which is of another trace");
    let mut span = followed.span.take().unwrap();
    span.decided(&call(None, Reason::AllowedByRule));
    drop(span);
    let [span] = &world.ended().await[..] else { panic!("one span") };
    assert_eq!(&*span.parent_span_id, SpanId::parse(b"00f067aa0ba902b7").unwrap().bytes());
    assert_eq!(&*span.links[0].span_id, &[0x22; 8]);
    assert_eq!((&*span.trace_state, span.links.len()), ("", 1));
}

#[test]
fn the_server_is_told_of_the_calls_own_span_and_keeps_what_others_added_to_its_trace() {
    let world = World::new();
    let mut told = headers(&[("traceparent", PARENT), ("tracestate", "vendor=1"), ("baggage", "a=b")]);
    let followed = world.follow(None, &told);
    followed.tell(&mut told);
    let (parent, child) = (Context::parse(PARENT.as_bytes()).unwrap(), Context::of_headers(&told).unwrap());
    assert!(child.trace == parent.trace && child.span != parent.span && child.is_sampled());
    assert!(told["tracestate"] == "vendor=1" && told["baggage"] == "a=b");

    let mut told = headers(&[("traceparent", "nonsense"), ("tracestate", "vendor=1")]);
    let followed = world.follow(None, &told);
    followed.tell(&mut told);
    let begun = Context::of_headers(&told).unwrap();
    assert_eq!(followed.trace, Some(begun.trace), "a trace begins here");
    assert_eq!(told.get("tracestate"), None);
}

#[tokio::test]
async fn what_others_added_to_a_trace_is_one_list_of_all_headers_or_what_the_message_says_in_span_and_request_alike() {
    let lists = [("traceparent", PARENT), ("tracestate", "a=1"), ("tracestate", "b=2, c=3")];
    let of_another = [("traceparent", OTHER), ("tracestate", "a=1")];
    let without = [("tracestate", "a=1")];
    let says = |state| Some(caller(PARENT, state));
    for (meta, of_headers, expected) in [
        (None, &lists[..], "a=1,b=2,c=3"),
        (says(None), &lists, "a=1,b=2,c=3"),
        (says(Some("d=4")), &lists, "d=4"),
        (says(Some("d=4")), &of_another, "d=4"),
        (says(Some("d=4")), &[], "d=4"),
        (says(None), &of_another, ""),
        (says(None), &without, ""),
        (None, &without, ""),
    ] {
        let world = World::new();
        let mut told = HeaderMap::new();
        for (name, value) in of_headers {
            told.append(*name, HeaderValue::from_static(value));
        }
        let mut followed = world.follow(meta.as_ref(), &told);
        followed.tell(&mut told);
        let forwarded: Vec<&HeaderValue> = told.get_all("tracestate").iter().collect();
        assert_eq!(forwarded, if expected.is_empty() { vec![] } else { vec![expected] }, "{meta:?} {of_headers:?}");
        let mut span = followed.span.take().unwrap();
        span.decided(&call(None, Reason::AllowedByRule));
        drop(span);
        assert_eq!(world.ended().await[0].trace_state, expected, "{meta:?} {of_headers:?}");
    }
}

#[test]
fn a_call_that_is_not_recorded_passes_as_if_tracing_were_off() {
    let unsampled = format!("{}00", &PARENT[..53]);
    for (world, parent) in
        [(World::new(), unsampled.as_str()), (World::sampling(Sampler::named("always_off", 1.0).unwrap()), PARENT)]
    {
        let mut told = HeaderMap::new();
        told.insert("traceparent", parent.parse().unwrap());
        told.insert("tracestate", "vendor=1".parse().unwrap());
        let before = told.clone();
        let followed = world.follow(None, &told);
        followed.tell(&mut told);
        assert_eq!(told, before);
        assert!(followed.span.is_none() && followed.trace.is_some(), "the audit log knows the trace all the same");
    }
    let headers = headers(&[("traceparent", PARENT)]);
    let off = Stated { meta: None, headers: &headers }.follow(None, Instant(0));
    assert!(off.span.is_none() && off.trace.is_some());
}

#[test]
fn spans_that_have_no_room_are_counted_and_messages_that_are_no_call_are_no_span() {
    let world = World::new();
    for _ in 0..5 {
        let mut span = world.follow(None, &HeaderMap::new()).span.unwrap();
        span.decided(&call(None, Reason::AllowedByRule));
    }
    drop(world.follow(None, &HeaderMap::new()));
    assert_eq!((world.tracer.queue.len(), world.tracer.counters.queue_full.get()), (2, 3));
}

#[test]
fn ids_differ() {
    let ids = Ids::default();
    let numbers: std::collections::HashSet<u64> = (0..10_000).map(|_| ids.number()).collect();
    assert_eq!(numbers.len(), 10_000);
    assert_ne!(Ids::default().trace(), ids.trace());
}

#[tokio::test]
async fn every_attribute_and_every_variable_is_documented() {
    let page = include_str!("../../../docs/tracing.md");
    let world = World::new();
    for (target, session) in
        [(Target::Tool("t"), None), (Target::Prompt("p"), Some(SessionTag::of("s"))), (Target::Resource("r"), None)]
    {
        let mut span = world.follow(None, &HeaderMap::new()).span.unwrap();
        span.request_id(b"1");
        span.version(Version::ASSUMED);
        span.decided(&Call { session, ..call(Some(target), Reason::AllowedByRule) });
        span.errored("1");
        drop(span);
        for KeyValue { key, .. } in &world.ended().await[0].attributes {
            assert!(page.contains(&format!("`{key}`")), "{key}");
        }
    }
    let read = std::cell::RefCell::new(Vec::new());
    let settings = Settings::read(|name| {
        read.borrow_mut().push(name.to_owned());
        match name {
            "OTEL_EXPORTER_OTLP_ENDPOINT" => Some("http://collector".into()),
            "OTEL_TRACES_SAMPLER" => Some("traceidratio".into()),
            _ => None,
        }
    });
    assert!(settings.export.is_some());
    let is_form = |name: &str| name.starts_with("OTEL_EXPORTER_OTLP_TRACES_") && !name.ends_with("_ENDPOINT");
    let read: Vec<String> = read.into_inner().into_iter().filter(|name| !is_form(name)).collect();
    assert!(read.len() > 15, "{read:?}");
    for name in read {
        assert!(page.contains(&format!("`{name}`")), "{name}");
    }
}
