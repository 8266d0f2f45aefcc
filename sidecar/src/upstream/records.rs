//! How far the records of TLS have come. TLS keeps what has come of one until all has, and tells nobody.

/// Where the records of TLS end: each begins with its type, a version and its length (RFC 8446, 5.1), in the clear.
#[derive(Debug, Default)]
pub(super) struct Records {
    header: [u8; 5],
    /// How much of a header has come.
    begun: usize,
    /// How much of a record is missing whose header has come.
    missing: usize,
}

impl Records {
    /// Takes note of what has been read.
    pub(super) fn pass(&mut self, mut bytes: &[u8]) {
        while let [first, rest @ ..] = bytes {
            if self.missing > 0 {
                let length = self.missing.min(bytes.len());
                self.missing -= length;
                bytes = &bytes[length..];
                continue;
            }
            self.header[self.begun] = *first;
            self.begun = (self.begun + 1) % self.header.len();
            if self.begun == 0 {
                self.missing = usize::from(u16::from_be_bytes([self.header[3], self.header[4]]));
            }
            bytes = rest;
        }
    }

    /// Whether something has been read of a record, and not all.
    pub(super) fn is_within_one(&self) -> bool {
        self.begun > 0 || self.missing > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_end_where_their_lengths_say_in_whatever_pieces_they_come() {
        // Of three bytes, of none, and of more than a byte can tell.
        let bytes = [b"\x17\x03\x03\0\x03abc\x17\x03\x03\0\0\x17\x03\x03\x01\0".as_slice(), &[0x17; 256]].concat();
        for length in 1..=bytes.len() {
            let mut records = Records::default();
            let mut passed = 0;
            for piece in bytes.chunks(length) {
                records.pass(piece);
                passed += piece.len();
                assert_eq!(records.is_within_one(), ![8, 13, 274].contains(&passed), "{passed}");
            }
        }
    }
}
