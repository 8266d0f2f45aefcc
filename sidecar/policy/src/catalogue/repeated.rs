//! Which arguments of a tool requests repeat in a header: `x-mcp-header` in its `inputSchema` (specification 2026-07-28,
//! "Streamable HTTP"). Only what is declared is read here; whoever speaks HTTP compares.

use crate::json::Value;

/// What the names of the headers begin with.
pub const PREFIX: &str = "mcp-param-";

/// The most headers of one tool, and the deepest path to an argument; annotations beyond are not read.
const MOST: usize = 64;
const DEEPEST: usize = 16;

/// An argument that requests repeat in a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repeated {
    /// The header's name, in lower case.
    pub header: Box<str>,
    /// The keys that lead to the argument.
    pub path: Box<[Box<str>]>,
}

/// Reads the annotations of an `inputSchema`: those reachable by `properties` alone. What the specification does not permit
/// is left out, and its header is then one that nobody knows, as of a tool that was never seen.
pub(super) fn read(schema: Value<'_>) -> Vec<Repeated> {
    let mut found = Vec::new();
    collect(schema, &mut Vec::new(), &mut found);
    found
}

fn collect(schema: Value<'_>, path: &mut Vec<Box<str>>, found: &mut Vec<Repeated>) {
    for (key, property) in schema.get("properties").into_iter().flat_map(Value::members) {
        if found.len() >= MOST || path.len() >= DEEPEST {
            return;
        }
        path.push(key.into());
        let token = property.get("x-mcp-header").and_then(Value::as_str);
        if let Some(token) = token.filter(|token| is_token(token)) {
            let header = format!("{PREFIX}{}", token.to_ascii_lowercase()).into();
            found.push(Repeated { header, path: path.as_slice().into() });
        }
        collect(property, path, found);
        path.pop();
    }
}

/// A `token` of HTTP (RFC 9110, 5.6.2).
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{Document, Limits};

    fn of(schema: &str) -> Vec<(String, String)> {
        let document = Document::parse(schema.to_owned().into(), Limits::default()).unwrap();
        read(document.root()).iter().map(|found| (found.header.to_string(), found.path.join("/"))).collect()
    }

    #[test]
    fn annotations_count_where_properties_alone_lead_to_them() {
        let schema = r#"{"type": "object", "properties": {
            "region": {"type": "string", "x-mcp-header": "Region"},
            "limits": {"type": "object", "properties": {"max": {"type": "integer", "x-mcp-header": "Max-Bytes"}}},
            "plain": {"type": "string"}}}"#;
        let expected = [("mcp-param-region", "region"), ("mcp-param-max-bytes", "limits/max")];
        assert_eq!(of(schema), expected.map(|(header, path)| (header.to_owned(), path.to_owned())));
        for schema in [
            "{}",
            "true",
            "[]",
            r#"{"properties": []}"#,
            r#"{"properties": {"a": {"x-mcp-header": ""}}}"#,
            r#"{"properties": {"a": {"x-mcp-header": "no good"}}}"#,
            r#"{"properties": {"a": {"x-mcp-header": "Stra\u00dfe"}}}"#,
            r#"{"properties": {"a": {"x-mcp-header": 7}}}"#,
            r#"{"properties": {"a": {"items": {"properties": {"b": {"x-mcp-header": "B"}}}}}}"#,
            r#"{"allOf": [{"properties": {"a": {"x-mcp-header": "A"}}}]}"#,
            r#"{"x-mcp-header": "Root"}"#,
        ] {
            assert_eq!(of(schema), [], "{schema}");
        }
    }

    #[test]
    fn a_hostile_schema_is_read_within_bounds() {
        let nest = |inner: String, _| format!(r#"{{"properties":{{"a":{inner}}}}}"#);
        assert_eq!(of(&(0..40).fold(r#"{"x-mcp-header":"Deep"}"#.to_owned(), nest)), []);
        let many: Vec<_> = (0..1_000).map(|n| format!(r#""p{n}":{{"x-mcp-header":"H{n}"}}"#)).collect();
        assert_eq!(of(&format!(r#"{{"properties":{{{}}}}}"#, many.join(","))).len(), MOST);
    }
}
