//! Where the references of a schema lead: within the schema, or nowhere.

use std::collections::HashMap;

use serde_json::Value;

use super::{SchemaError, shortened};

/// The places of a schema that references may name.
#[derive(Debug)]
pub(super) struct References<'s> {
    root: &'s Value,
    /// The schema's own name, without fragment.
    id: Option<&'s str>,
    anchors: HashMap<&'s str, &'s Value>,
}

impl<'s> References<'s> {
    /// Finds the anchors of a schema.
    ///
    /// # Errors
    /// A part of it that is a document of its own, or an anchor that there is twice.
    pub(super) fn new(root: &'s Value) -> Result<Self, SchemaError> {
        let id = root.get("$id").and_then(Value::as_str).map(|id| id.split('#').next().unwrap_or(id));
        let mut references = Self { root, id: id.filter(|id| !id.is_empty()), anchors: HashMap::new() };
        references.find_anchors(root)?;
        Ok(references)
    }

    fn find_anchors(&mut self, value: &'s Value) -> Result<(), SchemaError> {
        match value {
            Value::Array(items) => items.iter().try_for_each(|item| self.find_anchors(item)),
            Value::Object(members) => {
                for (key, member) in members {
                    let anchor = match (key.as_str(), member) {
                        ("$anchor" | "$dynamicAnchor", Value::String(anchor)) => Some(anchor.as_str()),
                        ("$id", Value::String(id)) if !std::ptr::eq(value, self.root) => match id.strip_prefix('#') {
                            Some(anchor) => Some(anchor),
                            None => {
                                let id = shortened(id);
                                return Err(SchemaError(format!("a part of it has an `$id` of its own, `{id}`")));
                            }
                        },
                        _ => None,
                    };
                    if let Some(anchor) = anchor
                        && self.anchors.insert(anchor, value).is_some_and(|other| !std::ptr::eq(other, value))
                    {
                        return Err(SchemaError(format!("it has the anchor `{}` twice", shortened(anchor))));
                    }
                    self.find_anchors(member)?;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// The subschema that a reference names.
    ///
    /// # Errors
    /// That it leads out of the schema, or to nothing in it.
    pub(super) fn resolve(&self, reference: &str) -> Result<&'s Value, SchemaError> {
        let local = self.id.and_then(|id| reference.strip_prefix(id)).unwrap_or(reference);
        let shown = || shortened(reference);
        let fragment = match local.strip_prefix('#') {
            Some(fragment) => fragment,
            None if local.is_empty() => "",
            None => {
                return Err(SchemaError(format!(
                    "it refers to `{}`, which is another document: only references within the schema are followed",
                    shown()
                )));
            }
        };
        let nowhere = || SchemaError(format!("it refers to `{}`, which it does not have", shown()));
        if fragment.is_empty() {
            return Ok(self.root);
        }
        let fragment = decode(fragment).ok_or_else(nowhere)?;
        let target = match fragment.strip_prefix('/') {
            Some(_) => self.root.pointer(&fragment),
            None => self.anchors.get(fragment.as_str()).copied(),
        };
        target.ok_or_else(nowhere)
    }

    /// [`Self::resolve`] for a schema that was found to have no wrong references.
    pub(super) fn target(&self, reference: &str) -> Option<&'s Value> {
        self.resolve(reference).ok()
    }
}

/// Decodes the percent-encoding of a URI's fragment.
fn decode(fragment: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(fragment.len());
    let mut rest = fragment.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let mut digit =
                || rest.next().and_then(|byte| char::from(byte).to_digit(16)).and_then(|n| u8::try_from(n).ok());
            bytes.push(digit()? << 4 | digit()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}
