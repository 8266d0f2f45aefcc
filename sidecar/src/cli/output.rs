//! What the commands print. A reader that has gone away is no error: `reeve-sidecar explain … | head`.

use std::fmt::Display;
use std::io::Write;

/// Prints a line of the result.
pub(super) fn line(text: impl Display) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// Prints text that ends its own lines.
pub(super) fn text(text: impl Display) {
    let _ = write!(std::io::stdout().lock(), "{text}");
}

/// Prints a remark that is not part of the result.
pub(super) fn remark(text: impl Display) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// Prints why the command failed.
pub(super) fn error(text: impl Display) {
    remark(format_args!("error: {text}"));
}
