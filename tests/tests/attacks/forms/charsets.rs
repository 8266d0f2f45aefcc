//! What the body's type says of its letters. Bodies are UTF-8: whoever reads one otherwise reads other names in it.

use super::{Form, change};

pub(super) const FORMS: &[Form] = &[
    change("Latin-1, said in the charset", "tried", |_, call| {
        call.set("Content-Type", "application/json; charset=iso-8859-1");
        let at = call.body.windows(12).position(|window| window == b"\"arguments\":").unwrap() + 13;
        call.body.splice(at..at, *b"\"x\":\"\xE9\",");
    }),
    change("ASCII, said in the charset", "tried", |_, call| {
        call.set("Content-Type", "application/json; charset=us-ascii");
    }),
    change("UTF-16, said in the charset of a body that is UTF-8", "tried", |_, call| {
        call.set("Content-Type", "application/json; charset=utf-16");
    }),
    change("a charset that nobody knows", "tried", |_, call| {
        call.set("Content-Type", "application/json; charset=utf-9");
    }),
    change("a charset without a name", "tried", |_, call| call.set("Content-Type", "application/json; charset=")),
    change("a charset in quotes that do not end", "tried", |_, call| {
        call.set("Content-Type", "application/json; charset=\"utf-8");
    }),
    change("a charset in quotes that are no quotes", "tried", |_, call| {
        call.set("Content-Type", "application/json; charset='utf-8'");
    }),
    change("a charset that is encoded itself", "RFC 8187", |_, call| {
        call.set("Content-Type", "application/json; charset*=us-ascii'en'utf-16");
    }),
    change("a second charset in other letters", "coreruleset/coreruleset#2571", |_, call| {
        call.set("Content-Type", "application/json; charset=utf-8; CharSet=utf-16");
    }),
    change("a charset in a second header", "coreruleset/coreruleset#2571", |_, call| {
        call.add("Content-Type", "application/json; charset=utf-16");
    }),
    change("UTF-8 by its other name", "modelcontextprotocol/kotlin-sdk#450", |_, call| {
        call.set("Content-Type", "application/json; charset=utf8");
    }),
];
