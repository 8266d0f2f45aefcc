//! What is learned of a server's tools from the lists that it sends.
//!
//! A list is learned from if it answers a request for one, certainly; and what it says of tools that are known counts only if no list that
//! was asked for after it has been learned from. Else an agent could have an old list repeated, or hold one back, and have it said that a
//! tool is as harmless as it once was.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use reeve_policy::catalogue::{Catalogue, Extent};
use reeve_policy::json::Value;

use super::{Listing, Shared, held};
use crate::live::Route;
use crate::mcp::envelope::Envelope;

/// The place of a request for a list among all those of this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Turn(u64);

/// Which lists were asked for, and learned from.
#[derive(Debug, Default)]
pub(super) struct Lists {
    asked: AtomicU64,
    /// By server, the one that was asked for last of those that were learned from.
    learned: Mutex<HashMap<Box<str>, Turn>>,
}

impl Lists {
    /// The turn of a list that is asked for now.
    pub(super) fn ask(&self) -> Turn {
        Turn(self.asked.fetch_add(1, Ordering::Relaxed))
    }
}

impl Shared {
    /// Takes note of the tools that a list shows which was asked for in this turn, and gives all that are known.
    pub(super) fn learn(
        &self,
        route: &Route,
        result: Value<'_>,
        envelope: &Envelope<'_>,
        listing: Listing,
        turn: Turn,
    ) -> Arc<Catalogue> {
        let last = envelope.result().is_none_or(|result| result.get("nextCursor").is_none());
        // Lists of other agents, and other pages, may be learned from at the same time.
        let mut learned = held(&self.lists.learned);
        let extent = match learned.get(&*route.name) {
            Some(newest) if turn < *newest => Extent::Older,
            _ if listing.whole && last => Extent::Whole,
            _ => Extent::Part,
        };
        let before = route.tools.rcu(|known| known.with_listed(result, extent));
        if extent != Extent::Older {
            learned.insert((*route.name).into(), turn);
        }
        drop(learned);
        let known = route.tools.load_full();
        if !before.is_same(&known) {
            self.keeper.changed();
        }
        known
    }
}
