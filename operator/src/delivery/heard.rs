//! What the sidecars that hang on this replica said last, for whoever wants to know: this replica's own `control`, and the
//! leader.
//!
//! A reader has a mark up to which it knows everything. Of a sidecar that said much since, it is told the last: a reader that is
//! slow costs no memory, and misses nothing that still holds.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use reeve_wire::Uid;
use reeve_wire::message::PodReport;
use tokio::sync::{oneshot, watch};

/// The last report of each pod.
#[derive(Debug, Default)]
pub(super) struct Heard {
    table: Mutex<Table>,
    /// The mark of the last change.
    last: watch::Sender<Mark>,
}

/// Counts the changes of the table: how much a reader knows, and which stream of a pod is the newest.
type Mark = u64;

/// What somebody knows of the table.
#[derive(Debug, Default)]
pub(super) struct Reader {
    mark: Mark,
    /// Of the pods that had hung up before this mark it is told nothing.
    live_before: Mark,
}

#[derive(Debug, Default)]
struct Table {
    last: Mark,
    pods: HashMap<Uid, Entry>,
    /// The pods by the mark of their last change.
    order: BTreeMap<Mark, Uid>,
}

#[derive(Debug)]
struct Entry {
    report: PodReport,
    mark: Mark,
    /// The stream that may speak for the pod.
    voice: Mark,
    /// Dropped when another stream takes over.
    _until_replaced: Option<oneshot::Sender<()>>,
}

/// The right of one stream to speak for its pod, until a newer stream does. Dropping it says that the pod is not connected.
#[derive(Debug)]
pub(super) struct Voice<'a> {
    heard: &'a Heard,
    pod: Uid,
    number: Mark,
}

impl Heard {
    /// A new stream speaks for a pod from now on. What is returned beside ends when a newer one does.
    pub(super) fn begin(&self, report: PodReport) -> (Voice<'_>, oneshot::Receiver<()>) {
        let (until_replaced, replaced) = oneshot::channel();
        let mut table = self.lock();
        let pod = report.pod.clone();
        let number = table.write(report, None);
        if let Some(entry) = table.pods.get_mut(&pod) {
            entry.voice = number;
            entry._until_replaced = Some(until_replaced);
        }
        self.tell(table);
        (Voice { heard: self, pod, number }, replaced)
    }

    /// One who knows nothing, and wants nothing of the pods that have hung up by now: they may speak elsewhere.
    pub(super) fn reader_of_live(&self) -> Reader {
        Reader { mark: 0, live_before: self.lock().last }
    }

    /// What a reader does not know yet, the oldest first, at most so many. It knows them then.
    pub(super) fn read(&self, reader: &mut Reader, most: usize) -> Vec<PodReport> {
        let table = self.lock();
        let Reader { mark, live_before } = reader;
        let mut reports = Vec::new();
        for (&at, pod) in table.order.range(*mark + 1..) {
            if reports.len() == most {
                break;
            }
            *mark = at;
            let entry = table.pods.get(pod).filter(|entry| entry.report.connected || at > *live_before);
            reports.extend(entry.map(|entry| entry.report.clone()));
        }
        reports
    }

    /// Changes whenever there is something new.
    pub(super) fn watch(&self) -> watch::Receiver<Mark> {
        self.last.subscribe()
    }

    /// Forgets the pods that are gone: of those nobody wants to hear.
    pub(super) fn retain(&self, is_live: impl Fn(&Uid) -> bool) {
        let mut table = self.lock();
        let Table { pods, order, .. } = &mut *table;
        pods.retain(|pod, entry| {
            let stays = entry.report.connected || is_live(pod);
            if !stays {
                order.remove(&entry.mark);
            }
            stays
        });
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, table: MutexGuard<'_, Table>) {
        let last = table.last;
        drop(table);
        // Two that tell at once may do so in either order.
        self.last.send_if_modified(|told| std::mem::replace(told, last.max(*told)) < last);
    }
}

impl Table {
    /// Writes down a report, if the voice may speak for its pod, and gives its mark.
    fn write(&mut self, report: PodReport, voice: Option<Mark>) -> Mark {
        let known = self.pods.get_mut(&report.pod);
        if let (Some(voice), known) = (voice, known.as_deref())
            && known.is_none_or(|entry| entry.voice != voice || entry.report == report)
        {
            return self.last;
        }
        self.last += 1;
        self.order.insert(self.last, report.pod.clone());
        match known {
            Some(entry) => {
                self.order.remove(&entry.mark);
                entry.mark = self.last;
                entry.report = report;
            }
            None => {
                let entry = Entry { mark: self.last, voice: self.last, _until_replaced: None, report };
                self.pods.insert(entry.report.pod.clone(), entry);
            }
        }
        self.last
    }
}

impl Voice<'_> {
    /// Whom it speaks for.
    pub(super) fn pod(&self) -> &Uid {
        &self.pod
    }

    /// What the sidecar runs and can use now. Passed over once a newer stream speaks for the pod.
    pub(super) fn say(&self, report: PodReport) {
        let mut table = self.heard.lock();
        table.write(report, Some(self.number));
        self.heard.tell(table);
    }
}

impl Drop for Voice<'_> {
    fn drop(&mut self) {
        let report = self.heard.lock().pods.get(&self.pod).map(|entry| entry.report.clone());
        if let Some(report) = report {
            self.say(PodReport { connected: false, ..report });
        }
    }
}

#[cfg(test)]
mod tests;
