//! What is hidden is cut out, what stays keeps its bytes, and what is not understood does not pass.

use proptest::prelude::*;
use reeve_policy::json::Limits;

use super::*;
use crate::mcp::envelope::Sender;

fn filtered(text: &str, list: List, era: Era, hidden: &[&str]) -> Result<Option<String>, ListError> {
    let document = Document::parse(Bytes::copy_from_slice(text.as_bytes()), Limits::default()).unwrap();
    let envelope = Envelope::read(&document, Sender::Server).unwrap();
    let out = filter(&document, &envelope, list, era, &mut |item| !hidden.contains(&item.name.as_ref()))?;
    Ok(out.map(|bytes| String::from_utf8(bytes.to_vec()).unwrap()))
}

fn answer(result: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":1,"result":{result}}}"#)
}

#[test]
fn hidden_items_are_cut_out_and_the_others_keep_their_bytes() {
    let page = answer(
        r#"{ "tools" : [ {"name":"a", "n": 1.0e2 } , {"name":"b"}, {"n":12345678901234567890123,"name":"\u0063"} ], "nextCursor":"" }"#,
    );
    let out = filtered(&page, List::Tools, Era::Legacy, &["b"]).unwrap().unwrap();
    let expected = answer(
        r#"{ "tools" : [{"name":"a", "n": 1.0e2 },{"n":12345678901234567890123,"name":"\u0063"}], "nextCursor":"" }"#,
    );
    assert_eq!(out, expected);
}

#[test]
fn an_item_is_known_by_its_decoded_name() {
    let page = answer(r#"{"tools":[{"name":"delete\u005fdatastore"}]}"#);
    assert_eq!(
        filtered(&page, List::Tools, Era::Legacy, &["delete_datastore"]).unwrap(),
        Some(answer(r#"{"tools":[]}"#))
    );
}

#[test]
fn each_list_is_named_by_its_own_member() {
    for (list, array, name) in [
        (List::Tools, "tools", "name"),
        (List::Resources, "resources", "uri"),
        (List::ResourceTemplates, "resourceTemplates", "uriTemplate"),
        (List::Prompts, "prompts", "name"),
        (List::Tasks, "tasks", "taskId"),
    ] {
        let page = answer(&format!(r#"{{"{array}":[{{"{name}":"a"}},{{"{name}":"b"}}]}}"#));
        let expected = answer(&format!(r#"{{"{array}":[{{"{name}":"b"}}]}}"#));
        assert_eq!(filtered(&page, list, Era::Legacy, &["a"]).unwrap(), Some(expected));
    }
}

#[test]
fn an_emptied_page_keeps_its_cursor() {
    let page = answer(r#"{"nextCursor":"p2","tools":[{"name":"a"}]}"#);
    let expected = answer(r#"{"nextCursor":"p2","tools":[]}"#);
    assert_eq!(filtered(&page, List::Tools, Era::Legacy, &["a"]).unwrap(), Some(expected));
}

#[test]
fn a_legacy_list_with_nothing_hidden_is_relayed_as_it_is() {
    let page = answer(r#"{"tools":[{"name":"a"}],"ttlMs":5}"#);
    assert_eq!(filtered(&page, List::Tools, Era::Legacy, &[]), Ok(None));
}

#[test]
fn a_modern_list_is_never_cacheable() {
    for (result, expected) in [
        (r#"{"tools":[],"ttlMs":60000,"cacheScope":"public"}"#, r#"{"tools":[],"ttlMs":0,"cacheScope":"private"}"#),
        (r#"{"cacheScope":"public","ttlMs":-1,"tools":[]}"#, r#"{"cacheScope":"private","ttlMs":0,"tools":[]}"#),
        (r#"{"tools":[]}"#, r#"{"ttlMs":0,"cacheScope":"private","tools":[]}"#),
        (r#"{"ttlMs":null,"tools":[{"name":"b"}]}"#, r#"{"cacheScope":"private","ttlMs":0,"tools":[]}"#),
    ] {
        let out = filtered(&answer(result), List::Tools, Era::Modern, &["b"]).unwrap();
        assert_eq!(out, Some(answer(expected)), "{result}");
    }
    let already = answer(r#"{"tools":[],"ttlMs":0,"cacheScope":"private"}"#);
    assert_eq!(filtered(&already, List::Tools, Era::Modern, &[]), Ok(None));
}

#[test]
fn an_error_is_relayed_as_it_is() {
    let error = r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"no tools"}}"#;
    assert_eq!(filtered(error, List::Tools, Era::Modern, &[]), Ok(None));
}

#[test]
fn what_is_not_understood_does_not_pass() {
    for (result, expected) in [
        ("{}", ListError::NoArray("tools")),
        ("[]", ListError::NoArray("tools")),
        (r#""x""#, ListError::NoArray("tools")),
        (r#"{"tools":{}}"#, ListError::NoArray("tools")),
        (r#"{"tools":null}"#, ListError::NoArray("tools")),
        (r#"{"tools":["a"]}"#, ListError::NoName("tools")),
        (r#"{"tools":[{}]}"#, ListError::NoName("tools")),
        (r#"{"tools":[{"name":7}]}"#, ListError::NoName("tools")),
        (r#"{"tools":[{"name":"a"},null]}"#, ListError::NoName("tools")),
        (r#"{"tools":[{"name":"a","Name":"b"}]}"#, ListError::CaseVariant("name")),
        (r#"{"tools":[],"Tools":[{"name":"b"}]}"#, ListError::CaseVariant("tools")),
        (r#"{"tools":[],"tool\u017f":[{"name":"b"}]}"#, ListError::CaseVariant("tools")),
        (r#"{"tools":[],"TTLMS":5}"#, ListError::CaseVariant("ttlMs")),
    ] {
        assert_eq!(filtered(&answer(result), List::Tools, Era::Modern, &[]), Err(expected), "{result}");
    }
}

#[test]
fn every_list_of_a_result_is_filtered_whichever_was_asked_for() {
    let lists =
        |tools: &str, prompts: &str| answer(&format!(r#"{{"content":[],"prompts":[{prompts}],"tools":[{tools}]}}"#));
    let (a, b) = (r#"{"name":"a"}"#, r#"{"name":"b"}"#);
    let both = format!("{a},{b}");
    for list in [List::Tools, List::Prompts] {
        assert_eq!(filtered(&lists(&both, &both), list, Era::Legacy, &["a"]).unwrap(), Some(lists(b, b)));
        assert_eq!(filtered(&lists(&both, ""), list, Era::Legacy, &["a"]).unwrap(), Some(lists(b, "")));
    }
    let result = r#"{"tools":[],"resources":"all"}"#;
    assert_eq!(filtered(&answer(result), List::Tools, Era::Legacy, &[]), Err(ListError::NoArray("resources")));
}

#[test]
fn a_list_is_known_by_its_content() {
    for (result, expected) in [
        (r#"{"tools":[]}"#, Some(List::Tools)),
        (r#"{"resources":[]}"#, Some(List::Resources)),
        (r#"{"resourceTemplates":[]}"#, Some(List::ResourceTemplates)),
        (r#"{"prompts":[],"_meta":{}}"#, Some(List::Prompts)),
        (r#"{"content":[],"structuredContent":{"tools":[]}}"#, None),
        (r#"{"capabilities":{"tools":{}}}"#, None),
        (r#"{"tools":{}}"#, Some(List::Tools)),
        (r#"{"Prompts":[]}"#, Some(List::Prompts)),
        (r#"{"content":[],"prompts":[]}"#, Some(List::Prompts)),
        (r#"{"resources":[],"tools":[]}"#, Some(List::Tools)),
        ("[]", None),
    ] {
        let document = Document::parse(Bytes::copy_from_slice(result.as_bytes()), Limits::default()).unwrap();
        assert_eq!(List::looks_like(document.root()), expected, "{result}");
    }
}

proptest! {
    /// Against `serde_json`'s tree, which reads the page and takes the items out.
    #[test]
    fn filtering_is_taking_items_out_of_the_tree(names in prop::collection::vec("[a-c]", 0..8), hidden in "[a-c]", modern in any::<bool>()) {
        let items: Vec<_> = names.iter().map(|name| serde_json::json!({"name": name, "x": [1, {"y": "]"}]})).collect();
        let page = serde_json::json!({"jsonrpc": "2.0", "id": 1, "result": {"a": 1, "tools": items, "z": "}"}});
        let text = serde_json::to_string_pretty(&page).unwrap();
        let era = if modern { Era::Modern } else { Era::Legacy };
        let out = filtered(&text, List::Tools, era, &[&hidden]).unwrap().unwrap_or(text);
        let mut expected = page;
        let result = &mut expected["result"];
        result["tools"].as_array_mut().unwrap().retain(|item| item["name"] != hidden.as_str());
        if modern {
            result["ttlMs"] = 0.into();
            result["cacheScope"] = "private".into();
        }
        prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&out).unwrap(), expected);
    }
}
