//! What goes wrong in the ward, and is mended again.

use reeve_tests::cluster::clinic::{SIDECAR, policy, programmed};
use reeve_tests::cluster::installed;
use reeve_tests::cluster::pod::{held, status};
use reeve_tests::eventually::eventually;
use serde_json::json;

use super::calls::{Call, Decided};
use super::setting::open_to_all;
use super::{Ward, idle, know_the_tools, named};

impl Ward<'_> {
    /// The operator is gone for a while, so that a pod cannot be made, one that starts has no configuration, and one of others is too
    /// old; it is back, its leader is killed, and one pod comes and goes.
    pub fn the_operator_fails(&mut self) {
        self.alone.apply(named(held(idle(self.alone, "early")), "open"));
        let gone = installed::operator_gone(self.alone);
        let refused = self.alone.refused(idle(self.alone, "refused"));
        assert!(refused.contains("failed calling webhook"), "{refused}");
        self.early.released();
        self.calls(Call::new("early", "", "nobody-knows-this"), 1, Decided("deny", "NoConfiguration", ""));
        // A client asks in which era it is before it calls.
        self.rejected[2].1 += 2;
        let list = Call::new("bounded", "imaging", "list_datastores");
        let boundary = format!("={}", self.boundary.name);
        let [bounded, stale] = ["DeniedByBoundary", "ConfigurationStale"].map(|why| Decided("deny", why, &boundary));
        self.calls_until("configMaxAge of policy", list, bounded, stale);
        drop(gone);
        self.calls_until("has no rule that lets the call through", list, stale, bounded);
        // The Lease may still be of one that is gone.
        let before = eventually("a replica that there is leads", || {
            let leader = installed::leader();
            installed::pods().into_iter().find(|pod| installed::name(pod) == leader)
        });
        installed::kill_replica(self.alone, installed::name(&before));
        installed::await_restart(&before);
        installed::await_webhooks();
        self.alone.pod(idle(self.alone, "brief"));
        self.alone.told(&["delete", "pod/brief"]);
    }

    /// A sidecar that is cut off is given what does not reach it, which is told until the operator gives it up, or it is back.
    pub fn a_sidecar_is_behind(&self) {
        let are_behind = |sidecars: f64| {
            let panel = "operator.json, panel Sidecars behind";
            eventually(&format!("{panel} shows {sidecars}"), || (self.figure(panel) == Some(sidecars)).then_some(()));
        };
        are_behind(0.0);
        let cut = installed::cut_off(self.alone, &self.open.now());
        // What is in force as it was is given to nobody anew.
        let needless = json!([{"name": "needless", "tools": ["needless"], "action": "Deny"}]);
        self.alone.apply(open_to_all(&needless));
        are_behind(1.0);
        drop(cut);
        are_behind(0.0);
        programmed(self.alone, "mcppolicy/open", "True", "Programmed");
    }

    /// A policy that does not compile is stored, as one may be that another version let in, and deleted.
    pub fn a_policy_is_wrong(&mut self) {
        let unwatched = installed::unvalidated(self.alone, &self.alone.name);
        let wrong =
            json!([{"name": "wrong", "tools": ["get_*"], "action": "Allow", "when": "args.datastore_id = 'ds-1'"}]);
        // The API server needs a moment to ask about this namespace no more.
        eventually("the policy is stored", || self.alone.try_apply(policy("wrong", "open", &wrong)).ok());
        drop(unwatched);
        let list = Call::new("open", "imaging", "list_datastores");
        let [permitted, refused] =
            [Decided("allow", "AllowedByDefault", "open"), Decided("deny", "PolicyInvalid", "wrong")];
        self.calls_until("wrong has errors", list, permitted, refused);
        self.alone.told(&["delete", "mcppolicy/wrong"]);
        self.calls_until("allow: ", list, refused, permitted);
    }

    /// A sidecar is killed, and called again: less often than before, by which a counter is seen to have begun anew.
    pub fn a_sidecar_is_restarted(&mut self) {
        self.open.container(SIDECAR).kill();
        self.open.wait("the sidecar is started again", |pod| {
            let sidecar = status(pod, SIDECAR)?;
            (sidecar["restartCount"] == 1 && sidecar["started"] == true).then_some(())
        });
        self.books.restarted("open");
        know_the_tools(&self.open);
        let permitted = Decided("allow", "AllowedByDefault", "open");
        self.calls(Call::new("open", "imaging", "list_datastores"), 2, permitted);
        self.calls(Call::new("open", "slow", "scan"), 1, Decided("deny", "NoPolicy", ""));
    }
}
