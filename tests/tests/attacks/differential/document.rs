//! A call as JSON whose every part may be written wrongly: keys and values are kept as they are to be written.

use super::dice::Dice;

/// The tools that every server of this test has.
pub(super) const TOOLS: &[&str] = &["echo", "add", "delete_everything"];

/// A value, as it is to be written.
#[derive(Clone, Debug)]
pub(super) enum Json {
    Raw(String),
    Object(Members),
}

/// Keys, with their quotes, and values.
type Members = Vec<(String, Json)>;

fn raw(text: impl Into<String>) -> Json {
    Json::Raw(text.into())
}

fn member(key: &str, value: Json) -> (String, Json) {
    (format!("\"{key}\""), value)
}

/// A call of some tool, as it should be.
pub(super) fn call(dice: &mut Dice, tool: &str, meta: Option<&str>) -> Json {
    let arguments = match tool {
        "echo" => vec![member("message", raw("\"hello\""))],
        "add" => vec![member("a", raw("1")), member("b", raw("2"))],
        _ => vec![member("token", raw("\"x\""))],
    };
    let mut params = vec![member("name", raw(format!("\"{tool}\""))), member("arguments", Json::Object(arguments))];
    params.extend(meta.map(|meta| member("_meta", raw(meta))));
    Json::Object(vec![
        member("jsonrpc", raw("\"2.0\"")),
        member("id", raw(dice.pick(&["1", "\"a\"", "9007199254740991"]))),
        member("method", raw("\"tools/call\"")),
        member("params", Json::Object(params)),
    ])
}

/// Changes one thing.
pub(super) fn change(dice: &mut Dice, document: &mut Json) {
    let Json::Object(root) = document else { return };
    if dice.one_in(2) {
        return contradict(dice, root);
    }
    let members = descend(dice, root);
    if members.is_empty() {
        return;
    }
    let at = dice.below(members.len());
    match dice.below(10) {
        0..4 => {
            let key = if dice.one_in(2) { members[at].0.clone() } else { respelled_key(dice, &members[at].0) };
            let value = another(dice, &members[at].0, &members[at].1);
            let to = dice.below(members.len() + 1);
            members.insert(to, (key, value));
        }
        4 => members[at].0 = respelled_key(dice, &members[at].0),
        5 => members[at].1 = raw(dice.pick(ODD)),
        6 => {
            if let Json::Raw(text) = &mut members[at].1 {
                *text = respelled_value(dice, text);
            }
        }
        7 => {
            let moved = members.remove(at);
            let to = dice.below(members.len() + 1);
            members.insert(to, moved);
        }
        8 => {
            let [open, close] = dice.pick(&[["[", "]"], ["{\"x\":", "}"], ["{\"name\":", "}"]]);
            let times = dice.pick(&[1, 2, 150, 2000]);
            let inner = written(dice, &members[at].1, &[""]);
            let wrapped = raw(open.repeat(times) + &inner + &close.repeat(times));
            members.push(member(dice.pick(&["x", "arguments", "_meta", "__proto__"]), wrapped));
        }
        _ => {
            let lifted = members[at].clone();
            let to = dice.below(root.len() + 1);
            root.insert(to, lifted);
        }
    }
}

/// Says what is called a second time, in the same key or one that looks like it, with arguments that fit the second.
fn contradict(dice: &mut Dice, root: &mut Members) {
    let tool = dice.pick(TOOLS);
    let Json::Object(mut second) = call(dice, tool, None) else { return };
    let Some((_, Json::Object(mut second_params))) = second.pop() else { return };
    let params = root.iter_mut().find_map(|(key, value)| match value {
        Json::Object(inner) if key == "\"params\"" => Some(inner),
        _ => None,
    });
    let (key, value, members) = match (dice.below(3), params) {
        (0, Some(params)) => {
            params.retain(|(key, _)| key != "\"arguments\"");
            params.extend(second_params.pop());
            ("\"name\"", raw(format!("\"{tool}\"")), params)
        }
        (1, Some(params)) => {
            second_params.extend(params.iter().find(|(key, _)| key == "\"_meta\"").cloned());
            ("\"params\"", Json::Object(second_params), root)
        }
        _ => {
            let call = dice.one_in(2);
            if let Some((_, method)) = root.iter_mut().find(|(key, _)| call && key == "\"method\"") {
                *method = raw("\"ping\"");
            }
            ("\"method\"", raw(if call { "\"tools/call\"" } else { "\"ping\"" }), root)
        }
    };
    let key = if dice.one_in(3) { key.to_owned() } else { respelled_key(dice, key) };
    let to = if dice.one_in(3) { dice.below(members.len() + 1) } else { members.len() };
    members.insert(to, (key, value));
}

/// Some object of the document: this one, or one in it.
fn descend<'a>(dice: &mut Dice, members: &'a mut Members) -> &'a mut Members {
    let objects: Vec<usize> = (0..members.len()).filter(|at| matches!(members[*at].1, Json::Object(_))).collect();
    if objects.is_empty() || dice.one_in(3) {
        return members;
    }
    let at = dice.pick(&objects);
    match &mut members[at].1 {
        Json::Object(inner) => descend(dice, inner),
        Json::Raw(_) => unreachable!("only objects were chosen"),
    }
}

/// Another value that this key could have.
fn another(dice: &mut Dice, key: &str, value: &Json) -> Json {
    match (key, value) {
        ("\"name\"", _) => raw(format!("\"{}\"", dice.pick(TOOLS))),
        ("\"method\"", _) => raw(dice.pick(&["\"ping\"", "\"tools/call\"", "\"tools/list\"", "\"notifications/x\""])),
        (_, Json::Object(members)) => {
            let mut members = members.clone();
            for (key, value) in &mut members {
                if key == "\"name\"" {
                    *value = raw(format!("\"{}\"", dice.pick(TOOLS)));
                }
            }
            Json::Object(members)
        }
        _ if dice.one_in(2) => raw(dice.pick(ODD)),
        _ => value.clone(),
    }
}

/// Values that readers of JSON do not agree on.
const ODD: &[&str] = &[
    "null",
    "true",
    "0",
    "-0",
    "1.0",
    "1e0",
    "1e999",
    "-1e-999",
    "01",
    "+1",
    ".5",
    "1.",
    "0x1",
    "NaN",
    "-Infinity",
    "1_0",
    "123456789012345678901234567890",
    "\"\"",
    "\"\\ud800\"",
    "\"\\u0000\"",
    "\"\t\"",
    "\"\\x41\"",
    "\"\u{feff}\"",
    "\"\\\n\"",
    "'x'",
    "[]",
    "{}",
    "[1,]",
    "{\"a\":1,}",
    "",
    "undefined",
    "/**/1",
    "\"2.0\"",
    "\"1.0\"",
];

/// A key that some reader could take for this one.
fn respelled_key(dice: &mut Dice, key: &str) -> String {
    let bare = key.trim_matches('"');
    let mut letters: Vec<char> = bare.chars().collect();
    if letters.is_empty() {
        return key.to_owned();
    }
    let at = dice.below(letters.len());
    match dice.below(11) {
        0 => letters[at] = letters[at].to_ascii_uppercase(),
        1 => letters.iter_mut().for_each(|letter| *letter = letter.to_ascii_uppercase()),
        2 => return format!("\"{bare}\\u0000\""),
        3 => return format!("\"{bare}\\u0000x\""),
        4 => return escaped(bare, at),
        5 => return format!("\"{}\"", bare.replace('s', "ſ").replace('k', "\u{212a}")),
        6 => letters[at] = char::from_u32(u32::from(letters[at]) + 0xFEE0).unwrap_or('x'),
        7 => letters.push(' '),
        8 => letters.insert(at, '\u{200b}'),
        9 => return format!("'{bare}'"),
        _ => return bare.to_owned(),
    }
    format!("\"{}\"", letters.into_iter().collect::<String>())
}

/// The same text, or almost the same, written otherwise.
fn respelled_value(dice: &mut Dice, text: &str) -> String {
    let bare = text.trim_matches('"');
    match dice.below(6) {
        0..3 if !bare.is_empty() => {
            let at = dice.below(bare.chars().count());
            escaped(bare, at)
        }
        3 => format!("\"{bare}{}\"", dice.pick(&[" ", "\\u0000", "\\ud800", "\u{200b}", "\\n"])),
        4 => format!("[{text}]"),
        _ => bare.to_owned(),
    }
}

/// A string of which one character is escaped.
fn escaped(bare: &str, at: usize) -> String {
    let escape = |(index, letter): (usize, char)| {
        if index == at { format!("\\u{:04x}", u32::from(letter)) } else { letter.to_string() }
    };
    format!("\"{}\"", bare.chars().enumerate().map(escape).collect::<String>())
}

/// The document as text, with some of this space between its parts.
pub(super) fn written(dice: &mut Dice, document: &Json, space: &[&str]) -> String {
    match document {
        Json::Raw(text) => text.clone(),
        Json::Object(members) => {
            let mut text = "{".to_owned();
            for (index, (key, value)) in members.iter().enumerate() {
                text += if index > 0 { "," } else { "" };
                for part in [key, ":"] {
                    text += dice.pick(space);
                    text += part;
                }
                text += dice.pick(space);
                text += &written(dice, value, space);
            }
            text + dice.pick(space) + "}"
        }
    }
}
