//! Every function that an expression can call, by name.

use std::ops::RangeInclusive;

use cel::common::functions::Function as Implementation;

use super::{address, number, operators, run, text, time, url};
use crate::expr::Function;

/// How a function is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::expr) enum Style {
    /// `f(x)`
    Global,
    /// `x.f()`
    Method,
    /// Either way.
    Both,
}

/// What an expression gives, as far as it can be told without a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::expr) enum Type {
    Any,
    Boolean,
    Number,
    Text,
    List,
    Object,
    Url,
    Other,
}

impl Type {
    /// As in "here stands a number".
    pub(in crate::expr) fn describe(self) -> &'static str {
        match self {
            Self::Any => "a value",
            Self::Boolean => "true or false",
            Self::Number => "a number",
            Self::Text => "a string",
            Self::List => "a list",
            Self::Object => "an object",
            Self::Url => "a URL",
            Self::Other => "neither number nor string",
        }
    }
}

/// A function: what users read of it, how it is called, and what runs it.
pub(in crate::expr) struct Entry {
    pub(in crate::expr) function: Function,
    pub(in crate::expr) style: Style,
    /// How many arguments it takes, the receiver among them.
    pub(in crate::expr) arity: RangeInclusive<usize>,
    pub(in crate::expr) gives: Type,
    /// Whether a call with literals alone is worth running at load: a mistake in them is found there.
    pub(in crate::expr) at_load: bool,
    pub(in crate::expr) run: Implementation,
}

/// Writes an [`Entry`]: name, style, arity, type, implementation, signature, doc.
macro_rules! entry {
    ($name:literal, $style:ident, $arity:expr, $gives:ident, $run:path, $signature:literal, $doc:literal) => {
        entry!(@ $name, $style, $arity, $gives, $run, $signature, $doc, false)
    };
    (at_load $name:literal, $style:ident, $arity:expr, $gives:ident, $run:path, $signature:literal, $doc:literal) => {
        entry!(@ $name, $style, $arity, $gives, $run, $signature, $doc, true)
    };
    (@ $name:literal, $style:ident, $arity:expr, $gives:ident, $run:path, $signature:literal, $doc:literal, $at_load:literal) => {
        Entry {
            function: Function { name: $name, signature: $signature, doc: $doc },
            style: Style::$style,
            arity: $arity,
            gives: Type::$gives,
            at_load: $at_load,
            run: |arguments| run(&arguments, $run),
        }
    };
}

/// The table.
pub(in crate::expr) const FUNCTIONS: &[Entry] = &[
    entry!(
        "size",
        Both,
        1..=1,
        Number,
        operators::size,
        "size(string | list | object) -> int, x.size()",
        "Characters of a string, elements of a list, members of an object."
    ),
    entry!(
        "startsWith",
        Method,
        2..=2,
        Boolean,
        text::starts_with,
        "string.startsWith(string) -> bool",
        "Whether the string begins with another."
    ),
    entry!(
        "endsWith",
        Method,
        2..=2,
        Boolean,
        text::ends_with,
        "string.endsWith(string) -> bool",
        "Whether the string ends with another."
    ),
    entry!(
        "contains",
        Method,
        2..=2,
        Boolean,
        text::contains,
        "string.contains(string) -> bool, cidr.contains(ip | string) -> bool",
        "Whether the string has another in it; whether the network has the address."
    ),
    entry!(
        "matches",
        Both,
        2..=2,
        Boolean,
        text::matches,
        "string.matches('pattern') -> bool",
        "Whether a part of the string matches the regular expression (RE2 syntax), which must be written as a literal. Anchor it with ^ and $ to match the whole."
    ),
    entry!(
        "lowerAscii",
        Method,
        1..=1,
        Text,
        text::lower_ascii,
        "string.lowerAscii() -> string",
        "The string with A to Z in lower case."
    ),
    entry!(
        "upperAscii",
        Method,
        1..=1,
        Text,
        text::upper_ascii,
        "string.upperAscii() -> string",
        "The string with a to z in upper case."
    ),
    entry!(
        "trim",
        Method,
        1..=1,
        Text,
        text::trim,
        "string.trim() -> string",
        "The string without white space at its ends."
    ),
    entry!(
        "split",
        Method,
        2..=3,
        List,
        text::split,
        "string.split(separator) -> list, string.split(separator, limit) -> list",
        "The pieces between separators, at most 1000; with a limit, the last piece is the rest."
    ),
    entry!(
        "indexOf",
        Method,
        2..=3,
        Number,
        text::index_of,
        "string.indexOf(string) -> int, string.indexOf(string, from) -> int",
        "The position, in characters, at which another string first occurs; -1 if it does not."
    ),
    entry!(
        "lastIndexOf",
        Method,
        2..=2,
        Number,
        text::last_index_of,
        "string.lastIndexOf(string) -> int",
        "The position, in characters, at which another string last occurs; -1 if it does not."
    ),
    entry!(
        "replace",
        Method,
        3..=4,
        Text,
        text::replace,
        "string.replace(old, new) -> string, string.replace(old, new, limit) -> string",
        "The string with all, or the first so many, occurrences replaced; at most 65536 bytes."
    ),
    entry!(
        "substring",
        Method,
        2..=3,
        Text,
        text::substring,
        "string.substring(start) -> string, string.substring(start, end) -> string",
        "The characters from start to the end, or to before end."
    ),
    entry!(
        "int",
        Global,
        1..=1,
        Number,
        number::to_int,
        "int(number | string | timestamp) -> int",
        "A whole number: cut off towards zero, read from digits, or the seconds since 1970."
    ),
    entry!(
        "double",
        Global,
        1..=1,
        Number,
        number::to_double,
        "double(number | string) -> double",
        "A number with a fraction."
    ),
    entry!(
        "string",
        Global,
        1..=1,
        Text,
        number::to_string,
        "string(number | bool | timestamp | duration | ip) -> string",
        "The value as text."
    ),
    entry!(
        "type",
        Global,
        1..=1,
        Other,
        number::type_of,
        "type(x) -> type",
        "What a value is: compare it with bool, int, double, string, list, map or null_type."
    ),
    entry!(at_load "url", Global, 1..=1, Url, url::url, "url(string) -> url", "A URL, with the parts scheme, host, port, path, query and fragment: url(args.target).host. Read as the URL Standard says; an error where readers of URLs differ (user-info, backslashes, white space, a host with percent-encoding, non-ASCII characters, a dot at its end or an abbreviated IPv4 address, dot segments in the path)."),
    entry!(
        "isURL",
        Global,
        1..=1,
        Boolean,
        url::is_url,
        "isURL(string) -> bool",
        "Whether url(x) would read the string."
    ),
    entry!(at_load "ip", Global, 1..=1, Other, address::ip, "ip(string) -> ip", "An IPv4 or IPv6 address; an IPv4 address written as IPv6 is the IPv4 address."),
    entry!(
        "isIP",
        Global,
        1..=1,
        Boolean,
        address::is_ip,
        "isIP(string) -> bool",
        "Whether ip(x) would read the string."
    ),
    entry!(at_load "cidr", Global, 1..=1, Other, address::cidr, "cidr(string) -> cidr", "A network, such as cidr('10.0.0.0/8').contains(args.address)."),
    entry!(
        "isCIDR",
        Global,
        1..=1,
        Boolean,
        address::is_cidr,
        "isCIDR(string) -> bool",
        "Whether cidr(x) would read the string."
    ),
    entry!("family", Method, 1..=1, Number, address::family, "ip.family() -> int", "4 or 6."),
    entry!(
        "isLoopback",
        Method,
        1..=1,
        Boolean,
        address::is_loopback,
        "ip.isLoopback() -> bool",
        "Whether the address is of the machine itself: 127.0.0.0/8, ::1."
    ),
    entry!(
        "isPrivate",
        Method,
        1..=1,
        Boolean,
        address::is_private,
        "ip.isPrivate() -> bool",
        "Whether the address is private: 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, fc00::/7."
    ),
    entry!(
        "isLinkLocal",
        Method,
        1..=1,
        Boolean,
        address::is_link_local,
        "ip.isLinkLocal() -> bool",
        "Whether the address is link-local: 169.254.0.0/16, fe80::/10."
    ),
    entry!(
        "isUnspecified",
        Method,
        1..=1,
        Boolean,
        address::is_unspecified,
        "ip.isUnspecified() -> bool",
        "Whether the address is 0.0.0.0 or ::."
    ),
    entry!(at_load "timestamp", Global, 1..=1, Other, time::timestamp, "timestamp(string) -> timestamp", "A point in time in RFC 3339, such as timestamp('2026-01-31T12:00:00Z')."),
    entry!(at_load "duration", Global, 1..=1, Other, time::duration, "duration(string) -> duration", "A length of time in d, h, m, s, ms, us or ns, such as duration('1h30m')."),
    entry!(
        "getFullYear",
        Method,
        1..=2,
        Number,
        time::full_year,
        "timestamp.getFullYear() -> int, timestamp.getFullYear(offset) -> int",
        "The year, in UTC or at an offset such as '+02:00'."
    ),
    entry!(
        "getMonth",
        Method,
        1..=2,
        Number,
        time::month,
        "timestamp.getMonth() -> int, timestamp.getMonth(offset) -> int",
        "The month, 0 to 11."
    ),
    entry!(
        "getDate",
        Method,
        1..=2,
        Number,
        time::date,
        "timestamp.getDate() -> int, timestamp.getDate(offset) -> int",
        "The day of the month, 1 to 31."
    ),
    entry!(
        "getDayOfMonth",
        Method,
        1..=2,
        Number,
        time::day_of_month,
        "timestamp.getDayOfMonth() -> int, timestamp.getDayOfMonth(offset) -> int",
        "The day of the month, 0 to 30."
    ),
    entry!(
        "getDayOfWeek",
        Method,
        1..=2,
        Number,
        time::day_of_week,
        "timestamp.getDayOfWeek() -> int, timestamp.getDayOfWeek(offset) -> int",
        "The day of the week, 0 (Sunday) to 6."
    ),
    entry!(
        "getDayOfYear",
        Method,
        1..=2,
        Number,
        time::day_of_year,
        "timestamp.getDayOfYear() -> int, timestamp.getDayOfYear(offset) -> int",
        "The day of the year, 0 to 365."
    ),
    entry!(
        "getHours",
        Method,
        1..=2,
        Number,
        time::hours,
        "timestamp.getHours() -> int, timestamp.getHours(offset) -> int, duration.getHours() -> int",
        "The hour of the day, 0 to 23; the whole hours of a duration."
    ),
    entry!(
        "getMinutes",
        Method,
        1..=2,
        Number,
        time::minutes,
        "timestamp.getMinutes() -> int, timestamp.getMinutes(offset) -> int, duration.getMinutes() -> int",
        "The minute of the hour, 0 to 59; the whole minutes of a duration."
    ),
    entry!(
        "getSeconds",
        Method,
        1..=2,
        Number,
        time::seconds,
        "timestamp.getSeconds() -> int, timestamp.getSeconds(offset) -> int, duration.getSeconds() -> int",
        "The second of the minute, 0 to 59; the whole seconds of a duration."
    ),
];

/// What the parser itself expands: written like functions, but their first argument is a name or path.
pub(in crate::expr) const MACROS: &[Function] = &[
    Function {
        name: "has",
        signature: "has(x.field) -> bool",
        doc: "Whether the object x has the member, even if it is null. An error if x itself is missing.",
    },
    Function {
        name: "all",
        signature: "list.all(name, condition) -> bool",
        doc: "Whether the condition holds for every element of a list, or every key of an object.",
    },
    Function {
        name: "exists",
        signature: "list.exists(name, condition) -> bool",
        doc: "Whether the condition holds for at least one element.",
    },
    Function {
        name: "exists_one",
        signature: "list.exists_one(name, condition) -> bool",
        doc: "Whether the condition holds for exactly one element. Also written existsOne.",
    },
    Function {
        name: "filter",
        signature: "list.filter(name, condition) -> list",
        doc: "The elements for which the condition holds.",
    },
    Function {
        name: "map",
        signature: "list.map(name, value) -> list, list.map(name, condition, value) -> list",
        doc: "The value for each element, or for those for which the condition holds.",
    },
];

/// The function of this name.
pub(in crate::expr) fn find(name: &str) -> Option<&'static Entry> {
    FUNCTIONS.iter().find(|entry| entry.function.name == name)
}

/// Functions and macros, as users read of them.
pub(in crate::expr) fn reference() -> impl Iterator<Item = Function> {
    MACROS.iter().copied().chain(FUNCTIONS.iter().map(|entry| entry.function))
}
