//! `url`: the parts of a URL, for rules on destinations.
//!
//! Two readers that take one URL for two hosts are how such rules are passed: the rule reads one host, the server calls the
//! other. So a URL is read as the [URL Standard](https://url.spec.whatwg.org) says, and refused wherever other readers are
//! known to differ from it: user-info, backslashes, white space, control characters, a scheme without `//`; in the host
//! percent-encoding, characters beyond ASCII, a dot at the end and IPv4 addresses in short or octal form; in the path
//! segments that are `.` or `..`, also with parameters (`..;`). A path in which a slash, a backslash or a control character is
//! escaped leaves the host what it is; there the path alone is an error.

use std::any::Any;
use std::borrow::Cow;

use ::url::{Host, Url};
use cel::ExecutionError;
use cel::common::traits::Indexer;
use cel::common::types::{CelInt, Kind, Type};
use cel::common::value::{CowVal, StaticVal, Val};

use super::{Answer, Call};
use crate::expr::failure::{Failure, What};
use crate::expr::value::{Text, as_text, boolean};
use crate::glob::{check_path, is_dots};

/// The parts that `url(x)` has.
pub(in crate::expr) const PARTS: &[&str] = &["scheme", "host", "port", "path", "query", "fragment"];

/// A URL that every reader takes alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Destination(Url);

impl Destination {
    fn parse(text: &str) -> Option<Self> {
        if text.chars().any(|c| c.is_control() || c.is_whitespace() || c == '\\') {
            return None;
        }
        let (scheme, rest) = text.split_once("://")?;
        let rest = rest.split(['?', '#']).next().unwrap_or_default();
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let url = Url::parse(text).ok()?;
        let is_plain = url.scheme().eq_ignore_ascii_case(scheme)
            && authority.is_ascii()
            && !authority.contains(['@', '%'])
            && !path.split('/').any(is_dots)
            && match url.host() {
                Some(Host::Domain(name)) => !name.is_empty() && !name.ends_with('.'),
                Some(Host::Ipv4(address)) => authority.split(':').next() == Some(&*address.to_string()),
                Some(Host::Ipv6(_)) => true,
                None => scheme.eq_ignore_ascii_case("file"),
            };
        // `http:///host` has no host for most readers, and `host` for the standard.
        let has_authority = !authority.is_empty() || url.host().is_none();
        (is_plain && has_authority).then_some(Self(url))
    }

    fn part(&self, name: &str) -> Result<CowVal<'static, 'static>, What> {
        let text: Cow<'_, str> = match name {
            "scheme" => self.0.scheme().into(),
            "host" => match self.0.host() {
                Some(Host::Domain(domain)) => domain.into(),
                Some(Host::Ipv4(address)) => address.to_string().into(),
                Some(Host::Ipv6(address)) => address.to_string().into(),
                None => "".into(),
            },
            "port" => {
                let port = self.0.port_or_known_default().unwrap_or(0);
                return Ok(CowVal::owned(CelInt::from(i64::from(port))));
            }
            "path" => match check_path(self.0.path()) {
                Ok(()) => self.0.path().into(),
                Err(_) => return Err(What::NotAPath),
            },
            "query" => self.0.query().unwrap_or_default().into(),
            "fragment" => self.0.fragment().unwrap_or_default().into(),
            _ => return Err(What::NoSuchKey),
        };
        Ok(CowVal::owned(Text::from(text.into_owned())))
    }
}

static TYPE: Type = Type::simple_type(Kind::Unspecified, "net.URL");

impl Val for Destination {
    fn get_type(&self) -> &Type {
        &TYPE
    }

    fn cel_type() -> &'static Type {
        &TYPE
    }

    fn as_indexer<'b, 'v>(&'b self) -> Option<&'b (dyn Indexer + 'v)>
    where
        Self: 'v,
    {
        Some(self)
    }

    fn equals(&self, other: &dyn Val) -> bool {
        other.downcast_ref::<Self>() == Some(self)
    }

    fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v> {
        Box::new(self.clone())
    }

    fn as_any(&self) -> Option<&dyn Any> {
        Some(self)
    }
}

impl StaticVal for Destination {}

impl Indexer for Destination {
    fn get<'b, 'v>(&'b self, part: &dyn Val) -> Result<CowVal<'b, 'v>, ExecutionError>
    where
        Self: 'v,
    {
        let part = as_text(part).ok_or(What::NoSuchKey).and_then(|name| self.part(name));
        Ok(part.map_err(|what| Failure { what, column: 1 })?)
    }

    fn steal<'v>(self: Box<Self>, part: &dyn Val) -> Result<Box<dyn Val + 'v>, ExecutionError>
    where
        Self: 'v,
    {
        Indexer::get(&*self, part).map(CowVal::into_owned)
    }
}

pub(super) fn url<'b, 'v>(call: &Call<'_, 'b, 'v>) -> Answer<'b, 'v> {
    match parse(call)? {
        Some(url) => Ok(CowVal::owned(url)),
        None => Err(call.fail(What::NotAUrl)),
    }
}

pub(super) fn is_url<'b, 'v>(call: &Call<'_, 'b, 'v>) -> Answer<'b, 'v> {
    Ok(boolean(parse(call)?.is_some()))
}

fn parse(call: &Call<'_, '_, '_>) -> Result<Option<Destination>, Failure> {
    let text = call.text(0)?;
    // Reading a URL takes several passes and a copy.
    call.charge_text(text.len() * 4)?;
    Ok(Destination::parse(text))
}
