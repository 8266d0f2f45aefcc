//! What the sidecar needs of its machine, and does not get for a while.

use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::symlink;
use std::process::Command;

use reeve_tests::eventually::eventually;
use reeve_tests::http;
use reeve_tests::load::{Load, Outcome, Told};

use super::scene::{
    AGENTS, Counted, POLICY, Scene, lines, none_was_lost, serves_on, settled, the_books_agree, the_truth_was_told,
};

#[test]
fn no_call_passes_without_its_record_while_the_disk_of_the_audit_log_is_full() {
    let scene = Scene::new();
    let (disk, full) = (scene.setup.file("disk.jsonl"), std::path::Path::new("/dev/full"));
    // The log's path is a link, which leads to a disk that has room, then to one that has none, then back.
    let lead_to = |target: &std::path::Path| {
        let next = scene.setup.file("next");
        symlink(target, &next).unwrap();
        fs::rename(&next, &scene.audit).unwrap();
    };
    lead_to(&disk);
    let mut sidecar = scene.setup.start();
    let load = Load::start(&scene.url, AGENTS);
    load.goes_on(50);
    lead_to(full);
    let unrecorded = Outcome::Refused("AuditUnavailable".into());
    load.until("refused for want of a record", 50, |told| told.outcome == unrecorded);
    lead_to(&disk);
    load.goes_on(100);
    let told = load.finish();
    none_was_lost(&told);
    the_truth_was_told(&scene.ledger, &told);
    settled(&sidecar);
    let Counted { allowed, used, .. } = Counted::by(&sidecar);
    assert_eq!((used, scene.ledger.executed_in_all()), (allowed, allowed), "limits, server and metrics");
    eventually("every call that passed is recorded, those of the full disk too", || {
        let passed = scene.decisions().iter().filter(|line| line["decision"] == "allow").count();
        (passed == allowed).then_some(())
    });
    let dropped = sidecar.metric("reeve_audit_dropped_total");
    assert!(dropped >= told.iter().filter(|told| told.outcome == unrecorded).count() as f64, "{dropped}");
    serves_on(&scene, &mut sidecar);
}

/// A disk of its own for one folder; gone when dropped.
struct Disk(std::path::PathBuf);

impl Disk {
    /// None where this process may not mount one.
    fn mount(folder: std::path::PathBuf, size: &str) -> Option<Self> {
        fs::create_dir(&folder).unwrap();
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"]).arg(&folder).status();
        mounted.is_ok_and(|status| status.success()).then_some(Self(folder))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

#[test]
fn a_real_disk_that_fills_up_stops_calls_and_room_on_it_lets_them_go_on() {
    let scene = Scene::new();
    let Some(disk) = Disk::mount(scene.setup.file("disk"), "128k") else {
        eprintln!("this process may mount no disk: only the test with /dev/full has been made");
        return;
    };
    let file = disk.0.join("audit.jsonl");
    symlink(&file, &scene.audit).unwrap();
    let mut sidecar = scene.setup.start();
    let load = Load::start(&scene.url, AGENTS);
    load.until("refused for want of a record", 20, |told| told.outcome == Outcome::Refused("AuditUnavailable".into()));
    // As a rotation does that moves the file to where there is room.
    let rotated = fs::read_to_string(&file).unwrap();
    fs::remove_file(&file).unwrap();
    let now = std::time::Instant::now();
    load.until("answered again", 20, |told| told.begun > now && told.outcome == Outcome::Answered);
    let told = load.finish();
    none_was_lost(&told);
    the_truth_was_told(&scene.ledger, &told);
    settled(&sidecar);
    let executed = scene.ledger.executed_in_all();
    assert_eq!(Counted::by(&sidecar).used, executed);
    assert!(lines(&rotated).iter().all(|line| line["seq"].is_u64()), "each line is whole");
    assert_eq!(sidecar.process.exit_code(), None);
}

/// What a process may open, and what it has open.
fn descriptors(process: u32) -> usize {
    fs::read_dir(format!("/proc/{process}/fd")).unwrap().count()
}

fn may_open(process: u32, soft: usize) {
    let set = Command::new("prlimit").args(["--pid", &process.to_string(), &format!("--nofile={soft}:")]).status();
    assert!(set.is_ok_and(|status| status.success()), "the limit of descriptors can be set");
}

#[test]
fn no_forbidden_call_passes_while_descriptors_run_out_and_calls_go_on_when_they_are_back() {
    let scene = Scene::new();
    let mut sidecar = scene.setup.start();
    let address = http::split(&scene.url).0;
    let load = Load::start(&scene.url, AGENTS);
    load.goes_on(50);
    let process = sidecar.process.id();
    may_open(process, descriptors(process) + 10);
    // They wait in the kernel's queue; those that are accepted take what there is.
    let idle: Vec<TcpStream> = (0..40).map(|_| TcpStream::connect(address).unwrap()).collect();
    eventually("connections cannot be accepted", || {
        sidecar.process.log().contains("connections cannot be accepted").then_some(())
    });
    // Changed while no file can be opened.
    let more = "  - {name: sometimes, tools: [sometimes], action: Deny}\n";
    scene.setup.write("policy.yaml", &format!("{POLICY}{more}"));
    let now = std::time::Instant::now();
    load.until("of whatever comes of it", 100, |told| told.begun > now);
    drop(idle);
    may_open(process, 1_024);
    let over = std::time::Instant::now();
    load.goes_on(100);
    let told = load.finish();
    the_truth_was_told(&scene.ledger, &told);
    let lost =
        |told: &&Told| !matches!(told.outcome, Outcome::Answered | Outcome::Refused(_) | Outcome::Failed(502, _));
    assert_eq!(told.iter().filter(lost).count(), 0, "who is connected is answered");
    none_was_lost(&told.into_iter().filter(|told| told.begun > over).collect::<Vec<_>>());
    the_books_agree(&scene, &sidecar);
    eventually("the changed policy is in force", || (sidecar.metric("reeve_config_generation") >= 2.0).then_some(()));
    assert_eq!(sidecar.metric("reeve_config_last_reload_successful"), 1.0);
    serves_on(&scene, &mut sidecar);
}
