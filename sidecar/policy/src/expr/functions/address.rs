//! `ip` and `cidr`: addresses and networks.
//!
//! An IPv4 address written as IPv6 (`::ffff:10.0.0.1`) is taken for the IPv4 address that it reaches, so that no rule on
//! networks can be passed by spelling.

use std::any::Any;
use std::fmt;
use std::net::IpAddr;

use cel::common::types::{CelInt, Kind, Type};
use cel::common::value::{CowVal, StaticVal, Val};

use super::{Answer, Call};
use crate::expr::failure::What;
use crate::expr::value::{as_text, boolean};

/// An IP address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Address(IpAddr);

impl Address {
    fn parse(text: &str) -> Option<Self> {
        let address: IpAddr = text.parse().ok()?;
        Some(Self(address.to_canonical()))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A network: the addresses that begin with the same bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Network {
    address: IpAddr,
    bits: u8,
}

impl Network {
    /// Reads `10.0.0.0/8`. Bits behind the prefix must be zero: `10.1.0.0/8` is more likely a mistake than a network.
    fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = text.split_once('/')?;
        let address: IpAddr = address.parse().ok()?;
        let plain = prefix.bytes().all(|byte| byte.is_ascii_digit()) && (prefix == "0" || !prefix.starts_with('0'));
        let network = Self { address, bits: prefix.parse().ok().filter(|_| plain)? };
        let (width, value) = number(address);
        let host_bits = width.checked_sub(network.bits.into())?;
        let is_clean = high_bits(value, host_bits) == value;
        is_clean.then_some(network)
    }

    fn contains(&self, address: Address) -> bool {
        let ((width, network), (other_width, other)) = (number(self.address), number(address.0));
        let host_bits = width - u32::from(self.bits);
        width == other_width && high_bits(network, host_bits) == high_bits(other, host_bits)
    }
}

/// How many bits an address has, and those bits.
fn number(address: IpAddr) -> (u32, u128) {
    match address {
        IpAddr::V4(address) => (32, u32::from(address).into()),
        IpAddr::V6(address) => (128, address.into()),
    }
}

fn high_bits(value: u128, below: u32) -> u128 {
    value.checked_shr(below).unwrap_or(0).checked_shl(below).unwrap_or(0)
}

static ADDRESS: Type = Type::simple_type(Kind::Unspecified, "net.IP");
static NETWORK: Type = Type::simple_type(Kind::Unspecified, "net.CIDR");

macro_rules! value {
    ($own:ty, $type:ident) => {
        impl Val for $own {
            fn get_type(&self) -> &Type {
                &$type
            }

            fn cel_type() -> &'static Type {
                &$type
            }

            fn equals(&self, other: &dyn Val) -> bool {
                other.downcast_ref::<Self>() == Some(self)
            }

            fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v> {
                Box::new(*self)
            }

            fn as_any(&self) -> Option<&dyn Any> {
                Some(self)
            }
        }

        impl StaticVal for $own {}
    };
}
pub(super) use value;

value!(Address, ADDRESS);
value!(Network, NETWORK);

pub(super) fn ip<'b, 'v>(call: &Call<'_, 'b, 'v>) -> Answer<'b, 'v> {
    match Address::parse(call.text(0)?) {
        Some(address) => Ok(CowVal::owned(address)),
        None => Err(call.fail(What::NotAnAddress)),
    }
}

pub(super) fn is_ip<'b, 'v>(call: &Call<'_, 'b, 'v>) -> Answer<'b, 'v> {
    Ok(boolean(Address::parse(call.text(0)?).is_some()))
}

pub(super) fn cidr<'b, 'v>(call: &Call<'_, 'b, 'v>) -> Answer<'b, 'v> {
    match Network::parse(call.text(0)?) {
        Some(network) => Ok(CowVal::owned(network)),
        None => Err(call.fail(What::NotAnAddress)),
    }
}

pub(super) fn is_cidr<'b, 'v>(call: &Call<'_, 'b, 'v>) -> Answer<'b, 'v> {
    Ok(boolean(Network::parse(call.text(0)?).is_some()))
}

pub(super) fn network_contains<'b, 'v>(call: &Call<'_, 'b, 'v>, network: &Network) -> Answer<'b, 'v> {
    let address = call.value(1)?;
    let address = match as_text(address) {
        Some(text) => Address::parse(text).ok_or(call.fail(What::NotAnAddress))?,
        None => *call.own::<Address>(1)?,
    };
    Ok(boolean(network.contains(address)))
}

pub(super) fn family<'b, 'v>(call: &Call<'_, 'b, 'v>) -> Answer<'b, 'v> {
    let family = if call.own::<Address>(0)?.0.is_ipv4() { 4 } else { 6 };
    Ok(CowVal::owned(CelInt::from(family)))
}

pub(super) fn is_loopback<'b, 'v>(call: &Call<'_, 'b, 'v>) -> Answer<'b, 'v> {
    Ok(boolean(call.own::<Address>(0)?.0.is_loopback()))
}

/// `isPrivate`: RFC 1918 and the unique local addresses of RFC 4193.
pub(super) fn is_private<'b, 'v>(call: &Call<'_, 'b, 'v>) -> Answer<'b, 'v> {
    Ok(boolean(match call.own::<Address>(0)?.0 {
        IpAddr::V4(address) => address.is_private(),
        IpAddr::V6(address) => address.is_unique_local(),
    }))
}

/// `isLinkLocal`: 169.254.0.0/16 (where clouds serve credentials) and fe80::/10.
pub(super) fn is_link_local<'b, 'v>(call: &Call<'_, 'b, 'v>) -> Answer<'b, 'v> {
    Ok(boolean(match call.own::<Address>(0)?.0 {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    }))
}

pub(super) fn is_unspecified<'b, 'v>(call: &Call<'_, 'b, 'v>) -> Answer<'b, 'v> {
    Ok(boolean(call.own::<Address>(0)?.0.is_unspecified()))
}
