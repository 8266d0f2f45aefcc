//! Functions on strings. Positions and lengths count characters, as everywhere in CEL.

use cel::common::types::CelList;
use cel::common::value::{CowVal, Val};

use super::address::Network;
use super::number::whole;
use super::pattern::Pattern;
use super::{Answer, Call, address};
use crate::expr::failure::{Failure, What};
use crate::expr::meter::{LIST, TEXT};
use crate::expr::value::{Text, boolean};

pub(super) fn starts_with<'b, 'v>(call: &Call<'_, 'b, 'v>) -> Answer<'b, 'v> {
    Ok(boolean(call.text(0)?.starts_with(call.text(1)?)))
}

pub(super) fn ends_with<'b, 'v>(call: &Call<'_, 'b, 'v>) -> Answer<'b, 'v> {
    Ok(boolean(call.text(0)?.ends_with(call.text(1)?)))
}

/// `contains`: of a string a part, of a network an address.
pub(super) fn contains<'b, 'v>(call: &Call<'_, 'b, 'v>) -> Answer<'b, 'v> {
    match call.value(0)?.downcast_ref::<Network>() {
        Some(network) => address::network_contains(call, network),
        None => Ok(boolean(call.text(0)?.contains(call.text(1)?))),
    }
}

pub(super) fn matches<'b, 'v>(call: &Call<'_, 'b, 'v>) -> Answer<'b, 'v> {
    let text = call.text(0)?;
    let pattern = call.own::<Pattern>(1)?;
    Ok(boolean(pattern.is_match(text, call)?))
}

pub(super) fn lower_ascii<'b, 'v>(call: &Call<'_, 'b, 'v>) -> Answer<'b, 'v> {
    made(call, call.text(0)?.to_ascii_lowercase())
}

pub(super) fn upper_ascii<'b, 'v>(call: &Call<'_, 'b, 'v>) -> Answer<'b, 'v> {
    made(call, call.text(0)?.to_ascii_uppercase())
}

pub(super) fn trim<'b, 'v>(call: &Call<'_, 'b, 'v>) -> Answer<'b, 'v> {
    made(call, call.text(0)?.trim().to_owned())
}

/// A text that the call made; pays for it.
fn made<'b, 'v>(call: &Call<'_, 'b, 'v>, text: String) -> Answer<'b, 'v> {
    call.charge_text(text.len())?;
    Ok(CowVal::owned(Text::from(text)))
}

/// `split`: at most `limit` pieces, the last of which is the rest.
pub(super) fn split<'b, 'v>(call: &Call<'_, 'b, 'v>) -> Answer<'b, 'v> {
    let (text, separator) = (call.text(0)?, call.text(1)?);
    let limit = call.count(2)?;
    let mut pieces: Vec<Box<dyn Val + 'v>> = Vec::new();
    let mut rest = (limit != Some(0)).then_some(text);
    while let Some(text) = rest {
        if pieces.len() == LIST {
            return Err(call.fail(What::ListTooLong));
        }
        let last = limit == Some(pieces.len() + 1);
        let (piece, after) = if last { (text, None) } else { cut(text, separator) };
        call.charge_text(piece.len())?;
        pieces.push(Box::new(Text::from(piece.to_owned())));
        rest = after;
    }
    Ok(CowVal::owned(CelList::from(pieces)))
}

/// The text before a separator, and after it if there is one. An empty separator stands between all characters.
fn cut<'t>(text: &'t str, separator: &str) -> (&'t str, Option<&'t str>) {
    if !separator.is_empty() {
        return match text.split_once(separator) {
            Some((piece, rest)) => (piece, Some(rest)),
            None => (text, None),
        };
    }
    let first = text.chars().next().map_or(0, char::len_utf8);
    let (piece, rest) = text.split_at(first);
    (piece, (!rest.is_empty()).then_some(rest))
}

/// `indexOf`: where a part first occurs at or after a position; -1 if it does not.
pub(super) fn index_of<'b, 'v>(call: &Call<'_, 'b, 'v>) -> Answer<'b, 'v> {
    let (text, part) = (call.text(0)?, call.text(1)?);
    let from = call.count(2)?.unwrap_or(0);
    let start = offset(call, text, from)?;
    Ok(position(text, text[start..].find(part).map(|at| start + at)))
}

/// `lastIndexOf`: where a part last occurs; -1 if it does not.
pub(super) fn last_index_of<'b, 'v>(call: &Call<'_, 'b, 'v>) -> Answer<'b, 'v> {
    let (text, part) = (call.text(0)?, call.text(1)?);
    Ok(position(text, text.rfind(part)))
}

fn position<'b, 'v>(text: &str, at: Option<usize>) -> CowVal<'b, 'v> {
    match at {
        Some(at) => whole(text[..at].chars().count()),
        None => CowVal::owned(cel::common::types::CelInt::from(-1)),
    }
}

/// The byte at which a character stands.
fn offset(call: &Call<'_, '_, '_>, text: &str, character: usize) -> Result<usize, Failure> {
    let starts = text.char_indices().map(|(at, _)| at);
    starts.chain([text.len()]).nth(character).ok_or(call.fail(What::OutOfRange))
}

pub(super) fn substring<'b, 'v>(call: &Call<'_, 'b, 'v>) -> Answer<'b, 'v> {
    let text = call.text(0)?;
    let start = offset(call, text, call.count(1)?.unwrap_or(0))?;
    let end = match call.count(2)? {
        Some(end) => offset(call, text, end)?,
        None => text.len(),
    };
    let part = text.get(start..end).ok_or(call.fail(What::OutOfRange))?;
    made(call, part.to_owned())
}

/// `replace`: the first `limit` occurrences, or all.
pub(super) fn replace<'b, 'v>(call: &Call<'_, 'b, 'v>) -> Answer<'b, 'v> {
    let (text, old, new) = (call.text(0)?, call.text(1)?, call.text(2)?);
    let limit = call.count(3)?.unwrap_or(usize::MAX);
    // As many as there can be.
    call.charge(limit.min(text.len() / old.len().max(1)) / 16)?;
    let found = text.matches(old).take(limit).count();
    let length = (text.len() - found * old.len()).saturating_add(found.saturating_mul(new.len()));
    if length > TEXT {
        return Err(call.fail(What::TextTooLong));
    }
    made(call, text.replacen(old, new, limit))
}
