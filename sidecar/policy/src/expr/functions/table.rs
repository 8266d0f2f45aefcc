//! Every function that an expression can call, by name.

use std::ops::RangeInclusive;

use cel::common::functions::Function as Implementation;

use super::{address, members, number, run, text, time, url};
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
            Self::Other => "something else",
        }
    }
}

/// A function: what users read of it, how it is called, and what runs it.
pub(in crate::expr) struct Entry {
    pub(in crate::expr) function: Function,
    pub(in crate::expr) style: Style,
    /// How many arguments it takes, the receiver among them.
    pub(in crate::expr) arity: RangeInclusive<usize>,
    /// What its first argument must be.
    pub(in crate::expr) takes: Type,
    pub(in crate::expr) gives: Type,
    pub(in crate::expr) run: Implementation,
}

/// Declares the table. Of each function: its doc, name, style, how many arguments it takes, what the first must be,
/// what it gives, what runs it, and how it is written.
macro_rules! functions {
    ($($(#[doc = $doc:literal])+ $name:literal $style:ident($arity:expr) $takes:ident -> $gives:ident = $run:path, $signature:literal;)+) => {
        /// The table.
        pub(in crate::expr) const FUNCTIONS: &[Entry] = &[$(Entry {
            function: Function { name: $name, signature: $signature, doc: concat!($($doc),+).trim_ascii() },
            style: Style::$style,
            arity: $arity,
            takes: Type::$takes,
            gives: Type::$gives,
            run: |arguments| run(&arguments, $run),
        },)+];
    };
}

functions! {
    /// Characters of a string, elements of a list, members of an object.
    "size" Both(1..=1) Any -> Number = members::size, "size(string | list | object) -> int, x.size()";
    /// Whether the string begins with another.
    "startsWith" Method(2..=2) Text -> Boolean = text::starts_with, "string.startsWith(string) -> bool";
    /// Whether the string ends with another.
    "endsWith" Method(2..=2) Text -> Boolean = text::ends_with, "string.endsWith(string) -> bool";
    /// Whether the string has another in it; whether the network has the address.
    "contains" Method(2..=2) Any -> Boolean = text::contains, "string.contains(string) -> bool, cidr.contains(ip | string) -> bool";
    /// Whether a part of the string matches the regular expression (RE2 syntax), which must be written as a
    /// literal. Anchor it with ^ and $ to match the whole.
    "matches" Both(2..=2) Text -> Boolean = text::matches, "string.matches('pattern') -> bool";
    /// The string with A to Z in lower case.
    "lowerAscii" Method(1..=1) Text -> Text = text::lower_ascii, "string.lowerAscii() -> string";
    /// The string with a to z in upper case.
    "upperAscii" Method(1..=1) Text -> Text = text::upper_ascii, "string.upperAscii() -> string";
    /// The string without white space at its ends.
    "trim" Method(1..=1) Text -> Text = text::trim, "string.trim() -> string";
    /// The pieces between separators, at most 1000; with a limit, the last piece is the rest.
    "split" Method(2..=3) Text -> List = text::split, "string.split(separator) -> list, string.split(separator, limit) -> list";
    /// The position, in characters, at which another string first occurs; -1 if it does not.
    "indexOf" Method(2..=3) Text -> Number = text::index_of, "string.indexOf(string) -> int, string.indexOf(string, from) -> int";
    /// The position, in characters, at which another string last occurs; -1 if it does not.
    "lastIndexOf" Method(2..=2) Text -> Number = text::last_index_of, "string.lastIndexOf(string) -> int";
    /// The string with all, or the first so many, occurrences replaced; at most 65536 bytes.
    "replace" Method(3..=4) Text -> Text = text::replace, "string.replace(old, new) -> string, string.replace(old, new, limit) -> string";
    /// The characters from start to the end, or to before end.
    "substring" Method(2..=3) Text -> Text = text::substring, "string.substring(start) -> string, string.substring(start, end) -> string";
    /// A whole number: cut off towards zero, read from digits, or the seconds since 1970.
    "int" Global(1..=1) Any -> Number = number::to_int, "int(number | string | timestamp) -> int";
    /// A number with a fraction.
    "double" Global(1..=1) Any -> Number = number::to_double, "double(number | string) -> double";
    /// The value as text.
    "string" Global(1..=1) Any -> Text = number::to_string, "string(number | bool | timestamp | duration | ip) -> string";
    /// What a value is: compare it with bool, int, double, string, list, map or null_type.
    "type" Global(1..=1) Any -> Other = number::type_of, "type(x) -> type";
    /// A URL, with the parts scheme, host, port, path, query and fragment: url(args.target).host. Read as the URL
    /// Standard says; an error where readers of URLs differ (user-info, backslashes, white space, a host with
    /// percent-encoding, non-ASCII characters, a dot at its end or an abbreviated IPv4 address, dot segments in the
    /// path); of its path alone where that has an escaped slash, backslash or control character.
    "url" Global(1..=1) Text -> Url = url::url, "url(string) -> url";
    /// Whether url(x) would read the string.
    "isURL" Global(1..=1) Text -> Boolean = url::is_url, "isURL(string) -> bool";
    /// An IPv4 or IPv6 address; an IPv4 address written as IPv6 is the IPv4 address.
    "ip" Global(1..=1) Text -> Other = address::ip, "ip(string) -> ip";
    /// Whether ip(x) would read the string.
    "isIP" Global(1..=1) Text -> Boolean = address::is_ip, "isIP(string) -> bool";
    /// A network, such as cidr('10.0.0.0/8').contains(args.address).
    "cidr" Global(1..=1) Text -> Other = address::cidr, "cidr(string) -> cidr";
    /// Whether cidr(x) would read the string.
    "isCIDR" Global(1..=1) Text -> Boolean = address::is_cidr, "isCIDR(string) -> bool";
    /// 4 or 6.
    "family" Method(1..=1) Other -> Number = address::family, "ip.family() -> int";
    /// Whether the address is of the machine itself: 127.0.0.0/8, ::1.
    "isLoopback" Method(1..=1) Other -> Boolean = address::is_loopback, "ip.isLoopback() -> bool";
    /// Whether the address is private: 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, fc00::/7.
    "isPrivate" Method(1..=1) Other -> Boolean = address::is_private, "ip.isPrivate() -> bool";
    /// Whether the address is link-local: 169.254.0.0/16, fe80::/10.
    "isLinkLocal" Method(1..=1) Other -> Boolean = address::is_link_local, "ip.isLinkLocal() -> bool";
    /// Whether the address is 0.0.0.0 or ::.
    "isUnspecified" Method(1..=1) Other -> Boolean = address::is_unspecified, "ip.isUnspecified() -> bool";
    /// A point in time in RFC 3339, such as timestamp('2026-01-31T12:00:00Z').
    "timestamp" Global(1..=1) Text -> Other = time::timestamp, "timestamp(string) -> timestamp";
    /// A length of time in d, h, m, s, ms, us or ns, such as duration('1h30m').
    "duration" Global(1..=1) Text -> Other = time::duration, "duration(string) -> duration";
    /// The year, in UTC or at an offset such as '+02:00'.
    "getFullYear" Method(1..=2) Other -> Number = time::full_year, "timestamp.getFullYear() -> int, timestamp.getFullYear(offset) -> int";
    /// The month, 0 to 11.
    "getMonth" Method(1..=2) Other -> Number = time::month, "timestamp.getMonth() -> int, timestamp.getMonth(offset) -> int";
    /// The day of the month, 1 to 31.
    "getDate" Method(1..=2) Other -> Number = time::date, "timestamp.getDate() -> int, timestamp.getDate(offset) -> int";
    /// The day of the month, 0 to 30.
    "getDayOfMonth" Method(1..=2) Other -> Number = time::day_of_month, "timestamp.getDayOfMonth() -> int, timestamp.getDayOfMonth(offset) -> int";
    /// The day of the week, 0 (Sunday) to 6.
    "getDayOfWeek" Method(1..=2) Other -> Number = time::day_of_week, "timestamp.getDayOfWeek() -> int, timestamp.getDayOfWeek(offset) -> int";
    /// The day of the year, 0 to 365.
    "getDayOfYear" Method(1..=2) Other -> Number = time::day_of_year, "timestamp.getDayOfYear() -> int, timestamp.getDayOfYear(offset) -> int";
    /// The hour of the day, 0 to 23; the whole hours of a duration.
    "getHours" Method(1..=2) Other -> Number = time::hours, "timestamp.getHours() -> int, timestamp.getHours(offset) -> int, duration.getHours() -> int";
    /// The minute of the hour, 0 to 59; the whole minutes of a duration.
    "getMinutes" Method(1..=2) Other -> Number = time::minutes, "timestamp.getMinutes() -> int, timestamp.getMinutes(offset) -> int, duration.getMinutes() -> int";
    /// The second of the minute, 0 to 59; the whole seconds of a duration.
    "getSeconds" Method(1..=2) Other -> Number = time::seconds, "timestamp.getSeconds() -> int, timestamp.getSeconds(offset) -> int, duration.getSeconds() -> int";
}

/// The functions that, given a literal, are called at load: a mistake in it is found there, and no call pays for it.
pub(in crate::expr) const CALLED_AT_LOAD: &[&str] = &["url", "ip", "cidr", "timestamp", "duration"];

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
