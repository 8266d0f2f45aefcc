//! What a pattern means, and that it means the same as in Kubernetes.

use super::*;

fn matches(pattern: &str, text: &str) -> bool {
    let pattern = pattern.replace('\\', "\\\\").replace('\'', "\\'");
    let args = serde_json::json!({ "s": text }).to_string();
    condition(&format!("args.s.matches('{pattern}')"), &args).expect(&pattern)
}

#[test]
fn classes_are_of_ascii() {
    for (pattern, inside, outside) in [
        (r"^\d$", "7", "٣"),
        (r"^[\d]$", "7", "٣"),
        (r"^[^\d]$", "٣", "7"),
        (r"^\D$", "٣", "7"),
        (r"^[\D]$", "٣", "7"),
        (r"^\w$", "a", "é"),
        (r"^\W$", "é", "a"),
        (r"^[\w-]$", "-", "é"),
        (r"^\s$", "\t", "\u{a0}"),
        (r"^[a\s]$", " ", "\u{2003}"),
        (r"^\S$", "\u{a0}", "\n"),
        (r"^[[:alpha:]]$", "a", "é"),
        (r"x\b", "xé", "xa"),
    ] {
        assert!(matches(pattern, inside), "{pattern} on {inside:?}");
        assert!(!matches(pattern, outside), "{pattern} on {outside:?}");
    }
}

#[test]
fn a_dot_or_negated_class_stands_for_one_character_however_many_bytes_it_has() {
    assert!(matches("^.$", "é") && matches("^..$", "日本") && matches("^[^a]$", "€"));
    assert!(!matches("^.$", "\n") && matches("(?s)^.$", "\n"));
    assert!(matches("(?i)^straße$", "STRAßE") && matches("^é$", "é") && matches("^[à-ü]$", "é"));
}

#[test]
fn a_part_is_enough_unless_it_is_anchored() {
    assert!(matches("b", "abc") && !matches("^b", "abc") && !matches("b$", "abc") && matches("", "abc"));
    assert!(!matches("^a$", "a\n") && matches("(?m)^a$", "a\nb"));
}

#[test]
fn what_re2_does_not_have_or_reads_otherwise_is_refused() {
    for (pattern, part) in [
        (r"[a&&b]", "combines classes"),
        (r"[a--b]", "combines classes"),
        (r"[[a]]", "is a class within a class"),
        (r"(?x)a b", "is not a flag"),
        (r"(?-u)a", "is not a flag"),
        (r"(?u:a)", "is not a flag"),
        (r"\b{start}a", "is not supported"),
        (r"\<a", "is not supported"),
        (r"(?=a)", "not a regular expression"),
        (r"(a)\1", "not a regular expression"),
        (r"a{1001}{1001}", "too large"),
        ("a(", "not a regular expression"),
    ] {
        let source = format!("args.s.matches('{}')", pattern.replace('\\', "\\\\"));
        let error = Expression::compile(&source, Purpose::Condition).expect_err(pattern);
        assert!(error.message.contains(part), "{pattern}: {error}");
    }
}

#[test]
fn a_large_pattern_gives_the_same_answers_as_a_small_one() {
    // The first fits no whole automaton, the second does; on these texts they agree.
    let (large, small) = ("(?i)ignore.{0,20}previous.{0,20}instructions", "(?i)ignore.*previous.*instructions");
    for text in [
        "please IGNORE all previous instructions",
        "ignore previous",
        "instructions previous ignore",
        "",
        "ignorepreviousinstructions",
    ] {
        assert_eq!(matches(large, text), matches(small, text), "{text}");
    }
    assert!(!matches(large, &format!("ignore{}previous instructions", " ".repeat(21))));
}
