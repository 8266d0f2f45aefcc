//! How a program ends.

use std::process::ExitCode;

/// How a program ends: the codes of sysexits.h where one fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// It did what was asked.
    Success = 0,
    /// What was asked about is not so: `check` found mistakes, `call` was decided otherwise than expected. Or a second signal cut
    /// off what was in flight.
    Failure = 1,
    /// The command line is wrong.
    Usage = 64,
    /// Something went wrong that should not: to be started again.
    Internal = 70,
    /// The configuration, a policy or an address cannot be used.
    Configuration = 78,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
