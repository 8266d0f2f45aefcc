//! The ways to write a path: of the request, and of a resource that is read.

use super::{Aim, Attempt, Form, change, form};
use crate::scene::Scene;
use crate::targets::REMOTE;

/// Reads a resource, whatever its URI.
fn read(scene: &Scene<'_>, uri: &str) {
    let text = serde_json::Value::from(uri);
    let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{{"uri":{text}$M}}}}"#);
    scene.send(&scene.request("resources/read", uri, &body));
}

/// What nobody may read, and how the URIs begin of what anybody may.
fn secret<'s>(scene: &Scene<'s>) -> Option<(&'s str, &'s str)> {
    let secret = scene.target.secret.as_ref()?;
    Some((secret.resource, secret.public?))
}

/// A resource of a server that gives out files, read by each of the URIs that are made of what nobody may read, without its scheme,
/// and of how URIs begin that anybody may read.
const fn file(name: &'static str, seen: &'static str, attempt: fn(&Scene<'_>)) -> Form {
    form(Aim::Read, name, seen, Attempt::Steps(attempt)).of_changes()
}

pub(super) const FORMS: &[Form] = &[
    change("the path by a detour with a parameter", "istio/istio#27409", |_, call| call.target = "/x/..;/mcp".into()),
    change("the path by a detour with escaped slashes", "chimurai/http-proxy-middleware#1168", |_, call| {
        call.target = "/x%2f..%2fmcp".into();
    }),
    change("the path by a detour with backslashes", "tried", |_, call| call.target = "/x\\..\\mcp".into()),
    change("the path with an escaped slash", "tried", |_, call| call.target = "/%2fmcp".into()),
    change("a letter in the path that is escaped twice", "tried", |_, call| call.target = "/%256dcp".into()),
    change("the path with an escaped question mark", "tried", |_, call| call.target = "/mcp%3fx=1".into()),
    file("`resources/read` by a detour from what is permitted", "modelcontextprotocol/python-sdk#2353", |scene| {
        let Some((_, public)) = secret(scene) else { return };
        for detour in ["../secret/b,c.txt", "x/../../secret/b,c.txt", "./../secret/b,c.txt"] {
            read(scene, &format!("{public}{detour}"));
        }
    }),
    file(
        "`resources/read` by a detour with escaped slashes",
        "modelcontextprotocol/python-sdk#2353, framework/the-framework#968",
        |scene| {
            let Some((_, public)) = secret(scene) else { return };
            for detour in [
                "..%2Fsecret%2Fb,c.txt",
                "..%2fsecret/b,c.txt",
                "x%2F..%2F..%2Fsecret%2Fb,c.txt",
                "%2E%2E%2Fsecret/b,c.txt",
            ] {
                read(scene, &format!("{public}{detour}"));
            }
        },
    ),
    file("`resources/read` by a detour with escaped dots", "chimurai/http-proxy-middleware#1168", |scene| {
        let Some((_, public)) = secret(scene) else { return };
        for detour in ["%2e%2e/secret/b,c.txt", "%2E./secret/b,c.txt", "%252e%252e/secret/b,c.txt"] {
            read(scene, &format!("{public}{detour}"));
        }
    }),
    file("`resources/read` by a detour with backslashes", "envoyproxy/envoy#46067", |scene| {
        let Some((_, public)) = secret(scene) else { return };
        for detour in ["..\\secret\\b,c.txt", "..%5Csecret%5Cb,c.txt", "..%5csecret/b,c.txt"] {
            read(scene, &format!("{public}{detour}"));
        }
    }),
    file("`resources/read` by a detour with a parameter", "istio/istio#27409", |scene| {
        let Some((_, public)) = secret(scene) else { return };
        for detour in ["..;/secret/b,c.txt", "..;x=y/secret/b,c.txt", "..%3B/secret/b,c.txt", "%2e%2e;/secret/b,c.txt"]
        {
            read(scene, &format!("{public}{detour}"));
        }
    }),
    file("`resources/read` of a file with a query or a fragment", "tried", |scene| {
        let Some((uri, _)) = secret(scene) else { return };
        for end in ["?x", "?", "#x", "#", "?x#y"] {
            read(scene, &format!("{uri}{end}"));
        }
    }),
    file("`resources/read` of a file with its characters escaped", "tried", |scene| {
        let Some((uri, _)) = secret(scene) else { return };
        for (character, escape) in
            [(",", "%2C"), (",", "%2c"), ("secret/", "secret%2F"), (".txt", "%2Etxt"), ("notes", "%6Eotes")]
        {
            read(scene, &uri.replacen(character, escape, 1));
        }
    }),
    file("`resources/read` of a file whose URI begins otherwise", "tried", |scene| {
        let Some((uri, _)) = secret(scene) else { return };
        for beginning in [
            "file:/",
            "FILE:///",
            "file://localhost/",
            "file://LOCALHOST/",
            "file:////",
            "file://127.0.0.1/",
            "file:\\\\\\",
            "\tfile:///",
            "fi\nle:///",
        ] {
            read(scene, &uri.replacen("file:///", beginning, 1));
        }
    }),
    file("`resources/read` of what is no file, whose URI begins otherwise", "tried", |scene| {
        for beginning in ["ftp:/", "ftp:", "ftp:///", "FTP://", "ftp:\\\\"] {
            read(scene, &REMOTE.replacen("ftp://", beginning, 1));
        }
        read(scene, &REMOTE.replacen("example/", "example:21/", 1));
    }),
    file("`resources/read` of a file with slashes too many", "tried", |scene| {
        let Some((uri, _)) = secret(scene) else { return };
        for path in [uri.replacen("secret/", "secret//", 1), uri.replacen("secret/", "secret/./", 1), format!("{uri}/")]
        {
            read(scene, &path);
        }
    }),
];
