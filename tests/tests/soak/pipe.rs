//! An audit log that is a pipe: its lines are counted and not kept, as ten million of them would fill a disk.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};

/// What went through.
#[derive(Clone, Debug, Default)]
pub struct Recorded {
    /// Decisions to let a call pass.
    pub allowed: usize,
    /// Other decisions about calls.
    pub refused: usize,
    /// The numbers that have not come, of those up to the last. Records come in the order in which calls are decided, their
    /// numbers are in that in which they came.
    pub missing: BTreeSet<u64>,
    last: u64,
}

/// The end that reads.
pub struct Pipe {
    recorded: Arc<Mutex<Recorded>>,
}

impl Pipe {
    /// Makes a pipe here and reads it until it ends.
    pub fn make(path: &Path) -> Self {
        let made = Command::new("mkfifo").arg(path).status();
        assert!(made.is_ok_and(|status| status.success()), "{} cannot be made", path.display());
        let recorded: Arc<Mutex<Recorded>> = Arc::default();
        let (path, kept) = (path.to_owned(), Arc::clone(&recorded));
        std::thread::spawn(move || {
            for line in BufReader::with_capacity(1 << 20, File::open(path).unwrap()).lines() {
                kept.lock().unwrap_or_else(PoisonError::into_inner).read(&line.unwrap());
            }
        });
        Self { recorded }
    }

    /// What went through so far.
    pub fn recorded(&self) -> Recorded {
        self.recorded.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Recorded {
    fn read(&mut self, line: &str) {
        let number = text(line, "\"seq\":").and_then(|text| text.parse().ok()).expect("every line is numbered");
        if number > self.last {
            self.missing.extend(self.last + 1..number);
            self.last = number;
        } else {
            assert!(self.missing.remove(&number), "a number comes once: {line}");
        }
        match text(line, "\"decision\":") {
            Some("\"allow\"") => self.allowed += 1,
            Some(_) => self.refused += 1,
            None => {}
        }
    }
}

/// The value of the first member of this name, as it stands there: cheaper than reading all of the line.
fn text<'l>(line: &'l str, name: &str) -> Option<&'l str> {
    line.split_once(name)?.1.split([',', '}']).next()
}
