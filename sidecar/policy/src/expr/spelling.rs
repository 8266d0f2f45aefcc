//! How things are written in an expression, for expressions that are generated and for advice.

/// Words that cannot follow a dot.
const RESERVED: [&str; 21] = [
    "as",
    "break",
    "const",
    "continue",
    "else",
    "false",
    "for",
    "function",
    "if",
    "import",
    "in",
    "let",
    "loop",
    "namespace",
    "null",
    "package",
    "return",
    "true",
    "var",
    "void",
    "while",
];

/// A member of an object: `args.a`, `args["a-b"]`.
pub(crate) fn member(object: &str, key: &str) -> String {
    if is_identifier(key) { format!("{object}.{key}") } else { format!("{object}[{}]", text(key)) }
}

/// Whether an object has a member: `has(args.a)`, `"a-b" in args`.
pub(crate) fn presence(object: &str, key: &str) -> String {
    if is_identifier(key) { format!("has({object}.{key})") } else { format!("{} in {object}", text(key)) }
}

/// A string.
pub(crate) fn text(text: &str) -> String {
    let mut literal = String::from("\"");
    for character in text.chars() {
        match character {
            '"' => literal.push_str("\\\""),
            '\\' => literal.push_str("\\\\"),
            '\n' => literal.push_str("\\n"),
            '\r' => literal.push_str("\\r"),
            '\t' => literal.push_str("\\t"),
            character if character.is_control() => literal.push_str(&format!("\\u{:04x}", u32::from(character))),
            character => literal.push(character),
        }
    }
    literal.push('"');
    literal
}

/// Whether a key can follow a dot.
pub(crate) fn is_identifier(key: &str) -> bool {
    let begins = key.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    begins && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') && !RESERVED.contains(&key)
}
