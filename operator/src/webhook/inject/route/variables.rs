//! References between the variables of a container: `$(NAME)` stands for a variable that was set before.

use std::collections::BTreeMap;

/// The variables whose value stands in the pod, as far as they have been gone through.
#[derive(Debug, Default)]
pub(super) struct Known {
    values: BTreeMap<String, String>,
}

impl Known {
    /// Notes the value of a variable, as it will be in the container.
    pub(super) fn add(&mut self, name: &str, value: String) {
        self.values.insert(name.to_owned(), value);
    }

    /// What the kubelet makes of a value: references to what is not known stay, and `$$` is a `$` that begins none.
    pub(super) fn expand(&self, value: &str) -> String {
        let mut expanded = String::with_capacity(value.len());
        let mut rest = value;
        while let Some(at) = rest.find('$') {
            expanded.push_str(&rest[..at]);
            rest = &rest[at + 1..];
            let reference = rest.strip_prefix('(').and_then(|rest| rest.split_once(')'));
            if let Some((name, after)) = reference {
                match self.values.get(name) {
                    Some(value) => expanded.push_str(value),
                    None => expanded.push_str(&format!("$({name})")),
                }
                rest = after;
            } else {
                expanded.push('$');
                rest = rest.strip_prefix('$').unwrap_or(rest);
            }
        }
        expanded.push_str(rest);
        expanded
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_written_out_as_the_kubelet_does() {
        let mut known = Known::default();
        known.add("HOST", "imaging.internal".into());
        for (value, expanded) in [
            ("https://$(HOST)/mcp", "https://imaging.internal/mcp"),
            ("$(HOST)$(HOST)", "imaging.internalimaging.internal"),
            ("$(OTHER)/mcp", "$(OTHER)/mcp"),
            ("$$(HOST)", "$(HOST)"),
            ("$HOST", "$HOST"),
            ("a$", "a$"),
            ("$(HOST", "$(HOST"),
        ] {
            assert_eq!(known.expand(value), expanded, "{value}");
        }
    }
}
