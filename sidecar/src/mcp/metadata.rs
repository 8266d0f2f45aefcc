//! Protected-resource metadata (RFC 9728): how a server tells clients which authorization servers give tokens for it.
//!
//! The metadata stand at a well-known path of the resource's own origin, and name the resource by its URL. Clients refuse
//! metadata of another URL than they called, so that in those which the sidecar passes on `resource` is the URL at which the
//! agent found the server; everything else keeps its bytes.

use bytes::{BufMut, Bytes, BytesMut};
use reeve_policy::json::{Document, Limits, Value};

/// Where metadata stand: before the path of the resource (RFC 9728, 3.1).
pub const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

/// The largest metadata that are passed on, in bytes; real ones have some hundreds.
pub const MAX_BYTES: usize = 64 << 10;

/// The path of the metadata of the resource at this path and query.
pub fn path_of(resource: &str) -> String {
    format!("{WELL_KNOWN}{}", if resource == "/" { "" } else { resource })
}

/// Whether `path` is that of the metadata of the resource at `resource`. Some clients leave out a slash at the end.
pub fn is_path_of(path: &str, resource: &str) -> bool {
    let rest = path.strip_prefix(WELL_KNOWN);
    rest.is_some_and(|rest| rest == resource || rest == resource.trim_end_matches('/'))
}

/// Where a server may have the metadata of its resource at this path and query: at the well-known path of the resource,
/// and at that of its whole origin.
pub fn candidates(resource: &str) -> Vec<String> {
    let mut paths = vec![path_of(resource), path_of(resource.trim_end_matches('/')), WELL_KNOWN.to_owned()];
    paths.dedup();
    paths
}

/// Why a document is not passed on as metadata. The texts go on after "what the server has there".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MetadataError {
    /// Not one JSON document that all readers read alike.
    #[error("is not one strict JSON document: {0}")]
    NotJson(String),
    /// Not metadata: RFC 9728 requires the member.
    #[error("is not an object with a text `resource`")]
    NoResource,
    /// A key could be read as another one.
    #[error("holds a key that differs only in case from `resource`")]
    CaseVariant,
}

/// The metadata with `resource` in place of the server's own, everything else byte for byte.
///
/// # Errors
/// If the document is not metadata, or could be read in more than one way.
pub fn renamed(document: Bytes, resource: &str) -> Result<Bytes, MetadataError> {
    let document =
        Document::parse(document, Limits::default()).map_err(|error| MetadataError::NotJson(error.to_string()))?;
    let root = document.root();
    if root.has_case_variant("resource") {
        return Err(MetadataError::CaseVariant);
    }
    let own = root.get("resource").filter(|own| own.as_str().is_some());
    let span = own.map(Value::span).ok_or(MetadataError::NoResource)?;
    let bytes = document.bytes();
    let mut out = BytesMut::with_capacity(bytes.len() + resource.len() + 2);
    out.extend_from_slice(&bytes[..span.start]);
    // Writing text to memory does not fail; were it to, no document would be whole.
    serde_json::to_writer((&mut out).writer(), resource).map_err(|error| MetadataError::NotJson(error.to_string()))?;
    out.extend_from_slice(&bytes[span.end..]);
    Ok(out.freeze())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: &str = "http://127.0.0.1:14001/mcp";

    fn renamed(document: &'static str) -> Result<String, MetadataError> {
        super::renamed(document.into(), HERE).map(|bytes| String::from_utf8(bytes.to_vec()).unwrap())
    }

    #[test]
    fn only_the_resource_changes() {
        let own = "\u{20}{ \"authorization_servers\": [\"https://a\\/b\"],\n\"resource\" :\"https:\\/\\/imaging.example/mcp\" , \
                   \"scopes\":[1e2, \"\\u0061\"]}\n";
        let expected = "\u{20}{ \"authorization_servers\": [\"https://a\\/b\"],\n\"resource\" :\"HERE\" , \
                        \"scopes\":[1e2, \"\\u0061\"]}\n";
        assert_eq!(renamed(own).unwrap(), expected.replace("HERE", HERE));
        assert_eq!(super::renamed(r#"{"resource":""}"#.into(), "a\"b").unwrap(), r#"{"resource":"a\"b"}"#);
    }

    #[test]
    fn what_is_no_metadata_is_told_apart() {
        for document in ["[]", "{}", r#"{"resource":1}"#, r#"{"resource":null}"#, r#""resource""#] {
            assert_eq!(renamed(document), Err(MetadataError::NoResource), "{document}");
        }
        for document in ["", "<html>", r#"{"resource":"a","resource":"b"}"#, r#"{"resource":"a"}{}"#] {
            assert!(matches!(renamed(document), Err(MetadataError::NotJson(_))), "{document}");
        }
        assert_eq!(renamed(r#"{"resource":"a","Resource":"b"}"#), Err(MetadataError::CaseVariant));
    }

    #[test]
    fn metadata_stand_before_the_path_of_their_resource() {
        assert_eq!(path_of("/mcp"), "/.well-known/oauth-protected-resource/mcp");
        assert_eq!(path_of("/"), WELL_KNOWN);
        assert_eq!(candidates("/"), [WELL_KNOWN]);
        assert_eq!(candidates("/mcp"), ["/.well-known/oauth-protected-resource/mcp", WELL_KNOWN]);
        assert_eq!(
            candidates("/a/mcp/"),
            ["/.well-known/oauth-protected-resource/a/mcp/", "/.well-known/oauth-protected-resource/a/mcp", WELL_KNOWN]
        );
    }

    #[test]
    fn metadata_are_found_with_and_without_a_last_slash() {
        for (path, resource, is) in [
            ("/.well-known/oauth-protected-resource/mcp", "/mcp", true),
            ("/.well-known/oauth-protected-resource/mcp", "/mcp/", true),
            ("/.well-known/oauth-protected-resource", "/", true),
            ("/.well-known/oauth-protected-resource/", "/", true),
            ("/.well-known/oauth-protected-resource/mcp/", "/mcp", false),
            ("/.well-known/oauth-protected-resource", "/mcp", false),
            ("/.well-known/oauth-protected-resourcemcp", "/mcp", false),
            ("/mcp", "/mcp", false),
        ] {
            assert_eq!(is_path_of(path, resource), is, "{path} of {resource}");
        }
    }
}
