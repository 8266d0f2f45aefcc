//! The forms: each a way in which a gateway has been, or could be, made to let something through, with where that was seen;
//! and the ways of saying something harmless that must go on to work.
//!
//! | module | the agent's lever |
//! |---|---|
//! | `keys` | keys that two readers take for different things |
//! | `documents` | bodies that two readers read differently, or one not at all |
//! | `names` | names that look like others |
//! | `envelopes` | messages that are no call, and run as one |
//! | `http` | what the request says of its body, and where it goes |
//! | `headers` | headers that repeat the body, or speak for somebody else |
//! | `eras` | the two eras of the protocol, and their sessions |
//! | `side_doors` | methods beside `tools/call` |
//! | `charsets` | what the body's type says of its letters |
//! | `paths` | the ways to write a path, and the URI of a resource |
//! | `changes` | what a server offers by now, or says of its tools |
//! | `policies` | a policy that comes while a request is on its way |
//! | `rounds` | calls that come again with what the server asked for |
//! | `types` | arguments of another type than the tool wants |
//! | `lists` | what is hidden, in lists |
//! | `variants` | none: what must pass |

pub(crate) mod changes;
mod charsets;
pub(crate) mod documents;
mod envelopes;
mod eras;
mod headers;
mod http;
mod keys;
mod lists;
mod names;
mod paths;
mod policies;
mod rounds;
mod side_doors;
mod types;
mod variants;

use reeve_tests::clients::Era;
use reeve_tests::request::Request;

use crate::scene::Scene;

/// What an attempt is after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Aim {
    /// To run the denied tool.
    Run,
    /// To run the guarded tool with arguments that it may not have.
    Argue,
    /// To run the permitted tool where nobody may: from elsewhere, or in the session of another.
    Reach,
    /// To run a tool that may be called as long as it does no more than read, and does.
    Harm,
    /// To run a tool twice that may run once, or the guarded tool with an argument with which it may.
    Exceed,
    /// To see the definition of the denied tool, or of one that does more than it may.
    See,
    /// To have a list kept by whoever passes it on.
    Keep,
    /// To read the denied resource, or get the denied prompt.
    Read,
    /// To run the permitted tool: no attack.
    Pass,
}

/// How it is attempted.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Attempt {
    /// This body is posted; in the modern era twice, once with each tool's name in `Mcp-Name`.
    Body(&'static str),
    /// A call of the denied tool is changed; of the permitted one where it is to be run.
    Change(fn(&Scene<'_>, &mut Request)),
    /// Something else is done.
    Steps(fn(&Scene<'_>)),
}

/// A form.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Form {
    pub(crate) name: &'static str,
    /// The CVE, advisory or issue in which it was seen; `tried`: seen on a server of `tests/peers`, or to find out.
    pub(crate) seen: &'static str,
    pub(crate) aim: Aim,
    pub(crate) eras: &'static [Era],
    /// Whether it needs a server that has what such servers have that change what they offer.
    pub(crate) of_changes: bool,
    pub(crate) attempt: Attempt,
}

const BOTH: &[Era] = &[Era::Legacy, Era::Modern];
const LEGACY: &[Era] = &[Era::Legacy];
const MODERN: &[Era] = &[Era::Modern];

const fn form(aim: Aim, name: &'static str, seen: &'static str, attempt: Attempt) -> Form {
    Form { name, seen, aim, eras: BOTH, of_changes: false, attempt }
}

/// A body that is to run the denied tool.
const fn body(name: &'static str, seen: &'static str, body: &'static str) -> Form {
    form(Aim::Run, name, seen, Attempt::Body(body))
}

/// A change that is to run the denied tool.
const fn change(name: &'static str, seen: &'static str, change: fn(&Scene<'_>, &mut Request)) -> Form {
    form(Aim::Run, name, seen, Attempt::Change(change))
}

/// Steps that are to run the denied tool.
const fn steps(name: &'static str, seen: &'static str, steps: fn(&Scene<'_>)) -> Form {
    form(Aim::Run, name, seen, Attempt::Steps(steps))
}

impl Form {
    const fn in_eras(mut self, eras: &'static [Era]) -> Self {
        self.eras = eras;
        self
    }

    const fn of_changes(mut self) -> Self {
        self.of_changes = true;
        self
    }

    const fn to(mut self, aim: Aim) -> Self {
        self.aim = aim;
        self
    }

    /// Makes the attempt.
    pub(crate) fn attempt(&self, scene: &Scene<'_>) {
        match self.attempt {
            Attempt::Body(template) => {
                let method = if self.aim == Aim::See { "tools/list" } else { "tools/call" };
                let names: &[&str] = match (self.aim, scene.era) {
                    (Aim::See, _) => &[""],
                    (Aim::Argue, _) => &["$G"],
                    (_, Era::Legacy) | (Aim::Pass, _) => &["$P"],
                    (_, Era::Modern) => &["$P", "$D"],
                };
                for name in names {
                    scene.send(&scene.request(method, name, template));
                }
            }
            Attempt::Change(change) => {
                let mut request = match self.aim {
                    Aim::Pass | Aim::Reach => scene.permitted(),
                    Aim::See | Aim::Keep => scene.list(),
                    _ => scene.denied(),
                };
                change(scene, &mut request);
                scene.send(&request);
            }
            Attempt::Steps(steps) => steps(scene),
        }
    }
}

/// Every form, table by table.
pub(crate) fn all() -> impl Iterator<Item = &'static Form> {
    let tables: [&'static [Form]; 16] = [
        keys::FORMS,
        types::FORMS,
        documents::FORMS,
        names::FORMS,
        envelopes::FORMS,
        http::FORMS,
        charsets::FORMS,
        paths::FORMS,
        headers::FORMS,
        eras::FORMS,
        side_doors::FORMS,
        changes::FORMS,
        policies::FORMS,
        rounds::FORMS,
        lists::FORMS,
        variants::FORMS,
    ];
    tables.into_iter().flatten()
}
