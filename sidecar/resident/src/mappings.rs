//! Which parts of the address space are a file's, byte for byte: what `/proc/self/smaps` says (proc_pid_smaps(5)), read.

/// A part of the address space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Its first address.
    pub(crate) start: usize,
    /// Its length.
    pub(crate) bytes: usize,
}

/// One that is as a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mapping {
    /// Where.
    pub(crate) place: Place,
    /// How many bytes of it are in memory.
    pub(crate) resident: u64,
}

/// The mappings of files, which are the program and its libraries, that nobody can write, and of which every page is the file's:
/// what was relocated when the program was loaded, and where a debugger has put a breakpoint, is not.
pub(crate) fn unchanged(smaps: &str) -> Vec<Mapping> {
    let mut found = Vec::new();
    let mut lines = smaps.lines().peekable();
    while let Some(line) = lines.next() {
        let mut sizes = Sizes::default();
        while let Some(size) = lines.next_if(|line| range(line).is_none()) {
            sizes.read(size);
        }
        let Some(place) = range(line).filter(|_| is_constant(line)) else { continue };
        if let Sizes { resident: Some(resident), anonymous: Some(0), swapped: Some(0) } = sizes {
            found.push(Mapping { place, resident });
        }
    }
    found
}

/// What is told of a mapping, in bytes.
#[derive(Debug, Default)]
struct Sizes {
    resident: Option<u64>,
    /// Pages that are the process's own, and so are not as in the file.
    anonymous: Option<u64>,
    /// Those of them that are not in memory.
    swapped: Option<u64>,
}

impl Sizes {
    fn read(&mut self, line: &str) {
        let Some((name, size)) = line.split_once(':') else { return };
        let field = match name {
            "Rss" => &mut self.resident,
            "Anonymous" => &mut self.anonymous,
            "Swap" => &mut self.swapped,
            _ => return,
        };
        *field = size.trim().strip_suffix(" kB").and_then(|size| size.parse().ok()).map(|size: u64| size << 10);
    }
}

/// The addresses at the head of a mapping; none: it is a line of its sizes.
fn range(line: &str) -> Option<Place> {
    let (start, end) = line.split_once(' ')?.0.split_once('-')?;
    let address = |text| usize::from_str_radix(text, 16).ok();
    let (start, end) = (address(start)?, address(end)?);
    (start < end).then(|| Place { start, bytes: end - start })
}

/// Whether the head of a mapping says that it is of a file, private, and cannot be written.
fn is_constant(line: &str) -> bool {
    let mut fields = line.split_ascii_whitespace().skip(1);
    let (mode, path) = (fields.next(), fields.nth(3));
    matches!(mode, Some("r-xp" | "r--p")) && path.is_some_and(|path| path.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn smaps(head: &str, sizes: &str) -> String {
        let tail = "VmFlags: rd ex mr mw me\n";
        format!("{head}\nSize:               8192 kB\n{sizes}{tail}7f00-7f01 rw-p 00000000 00:00 0 \nRss: 4 kB\n{tail}")
    }

    const CODE: &str =
        "55bf8c13c000-55bf8cf4c000 r-xp 003d8000 fe:00 10684945                   /usr/local/bin/reeve-sidecar";
    const CLEAN: &str = "Rss:               10932 kB\nAnonymous:             0 kB\nSwap:                  0 kB\n";

    #[test]
    fn code_and_constants_are_found() {
        for mode in ["r-xp", "r--p"] {
            let told = smaps(&CODE.replace("r-xp", mode), CLEAN);
            let place = Place { start: 0x55bf_8c13_c000, bytes: 0xe1_0000 };
            let code = Mapping { place, resident: 10_932 << 10 };
            assert_eq!(unchanged(&told), [code]);
        }
    }

    #[test]
    fn what_is_not_the_files_own_is_left() {
        let left = [
            (CODE.replace("r-xp", "rw-p"), CLEAN.to_owned()),
            (CODE.replace("r-xp", "r-xs"), CLEAN.to_owned()),
            (CODE.replace("/usr/local/bin/reeve-sidecar", "[vdso]"), CLEAN.to_owned()),
            (CODE.replace("/usr/local/bin/reeve-sidecar", ""), CLEAN.to_owned()),
            (CODE.replace("55bf8cf4c000", "55bf8c13c000"), CLEAN.to_owned()),
            (CODE.to_owned(), CLEAN.replace("Anonymous:             0", "Anonymous:             4")),
            (CODE.to_owned(), CLEAN.replace("Swap:                  0", "Swap:                  4")),
            (CODE.to_owned(), CLEAN.replace("Anonymous", "Unheard")),
            (CODE.to_owned(), String::new()),
        ];
        for (head, sizes) in left {
            assert_eq!(unchanged(&smaps(&head, &sizes)), [], "{head}\n{sizes}");
        }
        for text in ["", "\n", "-", "1-", "zz-aa r-xp 0 0 0 x", "1-2"] {
            assert_eq!(unchanged(text), [], "{text}");
        }
    }
}
