use std::path::Path;

use http_body_util::BodyExt;
use reeve_policy::limit::{Capacity, Limiter};
use reeve_policy::time::{Instant, WallTime};
use serde_json::Value;

use super::*;
use crate::clock::Clock;
use crate::config::source::{Inputs, Origin, load};
use crate::live::{Builder, Catalogues, Current, Prepared};
use crate::metrics::Metrics;
use crate::upstream::Environment;

const POLICY: &str = r#"
apiVersion: reeve.dev/v1alpha1
kind: McpPolicy
metadata: {name: imaging, namespace: clinic}
spec:
  serverRefs: [{name: "*"}]
  rules:
  - name: reads
    tools: [get_datastore]
    action: Allow
    limits:
    - {counter: each, window: 1m, max: 4, scope: Session}
"#;

/// Pages over a configuration of one server, one of whose four calls a session has used.
fn pages(folder: &Path) -> Pages {
    std::fs::write(folder.join("policy.yaml"), POLICY).unwrap();
    let upstream = "http://127.0.0.1:9/mcp?key=word".to_owned();
    let origin = Origin::Flags { policies: vec![folder.join("policy.yaml")], upstream };
    let inputs = Inputs { origin, grant: None, audit: None, audit_on_full: None };
    let loaded = load(&inputs, &Environment::from_variables(|_| None)).unwrap();

    let clock = Clock::manual(Instant(0), WallTime(0));
    let limiter = Arc::new(Limiter::new(Capacity::default()));
    let metrics = Metrics::new(clock.clone()).unwrap();
    let live = Arc::new(Current::default());
    live.swap(
        Builder::new(Arc::clone(&limiter), Arc::new(Catalogues::default()), metrics)
            .build(&Prepared::from(&loaded), None),
    );

    let route = Arc::clone(&live.load().unwrap().routes()[0]);
    let counter = route.ruleset.limits().next().unwrap();
    for key in ["session-1", "no session"] {
        let charge = reeve_policy::limit::Charge {
            counter: counter.handle,
            key,
            cost: reeve_policy::limit::Units::ONE,
            max: counter.max,
        };
        let _taken = limiter.reserve(&[charge], clock.now()).unwrap();
    }
    let inspector = Inspector { live, limiter, clock };
    Pages { gate: Arc::new(Gate::new(&[], &["localhost".to_owned()], &[])), inspector }
}

async fn get(pages: Pages, path: &str, host: &str) -> (u16, String) {
    let response = pages.respond(Request::get(path).header("host", host).body(()).unwrap()).await;
    let status = response.status().as_u16();
    (status, String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap())
}

#[tokio::test]
async fn the_effective_policy_is_shown_whole_and_without_secrets() {
    let folder = tempfile::tempdir().unwrap();
    let (status, text) = get(pages(folder.path()), "/policy", "localhost:8080").await;
    assert_eq!(status, 200, "{text}");
    assert!(!text.contains("word"), "{text}");
    let page: Value = serde_json::from_str(&text).unwrap();
    let server = &page["servers"][0];
    assert_eq!(server["policies"][0]["name"], "clinic/imaging");
    assert_eq!(server["policies"][0]["object"]["spec"]["rules"][0]["name"], "reads");
    assert_eq!(page["configuration"]["servers"][0]["url"], "http://127.0.0.1:9/mcp?hidden");
}

#[tokio::test]
async fn limits_show_what_is_used_and_sessions_by_their_tag() {
    let folder = tempfile::tempdir().unwrap();
    let (status, text) = get(pages(folder.path()), "/limits", "localhost:8080").await;
    assert_eq!(status, 200, "{text}");
    assert!(!text.contains("session-1"), "{text}");
    let page: Value = serde_json::from_str(&text).unwrap();
    let limit = &page["limits"][0];
    assert_eq!((&limit["max"], &limit["window"]), (&4.into(), &"1m".into()));
    let keys: Vec<&str> = limit["keys"].as_array().unwrap().iter().map(|key| key["key"].as_str().unwrap()).collect();
    assert!(keys.contains(&"no session") && keys.contains(&&*crate::audit::SessionTag::of("session-1").to_string()));
    assert!(limit["keys"].as_array().unwrap().iter().all(|key| key["used"] == 1));
}

#[test]
fn the_metric_of_a_limit_tells_of_its_fullest_key() {
    let folder = tempfile::tempdir().unwrap();
    let usage = pages(folder.path()).inspector.usage();
    assert_eq!(usage.len(), 1);
    assert_eq!((usage[0].identity(), usage[0].ratio), (("clinic/imaging", "reads", "each"), 0.25));
}

#[tokio::test]
async fn a_foreign_page_and_an_unknown_page_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let pages = pages(folder.path());
    assert_eq!(get(pages.clone(), "/policy", "evil.example").await.0, 403);
    let (status, text) = get(pages.clone(), "/polic", "localhost").await;
    assert!(status == 404 && text.contains("/limits"), "{text}");
    let response = pages.respond(Request::post("/policy").header("host", "localhost").body(()).unwrap()).await;
    assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
}
