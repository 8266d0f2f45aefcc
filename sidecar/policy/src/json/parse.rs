//! The strict pass over a document's bytes that writes its tape.
//!
//! No recursion: the open containers are linked through the tape itself, so that depth costs no stack and no allocation.

use super::scan::{self, fault};
use super::tape::{Extent, MAX_BYTES, Word};
use super::{Halves, Kind, Limits, ParseError, ParseErrorKind, keys};

/// Stands for "no container is open".
const NONE: u32 = u32::MAX;

/// What the parser has written.
#[derive(Debug)]
pub(super) struct Parsed {
    pub(super) tape: Vec<u64>,
    pub(super) index: Vec<u64>,
    /// The document without halves of surrogate pairs, if it has any; as long as it was.
    pub(super) mended: Option<Vec<u8>>,
}

/// Parses exactly one document.
pub(super) fn parse(bytes: &[u8], limits: Limits, halves: Halves) -> Result<Parsed, ParseError> {
    if bytes.starts_with(b"\xEF\xBB\xBF") {
        return Err(fault(ParseErrorKind::ByteOrderMark, 0));
    }
    if bytes.len() > MAX_BYTES {
        return Err(fault(ParseErrorKind::TooLong, MAX_BYTES));
    }
    std::str::from_utf8(bytes).map_err(|error| fault(ParseErrorKind::InvalidUtf8, error.valid_up_to()))?;
    let mut parser = Parser {
        bytes,
        at: 0,
        tape: Vec::with_capacity(estimate(bytes.len())),
        index: Vec::new(),
        open: NONE,
        kind: Kind::Null,
        count: 0,
        depth_left: limits.depth,
        tokens_left: limits.tokens,
        halves,
        mended: None,
    };
    parser.skip_space();
    if parser.at == bytes.len() {
        return Err(fault(ParseErrorKind::Empty, 0));
    }
    parser.document()?;
    parser.skip_space();
    if parser.at < bytes.len() {
        return Err(fault(ParseErrorKind::TrailingData, parser.at));
    }
    Ok(Parsed { tape: parser.tape, index: parser.index, mended: parser.mended })
}

/// Words to reserve: enough for a usual call in one allocation; a long string must not reserve what only a long list needs.
fn estimate(bytes: usize) -> usize {
    (bytes / 6 + 8).min(4096)
}

struct Parser<'b> {
    bytes: &'b [u8],
    at: usize,
    tape: Vec<u64>,
    index: Vec<u64>,
    /// The innermost open container's node, its kind, and how many values it holds so far.
    open: u32,
    kind: Kind,
    count: u32,
    depth_left: usize,
    tokens_left: usize,
    halves: Halves,
    mended: Option<Vec<u8>>,
}

impl Parser<'_> {
    fn document(&mut self) -> Result<(), ParseError> {
        'value: loop {
            if self.kind == Kind::Object {
                self.key()?;
            }
            self.count += 1;
            match self.skip_space() {
                b'"' => self.string(self.halves)?,
                b'-' | b'0'..=b'9' => self.number()?,
                bracket @ (b'{' | b'[') => {
                    let (kind, end) = if bracket == b'{' { (Kind::Object, b'}') } else { (Kind::Array, b']') };
                    self.open(kind)?;
                    if self.skip_space() != end {
                        continue 'value;
                    }
                }
                b't' => self.literal(b"true", Kind::Bool)?,
                b'f' => self.literal(b"false", Kind::Bool)?,
                b'n' => self.literal(b"null", Kind::Null)?,
                _ => return Err(fault(ParseErrorKind::Syntax, self.at)),
            }
            while self.open != NONE {
                match (self.skip_space(), self.kind) {
                    (b',', _) => {
                        self.at += 1;
                        continue 'value;
                    }
                    (b'}', Kind::Object) | (b']', Kind::Array) => self.close()?,
                    _ => return Err(fault(ParseErrorKind::Syntax, self.at)),
                }
            }
            return Ok(());
        }
    }

    /// The next byte that is not white space; 0, which no token begins with, at the end.
    fn skip_space(&mut self) -> u8 {
        loop {
            match self.bytes.get(self.at) {
                Some(b' ' | b'\t' | b'\n' | b'\r') => self.at += 1,
                Some(&byte) => return byte,
                None => return 0,
            }
        }
    }

    fn push(&mut self, word: Word) -> Result<(), ParseError> {
        let Some(left) = self.tokens_left.checked_sub(1) else {
            return Err(fault(ParseErrorKind::TooManyTokens, word.start()));
        };
        self.tokens_left = left;
        self.tape.push(word.0);
        Ok(())
    }

    /// Inlined, as most of what documents are made of are short strings.
    #[inline(always)]
    fn string(&mut self, halves: Halves) -> Result<(), ParseError> {
        let start = self.at;
        match scan::string(self.bytes, start + 1) {
            Ok(string) => {
                self.at = string.end;
                self.push(Word::new(Kind::String, start, string.end).marked(string.escapes))
            }
            Err(ParseError { kind: ParseErrorKind::LoneSurrogate, offset }) if halves == Halves::Mended => {
                self.torn(start, offset)
            }
            Err(error) => Err(error),
        }
    }

    /// A string whose first half of a surrogate pair is at `half`.
    #[cold]
    fn torn(&mut self, start: usize, mut half: usize) -> Result<(), ParseError> {
        let mended = self.mended.get_or_insert_with(|| self.bytes.to_vec());
        let end = loop {
            let after = half + scan::UNIT;
            mended[half..after].copy_from_slice(br"\ufffd");
            match scan::string(self.bytes, after) {
                Ok(rest) => break rest.end,
                Err(ParseError { kind: ParseErrorKind::LoneSurrogate, offset }) => half = offset,
                Err(error) => return Err(error),
            }
        };
        self.at = end;
        self.push(Word::new(Kind::String, start, end).marked(true).torn())
    }

    /// A key and its colon.
    fn key(&mut self) -> Result<(), ParseError> {
        if self.skip_space() != b'"' {
            return Err(fault(ParseErrorKind::Syntax, self.at));
        }
        self.string(Halves::Refused)?;
        if self.skip_space() != b':' {
            return Err(fault(ParseErrorKind::Syntax, self.at));
        }
        self.at += 1;
        Ok(())
    }

    fn number(&mut self) -> Result<(), ParseError> {
        let start = self.at;
        let number = scan::number(self.bytes, start)?;
        self.at = number.end;
        self.push(Word::new(Kind::Number, start, number.end).marked(number.fractional))
    }

    fn literal(&mut self, text: &'static [u8], kind: Kind) -> Result<(), ParseError> {
        let start = self.at;
        if !self.bytes[start..].starts_with(text) {
            return Err(fault(ParseErrorKind::Syntax, start));
        }
        self.at += text.len();
        self.push(Word::new(kind, start, self.at).marked(text == b"true"))
    }

    fn open(&mut self, kind: Kind) -> Result<(), ParseError> {
        let Some(left) = self.depth_left.checked_sub(1) else {
            return Err(fault(ParseErrorKind::TooDeep, self.at));
        };
        self.depth_left = left;
        let node = self.end();
        self.push(Word::new(kind, self.at, self.at))?;
        self.at += 1;
        self.tape.push(Extent { count: 0, link: self.open }.pack());
        if self.open != NONE {
            let parent = self.open as usize + 1;
            let link = Extent::unpack(self.tape[parent]).link;
            self.tape[parent] = Extent { count: self.count, link }.pack();
        }
        (self.open, self.kind, self.count) = (node, kind, 0);
        Ok(())
    }

    fn close(&mut self) -> Result<(), ParseError> {
        self.at += 1;
        self.depth_left += 1;
        let node = self.open as usize;
        let mut word = Word(self.tape[node]).ended(self.at);
        let mut count = self.count;
        if self.kind == Kind::Object {
            let index = keys::check(self.bytes, &self.tape, node + 2, count as usize, &mut self.index)?;
            word = word.marked(index.is_some());
            count = index.map_or(count, narrow);
        }
        let parent = Extent::unpack(self.tape[node + 1]).link;
        self.tape[node] = word.0;
        self.tape[node + 1] = Extent { count, link: self.end() }.pack();
        self.open = parent;
        if parent != NONE {
            let parent = parent as usize;
            self.kind = Word(self.tape[parent]).kind();
            self.count = Extent::unpack(self.tape[parent + 1]).count;
        }
        Ok(())
    }

    /// The node that the next word will be.
    fn end(&self) -> u32 {
        narrow(self.tape.len())
    }
}

/// Narrows a position in the tape or the index: a byte makes at most two words, and there are at most [`MAX_BYTES`].
#[allow(clippy::cast_possible_truncation, reason = "bounded by the length of the document")]
fn narrow(index: usize) -> u32 {
    index as u32
}
