//! Lists on their way to the agent: which answers are one, and what of it policy leaves.

use bytes::Bytes;
use reeve_policy::catalogue::Extent;
use reeve_policy::decide::Target;
use reeve_policy::json::Document;

use super::Listing;
use super::events::Events;
use super::forward::{Expected, OfTasks};
use crate::mcp::envelope::Envelope;
use crate::mcp::lists::{self, Item};
use crate::mcp::method::List;

/// Which list the answer to a request is: the one asked for, or what its result looks like. The result of a call is none: agents tell
/// answers by their ids, and what a tool gives may have members of any name.
pub(super) fn listing_of(envelope: &Envelope<'_>, expected: Expected, tasks: &OfTasks) -> Option<Listing> {
    match (expected, tasks) {
        (Expected::List(listing), _) => Some(listing),
        (Expected::Call(_), _) | (_, OfTasks::About(_)) => None,
        _ => list_by_its_looks(envelope),
    }
}

/// The same of an answer of which nobody knows for certain what was asked: servers may send one on another stream than its own, and
/// send it again.
pub(super) fn list_by_its_looks(envelope: &Envelope<'_>) -> Option<Listing> {
    Some(Listing { list: List::looks_like(envelope.result()?)?, whole: false, turn: None })
}

impl Events {
    pub(super) fn filter(
        &self,
        document: &Document,
        envelope: &Envelope<'_>,
        listing: Listing,
    ) -> Result<Option<Bytes>, String> {
        let live = self.shared.live.load();
        let route = live.as_deref().and_then(|live| live.of(&self.sending.backend.name));
        let Some(route) = route else { return Err("is no longer part of the configuration".into()) };
        let tools = match (listing, envelope.result()) {
            // What the list says of a tool, such as its risk, must count for whether it is shown. A stream that began before a
            // reload may be of another server than the one that has its name now.
            (Listing { list: List::Tools, turn: Some(turn), .. }, Some(result))
                if route.server.url == self.sending.backend.server.url =>
            {
                self.shared.learn(route, result, envelope, listing, turn)
            }
            _ => route.tools.load_full(),
        };
        // Of one that is not learned from it counts against a tool, and not for it.
        let said = match (listing.turn, envelope.result()) {
            (None, Some(result)) => Some(tools.with_listed(result, Extent::Part)),
            _ => None,
        };
        let lists = |target: Target<'_>| {
            route.ruleset.lists(target, &tools) && said.as_ref().is_none_or(|said| route.ruleset.lists(target, said))
        };
        let mut keep = |item: &Item<'_>| {
            let name = &*item.name;
            match item.list {
                List::Tools => lists(Target::Tool(name)),
                List::Prompts => lists(Target::Prompt(name)),
                List::Resources => lists(Target::Resource(name)),
                List::ResourceTemplates => route.ruleset.lists_template(name),
                List::Tasks => self.shared.owns_task(route, name),
            }
        };
        let filtered = lists::filter(document, envelope, listing.list, self.sending.era, &mut keep);
        filtered.map_err(|error| format!("gave an answer that {error}"))
    }
}
