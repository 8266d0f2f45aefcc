//! From the text of an expression to its syntax tree, and from the tree back to columns of the text.

use cel::IdedExpr;
use cel::common::ast::SourceInfo;
use cel::parser::{ParseErrors, Parser};

use super::CompileError;

/// The deepest nesting of parentheses, brackets and calls that the parser follows. Chains without brackets (`a.a.a`,
/// `1 + 1 + 1`) are not bounded by it, but by the length of the text.
const RECURSION: u16 = 32;

/// Reads an expression. To be called on a thread with a stack that is large for [`super::SOURCE`] bytes.
pub(super) fn parse(source: &str) -> Result<(IdedExpr, Positions<'_>), CompileError> {
    let parser = Parser::new().max_recursion_depth(RECURSION).enable_optional_syntax(false);
    match parser.parse_with_source_info(source) {
        Ok((tree, info)) => Ok((tree, Positions { source, info })),
        Err(errors) => Err(explain(source, &errors)),
    }
}

/// Where the nodes of a tree stand in its text.
pub(super) struct Positions<'s> {
    source: &'s str,
    info: SourceInfo,
}

impl Positions<'_> {
    /// The 1-based column, in characters, at which a node stands: a call at its name, a member access at the member, an
    /// operator at its sign.
    pub(super) fn column(&self, id: u64) -> usize {
        let Some((start, _)) = self.info.offset_for(id) else {
            return 1;
        };
        let at = usize::try_from(start).unwrap_or(0);
        let (before, rest) = self.source.split_at_checked(at).unwrap_or((self.source, ""));
        let name = if rest.starts_with('(') {
            before.trim_end().trim_end_matches(|c: char| c.is_ascii_alphanumeric() || c == '_')
        } else if let Some(member) = rest.strip_prefix('.') {
            &self.source[..self.source.len() - member.trim_start().len()]
        } else {
            before
        };
        name.chars().count() + 1
    }
}

/// The parser's first complaint, in plain words.
fn explain(source: &str, errors: &ParseErrors) -> CompileError {
    let Some(error) = errors.errors.first() else {
        return CompileError { column: 1, message: "the expression cannot be read".to_owned() };
    };
    let (line, column) = error.pos;
    let lines_before = source.split_inclusive('\n').take(usize::try_from(line).unwrap_or(1).saturating_sub(1));
    let before: usize = lines_before.map(|line| line.chars().count()).sum();
    CompileError { column: before + usize::try_from(column).unwrap_or(1).max(1), message: in_plain_words(&error.msg) }
}

/// What each of the parser's messages means.
fn in_plain_words(message: &str) -> String {
    if let Some(word) = message.strip_prefix("reserved identifier: ") {
        return reserved(word);
    }
    if message.contains("Recursion limit") {
        return format!("the expression has brackets or conditions nested more than {RECURSION} deep");
    }
    if message.starts_with("invalid string literal") {
        return "the string has an escape that means nothing: write a backslash as \\\\".to_owned();
    }
    let fixed = match message {
        "invalid argument to has() macro" => "`has` needs a member, such as has(args.name)",
        "argument must be a simple name" => "the first argument of a loop names the element: write x, for example",
        "invalid int literal" => "a whole number must fit in 64 bits",
        "invalid double literal" => "the number is too large",
        "unsupported syntax: '`'" => "names in backticks are not supported: write ['name']",
        _ if message.starts_with("unsupported syntax") => "optional members are not supported: use has()",
        _ => return of_a_token(message),
    };
    fixed.to_owned()
}

fn reserved(word: &str) -> String {
    format!("`{word}` is a reserved word: for a member of that name write ['{word}']")
}

/// The messages of the grammar, which quote the text that does not fit.
fn of_a_token(message: &str) -> String {
    let quoted = |before: &str| {
        let (_, rest) = message.split_once(before)?;
        let text = rest.split("' expecting").next().unwrap_or(rest).trim_end_matches('\'');
        Some(text.chars().take(20).collect::<String>())
    };
    if let Some(text) = quoted("token recognition error at: '") {
        return match text.trim() {
            "=" => "`=` compares nothing: write ==".to_owned(),
            sign @ ("&" | "|") => format!("`{sign}` means nothing: write {sign}{sign}"),
            text if text.starts_with(['\'', '"']) || text.is_empty() => {
                "the string is not closed, or has an escape that means nothing".to_owned()
            }
            text => format!("`{text}` means nothing here"),
        };
    }
    if let (Some(missing), Some(at)) = (quoted("missing '"), quoted("' at '")) {
        let missing = missing.split('\'').next().unwrap_or_default();
        return match at.as_str() {
            "<EOF>" => format!("the expression ends before a `{missing}`"),
            at => format!("a `{missing}` is missing before `{at}`"),
        };
    }
    let text = quoted(" input '").unwrap_or_default();
    match text.as_str() {
        "" => "the expression cannot be read".to_owned(),
        "<EOF>" => "the expression ends too early".to_owned(),
        ".in" | ".null" | ".true" | ".false" => reserved(&text[1..]),
        text => format!("`{text}` does not fit here"),
    }
}
