//! Generated requests: a call in one of the eras, some things about it changed.

use reeve_tests::agent::{LEGACY, MODERN};
use reeve_tests::clients::Era;
use reeve_tests::request::Request;

use super::dice::Dice;
use super::document::{TOOLS, call, change, written};
use crate::forms::documents::gzip;

const META: &str = r#"{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"x","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}}"#;

/// A request. It is of no session yet.
pub(super) fn request(dice: &mut Dice, era: Era) -> Request {
    let tool = dice.pick(TOOLS);
    let text = document(dice, tool, era);
    let mut request = Request::post("/mcp", bytes(dice, text, tool, era));
    match era {
        Era::Legacy => request.set("MCP-Protocol-Version", LEGACY),
        Era::Modern => {
            request.set("MCP-Protocol-Version", MODERN);
            request.set("Mcp-Method", "tools/call");
            request.set("Mcp-Name", dice.pick(&[tool, tool, tool, "echo", "delete_everything"]));
        }
    }
    if dice.one_in(4) {
        head(dice, &mut request, tool);
    }
    request
}

fn document(dice: &mut Dice, tool: &str, era: Era) -> String {
    let mut document = call(dice, tool, (era == Era::Modern).then_some(META));
    for _ in 0..dice.pick(&[0, 1, 1, 1, 2, 2, 3, 4]) {
        change(dice, &mut document);
    }
    let usual: &[&str] = &[""];
    let space =
        dice.pick(&[usual, usual, &["", " ", "\t", "\r\n"], &["", "", "", "", "\u{b}", "\u{a0}", "\u{2028}", "/**/"]]);
    written(dice, &document, space)
}

/// What becomes of the text: mostly nothing.
fn bytes(dice: &mut Dice, text: String, tool: &str, era: Era) -> Vec<u8> {
    let mut bytes = text.into_bytes();
    let at = dice.below(bytes.len());
    match dice.below(30) {
        0 => bytes[at] ^= 1 << dice.below(8),
        1 => bytes.insert(at, dice.pick(b"\0\t\n \"',:[]{}\\/*\x7f\x80\xc0\xed\xff")),
        2 => drop(bytes.remove(at)),
        3 => bytes.truncate(at),
        4 => bytes = [b"[", bytes.as_slice(), b"]"].concat(),
        5 => bytes = ["\u{feff}".as_bytes(), &bytes].concat(),
        6 => {
            let other = dice.pick(TOOLS);
            let other = document(dice, if other == tool { "echo" } else { other }, era);
            let between = dice.pick(&["", "\n", "\0", ",", " ", "\u{1e}", "//", "\u{1a}"]);
            bytes = [bytes.as_slice(), between.as_bytes(), other.as_bytes()].concat();
        }
        7 => {
            // The same text may stand twice: a part of it then says two things.
            let end = (at + dice.below(40)).min(bytes.len());
            let part = bytes[at..end].to_vec();
            bytes.splice(at..at, part);
        }
        8 => bytes = String::from_utf8_lossy(&bytes).encode_utf16().flat_map(u16::to_le_bytes).collect(),
        _ => {}
    }
    bytes
}

/// Changes a header, or the body in the way that a header says.
fn head(dice: &mut Dice, request: &mut Request, tool: &str) {
    match dice.below(10) {
        0 => {
            let types = [
                "text/plain",
                "application/json; charset=utf-16le",
                "application/json;charset=latin1",
                "Application/JSON",
            ];
            request.set("Content-Type", dice.pick(&types));
        }
        1 if request.body.len() < 60_000 => {
            request.set("Content-Encoding", "gzip");
            request.body = gzip(&request.body);
        }
        2 => request.add("MCP-Protocol-Version", dice.pick(&[LEGACY, MODERN, "2025-03-26", "2030-01-01"])),
        3 => request.set("MCP-Protocol-Version", dice.pick(&[LEGACY, MODERN, "2025-03-26", "2030-01-01", ""])),
        4 => request.remove("MCP-Protocol-Version"),
        5 => request.add("Mcp-Name", dice.pick(TOOLS)),
        6 => request.remove(dice.pick(&["Mcp-Name", "Mcp-Method", "Accept", "Content-Type"])),
        7 => request.set("Mcp-Method", dice.pick(&["ping", "Tools/Call", "tools/list", "initialize"])),
        8 => request.set(
            "Mcp-Name",
            dice.pick(&["=?base64?ZWNobw==?=", "=?base64?ZWNobw?=", "=?BASE64?ZWNobw==?=", "echo, echo"]),
        ),
        _ => request.set("Mcp-Param-Message", tool),
    }
}
