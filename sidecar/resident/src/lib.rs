//! Keeps in memory what of the program runs, and not what only its start ran. Used by the sidecar once a configuration is in
//! force; nothing here knows of it.
//!
//! Reading policies, compiling their patterns and expressions and reading the system's certificates runs several MiB of the
//! program that no call runs, in every pod. Linux keeps those pages of the file mapped, and counts them to the process, until the
//! machine is short of memory. [`give_back`] unmaps all pages of the program and of its libraries; those that calls need are
//! mapped again as they are run, from the system's page cache, in a few hundred steps of a microsecond.
//!
//! It is a crate of its own because it holds the one `unsafe` block of Reeve, so that all others forbid them.

#[cfg(target_os = "linux")]
mod mappings;

use std::io;

/// Unmaps the program's code and constants until they are used again; gives how many bytes of them were in memory. Takes a
/// fraction of a millisecond. Does nothing where there is no Linux.
///
/// # Errors
/// What the system answered, if it does not tell of its mappings or unmaps none. Nothing is lost then.
pub fn give_back() -> io::Result<u64> {
    #[cfg(target_os = "linux")]
    return linux::give_back();
    #[cfg(not(target_os = "linux"))]
    Ok(0)
}

#[cfg(target_os = "linux")]
mod linux {
    use std::fs;
    use std::io;
    use std::ptr;

    use rustix::mm::{Advice, madvise};

    use crate::mappings::{Mapping, unchanged};

    pub(super) fn give_back() -> io::Result<u64> {
        let told = fs::read_to_string("/proc/self/smaps")?;
        let mut given_back = 0;
        for mapping in unchanged(&told) {
            unmap(&mapping)?;
            given_back += mapping.resident;
        }
        Ok(given_back)
    }

    #[expect(unsafe_code, reason = "only the system can unmap a page, and it is told of it by an address")]
    fn unmap(mapping: &Mapping) -> io::Result<()> {
        let start = ptr::with_exposed_provenance_mut(mapping.start);
        // SAFETY: what is advised is a private mapping of a file that nobody can write and of which no page differs from the
        // file (`unchanged`). For such a one, madvise(2) promises that later accesses find the file's content again:
        // what every thread reads and runs there is the same before, meanwhile and after. The kernel does the same by itself
        // when memory is short; who overwrites the file of a program that runs would break it without this, too.
        unsafe { madvise(start, mapping.bytes, Advice::LinuxDontNeed) }.map_err(io::Error::from)
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    /// Its address is only known once the program has been loaded: such constants are written then, and are not the file's.
    static RELOCATED: [&(dyn Fn(u32) -> u32 + Sync); 2] = [&|n| n + 1, &|n| n * 2];

    #[test]
    fn a_program_goes_on_without_what_it_has_given_back() {
        let first = give_back().unwrap();
        assert!(first > 100_000, "{first} bytes");
        assert_eq!(RELOCATED.map(|f| f(20)), [21, 40]);
        let again = give_back().unwrap();
        assert!(again < first, "{again} of {first} bytes were used since");
        let read = std::thread::spawn(|| std::fs::read_to_string("/proc/self/status")).join().unwrap().unwrap();
        assert!(read.contains("VmRSS"), "{read}");
    }
}
