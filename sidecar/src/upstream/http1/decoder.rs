//! Takes the content of an answer out of the bytes that carry it. Pure.

use bytes::{Bytes, BytesMut};
use http_body::SizeHint;

use super::chunked::Chunked;
use super::framing::Framing;
use super::malformed::Malformed;

/// How far the body of an answer has been read.
#[derive(Debug)]
pub(super) enum Decoder {
    /// So many bytes are missing.
    Length(u64),
    Chunked(Chunked),
    /// All bytes belong to it until the connection ends.
    UntilClose,
}

/// What the bytes at hand hold.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The next content, not empty.
    Data(Bytes),
    /// No more, but it goes on.
    More,
    /// The end, behind which the bytes are left.
    End,
}

impl Decoder {
    pub(super) fn new(framing: Framing) -> Self {
        match framing {
            Framing::Length(length) => Self::Length(length),
            Framing::Chunked => Self::Chunked(Chunked::default()),
            Framing::UntilClose => Self::UntilClose,
        }
    }

    /// Takes the next content from `bytes`.
    ///
    /// # Errors
    /// What is wrong. Nothing after it can be read.
    pub(super) fn step(&mut self, bytes: &mut BytesMut) -> Result<Step, Malformed> {
        match self {
            Self::Chunked(chunked) => chunked.step(bytes),
            Self::Length(0) => Ok(Step::End),
            _ if bytes.is_empty() => Ok(Step::More),
            Self::UntilClose => Ok(Step::Data(bytes.split().freeze())),
            Self::Length(left) => {
                let length = usize::try_from(*left).map_or(bytes.len(), |left| left.min(bytes.len()));
                *left -= length as u64;
                Ok(Step::Data(bytes.split_to(length).freeze()))
            }
        }
    }

    /// Whether all of it has been read. One that ends with its connection never is.
    pub(super) fn is_over(&self) -> bool {
        match self {
            Self::Length(left) => *left == 0,
            Self::Chunked(chunked) => chunked.is_over(),
            Self::UntilClose => false,
        }
    }

    /// Whether it is over if the connection ends here.
    pub(super) fn ends_with_connection(&self) -> bool {
        matches!(self, Self::UntilClose)
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        match self {
            Self::Length(left) => SizeHint::with_exact(*left),
            Self::Chunked(chunked) if chunked.is_over() => SizeHint::with_exact(0),
            Self::Chunked(_) | Self::UntilClose => SizeHint::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_of_a_stated_length_ends_there_and_what_follows_is_left() {
        let (mut decoder, mut bytes) = (Decoder::new(Framing::Length(7)), BytesMut::from("four"));
        assert_eq!(decoder.step(&mut bytes), Ok(Step::Data("four".into())));
        assert_eq!((decoder.step(&mut bytes), decoder.size_hint().exact()), (Ok(Step::More), Some(3)));
        bytes.extend_from_slice(b"two+HTTP");
        assert_eq!(decoder.step(&mut bytes), Ok(Step::Data("two".into())));
        assert!(decoder.is_over());
        assert_eq!((decoder.step(&mut bytes), &bytes[..]), (Ok(Step::End), b"+HTTP".as_slice()));
    }

    #[test]
    fn a_body_without_a_length_takes_all_and_is_never_over() {
        let (mut decoder, mut bytes) = (Decoder::new(Framing::UntilClose), BytesMut::from("0\r\n\r\n"));
        assert_eq!(decoder.step(&mut bytes), Ok(Step::Data("0\r\n\r\n".into())));
        assert_eq!(decoder.step(&mut bytes), Ok(Step::More));
        assert!(decoder.ends_with_connection() && !decoder.is_over());
    }
}
