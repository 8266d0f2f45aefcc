//! What to say of a name that does not exist.

use super::functions::table::{self, MACROS};

/// Names from Kubernetes' CEL that exist here in another form.
const ELSEWHERE: &[(&str, &str)] = &[
    ("containsIP", "cidr.contains(ip)"),
    ("getEscapedPath", "url(x).path"),
    ("getHost", "url(x).host"),
    ("getHostname", "url(x).host"),
    ("getPort", "url(x).port"),
    ("getQuery", "url(x).query"),
    ("getScheme", "url(x).scheme"),
    ("isLinkLocalUnicast", "ip.isLinkLocal()"),
];

/// The known name most like this one, if any is like enough to be what was meant.
pub(super) fn nearest<'n>(name: &str, known: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let likeness = |other: &str| strsim::jaro_winkler(&name.to_lowercase(), &other.to_lowercase());
    known
        .into_iter()
        .map(|other| (likeness(other), other))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, other)| other)
}

/// What to say of a function that does not exist.
pub(super) fn unknown_function(name: &str) -> String {
    let known = table::FUNCTIONS.iter().map(|entry| entry.function.name);
    let known = known.chain(MACROS.iter().map(|function| function.name));
    let elsewhere = ELSEWHERE.iter().find(|(other, _)| *other == name);
    match (elsewhere, nearest(name, known)) {
        (Some((_, here)), _) => format!("there is no function `{name}`: write {here}"),
        (None, Some(near)) => format!("there is no function `{name}`: did you mean `{near}`?"),
        (None, None) => format!("there is no function `{name}`"),
    }
}
