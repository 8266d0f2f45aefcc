//! Names that look like others: to people, or to a server that is not exact.

use super::variants::base64;
use super::{Form, body, steps};
use crate::scene::{DENIED, Scene};

/// A policy that permits by name has nothing to fear from these. One that denies by name has: each of these is another name
/// to it, and passes, so that no server may take it for the denied one.
pub(super) const FORMS: &[Form] = &[
    body(
        "the name escaped",
        "tried",
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"$d","arguments":{$X}$M}}"#,
    ),
    body(
        "`name` and `method` escaped",
        "tried",
        r#"{"jsonrpc":"2.0","id":1,"m\u0065thod":"t\u006fols\/call","params":{"n\u0061me":"$D","arguments":{$X}$M}}"#,
    ),
    body(
        "a space after the name",
        "HKUDS/nanobot#4618",
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"$D ","arguments":{$X}$M}}"#,
    ),
    body(
        "white space before the name",
        "tried",
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"\t\n$D","arguments":{$X}$M}}"#,
    ),
    body(
        "a NUL after the name",
        "tried",
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"$D\u0000","arguments":{$X}$M}}"#,
    ),
    body(
        "a permitted name, a NUL, the denied one",
        "tried",
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"$P\u0000$D","arguments":{$X}$M}}"#,
    ),
    body(
        "a zero-width space in the name",
        "IBM/mcp-context-forge#2416",
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"\u200b$D","arguments":{$X}$M}}"#,
    ),
    body(
        "the name with a byte order mark",
        "tried",
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"\ufeff$D","arguments":{$X}$M}}"#,
    ),
    body(
        "half a surrogate pair after the name",
        "tried",
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"$D\ud800","arguments":{$X}$M}}"#,
    ),
    steps("the name in capitals", "agentrust-io/cmcp#159", |scene| {
        call(scene, &scene.target.denied.name.to_uppercase());
    }),
    steps("hyphens and underscores in the name exchanged", "google-gemini/gemini-cli#25989", |scene| {
        let exchange = |letter: char| match letter {
            '_' => '-',
            '-' => '_',
            other => other,
        };
        call(scene, &scene.target.denied.name.chars().map(exchange).collect::<String>());
    }),
    steps("a letter of another script in the name", "ryo-ebata/cc-audit#139", |scene| {
        let name = scene.target.denied.name;
        for (letter, like) in [('e', '\u{435}'), ('i', '\u{456}'), ('o', '\u{43e}')] {
            if name.contains(letter) {
                call(scene, &name.replacen(letter, &like.to_string(), 1));
            }
        }
    }),
    steps("the name in full-width letters", "modelcontextprotocol/python-sdk#3141", |scene| {
        let wide = |letter: char| char::from_u32(u32::from(letter) + 0xFEE0).unwrap();
        call(scene, &scene.target.denied.name.chars().map(wide).collect::<String>());
    }),
    steps("white space after the name, in the header too", "tried", |scene| {
        for space in [" ", "\t", "\n", "\r\n", "\u{a0}", "\u{200b}"] {
            call(scene, &format!("{}{space}", scene.target.denied.name));
        }
    }),
    body(
        "the name in an array",
        "tried",
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":["$D"],"arguments":{$X}$M}}"#,
    ),
    body(
        "the name in an object",
        "tried",
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":{"name":"$D"},"arguments":{$X}$M}}"#,
    ),
    body(
        "the server's name before it",
        "docker/mcp-gateway#228",
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"upstream:$D","arguments":{$X}$M}}"#,
    ),
    body(
        "a path before the name",
        "tried",
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"./$D","arguments":{$X}$M}}"#,
    ),
];

/// A call of something else than the denied tool. In the modern era the header says the same, so that it is the name that
/// decides.
fn call(scene: &Scene<'_>, name: &str) {
    let escaped: String = name.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
    let header = format!("=?base64?{}?=", base64(name));
    scene.send(&scene.request("tools/call", &header, &DENIED.replace("$D", &escaped)));
}
