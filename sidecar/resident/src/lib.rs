//! Keeps in memory what of the program runs, and not what only its start ran. Used by the sidecar once a configuration is in
//! force; nothing here knows of it.
//!
//! Reading policies, compiling their patterns and expressions and reading the system's certificates runs several MiB of the
//! program that no call runs, in every pod. Linux keeps those pages of the file mapped, and counts them to the process, until the
//! machine is short of memory. [`Program::give_back`] unmaps all pages of the program and of its libraries; those that calls need
//! are mapped again as they are run: from the system's page cache, in a few hundred steps of a microsecond; or from the disk,
//! where the system has meanwhile needed their memory for something else.
//!
//! It is a crate of its own because it holds the one `unsafe` block of Reeve, so that all others forbid them.

#[cfg(target_os = "linux")]
mod mappings;

#[cfg(target_os = "linux")]
use linux as system;
#[cfg(not(target_os = "linux"))]
use nothing as system;

/// The program and the libraries that it is linked with, where they are mapped. Those are never unmapped, and nothing else is ever
/// mapped in their place, unlike libraries that are loaded later.
#[derive(Clone, Debug, Default)]
pub struct Program(system::Loaded);

impl Program {
    /// What is loaded now. To be asked at the beginning, before there is another thread: where there is one it may be loading a
    /// library, and nothing is taken for loaded.
    pub fn loaded() -> Self {
        Self(system::Loaded::now())
    }

    /// Unmaps its code and constants until they are used again; gives how many bytes of them were in memory. Takes a fraction of a
    /// millisecond. Does nothing where there is no Linux.
    ///
    /// # Errors
    /// What the system answered, if it does not tell of its mappings or unmaps none. Nothing is lost then.
    pub fn give_back(&self) -> std::io::Result<u64> {
        self.0.give_back()
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::{fs, io, ptr};

    use rustix::mm::{Advice, madvise};

    use crate::mappings::{Mapping, Place, unchanged};

    #[derive(Clone, Debug, Default)]
    pub(super) struct Loaded(Vec<Place>);

    impl Loaded {
        pub(super) fn now() -> Self {
            let threads = fs::read_dir("/proc/self/task").map(Iterator::count);
            let told = fs::read_to_string("/proc/self/smaps");
            match (threads, told) {
                (Ok(1), Ok(told)) => Self(unchanged(&told).iter().map(|mapping| mapping.place).collect()),
                _ => Self::default(),
            }
        }

        pub(super) fn give_back(&self) -> io::Result<u64> {
            let told = fs::read_to_string("/proc/self/smaps")?;
            let mut given_back = 0;
            for mapping in unchanged(&told).iter().filter(|mapping| self.0.contains(&mapping.place)) {
                unmap(mapping)?;
                given_back += mapping.resident;
            }
            Ok(given_back)
        }
    }

    #[expect(unsafe_code, reason = "only the system can unmap a page, and it is told of it by an address")]
    fn unmap(mapping: &Mapping) -> io::Result<()> {
        let start = ptr::with_exposed_provenance_mut(mapping.place.start);
        // SAFETY: what is advised is a private mapping of a file that nobody can write and of which no page differs from the
        // file (`unchanged`). For such a one, madvise(2) promises that later accesses find the file's content again: what every
        // thread reads and runs there is the same before, meanwhile and after. It is still that mapping, for it was there before
        // there was a second thread (`Loaded`), when no library was being loaded, and the loader unmaps none of these. The kernel
        // does the same by itself when memory is short; who overwrites the file of a program that runs would break it without
        // this, too.
        unsafe { madvise(start, mapping.place.bytes, Advice::LinuxDontNeed) }.map_err(io::Error::from)
    }
}

#[cfg(not(target_os = "linux"))]
mod nothing {
    #[derive(Clone, Debug, Default)]
    pub(super) struct Loaded;

    impl Loaded {
        pub(super) fn now() -> Self {
            Self
        }

        #[expect(clippy::unnecessary_wraps, clippy::unused_self, reason = "as where there is something to do")]
        pub(super) fn give_back(&self) -> std::io::Result<u64> {
            Ok(0)
        }
    }
}
