//! What is a message, what is none, and what is refused for looking like another one.

use bytes::Bytes;
use proptest::prelude::*;
use reeve_policy::json::Limits;

use super::*;
use crate::trace::State;

fn document(text: &str) -> Document {
    Document::parse(Bytes::copy_from_slice(text.as_bytes()), Limits::default()).unwrap()
}

fn cause(text: &str) -> Cause {
    Envelope::read(&document(text), Sender::Agent).unwrap_err().cause
}

#[test]
fn a_call_is_read_with_its_id_as_written() {
    let document = document(
        r#"{"params":{"arguments":{"a":1},"name":"get\u005fdatastore"},"id":"\u0061-1","jsonrpc":"2.0","method":"tools\/call"}"#,
    );
    let envelope = Envelope::read(&document, Sender::Agent).unwrap();
    assert!(matches!(envelope.message, Message::Request { .. }));
    assert_eq!(envelope.method(), Some("tools/call"));
    assert_eq!(envelope.params.name().unwrap(), "get_datastore");
    assert_eq!(envelope.params.arguments().unwrap().unwrap().raw(), br#"{"a":1}"#);
    let id = envelope.id().unwrap();
    assert_eq!((id.raw(), id.as_str()), (&br#""\u0061-1""#[..], Some("a-1")));
    assert_eq!(envelope.reject(Cause::InvalidParams, "No.").id.as_deref(), Some(&br#""\u0061-1""#[..]));
}

#[test]
fn ids_are_strings_and_whole_numbers_that_every_server_echoes() {
    for id in ["0", "-1", "9007199254740991", "-9007199254740991", r#""""#, r#""7""#, r#""\ud83d\ude00""#] {
        let text = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#);
        let document = document(&text);
        let envelope = Envelope::read(&document, Sender::Agent).unwrap();
        assert_eq!(envelope.id().unwrap().raw(), id.as_bytes());
    }
    let long = format!("\"{}\"", "x".repeat(MAX_ID_BYTES));
    for id in [
        "null",
        "true",
        "1.0",
        "1.5",
        "1e2",
        "-0",
        "9007199254740992",
        "-9223372036854775808",
        "123456789012345678901",
        "[1]",
        "{}",
        &long,
    ] {
        assert_eq!(cause(&format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#)), Cause::InvalidId, "{id}");
    }
}

#[test]
fn ids_are_one_if_they_mean_the_same_and_a_number_is_no_string() {
    let read = |text: &'static str| {
        let document = Box::leak(Box::new(document(text)));
        Id::read(document.root()).unwrap()
    };
    assert_eq!(read(r#""ab""#), read(r#""\u0061b""#));
    assert_ne!(read("1"), read(r#""1""#));
}

#[test]
fn a_request_without_an_id_is_no_notification() {
    for method in ["tools/call", "tools/list", "ping", "resources/read", "x"] {
        assert_eq!(cause(&format!(r#"{{"jsonrpc":"2.0","method":"{method}"}}"#)), Cause::MissingId, "{method}");
    }
    let document = document(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
    let envelope = Envelope::read(&document, Sender::Agent).unwrap();
    assert!(matches!(envelope.message, Message::Notification { .. }) && envelope.id().is_none());
}

#[test]
fn what_is_not_one_json_rpc_message_is_refused_with_its_cause() {
    for (text, expected) in [
        (r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#, Cause::Batch),
        ("[]", Cause::Batch),
        ("1", Cause::NotJsonRpc),
        ("null", Cause::NotJsonRpc),
        ("{}", Cause::NotJsonRpc),
        (r#"{"id":1,"method":"ping"}"#, Cause::NotJsonRpc),
        (r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#, Cause::NotJsonRpc),
        (r#"{"jsonrpc":2.0,"id":1,"method":"ping"}"#, Cause::NotJsonRpc),
        (r#"{"jsonrpc":"2.0","id":1}"#, Cause::NotJsonRpc),
        (r#"{"jsonrpc":"2.0","id":1,"method":7}"#, Cause::NotJsonRpc),
        (r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":[1]}"#, Cause::NotJsonRpc),
        (r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":null}"#, Cause::NotJsonRpc),
        (r#"{"jsonrpc":"2.0","id":1,"method":"ping","result":{}}"#, Cause::NotJsonRpc),
        (r#"{"jsonrpc":"2.0","id":1,"result":{},"error":{}}"#, Cause::NotJsonRpc),
        (r#"{"jsonrpc":"2.0","id":1,"result":{},"params":{}}"#, Cause::NotJsonRpc),
        (r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":{"_meta":[]}}"#, Cause::InvalidParams),
    ] {
        assert_eq!(cause(text), expected, "{text}");
    }
}

#[test]
fn a_key_that_could_be_read_as_one_of_the_protocols_is_refused_at_each_level() {
    let call = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","_meta":{},"ref":{},"notifications":{}}}"#;
    assert!(Envelope::read(&document(call), Sender::Agent).is_ok());
    for (anchor, key) in [
        (r#""jsonrpc""#, r#""Method":"tools/call","#),
        (r#""jsonrpc""#, r#""PARAMS":{},"#),
        (r#""jsonrpc""#, r#""param\u017f":{},"#),
        (r#""jsonrpc""#, r#""ID":2,"#),
        (r#""name""#, r#""Name":"b","#),
        (r#""name""#, r#""name\u0000":"b","#),
        (r#""name""#, r#""ARGUMENTS":{},"#),
        (r#""name""#, r#""tas\u212a":{},"#),
        (r#""name""#, r#""taskid":"b","#),
        (r#""name""#, r#""requeststate":"b","#),
    ] {
        let text = call.replacen(anchor, &format!("{key}{anchor}"), 1);
        assert_eq!(cause(&text), Cause::CaseVariantKey, "{text}");
    }
    for (object, key) in [
        (r#""_meta":{"#, r#""IO.modelcontextprotocol/protocolVersion":"x""#),
        (r#""_meta":{"#, r#""progresstoken":1"#),
        (r#""ref":{"#, r#""URI":"x""#),
        (r#""notifications":{"#, r#""resourcesubscriptions":[]"#),
    ] {
        let text = call.replacen(object, &format!("{object}{key}"), 1);
        assert_eq!(cause(&text), Cause::CaseVariantKey, "{text}");
    }
}

#[test]
fn a_rejection_has_the_id_where_there_is_one() {
    let rejected = |text: &str| Envelope::read(&document(text), Sender::Agent).unwrap_err().id;
    let text = r#"{"jsonrpc":"2.0","id":"x","method":"tools/call","params":{"Name":"b"}}"#;
    assert_eq!(rejected(text).as_deref(), Some(&br#""x""#[..]));
    assert_eq!(rejected(r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#), None);
}

#[test]
fn parameters_of_another_type_are_invalid() {
    let check = |params: &str, read: fn(&Params<'_>) -> Option<Rejection>| {
        let text = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"x","params":{params}}}"#);
        let document = document(&text);
        let envelope = Envelope::read(&document, Sender::Agent).unwrap();
        read(&envelope.params).map(|rejection| rejection.cause)
    };
    let invalid = Some(Cause::InvalidParams);
    for params in ["{}", r#"{"name":7,"uri":null,"taskId":[]}"#] {
        assert_eq!(check(params, |params| params.name().err()), invalid, "{params}");
        assert_eq!(check(params, |params| params.uri().err()), invalid, "{params}");
        assert_eq!(check(params, |params| params.task_id().err()), invalid, "{params}");
        assert_eq!(check(params, |params| params.reference().err()), invalid, "{params}");
        assert_eq!(check(params, |params| params.resource_subscriptions().err()), invalid, "{params}");
    }
    for arguments in ["[]", r#""a=1""#, "7", "false"] {
        let params = format!(r#"{{"arguments":{arguments}}}"#);
        assert_eq!(check(&params, |params| params.arguments().err()), invalid, "{arguments}");
    }
    assert_eq!(check(r#"{"arguments":null}"#, |params| params.arguments().err()), None);
    assert_eq!(check(r#"{"cursor":7}"#, |params| params.cursor().err()), invalid);
    assert_eq!(check(r#"{"cursor":""}"#, |params| params.cursor().err()), None);
    for list in [r#""a""#, "[1]", "{}"] {
        let params = format!(r#"{{"notifications":{{"resourceSubscriptions":{list}}}}}"#);
        assert_eq!(check(&params, |params| params.resource_subscriptions().err()), invalid, "{list}");
    }
}

#[test]
fn a_listener_names_at_most_so_many() {
    for (count, expected) in [(MAX_SUBSCRIPTIONS, None), (MAX_SUBSCRIPTIONS + 1, Some(Cause::TooManySubscriptions))] {
        let list = vec![r#""a://b""#; count].join(",");
        let text = format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"x","params":{{"notifications":{{"resourceSubscriptions":[{list}]}}}}}}"#
        );
        let document = document(&text);
        let params = Envelope::read(&document, Sender::Agent).unwrap().params;
        assert_eq!(params.resource_subscriptions().err().map(|rejection| rejection.cause), expected, "{count}");
    }
}

#[test]
fn what_a_completion_and_a_listener_name_is_read() {
    let prompt = document(r#"{"jsonrpc":"2.0","id":1,"method":"x","params":{"ref":{"type":"ref/prompt","name":"p"}}}"#);
    let params = Envelope::read(&prompt, Sender::Agent).unwrap().params;
    assert_eq!(params.reference().unwrap(), Reference::Prompt("p".into()));
    let resource =
        document(r#"{"jsonrpc":"2.0","id":1,"method":"x","params":{"ref":{"type":"ref/resource","uri":"a://b"}}}"#);
    let params = Envelope::read(&resource, Sender::Agent).unwrap().params;
    assert_eq!(params.reference().unwrap(), Reference::Resource("a://b".into()));
    let listen = document(
        r#"{"jsonrpc":"2.0","id":1,"method":"x","params":{"notifications":{"resourceSubscriptions":["a://b","c://d"],"taskIds":["t"]}}}"#,
    );
    let params = Envelope::read(&listen, Sender::Agent).unwrap().params;
    assert_eq!(params.resource_subscriptions().unwrap(), ["a://b", "c://d"]);
    assert_eq!(params.listened_tasks().unwrap(), ["t"]);
}

#[test]
fn who_calls_is_said_by_a_span_and_what_was_added_to_its_trace_by_itself_says_nothing() {
    const SPAN: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let caller = |meta: &str| {
        let call = document(&format!(r#"{{"jsonrpc":"2.0","id":1,"method":"x","params":{{"_meta":{meta}}}}}"#));
        let caller = Envelope::read(&call, Sender::Agent).unwrap().params.caller()?;
        assert_eq!(caller.span.to_string(), SPAN);
        Some(caller.state)
    };
    let state = |list: &str| State::read([list].into_iter());
    for (added, expected) in
        [(r#""a=1, b=\u0032""#, state("a=1,b=2")), (r#""a""#, None), (r#"["a=1"]"#, None), (r#""a=\n""#, None)]
    {
        assert_eq!(caller(&format!(r#"{{"traceparent":"{SPAN}","tracestate":{added}}}"#)), Some(expected), "{added}");
    }
    assert_eq!(caller(&format!(r#"{{"traceparent":"{SPAN}"}}"#)), Some(None));
    assert_eq!(caller(r#"{"traceparent":"nonsense","tracestate":"a=1"}"#), None);
    assert_eq!(caller(r#"{"tracestate":"a=1"}"#), None);
}

#[test]
fn a_server_may_fail_to_name_the_request_it_could_not_read_and_an_agent_may_not() {
    for text in
        [r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"x"}}"#, r#"{"jsonrpc":"2.0","error":{}}"#]
    {
        let document = document(text);
        let envelope = Envelope::read(&document, Sender::Server).unwrap();
        assert!(matches!(envelope.message, Message::Response { id: None, answer: Answer::Error }));
        assert!(Envelope::read(&document, Sender::Agent).is_err());
    }
    for text in [r#"{"jsonrpc":"2.0","id":null,"result":{}}"#, r#"{"jsonrpc":"2.0","result":{}}"#] {
        assert!(Envelope::read(&document(text), Sender::Server).is_err(), "{text}");
    }
}

#[test]
fn a_response_gives_its_result() {
    let document = document(r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[]}}"#);
    let envelope = Envelope::read(&document, Sender::Server).unwrap();
    assert_eq!(envelope.result().unwrap().raw(), br#"{"tools":[]}"#);
    assert_eq!((envelope.method(), envelope.id().unwrap().as_number()), (None, Some(1)));
}

/// The member that a reader takes for `key` who ignores case, characters beyond ASCII that fold to it and all from a NUL on,
/// and of several the last: the most careless reader there is.
fn careless<'d>(object: Value<'d>, key: &str) -> Option<Value<'d>> {
    let fold = |text: &str| text.split('\0').next().unwrap_or_default().to_lowercase().to_uppercase().to_lowercase();
    object.members().filter(|(other, _)| fold(other) == fold(key)).map(|(_, value)| value).last()
}

/// Objects whose keys are those of the protocol, near misses of them, and others.
fn object(keys: &'static [&'static str], values: &'static [&'static str]) -> impl Strategy<Value = String> {
    let member = (prop::sample::select(keys), prop::sample::select(values));
    prop::collection::vec(member, 1..6).prop_map(|members| {
        let members: Vec<_> = members.iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
        format!("{{{}}}", members.join(","))
    })
}

proptest! {
    #[test]
    fn what_is_read_is_what_the_most_careless_reader_reads(
        params in object(
            &["name", "Name", "name\\u0000", "\\u006eame", "uri", "ur\u{131}", "taskId", "tas\u{212a}Id", "x"],
            &["\"a\"", "\"b\"", "7"],
        ),
        extra in object(
            &["method", "Method", "\\u006dethod", "id", "ID", "param\u{17f}", "x", "result", "error"],
            &["\"ping\"", "\"tools/call\"", "1"],
        ),
    ) {
        let extra = extra.trim_matches(['{', '}']);
        let text = format!(r#"{{"jsonrpc":"2.0","params":{params},{extra}}}"#);
        let document = Document::parse(Bytes::from(text), Limits::default());
        prop_assume!(document.is_ok());
        let document = document.unwrap();
        let Ok(envelope) = Envelope::read(&document, Sender::Agent) else { return Ok(()) };
        let root = document.root();
        let seen = careless(root, "method").and_then(Value::as_str);
        prop_assert_eq!(envelope.method().map(ToOwned::to_owned), seen.map(Cow::into_owned));
        let params = careless(root, "params").unwrap();
        prop_assert_eq!(envelope.params.name().ok(), careless(params, "name").and_then(Value::as_str));
        prop_assert_eq!(envelope.params.task_id().ok(), careless(params, "taskId").and_then(Value::as_str));
    }
}

#[test]
fn an_agent_answers_servers_that_says_so_when_it_begins() {
    for (capabilities, answers) in [
        (r#"{"sampling":{}}"#, true),
        (r#"{"elicitation":{"form":{}}}"#, true),
        (r#"{"roots":{"listChanged":true}}"#, true),
        (r#"{"experimental":{},"tasks":{}}"#, false),
        ("[]", false),
    ] {
        let text =
            format!(r#"{{"jsonrpc":"2.0","id":1,"method":"initialize","params":{{"capabilities":{capabilities}}}}}"#);
        let document = document(&text);
        assert_eq!(Envelope::read(&document, Sender::Agent).unwrap().params.answers_servers(), answers, "{text}");
    }
}
