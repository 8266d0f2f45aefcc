//! As much of PromQL as tells which metrics a query asks for, and what stands for Grafana's variables. What a query means,
//! Prometheus itself says.

use std::collections::BTreeSet;

/// Words that are not metrics: operators, and what is followed by labels in parentheses.
const WORDS: [&str; 7] = ["and", "or", "unless", "bool", "offset", "inf", "nan"];
const GROUPING: [&str; 6] = ["by", "without", "on", "ignoring", "group_left", "group_right"];

/// The metrics that a query asks for.
pub fn metrics(expr: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut rest = expr;
    while let Some(first) = rest.chars().next() {
        let skip = match first {
            '"' => closing(rest, '"'),
            '{' => closing(rest, '}'),
            '[' => closing(rest, ']'),
            c if c.is_ascii_alphabetic() || c == '_' || c == ':' => {
                let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
                let word = &rest[..rest.find(|c| !is_part(c)).unwrap_or(rest.len())];
                let after = rest[word.len()..].trim_start();
                let is_called = ["(", "by ", "without "].iter().any(|next| after.starts_with(next));
                if GROUPING.contains(&word) && after.starts_with('(') {
                    word.len() + closing(&rest[word.len()..], ')')
                } else {
                    if !is_called && !WORDS.contains(&word) && !GROUPING.contains(&word) {
                        found.insert(word.to_owned());
                    }
                    word.len()
                }
            }
            // A number, and the unit of a duration.
            c if c.is_ascii_digit() => {
                rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '.').unwrap_or(rest.len())
            }
            c => c.len_utf8(),
        };
        rest = &rest[skip..];
    }
    found
}

/// How long the text is up to where this closes it, not counting what stands in quotes.
fn closing(text: &str, end: char) -> usize {
    let mut is_quoted = false;
    for (at, c) in text.char_indices().skip(1) {
        if c == end && !is_quoted {
            return at + c.len_utf8();
        }
        is_quoted ^= c == '"';
    }
    panic!("{text}: nothing closes it with {end}");
}

/// How often something was counted in a range: the one form in which tables and pages ask it. A series that was there before the range
/// has its increase; so has one that was set back in it, by a restart. Any other began in the range, and with it what it counts.
pub fn counted(series: &str, range: &str) -> String {
    format!(
        "(increase({series}[{range}]) and (last_over_time({series}[1h] offset {range}) or resets({series}[{range}]) > 0)) \
         or last_over_time({series}[{range}])"
    )
}

/// What stands for Grafana's variables.
#[derive(Clone, Copy, Debug)]
pub struct Filling<'a> {
    /// `$__rate_interval`.
    pub interval: &'a str,
    /// `$__range`.
    pub range: &'a str,
    /// `$cluster`; `.*` is what stands for all, here and below.
    pub cluster: &'a str,
    /// `$namespace`
    pub namespace: &'a str,
    /// `$policy`
    pub policy: &'a str,
    /// `$workload`
    pub workload: &'a str,
}

impl Default for Filling<'_> {
    /// Everything, of the last hour.
    fn default() -> Self {
        let all = ".*";
        Self { interval: "5m", range: "1h", cluster: all, namespace: all, policy: all, workload: all }
    }
}

/// The query as Grafana sends it.
///
/// # Panics
/// If it has a variable that is none.
pub fn filled(expr: &str, filling: &Filling<'_>) -> String {
    let mut query = expr.replace("$__rate_interval", filling.interval).replace("$__range", filling.range);
    let variables = [
        ("cluster", filling.cluster),
        ("namespace", filling.namespace),
        ("policy", filling.policy),
        ("workload", filling.workload),
    ];
    for (variable, value) in variables {
        query = query.replace(&format!("${variable}"), value);
    }
    // What a rule refers to by number, or by label in its texts, is no variable.
    let is_variable = |rest: &str| rest.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    assert!(!query.split('$').skip(1).any(is_variable), "{expr}: a variable that is none");
    query
}

/// The variables that a query has, beside those of Grafana itself.
pub fn variables(expr: &str) -> BTreeSet<String> {
    let names = expr.split('$').skip(1).map(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        rest[..end].to_owned()
    });
    names.filter(|name| !name.starts_with("__")).collect()
}

#[test]
fn metrics_are_told_from_labels_functions_and_words() {
    let asked = |expr: &str| metrics(expr).into_iter().collect::<Vec<_>>();
    assert_eq!(
        asked(r#"sum by (a, b) (rate(x_total{c="}(y"}[5m]) offset 1h) / on (d) group_left z > bool 0.5"#),
        ["x_total", "z"]
    );
    assert_eq!(
        asked(r#"absent(a:b) or label_replace(c, "d", "$1", "e", "(f)") unless 10 * up[1h:5m]"#),
        ["a:b", "c", "up"]
    );
    assert_eq!(asked("time() - 86400"), Vec::<String>::new());
}
