//! Bodies that two readers read differently, or that one cannot read and passes on.

use reeve_tests::request::Request;

use super::{Form, body, change, steps};
use crate::scene::{DENIED, PERMITTED};

pub(super) const FORMS: &[Form] = &[
    body(
        "a batch of one call",
        "stacklok/toolhive#5745, permission-protocol/deploy-gate#59",
        r#"[{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"$D","arguments":{$X}$M}}]"#,
    ),
    body(
        "a batch in which a permitted call comes first",
        "NVIDIA/OpenShell#2082",
        r#"[{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"$P","arguments":{$E}$M}},{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"$D","arguments":{$X}$M}}]"#,
    ),
    body(
        "a batch after white space",
        "stacklok/toolhive#5931",
        "\t\r\n [{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"$D\",\"arguments\":{$X}$M}}]",
    ),
    body(
        "a batch after a byte order mark",
        "tried",
        "\u{feff}[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"$D\",\"arguments\":{$X}$M}}]",
    ),
    body(
        "a batch in which a notification comes first",
        "tried",
        r#"[{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7}},{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"$D","arguments":{$X}$M}}]"#,
    ),
    body(
        "a batch in a batch",
        "tried",
        r#"[[{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"$D","arguments":{$X}$M}}]]"#,
    ),
    steps("a second document after the first", "tried", |scene| {
        let (first, second) = (scene.fill(PERMITTED), scene.fill(DENIED));
        for body in [format!("{first}\n{second}"), format!("{first}{second}"), format!("{{}}{second}")] {
            scene.send(&scene.request("tools/call", "$P", &body));
        }
    }),
    steps("a second document after a NUL", "tried", |scene| {
        let body = format!("{}\0{}", scene.fill(PERMITTED), scene.fill(DENIED));
        scene.send(&scene.request("tools/call", "$P", &body));
    }),
    steps("a call after a record separator", "RFC 7464", |scene| {
        let (first, second) = (scene.fill(PERMITTED), scene.fill(DENIED));
        for body in [format!("\x1e{second}\n"), format!("\x1e{first}\n\x1e{second}\n")] {
            scene.send(&scene.request("tools/call", "$D", &body));
        }
    }),
    steps("a call after white space that JSON does not know", "stacklok/toolhive#5931", |scene| {
        for space in ["\u{a0}", "\u{2028}", "\u{85}", "\u{3000}", "\x0b", "\x0c", "\u{feff}\u{feff}"] {
            let body = format!("{space}{}", scene.fill(DENIED));
            scene.send(&scene.request("tools/call", "$D", &body));
        }
    }),
    steps("the call after a document in a comment", "tried", |scene| {
        let (first, second) = (scene.fill(PERMITTED), scene.fill(DENIED));
        for body in [format!("/*{first}*/{second}"), format!("//{first}\n{second}"), format!("#{first}\n{second}")] {
            scene.send(&scene.request("tools/call", "$D", &body));
        }
    }),
    body(
        "`name` twice, one of them in a comment",
        "tried",
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":/*"$P","name":*/"$D","arguments":{$X}$M}}"#,
    ),
    body(
        "a trailing comma",
        "tried",
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"$D","arguments":{$X}$M,},}"#,
    ),
    body(
        "keys in single quotes",
        "tried",
        r#"{'jsonrpc':'2.0','id':1,'method':'tools/call','params':{"name":"$D","arguments":{$X}$M}}"#,
    ),
    body(
        "`NaN` among the arguments",
        "tried",
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"$D","arguments":{$X,"x":NaN}$M}}"#,
    ),
    body(
        "`Infinity` among the arguments",
        "tried",
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"$D","arguments":{$X,"x":Infinity}$M}}"#,
    ),
    body(
        "a number beyond every range among the arguments",
        "tried",
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"$D","arguments":{$X,"x":1e999}$M}}"#,
    ),
    body(
        "half a surrogate pair among the arguments",
        "tried",
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"$D","arguments":{$X,"x":"\ud800"}$M}}"#,
    ),
    body(
        "half a surrogate pair in a key",
        "tried",
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"$D","arguments":{$X,"x\ud800":1}$M}}"#,
    ),
    change("a surrogate pair written as two characters", "tried", |_, call| {
        let at = call.body.windows(12).position(|window| window == b"\"arguments\":").unwrap() + 13;
        call.body.splice(at..at, *b"\"x\":\"\xED\xA0\xBD\xED\xB8\x80\",");
    }),
    steps("a number that JSON does not know among the arguments", "tried", |scene| {
        for number in ["01", "+1", ".5", "1.", "0x1", "1e", "-", "1_0"] {
            scene.send(&scene.request("tools/call", "$D", &DENIED.replace("{$X}", &format!("{{$X,\"x\":{number}}}"))));
        }
    }),
    steps("an escape that JSON does not know among the arguments", "tried", |scene| {
        for escape in [r"\x41", r"\u{41}", r"\'", r"\U00000041", r"\0"] {
            scene.send(&scene.request(
                "tools/call",
                "$D",
                &DENIED.replace("{$X}", &format!("{{$X,\"x\":\"{escape}\"}}")),
            ));
        }
    }),
    body(
        "a control character among the arguments",
        "tried",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"$D\",\"arguments\":{$X,\"x\":\"\t\x01\"}$M}}",
    ),
    change("a byte that is not UTF-8 among the arguments", "tried", |_, call| {
        let at = call.body.windows(12).position(|window| window == b"\"arguments\":").unwrap() + 13;
        call.body.splice(at..at, *b"\"x\":\"\xFF\",");
    }),
    change("`name` written with an overlong byte sequence", "tried", |scene, call| {
        // 0xC1 0xAE would be `n` to a decoder that does not mind.
        let text = scene.fill(PERMITTED);
        let at = text.find("\"params\":{").unwrap() + 10;
        call.body = text.into_bytes();
        let name = format!("\"\u{0}ame\":\"{}\",", scene.target.denied.name);
        let mut overlong = name.into_bytes();
        overlong.splice(1..2, [0xC1, 0xAE]);
        call.body.splice(at..at, overlong);
    }),
    change("a byte order mark", "tried", |_, call| call.insert(0, "\u{feff}")),
    change("UTF-16, said in the charset", "tried", |_, call| {
        call.set("Content-Type", "application/json; charset=utf-16le");
        call.body = wide(&call.body, u16::to_le_bytes);
    }),
    change("UTF-16 with a byte order mark, not said", "tried", |_, call| {
        call.insert(0, "\u{feff}");
        call.body = wide(&call.body, u16::to_be_bytes);
    }),
    change("UTF-16, said in a second charset", "coreruleset/coreruleset#2571", |_, call| {
        call.set("Content-Type", "application/json; charset=utf-8; charset=utf-16le");
        call.body = wide(&call.body, u16::to_le_bytes);
    }),
    change("UTF-32, said in the charset", "tried", |_, call| {
        call.set("Content-Type", "application/json; charset=utf-32le");
        let text = String::from_utf8_lossy(&call.body).into_owned();
        call.body = text.chars().flat_map(|character| u32::from(character).to_le_bytes()).collect();
    }),
    change("UTF-7, said in the charset", "tried", |_, call| {
        call.set("Content-Type", "application/json; charset=utf-7");
        call.replace("\"name\"", "\"+AG4-ame\"");
    }),
    change("gzip, said in `Content-Encoding`", "openappsec/openappsec#353, chaitin/SafeLine#1222", |_, call| {
        call.set("Content-Encoding", "gzip");
        call.body = gzip(&call.body);
    }),
    change("gzip, said in capitals", "tried", |_, call| {
        call.set("Content-Encoding", "GZIP");
        call.body = gzip(&call.body);
    }),
    change("gzip, said in a second `Content-Encoding`", "tried", |_, call| {
        call.add("Content-Encoding", "identity");
        call.add("Content-Encoding", "gzip");
        call.body = gzip(&call.body);
    }),
    change("zlib, said in `Content-Encoding`", "chaitin/SafeLine#1222", |_, call| {
        call.set("Content-Encoding", "deflate");
        call.body = zlib(&call.body);
    }),
    change("Brotli, said in `Content-Encoding`", "tried", |_, call| {
        call.set("Content-Encoding", "br");
        call.body = brotli(&call.body);
    }),
    change("Zstandard, said in `Content-Encoding`", "tried", |_, call| {
        call.set("Content-Encoding", "zstd");
        call.body = zstandard(&call.body);
    }),
    change("gzip, said in `Transfer-Encoding`", "hahwul/gori#740", |_, call| {
        call.body = gzip(&call.body);
        chunk_bytes(call);
        call.set("Transfer-Encoding", "gzip, chunked");
    }),
    steps("`name` at the end of a large body", "envoyproxy/envoy#45202", |scene| {
        let padding = "x".repeat(300_000);
        for (key, name) in [("x", "$P"), ("x", "$D")] {
            let body = format!(
                r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"{key}":"{padding}","arguments":{{$X}},"name":"$D"$M}}}}"#
            );
            scene.send(&scene.request("tools/call", name, &body));
        }
    }),
    steps("a second `name` at the end of a large body", "envoyproxy/envoy#45202", |scene| {
        let padding = "x".repeat(300_000);
        for name in ["$P", "$D"] {
            let body = format!(
                r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"$P","x":"{padding}","arguments":{{$X}},"name":"$D"$M}}}}"#
            );
            scene.send(&scene.request("tools/call", name, &body));
        }
    }),
    steps(
        "a body larger than what is read",
        "aws-solutions/aws-waf-security-automations#215, mirendev/runtime#786",
        |scene| {
            let padding = "x".repeat(5 << 20);
            let body = format!(
                r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"x":"{padding}","arguments":{{$X}},"name":"$D"$M}}}}"#
            );
            let mut call = scene.request("tools/call", "$D", &body);
            scene.send(&call);
            call.chunk();
            scene.send(&call);
        },
    ),
    steps("a second `name` after many values", "tried", |scene| {
        let values = "0,".repeat(200_000);
        for name in ["$P", "$D"] {
            let body = format!(
                r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"$P","x":[{values}0],"arguments":{{$X}},"name":"$D"$M}}}}"#
            );
            scene.send(&scene.request("tools/call", name, &body));
        }
    }),
    steps("a second `name` after deep nesting", "tried", |scene| {
        let deep = "[".repeat(300) + &"]".repeat(300);
        for name in ["$P", "$D"] {
            let body = format!(
                r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"$P","x":{deep},"arguments":{{$X}},"name":"$D"$M}}}}"#
            );
            scene.send(&scene.request("tools/call", name, &body));
        }
    }),
];

/// The same text in 16-bit units.
fn wide(utf8: &[u8], bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    String::from_utf8_lossy(utf8).encode_utf16().flat_map(bytes).collect()
}

/// Sends the body as one chunk, whatever bytes it has.
pub(super) fn chunk_bytes(call: &mut Request) {
    let size = format!("{:x}\r\n", call.body.len());
    call.body.splice(0..0, size.into_bytes());
    call.body.extend(b"\r\n0\r\n\r\n");
    call.set("Transfer-Encoding", "chunked");
}

/// RFC 1952, with the bytes stored as they are.
pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut whole = vec![0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 0xFF];
    let length = u16::try_from(bytes.len()).unwrap();
    whole.push(1);
    whole.extend(length.to_le_bytes());
    whole.extend((!length).to_le_bytes());
    whole.extend(bytes);
    whole.extend(checksum(bytes).to_le_bytes());
    whole.extend(u32::from(length).to_le_bytes());
    whole
}

/// RFC 1950, with the bytes stored as they are.
fn zlib(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).unwrap();
    let sum = |(low, high): (u32, u32), byte: &u8| {
        let low = (low + u32::from(*byte)) % 65_521;
        (low, (high + low) % 65_521)
    };
    let (low, high) = bytes.iter().fold((1, 0), sum);
    let mut whole = vec![0x78, 1, 1];
    whole.extend(length.to_le_bytes());
    whole.extend((!length).to_le_bytes());
    whole.extend(bytes);
    whole.extend((high << 16 | low).to_be_bytes());
    whole
}

/// RFC 7932, with the bytes in one meta-block that is not compressed, and an empty one that is the last.
fn brotli(bytes: &[u8]) -> Vec<u8> {
    let length = u32::from(u16::try_from(bytes.len() - 1).unwrap());
    let head = (length << 4 | 1 << 20).to_le_bytes();
    [&head[..3], bytes, &[3]].concat()
}

/// RFC 8878, with the bytes in one raw block.
fn zstandard(bytes: &[u8]) -> Vec<u8> {
    let length = u32::from(u16::try_from(bytes.len()).unwrap());
    let block = (length << 3 | 1).to_le_bytes();
    [b"\x28\xB5\x2F\xFD\xA0".as_slice(), &length.to_le_bytes(), &block[..3], bytes].concat()
}

/// CRC-32 as gzip has it.
fn checksum(bytes: &[u8]) -> u32 {
    let step = |sum: u32, _| if sum & 1 == 1 { (sum >> 1) ^ 0xEDB8_8320 } else { sum >> 1 };
    !bytes.iter().fold(!0, |sum, byte| (0..8).fold(sum ^ u32::from(*byte), step))
}
