//! What is done with each method: the one table method × era × direction.
//!
//! A method that is not in the table is denied. Base protocol methods need no rule of any policy.

use std::borrow::Cow;

use reeve_policy::decide::ServerRequest;

use super::envelope::Sender;
use super::version::Era;

/// Whether a message wants an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Form {
    /// It does.
    Request,
    /// It does not.
    Notification,
}

/// What is done with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Handling {
    /// Relayed without asking a policy.
    Relay,
    /// Decided by policy as a call of what it names.
    Decide(Named),
    /// Relayed; what policy hides is cut out of its result.
    Filter(List),
    /// Decided by policy: each resource that it subscribes to as a call of that resource, each task as that task.
    Listen,
    /// Relayed if the task that it names belongs to this grant.
    Task,
    /// A request of the server to the agent, decided by `serverRequests`.
    ServerRequest(ServerRequest),
    /// Not part of this era and direction: denied.
    Deny,
}

/// Where a message names what it calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Named {
    /// A tool, in `params.name`.
    Tool,
    /// A resource, in `params.uri`.
    Resource,
    /// A prompt, in `params.name`.
    Prompt,
    /// A prompt or a resource, in `params.ref`.
    Reference,
}

/// The lists that servers give.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum List {
    /// `tools/list`.
    Tools,
    /// `resources/list`.
    Resources,
    /// `resources/templates/list`.
    ResourceTemplates,
    /// `prompts/list`.
    Prompts,
    /// `tasks/list`: the tasks that belong to others are left out.
    Tasks,
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The method.
    pub method: &'static str,
    /// Who sends it.
    pub sender: Sender,
    /// Whether it wants an answer.
    pub form: Form,
    /// What is done with it in the legacy era.
    pub legacy: Handling,
    /// What is done with it in the modern era.
    pub modern: Handling,
}

impl Row {
    /// What is done with it.
    pub fn handling(&self, era: Era) -> Handling {
        match era {
            Era::Legacy => self.legacy,
            Era::Modern => self.modern,
        }
    }
}

const fn row(sender: Sender, form: Form, method: &'static str, legacy: Handling, modern: Handling) -> Row {
    Row { method, sender, form, legacy, modern }
}

/// The table. Calls come first, because they are looked up most.
///
/// Sources: the `ClientRequest`, `ClientNotification`, `ServerRequest` and `ServerNotification` types of the schemas
/// 2024-11-05 to 2026-07-28, and SEP-2663 for tasks in the modern era.
#[rustfmt::skip]
pub const TABLE: &[Row] = {
    use Form::{Notification, Request};
    use Handling::{Decide, Deny, Filter, Listen, Relay, ServerRequest, Task};
    use List::{Prompts, ResourceTemplates, Resources, Tasks, Tools};
    use Named::{Prompt, Reference, Resource, Tool};
    use Sender::{Agent, Server};
    use reeve_policy::decide::ServerRequest::{Elicitation, Roots, Sampling};
    &[
        //  sender  form          method                                     legacy                        modern
        row(Agent,  Request,      "tools/call",                              Decide(Tool),                 Decide(Tool)),
        row(Agent,  Request,      "resources/read",                          Decide(Resource),             Decide(Resource)),
        row(Agent,  Request,      "prompts/get",                             Decide(Prompt),               Decide(Prompt)),
        row(Agent,  Request,      "tools/list",                              Filter(Tools),                Filter(Tools)),
        row(Agent,  Request,      "resources/list",                          Filter(Resources),            Filter(Resources)),
        row(Agent,  Request,      "resources/templates/list",                Filter(ResourceTemplates),    Filter(ResourceTemplates)),
        row(Agent,  Request,      "prompts/list",                            Filter(Prompts),              Filter(Prompts)),
        row(Agent,  Request,      "completion/complete",                     Decide(Reference),            Decide(Reference)),
        row(Agent,  Request,      "resources/subscribe",                     Decide(Resource),             Deny),
        row(Agent,  Request,      "resources/unsubscribe",                   Decide(Resource),             Deny),
        row(Agent,  Request,      "subscriptions/listen",                    Deny,                         Listen),
        row(Agent,  Request,      "initialize",                              Relay,                        Deny),
        row(Agent,  Request,      "ping",                                    Relay,                        Deny),
        row(Agent,  Request,      "logging/setLevel",                        Relay,                        Deny),
        row(Agent,  Request,      "server/discover",                         Deny,                         Relay),
        row(Agent,  Request,      "tasks/get",                               Task,                         Task),
        row(Agent,  Request,      "tasks/result",                            Task,                         Deny),
        row(Agent,  Request,      "tasks/list",                              Filter(Tasks),                Deny),
        row(Agent,  Request,      "tasks/cancel",                            Task,                         Task),
        row(Agent,  Request,      "tasks/update",                            Deny,                         Task),
        row(Agent,  Notification, "notifications/initialized",               Relay,                        Deny),
        row(Agent,  Notification, "notifications/cancelled",                 Relay,                        Relay),
        row(Agent,  Notification, "notifications/progress",                  Relay,                        Deny),
        row(Agent,  Notification, "notifications/roots/list_changed",        Relay,                        Deny),
        row(Agent,  Notification, "notifications/tasks/status",              Deny,                         Deny),
        row(Server, Request,      "ping",                                    Relay,                        Deny),
        row(Server, Request,      "sampling/createMessage",                  ServerRequest(Sampling),      Deny),
        row(Server, Request,      "elicitation/create",                      ServerRequest(Elicitation),   Deny),
        row(Server, Request,      "roots/list",                              ServerRequest(Roots),         Deny),
        row(Server, Request,      "tasks/get",                               Deny,                         Deny),
        row(Server, Request,      "tasks/result",                            Deny,                         Deny),
        row(Server, Request,      "tasks/list",                              Deny,                         Deny),
        row(Server, Request,      "tasks/cancel",                            Deny,                         Deny),
        row(Server, Notification, "notifications/progress",                  Relay,                        Relay),
        row(Server, Notification, "notifications/message",                   Relay,                        Relay),
        row(Server, Notification, "notifications/cancelled",                 Relay,                        Relay),
        row(Server, Notification, "notifications/tools/list_changed",        Relay,                        Relay),
        row(Server, Notification, "notifications/resources/list_changed",    Relay,                        Relay),
        row(Server, Notification, "notifications/resources/updated",         Relay,                        Relay),
        row(Server, Notification, "notifications/prompts/list_changed",      Relay,                        Relay),
        row(Server, Notification, "notifications/elicitation/complete",      Relay,                        Deny),
        row(Server, Notification, "notifications/tasks/status",              Task,                         Deny),
        row(Server, Notification, "notifications/tasks",                     Deny,                         Task),
        row(Server, Notification, "notifications/subscriptions/acknowledged", Deny,                        Relay),
    ]
};

/// What is done with a message of this method; [`Handling::Deny`] if the table does not have it.
pub fn handling(sender: Sender, form: Form, method: &str, era: Era) -> Handling {
    TABLE
        .iter()
        .find(|row| row.sender == sender && row.form == form && row.method == method)
        .map_or(Handling::Deny, |row| row.handling(era))
}

/// The table, in Markdown, as `docs/` shows it.
pub fn markdown() -> String {
    let mut table = String::from("| from | method | legacy | modern |\n|---|---|---|---|\n");
    for row in TABLE {
        let sender = match row.sender {
            Sender::Agent => "agent",
            Sender::Server => "server",
        };
        let form = match row.form {
            Form::Request => "",
            Form::Notification => ", notification",
        };
        let (legacy, modern) = (row.legacy.sentence(), row.modern.sentence());
        table.push_str(&format!("| {sender}{form} | `{}` | {legacy} | {modern} |\n", row.method));
    }
    table.push_str("| either | any other | denied | denied |\n");
    table
}

impl Handling {
    /// The handling in words.
    fn sentence(self) -> Cow<'static, str> {
        match self {
            Self::Relay => "relayed".into(),
            Self::Decide(Named::Tool) => "decided as a call of the tool".into(),
            Self::Decide(Named::Resource) => "decided as a call of the resource".into(),
            Self::Decide(Named::Prompt) => "decided as a call of the prompt".into(),
            Self::Decide(Named::Reference) => "decided as a call of the prompt or resource".into(),
            Self::Filter(_) => "relayed, the list filtered".into(),
            Self::Listen => "decided as a call of each resource and task".into(),
            Self::Task => "only for a task of this grant".into(),
            Self::ServerRequest(kind) => format!("decided by `serverRequests.{}`", kind.as_str()).into(),
            Self::Deny => "denied".into(),
        }
    }
}

#[cfg(test)]
mod tests;
