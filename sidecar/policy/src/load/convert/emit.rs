//! Writes a document as YAML that readers of YAML 1.1 and 1.2 agree on.

use super::super::node::{Data, Member, Node};

/// The longest line for a list of words, in characters.
const LINE: usize = 100;

/// The document in block style; short lists of scalars in brackets.
pub(super) fn document(root: &Node) -> String {
    let mut out = String::new();
    match &root.data {
        Data::Object(members) if !members.is_empty() => object(&mut out, members, 0),
        _ => {
            out.push_str(&inline(root));
            out.push('\n');
        }
    }
    out
}

fn object(out: &mut String, members: &[Member], indent: usize) {
    for (index, member) in members.iter().enumerate() {
        if index > 0 {
            out.push_str(&" ".repeat(indent));
        }
        out.push_str(&text(&member.key, Context::Block));
        out.push(':');
        value(out, &member.value, indent);
    }
}

/// What follows a key.
fn value(out: &mut String, node: &Node, indent: usize) {
    match &node.data {
        Data::Object(members) if !members.is_empty() => {
            out.push('\n');
            out.push_str(&" ".repeat(indent + 2));
            object(out, members, indent + 2);
        }
        Data::Array(items) if !fits(items, indent) => {
            out.push('\n');
            for item in items {
                out.push_str(&" ".repeat(indent));
                out.push_str("- ");
                element(out, item, indent + 2);
            }
        }
        _ => {
            out.push(' ');
            out.push_str(&inline(node));
            out.push('\n');
        }
    }
}

/// What follows a dash.
fn element(out: &mut String, node: &Node, indent: usize) {
    match &node.data {
        Data::Object(members) if !members.is_empty() => object(out, members, indent),
        _ => {
            out.push_str(&inline(node));
            out.push('\n');
        }
    }
}

/// Whether a list is short and holds only scalars.
fn fits(items: &[Node], indent: usize) -> bool {
    let scalars = items.iter().all(|item| !matches!(item.data, Data::Array(_) | Data::Object(_)));
    let length: usize = items.iter().map(|item| inline(item).chars().count() + 2).sum();
    items.is_empty() || (scalars && indent + length < LINE)
}

/// A value on one line.
fn inline(node: &Node) -> String {
    inline_in(node, Context::Block)
}

fn inline_in(node: &Node, context: Context) -> String {
    match &node.data {
        Data::Null => "null".into(),
        Data::Bool(value) => value.to_string(),
        Data::Number(number) => number.to_string(),
        Data::String(value) => text(value, context),
        Data::Array(items) => {
            let items: Vec<String> = items.iter().map(|item| inline_in(item, Context::Flow)).collect();
            format!("[{}]", items.join(", "))
        }
        Data::Object(members) => {
            let members: Vec<String> = members
                .iter()
                .map(|member| {
                    let key = text(&member.key, Context::Flow);
                    format!("{key}: {}", inline_in(&member.value, Context::Flow))
                })
                .collect();
            format!("{{{}}}", members.join(", "))
        }
    }
}

/// Where text stands: within brackets more characters have a meaning.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Context {
    Block,
    Flow,
}

/// Text, quoted unless every reader takes it for text as it is.
fn text(text: &str, context: Context) -> String {
    if is_plain(text, context) {
        text.to_owned()
    } else if text.contains(['"', '\\']) && !text.chars().any(needs_escape) {
        format!("'{}'", text.replace('\'', "''"))
    } else {
        double_quoted(text)
    }
}

fn double_quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            character if needs_escape(character) => quoted.push_str(&format!("\\u{:04X}", u32::from(character))),
            character => quoted.push(character),
        }
    }
    quoted.push('"');
    quoted
}

/// What is a line break or not printable to some reader. All of these are in the Basic Multilingual Plane, so four digits do.
fn needs_escape(character: char) -> bool {
    character.is_control() || matches!(character, '\u{2028}' | '\u{2029}' | '\u{FEFF}' | '\u{FFFE}' | '\u{FFFF}')
}

/// Deliberately narrow: a duration, or what begins with a letter, goes on with harmless characters, and is no word with a
/// meaning.
fn is_plain(text: &str, context: Context) -> bool {
    const WORDS: [&str; 12] = ["y", "yes", "n", "no", "on", "off", "true", "false", "null", "nan", "inf", "infinity"];
    let harmless = |c: char| {
        c.is_ascii_alphanumeric()
            || "_-./+=@$%^&;()<>~|!'".contains(c)
            || (context == Context::Block && matches!(c, ' ' | ',' | '?'))
    };
    let is_duration = text.starts_with(|c: char| c.is_ascii_digit())
        && text.ends_with(['s', 'm', 'h', 'd'])
        && text.chars().all(|c| c.is_ascii_digit() || "smhd".contains(c));
    if is_duration {
        return true;
    }
    text.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '_' | '/'))
        && !text.ends_with(' ')
        && text.chars().all(harmless)
        && !WORDS.contains(&text.to_ascii_lowercase().as_str())
}
