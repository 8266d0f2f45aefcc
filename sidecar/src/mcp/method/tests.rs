//! Each cell of the table: what is permitted is listed here, once for each era; every other cell is a denial.

use std::collections::BTreeSet;

use reeve_policy::decide::ServerRequest;

use super::*;

use Era::{Legacy, Modern};
use Form::{Notification, Request};
use Handling::{Decide, Deny, Filter, Listen, Relay, Task};
use Sender::{Agent, Server};

/// Everything that is not denied.
fn permitted() -> Vec<(Era, Sender, Form, &'static str, Handling)> {
    let asked = |kind| Handling::ServerRequest(kind);
    let mut permitted = vec![
        (Legacy, Agent, Request, "resources/subscribe", Decide(Named::Resource)),
        (Legacy, Agent, Request, "resources/unsubscribe", Decide(Named::Resource)),
        (Legacy, Agent, Request, "initialize", Relay),
        (Legacy, Agent, Request, "ping", Relay),
        (Legacy, Agent, Request, "logging/setLevel", Relay),
        (Legacy, Agent, Request, "tasks/get", Task),
        (Legacy, Agent, Request, "tasks/result", Task),
        (Legacy, Agent, Request, "tasks/list", Filter(List::Tasks)),
        (Legacy, Agent, Request, "tasks/cancel", Task),
        (Legacy, Agent, Notification, "notifications/initialized", Relay),
        (Legacy, Agent, Notification, "notifications/progress", Relay),
        (Legacy, Agent, Notification, "notifications/roots/list_changed", Relay),
        (Legacy, Server, Request, "ping", Relay),
        (Legacy, Server, Request, "sampling/createMessage", asked(ServerRequest::Sampling)),
        (Legacy, Server, Request, "elicitation/create", asked(ServerRequest::Elicitation)),
        (Legacy, Server, Request, "roots/list", asked(ServerRequest::Roots)),
        (Legacy, Server, Notification, "notifications/elicitation/complete", Relay),
        (Legacy, Server, Notification, "notifications/tasks/status", Task),
        (Modern, Agent, Request, "server/discover", Relay),
        (Modern, Agent, Request, "subscriptions/listen", Listen),
        (Modern, Agent, Request, "tasks/get", Task),
        (Modern, Agent, Request, "tasks/update", Task),
        (Modern, Agent, Request, "tasks/cancel", Task),
        (Modern, Server, Notification, "notifications/tasks", Task),
        (Modern, Server, Notification, "notifications/subscriptions/acknowledged", Relay),
    ];
    for era in Era::ALL {
        permitted.extend([
            (era, Agent, Request, "tools/call", Decide(Named::Tool)),
            (era, Agent, Request, "resources/read", Decide(Named::Resource)),
            (era, Agent, Request, "prompts/get", Decide(Named::Prompt)),
            (era, Agent, Request, "completion/complete", Decide(Named::Reference)),
            (era, Agent, Request, "tools/list", Filter(List::Tools)),
            (era, Agent, Request, "resources/list", Filter(List::Resources)),
            (era, Agent, Request, "resources/templates/list", Filter(List::ResourceTemplates)),
            (era, Agent, Request, "prompts/list", Filter(List::Prompts)),
            (era, Agent, Notification, "notifications/cancelled", Relay),
            (era, Server, Notification, "notifications/progress", Relay),
            (era, Server, Notification, "notifications/message", Relay),
            (era, Server, Notification, "notifications/cancelled", Relay),
            (era, Server, Notification, "notifications/tools/list_changed", Relay),
            (era, Server, Notification, "notifications/resources/list_changed", Relay),
            (era, Server, Notification, "notifications/resources/updated", Relay),
            (era, Server, Notification, "notifications/prompts/list_changed", Relay),
        ]);
    }
    permitted
}

#[test]
fn every_cell_is_permitted_as_listed_or_denied() {
    let permitted = permitted();
    let methods: BTreeSet<_> = TABLE.iter().map(|row| row.method).collect();
    for era in Era::ALL {
        for sender in [Agent, Server] {
            for form in [Request, Notification] {
                for method in &methods {
                    let listed =
                        permitted.iter().find(|cell| (cell.0, cell.1, cell.2, cell.3) == (era, sender, form, *method));
                    let expected = listed.map_or(Deny, |cell| cell.4);
                    assert_eq!(handling(sender, form, method, era), expected, "{era} {sender:?} {form:?} {method}");
                }
            }
        }
    }
    assert!(permitted.iter().all(|cell| methods.contains(cell.3)));
}

#[test]
fn no_row_stands_twice() {
    for (place, row) in TABLE.iter().enumerate() {
        let same = |other: &Row| (other.sender, other.form, other.method) == (row.sender, row.form, row.method);
        assert_eq!(TABLE.iter().position(same), Some(place), "{}", row.method);
    }
}

#[test]
fn a_method_that_is_not_written_exactly_is_denied() {
    for method in
        ["Tools/Call", "tools/call ", "tools/call\0", "tools//call", "", "tools", "notifications/", "rpc.discover"]
    {
        for era in Era::ALL {
            for form in [Request, Notification] {
                assert_eq!(handling(Agent, form, method, era), Deny, "{method:?}");
                assert_eq!(handling(Server, form, method, era), Deny, "{method:?}");
            }
        }
    }
}

#[test]
fn the_modern_era_has_no_requests_of_servers() {
    assert!(TABLE.iter().filter(|row| row.sender == Server && row.form == Request).all(|row| row.modern == Deny));
}

#[test]
fn the_markdown_has_a_row_for_each_method() {
    let text = markdown();
    assert_eq!(text.lines().count(), TABLE.len() + 3);
    assert!(
        text.contains("| agent | `tools/list` | relayed, the list filtered | relayed, the list filtered |"),
        "{text}"
    );
    assert!(text.contains("| server | `roots/list` | decided by `serverRequests.roots` | denied |"), "{text}");
}

#[test]
fn what_an_input_request_asks_for_is_known_by_its_method() {
    for kind in ServerRequest::ALL {
        let rows = TABLE.iter().filter(|row| row.legacy == Handling::ServerRequest(kind));
        assert_eq!(rows.map(|row| ServerRequest::of(row.method)).collect::<Vec<_>>(), [Some(kind)]);
    }
    assert_eq!(ServerRequest::of("tools/call"), None);
}
