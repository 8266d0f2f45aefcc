//! The exact bytes of refusals.

use reeve_policy::decide::Demands;
use reeve_policy::reason::Reason;

use super::*;

fn verdict(reason: Reason, pointer: Option<&str>, message: Option<&str>) -> Verdict {
    Verdict {
        reason,
        pointer: pointer.map(Into::into),
        message: message.map(Into::into),
        retry_after: None,
        demands: Demands::default(),
        shadow: Vec::new(),
    }
}

fn text(bytes: &Bytes) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn a_refused_call_is_a_result_that_the_model_reads() {
    let verdict = verdict(Reason::DeniedByRule, Some("clinic/imaging#no-deletes"), Some("Ask first."));
    let refusal = Refusal { verdict: &verdict, text: "Denied: \"ask first\".\n" };
    let expected = concat!(
        r#"{"jsonrpc":"2.0","id":"\u0061","result":{"#,
        r#""content":[{"type":"text","text":"Denied: \"ask first\".\n"}],"isError":true,"#,
        r#""_meta":{"reeve.dev/decision":{"decision":"deny","reason":"DeniedByRule","policy":"clinic/imaging","#,
        r#""rule":"clinic/imaging#no-deletes","message":"Ask first."}}}}"#,
    );
    assert_eq!(text(&refused_call(br#""\u0061""#, Era::Legacy, &refusal)), expected);
    let modern = refused_call(br#""\u0061""#, Era::Modern, &refusal);
    assert_eq!(text(&modern), expected.replace(r#""content""#, r#""resultType":"complete","content""#));
}

#[test]
fn a_limit_says_when_to_retry_and_never_too_early() {
    let verdict = verdict(Reason::LimitExceeded, Some("clinic/imaging#rate/limits/export"), None);
    let verdict = Verdict { retry_after: Some(Duration::new(36, 1)), ..verdict };
    let refusal = Refusal { verdict: &verdict, text: "Later." };
    let bytes = refused_call(b"7", Era::Legacy, &refusal);
    assert!(
        text(&bytes).contains(r#""rule":"clinic/imaging#rate/limits/export","retryAfterMs":36001}"#),
        "{}",
        text(&bytes)
    );
    assert!(text(&bytes).contains(r#""decision":"limited""#));
    assert_eq!(refusal.retry_after_seconds(), Some(37));
}

#[test]
fn a_verdict_without_a_rule_names_the_policy_or_nothing() {
    let policy = verdict(Reason::PolicyInvalid, Some("clinic/imaging"), None);
    let refusal = Refusal { verdict: &policy, text: "x" };
    let bytes = refused_call(b"1", Era::Legacy, &refusal);
    assert!(text(&bytes).contains(r#""policy":"clinic/imaging"}"#), "{}", text(&bytes));
    let none = verdict(Reason::NoPolicy, None, None);
    let refusal = Refusal { verdict: &none, text: "x" };
    let bytes = refused_call(b"1", Era::Legacy, &refusal);
    assert!(text(&bytes).contains(r#"{"decision":"deny","reason":"NoPolicy"}"#), "{}", text(&bytes));
}

#[test]
fn any_other_refusal_is_an_error_outside_the_reserved_codes() {
    for (reason, code) in [
        (Reason::NoRule, 403),
        (Reason::ApprovalRequired, 403),
        (Reason::LimitExceeded, 429),
        (Reason::ConcurrencyExceeded, 429),
    ] {
        let verdict = verdict(reason, None, None);
        let bytes = refused_request(b"1", &Refusal { verdict: &verdict, text: "No." });
        let start = format!(
            r#"{{"jsonrpc":"2.0","id":1,"error":{{"code":{code},"message":"No.","data":{{"reeve.dev/decision":{{"#
        );
        assert!(text(&bytes).starts_with(&start), "{}", text(&bytes));
    }
}

#[test]
fn a_failure_says_what_happened_and_not_that_policy_refused() {
    assert_eq!(
        text(&failed(Some(b"1"), Failure::Unreachable, "The MCP server \"aws\" refused the connection.")),
        r#"{"jsonrpc":"2.0","id":1,"error":{"code":502,"message":"The MCP server \"aws\" refused the connection."}}"#
    );
    let expected = r#"{"jsonrpc":"2.0","error":{"code":504,"message":"No answer."}}"#;
    assert_eq!(text(&failed(None, Failure::Timeout, "No answer.")), expected);
}

#[test]
fn a_server_is_told_that_its_request_was_refused() {
    let expected = r#"{"jsonrpc":"2.0","id":"s-1","error":{"code":403,"message":"Sampling is denied."}}"#;
    assert_eq!(text(&refused_server_request(br#""s-1""#, "Sampling is denied.")), expected);
}

#[test]
fn every_answer_is_one_strict_json_document() {
    let verdict = verdict(Reason::NoRule, Some("a/b#\"c\u{0}"), Some("\u{7}\\\u{2028}"));
    let verdict = Verdict { retry_after: Some(Duration::MAX), ..verdict };
    let refusal = Refusal { verdict: &verdict, text: "\"\u{1f}" };
    for bytes in [
        refused_call(b"1", Era::Modern, &refusal),
        refused_request(b"1", &refusal),
        failed(Some(b"1"), Failure::Timeout, "\"\n"),
    ] {
        assert!(reeve_policy::json::Document::parse(bytes, Default::default()).is_ok());
    }
}
