//! What of the memory for all answers those of one server may hold, so that none keeps out the answers of all others.

use crate::config::{Server, SidecarConfig};
use crate::memory::Memory;

/// A server and its part under the configuration before.
#[derive(Clone, Copy, Debug)]
pub(super) struct Before<'l> {
    pub(super) config: &'l SidecarConfig,
    pub(super) server: &'l Server,
    pub(super) part: &'l Memory,
}

/// A server's part. What answers hold that came before counts on, as long as it is the same server with the same bound.
pub(super) fn of(config: &SidecarConfig, server: &Server, before: Option<Before<'_>>) -> Memory {
    let most = most(config, server);
    let same =
        before.filter(|before| before.server.url == server.url && self::most(before.config, before.server) == most);
    same.map_or_else(|| Memory::new(most), |before| before.part.clone())
}

/// How many bytes that is: half of what there is, but always the largest answer and event that the server may send; all of it if there is
/// no other server.
fn most(config: &SidecarConfig, server: &Server) -> usize {
    let all = config.listener.total_answer_bytes();
    if config.servers.len() == 1 {
        return all;
    }
    let largest = server.limits.max_response_bytes.max(server.limits.max_event_bytes);
    largest.max(all / 2).min(all)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn config(servers: usize, all: usize) -> SidecarConfig {
        let limits = json!({"maxResponseBytes": 2 << 20, "maxEventBytes": 3 << 20});
        let server = |number| json!({"name": format!("s{number}"), "url": "http://server/mcp", "limits": limits});
        let servers: Vec<_> = (0..servers).map(server).collect();
        serde_json::from_value(json!({"servers": servers, "listener": {"maxTotalAnswerBytes": all}})).unwrap()
    }

    #[test]
    fn one_of_several_may_hold_half_but_always_its_largest_answer_and_a_single_one_everything() {
        for (servers, all, expected) in [(1, 8, 8), (2, 8, 4), (9, 8, 4), (2, 5, 3), (2, 1, 1)] {
            let config = config(servers, all << 20);
            assert_eq!(most(&config, &config.servers[0]), expected << 20, "{servers} servers, {all} MiB");
        }
    }

    #[test]
    fn what_is_held_counts_on_under_the_next_configuration_unless_the_bound_or_the_server_is_another() {
        let config_before = config(2, 8 << 20);
        let part = of(&config_before, &config_before.servers[0], None);
        let mut held = part.share();
        held.try_cover(4 << 20).unwrap();
        let before = Before { config: &config_before, server: &config_before.servers[0], part: &part };
        let is_full =
            |next: &SidecarConfig| of(next, &next.servers[0], Some(before)).share().try_cover(1 << 10).is_err();
        assert!(is_full(&config(2, 8 << 20)) && is_full(&config(3, 8 << 20)));
        assert!(!is_full(&config(1, 8 << 20)) && !is_full(&config(2, 16 << 20)));
        let mut elsewhere = config(2, 8 << 20);
        elsewhere.servers[0].url = "http://other/mcp".into();
        assert!(!is_full(&elsewhere));
    }
}
