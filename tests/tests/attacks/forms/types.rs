//! Arguments of another type than the tool wants, or in another spelling, which some servers take for what the tool wants.

use super::{Aim, Attempt, Form, form};
use crate::scene::Scene;

/// Calls the guarded tool with each of these arguments.
fn call(scene: &Scene<'_>, arguments: &[&str]) {
    for arguments in arguments {
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"$G","arguments":{{{arguments}}}$M}}}}"#
        );
        scene.send(&scene.request("tools/call", "$G", &body));
    }
}

/// Calls with a `b` that is to be taken for 2.
const fn compared(name: &'static str, attempt: fn(&Scene<'_>)) -> Form {
    form(Aim::Argue, name, "tried", Attempt::Steps(attempt))
}

/// Calls with several `a` that are to be taken for one.
const fn counted(name: &'static str, attempt: fn(&Scene<'_>)) -> Form {
    form(Aim::Exceed, name, "tried", Attempt::Steps(attempt))
}

pub(super) const FORMS: &[Form] = &[
    compared("a string of digits for a number that is compared", |scene| call(scene, &[r#""a":$N,"b":"2""#])),
    compared("a string with a sign, zeros and white space for a number that is compared", |scene| {
        call(scene, &[r#""a":$N,"b":" +02 ""#]);
    }),
    compared("a string with a fraction for a number that is compared", |scene| call(scene, &[r#""a":$N,"b":"2.0""#])),
    compared("a number with a fraction of nothing", |scene| call(scene, &[r#""a":$N,"b":2.0"#])),
    counted("a number that is counted, as a string of digits too", |scene| {
        call(scene, &[r#""a":$N,"b":3"#, r#""a":"$N","b":3"#]);
    }),
    counted("strings with signs, zeros, white space and fractions for a number that is counted", |scene| {
        call(scene, &[r#""a":"0$N","b":3"#, r#""a":" +$N ","b":3"#, r#""a":"$N.0","b":3"#]);
    }),
    counted("a number that is counted, with an exponent too", |scene| {
        call(scene, &[r#""a":$N,"b":3"#, r#""a":$Ne0,"b":3"#]);
    }),
    counted("whole numbers of 2^53 or more that round to one", |scene| {
        call(scene, &[r#""a":$N000000000000,"b":3"#, r#""a":$N000000000001,"b":3"#]);
    }),
];
