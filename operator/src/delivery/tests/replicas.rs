//! What is said to one replica reaches another.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use reeve_wire::message::{FromSidecar, PodReport, ToSidecar};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::office::{LONGEST, Office, timing};
use super::peer::{Peer, ask, hello, running};
use crate::control::Input;
use crate::delivery::{Leader, Timing};

/// TLS in front of a replica, as its one port has.
struct Front {
    address: String,
    authority: String,
    /// How many did not trust it.
    mistrusted: watch::Receiver<u32>,
    /// Ends the connections when it is dropped.
    tasks: JoinSet<()>,
}

const NAME: &str = "reeve-operator.reeve-system.svc";

async fn front(office: &Office) -> Front {
    let (ca_key, leaf_key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let mut ca = CertificateParams::default();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = ca.self_signed(&ca_key).unwrap().pem();
    let issuer = Issuer::new(ca, ca_key);
    let leaf = CertificateParams::new(vec![NAME.to_owned()]).unwrap().signed_by(&leaf_key, &issuer).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], leaf_key.serialize_der().try_into().unwrap())
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (behind, mut tasks) = (office.address, JoinSet::new());
    let (mistrust, mistrusted) = watch::channel(0);
    tasks.spawn(async move {
        let mut connections = JoinSet::new();
        loop {
            let (tcp, _) = listener.accept().await.unwrap();
            let (acceptor, mistrust) = (acceptor.clone(), mistrust.clone());
            connections.spawn(async move {
                let Ok(mut tls) = acceptor.accept(tcp).await else {
                    return mistrust.send_modify(|count| *count += 1);
                };
                let _ = copy_bidirectional(&mut tls, &mut TcpStream::connect(behind).await.unwrap()).await;
            });
        }
    });
    Front { address, authority, mistrusted, tasks }
}

/// A follower that is told who leads.
async fn follower(leader: &Office, front: &Front) -> Office {
    let mut office = Office::closed(timing(), "reeve-1").await;
    office.registry.open();
    office.token_file.write_all(format!("{}\n", leader.replica_token("reeve-1")).as_bytes()).unwrap();
    office.trust.send_replace(front.authority.as_str().into());
    office.leader.send_replace(Some(Leader { address: front.address.clone(), server_name: NAME.into() }));
    office
}

#[tokio::test]
async fn what_reaches_a_follower_reaches_the_leader() {
    let mut leader = Office::open().await;
    let front = front(&leader).await;
    let follower = follower(&leader, &front).await;
    // Before the stream to the leader is there, or after: it is told everything.
    for pod in ["p1", "p2"] {
        follower.give_word(pod, "a", 1);
        let mut peer = Peer::of(&follower, pod, None).await;
        let ran = running(&peer.takes().await);
        let from = leader.hears_of(pod, |report| report.connected && report.running.as_ref() == Some(&ran)).await;
        assert!(from.starts_with("reeve-1"), "{from}");
        follower.give_word(pod, "b", 2);
        let ran = running(&peer.takes().await);
        leader.hears_of(pod, |report| report.running.as_ref() == Some(&ran)).await;
        drop(peer);
        leader.hears_of(pod, |report| !report.connected).await;
    }
}

#[tokio::test]
async fn a_leader_hears_that_a_follower_is_gone_and_everything_anew_when_it_is_back() {
    let mut leader = Office::open().await;
    let mut first = front(&leader).await;
    let follower = follower(&leader, &first).await;
    follower.give_word("p1", "a", 1);
    let mut peer = Peer::of(&follower, "p1", None).await;
    peer.takes().await;
    let before = leader.hears_of("p1", |report| report.running.is_some()).await;
    first.tasks.abort_all();
    loop {
        if let Input::ReplicaGone(gone) = leader.hears().await {
            break assert_eq!(gone, before);
        }
    }
    // Another address, and another authority: as of a replica that has taken over.
    let second = front(&leader).await;
    follower.trust.send_replace(second.authority.as_str().into());
    follower.leader.send_replace(Some(Leader { address: second.address.clone(), server_name: NAME.into() }));
    let after = leader.hears_of("p1", |report| report.running.is_some()).await;
    assert_eq!(before, after);
}

#[tokio::test]
async fn what_an_older_stream_of_a_replica_says_is_said_before_a_newer_one_speaks() {
    let mut office = Office::open().await;
    let authorization = format!("Bearer {}", office.replica_token("reeve-1"));
    let report = |pod: &str| PodReport { pod: pod.into(), connected: true, running: None, servers: Vec::new() };
    let mut streams = Vec::new();
    for stream in 0..3 {
        let mut replica = ask(office.address, Some(&authorization)).await.unwrap();
        replica.say(&hello(None)).await;
        assert!(matches!(replica.hears().await, Some(ToSidecar::Welcome(_))));
        replica.say(&FromSidecar::Reports(vec![report("p1"), report("p2")])).await;
        if stream > 0 {
            assert!(matches!(office.hears().await, Input::ReplicaGone(gone) if &*gone == "reeve-1-name"));
        }
        for pod in ["p1", "p2"] {
            let Input::Report { replica, report: heard } = office.hears().await else { panic!("gone") };
            assert_eq!((&*replica, heard), ("reeve-1-name", report(pod)));
        }
        streams.push(replica);
    }
    for mut ended in streams.drain(..2) {
        ended.ends().await;
    }
    office.counts(r#"reeve_operator_sync_streams_ended_total{reason="Replaced"}"#, 2.0).await;
    office.counts("reeve_operator_replicas_connected", 1.0).await;
}

#[tokio::test]
async fn a_replica_that_cannot_prove_who_it_is_is_told_nothing() {
    let mut leader = Office::open().await;
    let (mut real, other) = (front(&leader).await, front(&leader).await);
    let follower = follower(&leader, &Front { address: real.address.clone(), ..other }).await;
    follower.give_word("p1", "a", 1);
    let _peer = Peer::of(&follower, "p1", None).await;
    timeout(LONGEST, real.mistrusted.wait_for(|count| *count > 1)).await.unwrap().unwrap();
    // The leader hears of its own sidecar, and of none of the follower's before.
    leader.give_word("p2", "a", 1);
    let _own = Peer::of(&leader, "p2", None).await;
    assert!(matches!(leader.hears().await, Input::Report { report, .. } if report.pod.as_str() == "p2"));
}

#[tokio::test]
async fn what_a_replica_reports_is_bounded_and_waits_for_whoever_hears_it() {
    let mut office = Office::with(Timing { silence: Duration::from_secs(600), ..timing() }).await;
    let mut replica = ask(office.address, Some(&format!("Bearer {}", office.replica_token("reeve-1")))).await.unwrap();
    replica.say(&hello(None)).await;
    assert!(matches!(replica.hears().await, Some(ToSidecar::Welcome(_))));
    let report = |pod: usize| PodReport {
        pod: format!("p{pod}").as_str().into(),
        connected: true,
        running: None,
        servers: Vec::new(),
    };
    let tells = async {
        for batch in 0..40 {
            let reports = (0..100).map(|number| report(batch * 100 + number)).collect();
            replica.say(&FromSidecar::Reports(reports)).await;
        }
        std::future::pending::<()>().await;
    };
    let hears = async {
        for pod in 0..4_000 {
            let Input::Report { report: heard, .. } = office.hears().await else { panic!("gone") };
            assert_eq!(heard, report(pod));
        }
    };
    tokio::select! {
        () = hears => {}
        () = tells => {}
    }
}
