//! Notices when the files of a configuration change.
//!
//! The kernel tells of changes in their directories: editors replace files, and the kubelet replaces a link beside them
//! (`..data`). What it tells is only a hint to compare the files with what was read, and they are compared each few seconds
//! anyway, so that a hint that was missed, or a file system that gives none, delays a change and loses nothing.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use notify::event::ModifyKind;
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};

use super::Files;
use super::files::Places;

/// How often contents are compared without a hint.
const COMPARE_EVERY: Duration = Duration::from_secs(3);

/// How long no further hint may come before contents are compared, and the longest that is waited for: an editor writes a
/// file in several steps.
const QUIET: Duration = Duration::from_millis(50);
const PATIENCE: Duration = Duration::from_millis(500);

/// Watches the files of a configuration.
#[derive(Debug)]
pub struct Watcher {
    files: Files,
    hints: Arc<Notify>,
    /// Where the files were when the kernel was asked for hints.
    places: Places,
    /// Unset if the kernel gives no hints.
    source: Option<RecommendedWatcher>,
}

impl Watcher {
    /// Begins to watch what [`super::source::load`] has read.
    pub fn new(files: Files) -> Self {
        let (hints, places) = (Arc::new(Notify::new()), files.places());
        let source = watch_directories(&places, &hints);
        Self { files, hints, places, source }
    }

    /// Watches these files from now on: what the last attempt to load has read, whether it succeeded or not. A change since
    /// they were read counts.
    pub fn watch(&mut self, files: Files) {
        self.files = files;
        self.follow(self.files.places());
    }

    /// Asks for hints from where the files are now: a link may lead elsewhere than before.
    fn follow(&mut self, places: Places) {
        if places != self.places {
            self.source = watch_directories(&places, &self.hints);
            self.places = places;
        }
    }

    /// Waits until a file holds something else than was read. Returns again at once until [`Watcher::watch`] is told what
    /// was read since. May be dropped and called again: what is missed is found by comparing.
    pub async fn changed(&mut self) {
        loop {
            if timeout(COMPARE_EVERY, self.hints.notified()).await.is_ok() {
                self.settle().await;
            }
            let mut files = self.files.clone();
            let compare = move || (files.are_unchanged(), files.places(), files);
            // If the runtime is stopping there is nothing left to tell.
            let Ok((same, places, files)) = tokio::task::spawn_blocking(compare).await else { continue };
            self.files = files;
            self.follow(places);
            if !same {
                return;
            }
        }
    }

    async fn settle(&self) {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            tokio::select! {
                () = self.hints.notified() => {}
                () = sleep(QUIET) => return,
            }
        }
    }
}

fn watch_directories(places: &Places, hints: &Arc<Notify>) -> Option<RecommendedWatcher> {
    let (hints, of_files) = (Arc::clone(hints), places.clone());
    let on_event = move |event: notify::Result<Event>| {
        if !event.is_ok_and(|event| changes_none(&event, &of_files)) {
            hints.notify_one();
        }
    };
    let watch = || {
        let mut watcher = notify::recommended_watcher(on_event)?;
        for directory in &places.directories {
            // One that is missing may come; comparing will find it.
            let _ = notify::Watcher::watch(&mut watcher, directory, RecursiveMode::NonRecursive);
        }
        Ok::<_, notify::Error>(watcher)
    };
    watch()
        .inspect_err(|error| {
            tracing::warn!(%error, "configuration files are compared each {COMPARE_EVERY:?}: the kernel tells of no changes");
        })
        .ok()
}

/// Whether an event certainly changes no file at these places: reading is an event too, and so is each line of an audit log
/// that is written beside them. What comes, goes or is renamed under another name may be a link that leads to them.
fn changes_none(event: &Event, places: &Places) -> bool {
    let is_named = |path: &PathBuf| path.file_name().is_none_or(|name| places.names.contains(name));
    match event.kind {
        EventKind::Access(_) => true,
        EventKind::Modify(ModifyKind::Data(_) | ModifyKind::Metadata(_)) => !event.paths.iter().any(is_named),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write as _;
    use std::os::unix::fs::symlink;
    use std::path::Path;

    use super::*;

    const DEADLINE: Duration = Duration::from_secs(20);

    fn read(paths: &[&Path]) -> Files {
        let mut files = Files::default();
        for path in paths {
            let _ = files.read(path);
        }
        files
    }

    async fn notices(watcher: &mut Watcher) -> bool {
        timeout(DEADLINE, watcher.changed()).await.is_ok()
    }

    #[tokio::test]
    async fn an_edit_a_replacement_a_removal_and_a_return_are_noticed() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("policy.yaml");
        fs::write(&file, "one").unwrap();
        let mut watcher = Watcher::new(read(&[&file]));
        let edits: [&dyn Fn(); 4] = [
            &|| fs::write(&file, "two").unwrap(),
            &|| {
                fs::write(directory.path().join("policy.yaml~"), "three").unwrap();
                fs::rename(directory.path().join("policy.yaml~"), &file).unwrap();
            },
            &|| fs::remove_file(&file).unwrap(),
            &|| fs::write(&file, "four").unwrap(),
        ];
        for edit in edits {
            edit();
            assert!(notices(&mut watcher).await);
            watcher.watch(read(&[&file]));
        }
    }

    #[tokio::test]
    async fn the_kubelets_swap_of_a_link_is_noticed() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        for (version, text) in [("..1", "one"), ("..2", "two")] {
            fs::create_dir(at(version)).unwrap();
            fs::write(at(version).join("policy.yaml"), text).unwrap();
        }
        symlink("..1", at("..data")).unwrap();
        symlink("..data/policy.yaml", at("policy.yaml")).unwrap();
        let mut watcher = Watcher::new(read(&[&at("policy.yaml")]));
        symlink("..2", at("..data_tmp")).unwrap();
        fs::rename(at("..data_tmp"), at("..data")).unwrap();
        assert!(notices(&mut watcher).await);
        watcher.watch(read(&[&at("policy.yaml")]));
        gives_a_hint_of(&watcher, || fs::write(at("..2/policy.yaml"), "three").unwrap()).await;
    }

    /// That the kernel tells of an edit, whatever it has told of before.
    async fn gives_a_hint_of(watcher: &Watcher, edit: impl Fn()) {
        while timeout(2 * QUIET, watcher.hints.notified()).await.is_ok() {}
        edit();
        assert!(timeout(DEADLINE, watcher.hints.notified()).await.is_ok());
    }

    #[tokio::test]
    async fn a_link_is_followed_to_where_it_leads_now_also_if_the_file_there_holds_the_same() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        for name in ["a.yaml", "b.yaml"] {
            fs::write(at(name), "one").unwrap();
        }
        symlink("a.yaml", at("policy.yaml")).unwrap();
        let mut watcher = Watcher::new(read(&[&at("policy.yaml")]));
        symlink("b.yaml", at("new")).unwrap();
        fs::rename(at("new"), at("policy.yaml")).unwrap();
        let begun = Instant::now();
        while watcher.places != watcher.files.places() && begun.elapsed() < DEADLINE {
            fs::write(at("new"), "a hint").unwrap();
            assert!(timeout(20 * QUIET, watcher.changed()).await.is_err(), "it holds the same");
        }
        gives_a_hint_of(&watcher, || fs::write(at("b.yaml"), "two").unwrap()).await;
        assert!(notices(&mut watcher).await);
    }

    #[tokio::test]
    async fn what_is_written_to_a_file_beside_them_gives_no_hint() {
        let directory = tempfile::tempdir().unwrap();
        let (file, log) = (directory.path().join("policy.yaml"), directory.path().join("audit.jsonl"));
        fs::write(&file, "one").unwrap();
        fs::write(&log, "").unwrap();
        let watcher = Watcher::new(read(&[&file]));
        for _ in 0..10 {
            fs::OpenOptions::new().append(true).open(&log).unwrap().write_all(b"line\n").unwrap();
        }
        assert!(timeout(Duration::from_millis(200), watcher.hints.notified()).await.is_err());
        fs::write(&file, "two").unwrap();
        assert!(timeout(DEADLINE, watcher.hints.notified()).await.is_ok());
    }

    #[tokio::test]
    async fn a_change_without_a_hint_is_found_by_comparing() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("policy.yaml");
        fs::write(&file, "one").unwrap();
        let mut watcher = Watcher::new(read(&[&file]));
        watcher.source = None;
        fs::write(&file, "two").unwrap();
        assert!(notices(&mut watcher).await);
    }

    #[tokio::test]
    async fn a_change_between_reading_and_watching_is_noticed() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("policy.yaml");
        fs::write(&file, "one").unwrap();
        let files = read(&[&file]);
        fs::write(&file, "two").unwrap();
        assert!(notices(&mut Watcher::new(files)).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_touch_is_no_change() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("policy.yaml");
        fs::write(&file, "one").unwrap();
        let mut watcher = Watcher::new(read(&[&file]));
        fs::write(&file, "one").unwrap();
        assert!(!notices(&mut watcher).await);
    }
}
