use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proptest::prelude::*;
use reeve_policy::catalogue::{Catalogue, Extent};
use reeve_policy::json::{Document, Limits};
use reeve_policy::limit::{Capacity, Charge, CounterName, Limiter, Units};
use reeve_policy::time::{Instant, WallTime};

use super::limits::{FILE, SYNCED_FILE};
use super::sealed::{self, Outlives, Unreadable};
use super::*;
use crate::clock::Clock;

const DEADLINE: Duration = Duration::from_secs(10);
const SERVER: &str = "imaging https://x/mcp";

fn catalogue(tool: &str) -> Arc<Catalogue> {
    let list = format!(r#"{{"tools":[{{"name":"{tool}","inputSchema":{{"type":"object"}}}}]}}"#);
    let document = Document::parse(list.into(), Limits::default()).unwrap();
    Arc::new(Catalogue::default().with_listed(document.root(), Extent::Whole))
}

/// What the parts of a sidecar would give to be kept.
#[derive(Clone, Default)]
struct Kept {
    limits: Arc<Mutex<Vec<u8>>>,
    bindings: Arc<Mutex<String>>,
    tools: Arc<Mutex<Arc<Catalogue>>>,
}

impl Kept {
    fn sources(&self) -> Sources {
        let (limits, bindings, tools) = (Arc::clone(&self.limits), Arc::clone(&self.bindings), Arc::clone(&self.tools));
        Sources {
            limits: Box::new(move |_| limits.lock().unwrap().clone()),
            bindings: Box::new(move || bindings.lock().unwrap().clone()),
            catalogues: Box::new(move || vec![(SERVER.into(), Arc::clone(&tools.lock().unwrap()))]),
        }
    }

    /// A session begins: the change is applied, then given to be kept.
    fn begin(&self, keeper: &Keeper, line: &str) {
        self.bindings.lock().unwrap().push_str(line);
        keeper.binding(line.to_owned());
    }
}

fn clock() -> Clock {
    Clock::manual(Instant(1_000), WallTime(2_000))
}

fn start(path: &Path) -> (Cache, Kept, Keeper) {
    let (cache, kept) = (Cache::open(path).unwrap(), Kept::default());
    let keeper = Keeper::start(&cache, kept.sources(), clock()).unwrap();
    (cache, kept, keeper)
}

fn eventually(what: &str, condition: impl Fn() -> bool) {
    let until = std::time::Instant::now() + DEADLINE;
    while !condition() {
        assert!(std::time::Instant::now() < until, "never: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn snapshot_in(file: &Path) -> Option<Vec<u8>> {
    let content = sealed::read(file).ok()?;
    let end = content.iter().position(|byte| *byte == b'\n')?;
    Some(content[end + 1..].to_vec())
}

#[test]
fn what_was_counted_is_on_the_disk_within_a_second_or_so() {
    let directory = tempfile::tempdir().unwrap();
    let (_cache, kept, keeper) = start(directory.path());
    *kept.limits.lock().unwrap() = b"seven".to_vec();
    keeper.changed();
    let file = directory.path().join(FILE);
    eventually("the snapshot is written", || snapshot_in(&file) == Some(b"seven".to_vec()));
    *kept.limits.lock().unwrap() = b"eight".to_vec();
    keeper.changed();
    eventually("the next one is written", || snapshot_in(&file) == Some(b"eight".to_vec()));
}

#[test]
fn an_orderly_end_writes_everything_and_forces_it_to_the_disk() {
    let directory = tempfile::tempdir().unwrap();
    let (cache, kept, keeper) = start(directory.path());
    *kept.limits.lock().unwrap() = b"nine".to_vec();
    *kept.tools.lock().unwrap() = catalogue("get_datastore");
    kept.begin(&keeper, "one\n");
    kept.begin(&keeper, "two\n");
    assert!(keeper.close(DEADLINE));
    for name in [FILE, SYNCED_FILE] {
        assert_eq!(snapshot_in(&directory.path().join(name)), Some(b"nine".to_vec()), "{name}");
    }
    assert!(cache.catalogue(SERVER).unwrap().tool("get_datastore").is_some());
    assert!(cache.catalogue("imaging https://y/mcp").is_none());
    // A line that waits while the log is begun afresh may be in it twice: it says nothing else the second time.
    let mut lines = cache.binding_lines();
    lines.dedup();
    assert_eq!(lines, ["one", "two"]);
}

/// What is used of the one counter, after taking over what the directory holds.
fn restored(cache: &Cache, clock: &Clock) -> i64 {
    let limiter = Limiter::new(Capacity::default());
    cache.restore_limits(&limiter, clock);
    limiter.highest_usage(&limiter.counter(counter(), Duration::from_secs(60)), clock.now()).0 / Units::ONE.0
}

fn counter() -> CounterName {
    CounterName { policy: "p".into(), counter: "c".into(), shadow: false }
}

#[test]
fn limits_go_on_counting_and_a_damaged_snapshot_is_replaced_by_the_one_before() {
    let directory = tempfile::tempdir().unwrap();
    let (cache, kept, keeper) = start(directory.path());
    let limiter = Limiter::new(Capacity::default());
    let handle = limiter.counter(counter(), Duration::from_secs(60));
    let charge = Charge { counter: &handle, key: "k", cost: Units::whole(3), max: Units::whole(10) };
    let _taken = limiter.reserve(&[charge], clock().now()).unwrap();
    *kept.limits.lock().unwrap() = limiter.snapshot(clock().now());
    assert!(keeper.close(DEADLINE));

    assert_eq!(restored(&cache, &clock()), 3);
    let later = clock();
    later.advance(Duration::from_secs(61));
    assert_eq!(restored(&cache, &later), 0);
    std::fs::write(directory.path().join(FILE), b"reeve-cache-1\nhalf of it").unwrap();
    assert_eq!(restored(&cache, &clock()), 3);
    std::fs::write(directory.path().join(SYNCED_FILE), b"").unwrap();
    assert_eq!(restored(&cache, &clock()), 0);
}

#[test]
fn without_a_directory_nothing_is_kept_and_nothing_fails() {
    let cache = Cache::none();
    let keeper = Keeper::start(&cache, Kept::default().sources(), clock()).unwrap();
    keeper.changed();
    keeper.binding("one\n".into());
    assert!(keeper.close(DEADLINE));
    assert!(cache.binding_lines().is_empty() && cache.catalogue(SERVER).is_none());
}

#[test]
fn two_processes_cannot_use_one_directory() {
    let directory = tempfile::tempdir().unwrap();
    let first = Cache::open(directory.path()).unwrap();
    let error = Cache::open(directory.path()).unwrap_err().to_string();
    assert!(error.contains("in use by another sidecar") && error.contains("--cache-dir"), "{error}");
    drop(first);
    assert!(Cache::open(directory.path()).is_ok());
}

#[test]
fn a_directory_that_cannot_be_made_is_named() {
    let error = Cache::open(Path::new("/proc/none/cache")).unwrap_err().to_string();
    assert!(error.contains("/proc/none/cache") && error.contains("--cache-dir"), "{error}");
}

#[test]
fn a_damaged_file_is_set_aside_and_the_start_goes_on_without_it() {
    let directory = tempfile::tempdir().unwrap();
    let cache = Cache::open(directory.path()).unwrap();
    let file = directory.path().join(super::catalogues::file(SERVER));
    std::fs::write(&file, b"reeve-cache-1\nhalf of it").unwrap();
    assert!(cache.catalogue(SERVER).is_none());
    assert!(!file.exists() && file.with_extension("unreadable").exists());
}

#[test]
fn a_session_log_that_was_cut_short_is_begun_afresh_and_stays_bounded() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("bindings");
    std::fs::write(&file, "{\"begin\":{\"ses").unwrap();
    let (cache, kept, keeper) = start(directory.path());
    assert_eq!(cache.binding_lines(), ["{\"begin\":{\"ses"]);
    kept.begin(&keeper, "one\n");
    assert!(keeper.close(DEADLINE));
    assert_eq!(cache.binding_lines(), ["one"]);

    let keeper = Keeper::start(&cache, kept.sources(), clock()).unwrap();
    let line = format!("{}\n", "x".repeat(1_023));
    for _ in 0..2_000 {
        keeper.binding(line.clone());
    }
    assert!(keeper.close(DEADLINE));
    assert!(std::fs::metadata(&file).unwrap().len() < 300 << 10);
}

proptest! {
    /// Whatever happens to the bytes of a file, what is read from it is what was written, or nothing.
    #[test]
    fn a_damaged_file_is_never_taken_for_a_whole_one(content in prop::collection::vec(any::<u8>(), 0..64), at in any::<prop::sample::Index>(), with in any::<u8>(), cut in any::<bool>()) {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        sealed::write(&file, &content, Outlives::Process).unwrap();
        let mut bytes = std::fs::read(&file).unwrap();
        let original = bytes.clone();
        let index = at.index(bytes.len());
        if cut { bytes.truncate(index) } else { bytes[index] = with }
        std::fs::write(&file, &bytes).unwrap();
        match sealed::read(&file) {
            Ok(read) => prop_assert!(bytes == original && read == content),
            Err(Unreadable::Damaged(_)) => prop_assert!(bytes != original),
            Err(other) => prop_assert!(false, "{:?}", other),
        }
    }
}
