//! Lists on their way to the agent: which answers are one, and what of it policy leaves.

use bytes::Bytes;
use reeve_policy::decide::Target;
use reeve_policy::json::Document;

use super::Listing;
use super::ending::Unanswered;
use super::events::Events;
use super::forward::{Expected, OfTasks};
use crate::mcp::envelope::Envelope;
use crate::mcp::lists::{self, Item};
use crate::mcp::method::List;

impl Events {
    /// Which list an answer brings: the one asked for, by its id; or what its result looks like, since servers may send an answer on
    /// another stream than its own. The result of a call is none: agents tell answers by their ids, and what a tool gives may
    /// have members of any name.
    pub(super) fn listing_of(
        &self,
        envelope: &Envelope<'_>,
        own: bool,
        earlier: Option<&Unanswered>,
    ) -> Option<Listing> {
        let (expected, tasks) = match earlier {
            _ if own => (Some(self.awaited.expected), Some(&self.awaited.tasks)),
            earlier => (earlier.map(|earlier| earlier.expected), earlier.map(|earlier| &earlier.tasks)),
        };
        match (expected, tasks) {
            (Some(Expected::List(listing)), _) => Some(listing),
            (Some(Expected::Call(_)), _) | (_, Some(OfTasks::About(_))) => None,
            _ => Some(Listing { list: List::looks_like(envelope.result()?)?, whole: false }),
        }
    }

    pub(super) fn filter(
        &self,
        document: &Document,
        envelope: &Envelope<'_>,
        listing: Listing,
    ) -> Result<Option<Bytes>, String> {
        let live = self.shared.live.load();
        let route = live.as_deref().and_then(|live| live.of(&self.sending.backend.name));
        let Some(route) = route else { return Err("is no longer part of the configuration".into()) };
        let tools = match (listing.list, envelope.result()) {
            // What the list says of a tool, such as its risk, must count for whether it is shown. A stream that began before a
            // reload may be of another server than the one that has its name now.
            (List::Tools, Some(result)) if route.server.url == self.sending.backend.server.url => {
                self.shared.learn(route, result, envelope, listing)
            }
            _ => route.tools.load_full(),
        };
        let mut keep = |item: &Item<'_>| {
            let name = &*item.name;
            match item.list {
                List::Tools => route.ruleset.lists(Target::Tool(name), &tools),
                List::Prompts => route.ruleset.lists(Target::Prompt(name), &tools),
                List::Resources => route.ruleset.lists(Target::Resource(name), &tools),
                List::ResourceTemplates => route.ruleset.lists_template(name),
                List::Tasks => self.shared.owns_task(route, name),
            }
        };
        let filtered = lists::filter(document, envelope, listing.list, self.sending.era, &mut keep);
        filtered.map_err(|error| format!("gave an answer that {error}"))
    }
}
