//! The rules: recorded series and alerts. Their files are written in one manner, in which they are read here.

/// Where they are.
pub const RULES: &str = "charts/reeve/files/rules";

/// A rule, as far as tests ask.
#[derive(Clone, Debug)]
pub struct Rule {
    /// The name of the alert, or of what is recorded.
    pub name: String,
    /// Whether it records a series; else it is an alert.
    pub is_recording: bool,
    /// Its query.
    pub expr: String,
    /// As it stands in the file.
    text: String,
}

/// Every rule of the files.
///
/// # Panics
/// If a file is written in another manner.
pub fn rules() -> Vec<Rule> {
    let mut found = Vec::new();
    for file in super::files(RULES, "yaml") {
        let whole = std::fs::read_to_string(&file).unwrap_or_default();
        for text in whole.split("\n  - ").skip(1) {
            let (kind, name) = text.lines().next().and_then(|line| line.split_once(": ")).unwrap_or_default();
            assert!(["alert", "record"].contains(&kind), "{}: {text}", file.display());
            let (_, expr) = text.split_once("\n    expr: ").unwrap_or_else(|| panic!("{name} has no expr"));
            let expr = expr.strip_prefix("|\n").unwrap_or(expr);
            // Up to the next key of the rule.
            let lines = expr.lines().enumerate().take_while(|(at, line)| *at == 0 || line.starts_with("     "));
            let expr = lines.map(|(_, line)| line).collect::<Vec<_>>().join("\n");
            found.push(Rule { name: name.to_owned(), is_recording: kind == "record", expr, text: text.to_owned() });
        }
    }
    found
}

/// Those of them that are alerts.
pub fn alerts() -> Vec<Rule> {
    rules().into_iter().filter(|rule| !rule.is_recording).collect()
}

impl Rule {
    /// The value of one of its keys, on one line.
    ///
    /// # Panics
    /// If it has no such key.
    pub fn key(&self, key: &str) -> &str {
        let at = self.text.split_once(&format!("{key}: ")).unwrap_or_else(|| panic!("{} has no {key}", self.name)).1;
        at.lines().next().unwrap_or_default().trim_end_matches('}')
    }

    /// The file of its page: `ReeveWebhookFailing` is explained in `webhook-failing.md`.
    ///
    /// # Panics
    /// If it is named in another manner.
    pub fn page(&self) -> String {
        let name = self.name.strip_prefix("Reeve").unwrap_or_else(|| panic!("{} is not named Reeve…", self.name));
        let mut page = String::new();
        for c in name.chars() {
            if c.is_ascii_uppercase() && !page.is_empty() {
                page.push('-');
            }
            page.push(c.to_ascii_lowercase());
        }
        page + ".md"
    }
}

/// The text of a file of rules in which times are so many times shorter: what an alert waits for, and every span of time that a query
/// looks at. Numbers that are compared with a time, as of certificates, stay.
///
/// # Panics
/// If a time is written in other units than minutes, hours and days.
pub fn hastened(text: &str, by: u32) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) =
        ["[", "offset ", "for: "].iter().filter_map(|before| Some(rest.find(before)? + before.len())).min()
    {
        let (before, time) = rest.split_at(at);
        let length = time.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(time.len());
        out.push_str(before);
        let is_time = time.starts_with(|c: char| c.is_ascii_digit());
        out.push_str(&if is_time { shorter(&time[..length], by) } else { time[..length].to_owned() });
        rest = &time[length..];
    }
    out + rest
}

/// A part of a time such as `5m`.
fn shorter(time: &str, by: u32) -> String {
    let (number, unit) = time.split_at(time.len() - 1);
    let number: u64 = number.parse().unwrap_or_else(|error| panic!("{time}: {error}"));
    let minutes = match unit {
        "m" => 1,
        "h" => 60,
        "d" => 24 * 60,
        _ => panic!("{time} is no whole number of minutes, hours or days"),
    };
    format!("{}ms", number * minutes * 60_000 / u64::from(by))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_of_a_rule_is_a_second_when_it_is_sixty_times_faster() {
        let rule = "expr: rate(a[5m]) > 5 * avg_over_time(b[1d] offset 10m) and c{d=~\".+[.]e\"}\n    for: 15m\n  # for an hour\n";
        let fast = "expr: rate(a[5000ms]) > 5 * avg_over_time(b[1440000ms] offset 10000ms) and c{d=~\".+[.]e\"}\n    \
                    for: 15000ms\n  # for an hour\n";
        assert_eq!(hastened(rule, 60), fast);
    }

    #[test]
    fn every_time_of_every_rule_can_be_hastened() {
        for file in super::super::files(RULES, "yaml") {
            let text = std::fs::read_to_string(file).unwrap();
            assert_ne!(hastened(&text, 60), text);
        }
    }
}
