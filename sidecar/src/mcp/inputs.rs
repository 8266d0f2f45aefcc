//! What a server asks of the agent in the middle of a call: the `inputRequests` of a result (specification 2026-07-28,
//! "Multi Round-Trip Requests"). They take the place of the requests that servers of the legacy era send.

use reeve_policy::decide::ServerRequest;
use reeve_policy::json::{Kind, Value};

/// Why it cannot be told what a result asks for. The texts go on after "the server".
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InputError {
    /// A key could be read as another one.
    #[error("gave an answer with a key that differs only in case from `{0}`")]
    CaseVariant(&'static str),
    /// `inputRequests`, or a request in it, is not an object.
    #[error("gave an answer whose `inputRequests` are not an object of requests")]
    NotRequests,
    /// A request is not one of those that agents answer.
    #[error("gave an answer that asks for something else than sampling, elicitation or roots")]
    UnknownMethod,
}

/// The kinds of input that a result asks for, each once; none in the usual result.
///
/// # Errors
/// If a reader could find other requests in it than these. The answer then does not pass.
pub fn requested(result: Value<'_>) -> Result<Vec<ServerRequest>, InputError> {
    let mut kinds = Vec::new();
    let Some(requests) = member(result, "inputRequests")?.filter(|requests| requests.kind() != Kind::Null) else {
        return Ok(kinds);
    };
    if requests.kind() != Kind::Object {
        return Err(InputError::NotRequests);
    }
    for (_, request) in requests.members() {
        if request.kind() != Kind::Object {
            return Err(InputError::NotRequests);
        }
        let method = member(request, "method")?.and_then(Value::as_str);
        let kind = method.as_deref().and_then(ServerRequest::of).ok_or(InputError::UnknownMethod)?;
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    Ok(kinds)
}

fn member<'d>(object: Value<'d>, key: &'static str) -> Result<Option<Value<'d>>, InputError> {
    if object.kind() != Kind::Object {
        return Ok(None);
    }
    if object.has_case_variant(key) {
        return Err(InputError::CaseVariant(key));
    }
    Ok(object.get(key))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use reeve_policy::json::{Document, Limits};

    use super::*;

    fn read(result: &'static str) -> Result<Vec<ServerRequest>, InputError> {
        let document = Document::parse(Bytes::from_static(result.as_bytes()), Limits::default()).unwrap();
        requested(document.root())
    }

    #[test]
    fn each_kind_that_is_asked_for_is_told_once() {
        let result = r#"{"resultType":"input_required","inputRequests":{
            "a":{"method":"sampling/createMessage","params":{}},"b":{"method":"roots/list"},"c":{"method":"roots/list"}}}"#;
        assert_eq!(read(result), Ok(vec![ServerRequest::Sampling, ServerRequest::Roots]));
    }

    #[test]
    fn a_usual_result_asks_for_nothing() {
        for result in [r#"{"content":[]}"#, r#"{"inputRequests":null}"#, r#"{"inputRequests":{}}"#, "[]", "7"] {
            assert_eq!(read(result), Ok(Vec::new()), "{result}");
        }
    }

    #[test]
    fn what_some_reader_could_take_for_a_request_is_an_error() {
        for (result, error) in [
            (r#"{"InputRequests":{}}"#, InputError::CaseVariant("inputRequests")),
            (r#"{"inputRequests":[{"method":"roots/list"}]}"#, InputError::NotRequests),
            (r#"{"inputRequests":{"a":"roots/list"}}"#, InputError::NotRequests),
            (r#"{"inputRequests":{"a":{"method":"roots/list","Method":"x"}}}"#, InputError::CaseVariant("method")),
            (r#"{"inputRequests":{"a":{"method":"tools/call"}}}"#, InputError::UnknownMethod),
            (r#"{"inputRequests":{"a":{}}}"#, InputError::UnknownMethod),
        ] {
            assert_eq!(read(result), Err(error), "{result}");
        }
    }
}
