//! What messages look like, and what a reader makes of those it does not know.

use super::*;

/// A line of each kind as this version writes it: what an older and a newer one must understand.
const RECORDED: &str = include_str!("../../tests/recorded.jsonl");

fn reads<T: serde::de::DeserializeOwned>(text: &str) -> T {
    lines::read(text.as_bytes()).unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn every_recorded_line_is_understood_and_written_back_as_it_was() {
    let mut kinds = BTreeSet::new();
    for line in RECORDED.lines() {
        let (from, message) = line.split_once(' ').unwrap();
        let value: Value = serde_json::from_str(message).unwrap();
        kinds.extend(value.as_object().unwrap().keys().cloned());
        let again = match from {
            "<" => lines::write(&reads::<FromSidecar>(message)),
            _ => lines::write(&reads::<ToSidecar>(message)),
        };
        assert_eq!(serde_json::from_slice::<Value>(&again.unwrap()).unwrap(), value);
    }
    let all = ["ack", "configuration", "hello", "ping", "pong", "reports", "retire", "servers", "trust", "welcome"];
    assert!(kinds.iter().map(String::as_str).eq(all), "{kinds:?}");
}

#[test]
fn what_only_a_later_version_knows_is_passed_over() {
    assert!(matches!(reads::<ToSidecar>(r#"{"approval":{"id":1}}"#), ToSidecar::Unknown));
    assert!(matches!(reads::<FromSidecar>("{}"), FromSidecar::Unknown));
    assert!(matches!(reads::<ToSidecar>(r#"{"ping":7,"hint":[1]}"#), ToSidecar::Ping(7)));
    let retire = reads::<ToSidecar>(r#"{"retire":{"reason":"Moving","reconnectAfterMillis":5,"to":"x"}}"#);
    assert!(matches!(retire, ToSidecar::Retire(retire) if retire.reason == crate::message::RetireReason::Other));
    let state = reads::<FromSidecar>(r#"{"servers":[{"uid":"s","generation":1,"reason":"Asleep"}]}"#);
    assert!(matches!(state, FromSidecar::Servers(states) if states[0].reason == crate::message::ServerReason::Other));
    let hash = Hash::of(b"");
    let ack = format!(r#"{{"ack":{{"hash":"{hash}","world":{{"planets":9}},"outcome":{{"postponed":3}}}}}}"#);
    assert!(matches!(reads::<FromSidecar>(&ack), FromSidecar::Ack(ack) if matches!(ack.outcome, Outcome::Unknown)));
    assert_eq!(lines::write(&FromSidecar::Unknown).unwrap(), "{}\n");
}

#[test]
fn what_is_no_message_is_refused() {
    for line in ["", "7", "null", r#"{"ping":-1}"#, r#"{"ping":1,"trust":{"bundle":""}}"#, r#"{"ping":1,"ping":2}"#] {
        assert!(lines::read::<ToSidecar>(line.as_bytes()).is_err(), "{line}");
    }
    for hash in ["", "sha256:", &format!("sha256:{}", "A".repeat(64)), &format!("sha256:{}", "a".repeat(63))] {
        assert!(serde_json::from_value::<Hash>(json!(hash)).is_err(), "{hash}");
    }
}

#[test]
fn the_protocol_is_the_newest_that_both_speak() {
    let range = |least, most| Range { least, most };
    assert_eq!(range(1, 3).common(range(2, 5)), Some(3));
    assert_eq!(range(1, 1).common(range(1, 1)), Some(1));
    assert_eq!(range(1, 2).common(range(3, 4)), None);
}

#[test]
fn a_configuration_in_pieces_is_one_line_with_the_shared_bytes_in_it() {
    let encoded = document().encode().unwrap();
    let envelope = Envelope { identity: identity(), hash: encoded.hash, world: World { pod: 9, ..World::default() } };
    let pieces = lines::write_configuration(&envelope, Some(&encoded.bytes)).unwrap();
    assert_eq!(pieces[1].as_ptr(), encoded.bytes.as_ptr());

    let (found, whole) = split(1 << 20, &pieces.each_ref().map(|piece| &piece[..]));
    whole.unwrap();
    let [line] = found.as_slice() else { panic!("{found:?}") };
    let ToSidecar::Configuration(read) = lines::read(line).unwrap() else { panic!("{line:?}") };
    assert_eq!((read.identity, read.hash, read.world), (envelope.identity, envelope.hash, envelope.world));
    let bytes = read.document.unwrap();
    let document = Document::decode(bytes.get().as_bytes(), &read.hash).unwrap();
    assert_eq!(document.generations(), BTreeMap::from([(Uid::from("u1"), 4)]));
    assert_eq!(document.encode().unwrap(), encoded);
}

#[test]
fn a_document_takes_no_more_memory_than_its_bytes_and_says_before_how_many_they_are() {
    let document = document();
    let bytes = document.encode().unwrap().bytes;
    assert_eq!(document.length().unwrap(), bytes.len());
    let kept = Vec::from(bytes);
    assert_eq!(kept.capacity(), kept.len());
    let object = &*document.policies[0].object;
    let PolicyEntry { uid, generation, .. } = document.policies[0].clone();
    let policies = vec![PolicyEntry { uid, generation, object }];
    assert_eq!(Document { servers: document.servers.clone(), policies }.encode().unwrap(), document.encode().unwrap());
}

#[test]
fn a_configuration_that_runs_already_is_sent_without_its_document() {
    let envelope = Envelope { identity: identity(), hash: Hash::of(b"x"), world: World::default() };
    let line = lines::write_configuration(&envelope, None).unwrap().concat();
    let read: ToSidecar = lines::read(&line).unwrap();
    assert!(matches!(read, ToSidecar::Configuration(Configuration { document: None, .. })));
}

#[test]
fn a_document_is_refused_that_was_changed_or_speaks_of_what_it_does_not_have() {
    let mut document = document();
    let encoded = document.encode().unwrap();
    let changed = String::from_utf8(encoded.bytes.to_vec()).unwrap().replace("aws.internal", "aws.external");
    assert!(matches!(Document::decode(changed.as_bytes(), &encoded.hash), Err(Error::Changed { .. })));
    assert!(matches!(Document::decode(b"[1", &Hash::of(b"[1")), Err(Error::Malformed(_))));
    document.servers[0].policies.push(1);
    let encoded = document.encode().unwrap();
    let error = Document::decode(&encoded.bytes, &encoded.hash).unwrap_err();
    assert_eq!(error.to_string(), "server aws is governed by policy number 1, and the document has 1");
}

#[test]
fn mounts_differ_if_and_only_if_a_key_that_is_named_does() {
    let credentials = |name: &str, prefix: &str| ServerCredentials {
        secret_ref: SecretKeyRef { name: name.into(), key: "token".into() },
        header: None,
        prefix: Some(prefix.into()),
    };
    let with = |credentials| McpServerSpec { credentials: Some(credentials), ..spec() };
    let one = Mounts::of(&with(credentials("a", "")));
    assert_eq!(one, Mounts::of(&with(credentials("a", "Bearer "))));
    assert_ne!(one, Mounts::of(&with(credentials("b", ""))));
    let plain = Mounts::of(&McpServerSpec { tls: Some(ServerTls::default()), ..spec() });
    assert_eq!(plain.as_str(), "none");
    assert_ne!(one, plain);
}

#[test]
fn a_raw_object_is_passed_on_as_it_was_written() {
    let text = r#"{ "spec" : {"b":1.50, "a":"\u00e9"} }"#;
    let entry = PolicyEntry { uid: "u".into(), generation: 1, object: RawValue::from_string(text.to_owned()).unwrap() };
    let written = serde_json::to_string(&entry).unwrap();
    assert!(written.contains(text), "{written}");
    assert_eq!(serde_json::from_str::<PolicyEntry>(&written).unwrap().object.get(), text);
}
