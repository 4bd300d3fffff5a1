//! Writing UPDATEs: as few messages as the limit allows, each of which [`Update::check`](crate::Update::check) accepts.
//!
//! RFC 7606 section 5.1: MP_REACH_NLRI or MP_UNREACH_NLRI stands first and alone; the other attributes ascend.

use alloc::vec::Vec;
use core::iter::Peekable;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bytes::{BufMut, BytesMut};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::attribute::rules::is_host;
use crate::attribute::{AttributeFlags, AttributeSet};
use crate::context::Context;
use crate::error::EncodeError;
use crate::family::Family;
use crate::frame::Frame;
use crate::iana::{Afi, AttributeCode, MessageType, Safi};
use crate::message::{patch_u16, write_message};
use crate::nlri::{Nlri, UnicastPrefix};

/// The next hop of announced routes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NextHop {
    /// One address.
    Address(IpAddr),
    /// A global IPv6 address and the link-local one behind it (RFC 2545 section 3).
    GlobalAndLinkLocal(Ipv6Addr, Ipv6Addr),
}

impl From<IpAddr> for NextHop {
    fn from(address: IpAddr) -> Self {
        Self::Address(address)
    }
}

/// Appends UPDATEs that withdraw `prefixes` to `out` and says how many.
///
/// # Errors
///
/// A prefix has a path identifier and ADD-PATH is not negotiated, or the other way round. `out` is then as it was.
pub fn encode_withdrawals<P: UnicastPrefix>(
    context: &Context,
    prefixes: impl IntoIterator<Item = Nlri<P>>,
    out: &mut BytesMut,
) -> Result<usize, EncodeError> {
    let writer = UpdateWriter {
        context,
        form: Form::Withdraw,
        attributes: None,
        next_hop: &[],
    };
    writer.write_all(prefixes, out)
}

/// Appends UPDATEs that announce `prefixes` with `attributes` to `out` and says how many.
///
/// # Errors
///
/// The next hop does not suit the family, or the attributes leave no room for a prefix. `out` is then as it was.
pub fn encode_announcements<P: UnicastPrefix>(
    context: &Context,
    attributes: &AttributeSet,
    next_hop: NextHop,
    prefixes: impl IntoIterator<Item = Nlri<P>>,
    out: &mut BytesMut,
) -> Result<usize, EncodeError> {
    attributes.check()?;
    let mut octets = [0; 32];
    let (form, legacy, length) = match (P::AFI, next_hop) {
        (Afi::IPV4, NextHop::Address(IpAddr::V4(address))) if is_host(address) => {
            (Form::Announce, Some(address), 0)
        }
        (Afi::IPV6, NextHop::Address(IpAddr::V6(address))) => {
            octets = pair(address, address);
            (Form::Multiprotocol, None, 16)
        }
        (Afi::IPV6, NextHop::GlobalAndLinkLocal(global, link_local)) => {
            octets = pair(global, link_local);
            (Form::Multiprotocol, None, 32)
        }
        (_, NextHop::Address(address)) => return Err(EncodeError::NextHopUnusable(address)),
        (_, NextHop::GlobalAndLinkLocal(address, _)) => {
            return Err(EncodeError::NextHopUnusable(address.into()));
        }
    };
    let next_hop = octets.get(..length).unwrap_or_default();
    let writer = UpdateWriter {
        context,
        form,
        attributes: Some((attributes, legacy)),
        next_hop,
    };
    writer.write_all(prefixes, out)
}

fn pair(first: Ipv6Addr, second: Ipv6Addr) -> [u8; 32] {
    let mut octets = [0; 32];
    let (low, high) = octets.split_at_mut(16);
    low.copy_from_slice(&first.octets());
    high.copy_from_slice(&second.octets());
    octets
}

/// Appends the End-of-RIB marker of `family` to `out` (RFC 4724 section 2).
pub fn encode_end_of_rib(family: Family, out: &mut BytesMut) {
    let written = write_message(out, MessageType::UPDATE, 4096, |out| {
        out.put_u16(0);
        if family == Family::IPV4_UNICAST {
            out.put_u16(0);
        } else {
            out.put_u16(6);
            out.put_slice(&[
                AttributeFlags::OPTIONAL,
                AttributeCode::MP_UNREACH_NLRI.0,
                3,
            ]);
            out.put_u16(family.afi.0);
            out.put_u8(family.safi.0);
        }
        Ok(())
    });
    debug_assert_eq!(written, Ok::<(), EncodeError>(()), "29 octets fit");
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Withdrawn Routes, or MP_UNREACH_NLRI.
    Withdraw,
    /// NLRI behind the attributes.
    Announce,
    /// MP_REACH_NLRI in front of the attributes.
    Multiprotocol,
}

/// Writes messages of one form until its prefixes are used up.
struct UpdateWriter<'a> {
    context: &'a Context,
    form: Form,
    /// What the routes carry, and NEXT_HOP. They are written anew into each message: that costs less than a copy.
    attributes: Option<(&'a AttributeSet, Option<Ipv4Addr>)>,
    next_hop: &'a [u8],
}

impl UpdateWriter<'_> {
    fn write_all<P: UnicastPrefix>(
        &self,
        prefixes: impl IntoIterator<Item = Nlri<P>>,
        out: &mut BytesMut,
    ) -> Result<usize, EncodeError> {
        let mut prefixes = prefixes.into_iter().peekable();
        let start = out.len();
        let mut messages = 0;
        while prefixes.peek().is_some() {
            if let Err(error) = self.write_one(&mut prefixes, out) {
                out.truncate(start);
                return Err(error);
            }
            messages += 1;
        }
        Ok(messages)
    }

    fn write_one<P: UnicastPrefix>(
        &self,
        prefixes: &mut Peekable<impl Iterator<Item = Nlri<P>>>,
        out: &mut BytesMut,
    ) -> Result<(), EncodeError> {
        let limit = self.context.limit.octets();
        write_message(out, MessageType::UPDATE, limit, |out| {
            let room = Room {
                start: out.len() - Frame::HEADER_LENGTH,
                limit,
                add_path: self
                    .context
                    .add_path
                    .contains(Family::new(P::AFI, Safi::UNICAST)),
            };
            match self.form {
                Form::Withdraw if P::AFI == Afi::IPV4 => {
                    let field = out.len();
                    out.put_u16(0);
                    room.fill(prefixes, 2, out)?;
                    close_u16(out, field)?;
                    out.put_u16(0);
                }
                Form::Announce => {
                    out.put_u16(0);
                    let field = out.len();
                    out.put_u16(0);
                    self.put_attributes(out)?;
                    close_u16(out, field)?;
                    room.fill(prefixes, 0, out)?;
                }
                Form::Withdraw | Form::Multiprotocol => {
                    out.put_u16(0);
                    let field = out.len();
                    out.put_u16(0);
                    self.put_multiprotocol(prefixes, &room, out)?;
                    self.put_attributes(out)?;
                    close_u16(out, field)?;
                }
            }
            Ok(())
        })
    }

    fn put_attributes(&self, out: &mut BytesMut) -> Result<(), EncodeError> {
        match self.attributes {
            Some((attributes, next_hop)) => attributes.encode(self.context, next_hop, out),
            None => Ok(()),
        }
    }

    /// How many octets [`Self::put_attributes`] writes.
    fn measure_attributes(&self, out: &mut BytesMut) -> Result<usize, EncodeError> {
        let before = out.len();
        self.put_attributes(out)?;
        let length = out.len() - before;
        out.truncate(before);
        Ok(length)
    }

    fn put_multiprotocol<P: UnicastPrefix>(
        &self,
        prefixes: &mut Peekable<impl Iterator<Item = Nlri<P>>>,
        room: &Room,
        out: &mut BytesMut,
    ) -> Result<(), EncodeError> {
        let reserved = self.measure_attributes(out)?;
        let code = match self.form {
            Form::Withdraw => AttributeCode::MP_UNREACH_NLRI,
            Form::Announce | Form::Multiprotocol => AttributeCode::MP_REACH_NLRI,
        };
        out.put_slice(&[
            AttributeFlags::OPTIONAL | AttributeFlags::EXTENDED_LENGTH,
            code.0,
        ]);
        let field = out.len();
        out.put_u16(0);
        out.put_u16(P::AFI.0);
        out.put_u8(Safi::UNICAST.0);
        if self.form != Form::Withdraw {
            let too_long = EncodeError::PartTooLong {
                part: "the next hop",
                length: self.next_hop.len(),
            };
            out.put_u8(u8::try_from(self.next_hop.len()).map_err(|_| too_long)?);
            out.put_slice(self.next_hop);
            out.put_u8(0);
        }
        room.fill(prefixes, reserved, out)?;
        close_u16(out, field)
    }
}

/// Where a message starts, and how many octets it may have.
struct Room {
    start: usize,
    limit: usize,
    add_path: bool,
}

impl Room {
    /// Writes prefixes until none is left or the next one would leave less than `reserved` octets.
    fn fill<P: UnicastPrefix>(
        &self,
        prefixes: &mut Peekable<impl Iterator<Item = Nlri<P>>>,
        reserved: usize,
        out: &mut BytesMut,
    ) -> Result<(), EncodeError> {
        let before = out.len();
        let most = (self.start + self.limit).saturating_sub(before + reserved);
        let longest = usize::from(self.add_path) * 4 + 1 + P::OCTETS;
        let expected = prefixes
            .size_hint()
            .1
            .and_then(|count| count.checked_mul(longest));
        // Room for all that fits, written over by whole words and cut to what is used.
        out.resize(
            before + expected.map_or(most, |expected| expected.min(most)),
            0,
        );
        let mut rest = out.get_mut(before..).unwrap_or_default();
        let mut used = 0;
        while let Some(nlri) = prefixes.next_if(|nlri| nlri.encoded_length() <= rest.len()) {
            // RFC 7911 section 3: either every prefix of the family has a path identifier or none has.
            if nlri.path_id.is_some() != self.add_path {
                return Err(EncodeError::Illegal(
                    "a path identifier without ADD-PATH, or ADD-PATH without one,",
                ));
            }
            let length = nlri.write(rest);
            used += length;
            rest = rest.get_mut(length..).unwrap_or_default();
        }
        out.truncate(before + used);
        match prefixes.peek() {
            Some(nlri) if used == 0 => {
                let length = before - self.start + nlri.encoded_length() + reserved;
                Err(EncodeError::AttributesTooLong {
                    length,
                    limit: self.limit,
                })
            }
            _ => Ok(()),
        }
    }
}

/// Writes into the two octets at `field` how many follow them.
fn close_u16(out: &mut BytesMut, field: usize) -> Result<(), EncodeError> {
    let length = out.len() - field - 2;
    let value = u16::try_from(length).map_err(|_| EncodeError::PartTooLong {
        part: "a field",
        length,
    })?;
    patch_u16(out, field, value);
    Ok(())
}

/// Routes to announce and withdraw, of IPv4 and IPv6 unicast.
///
/// ```
/// use bgp_wire::{AttributeSet, Context, Nlri, Origin, PeerKind, UpdateBuf};
/// let mut update = UpdateBuf::new(AttributeSet::new(Origin::IGP));
/// update.next_hop_ipv4 = Some("192.168.0.111".parse()?);
/// update.announced.push(Nlri::new("192.168.10.1/32".parse()?));
/// let mut octets = bytes::BytesMut::new();
/// assert_eq!(update.encode(&Context::new(PeerKind::Internal), &mut octets)?, 1, "one message");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpdateBuf {
    /// What the announced routes carry.
    pub attributes: AttributeSet,
    /// The next hop of announced IPv4 routes.
    pub next_hop_ipv4: Option<Ipv4Addr>,
    /// The next hop of announced IPv6 routes.
    pub next_hop_ipv6: Option<Ipv6Addr>,
    /// The link-local address behind [`Self::next_hop_ipv6`].
    pub link_local_next_hop: Option<Ipv6Addr>,
    /// Routes to announce.
    pub announced: Vec<Nlri>,
    /// Routes to withdraw.
    pub withdrawn: Vec<Nlri>,
}

impl UpdateBuf {
    /// An UPDATE without routes.
    #[must_use]
    pub const fn new(attributes: AttributeSet) -> Self {
        Self {
            attributes,
            next_hop_ipv4: None,
            next_hop_ipv6: None,
            link_local_next_hop: None,
            announced: Vec::new(),
            withdrawn: Vec::new(),
        }
    }

    /// Appends as few messages as the limit allows to `out` and says how many: withdrawals first.
    ///
    /// # Errors
    ///
    /// A next hop is missing, or the attributes leave no room for a prefix. `out` is then as it was.
    pub fn encode(&self, context: &Context, out: &mut BytesMut) -> Result<usize, EncodeError> {
        let start = out.len();
        self.encode_to(context, out)
            .inspect_err(|_| out.truncate(start))
    }

    fn encode_to(&self, context: &Context, out: &mut BytesMut) -> Result<usize, EncodeError> {
        let mut messages =
            encode_withdrawals(context, self.withdrawn.iter().filter_map(ipv4), out)?
                + encode_withdrawals(context, self.withdrawn.iter().filter_map(ipv6), out)?;
        let mut announced_ipv4 = self.announced.iter().filter_map(ipv4).peekable();
        if announced_ipv4.peek().is_some() {
            let address = self
                .next_hop_ipv4
                .ok_or(EncodeError::NextHopMissing(Family::IPV4_UNICAST))?;
            let next_hop = NextHop::Address(address.into());
            messages +=
                encode_announcements(context, &self.attributes, next_hop, announced_ipv4, out)?;
        }
        let mut announced_ipv6 = self.announced.iter().filter_map(ipv6).peekable();
        if announced_ipv6.peek().is_some() {
            let global = self
                .next_hop_ipv6
                .ok_or(EncodeError::NextHopMissing(Family::IPV6_UNICAST))?;
            let next_hop = match self.link_local_next_hop {
                Some(link_local) => NextHop::GlobalAndLinkLocal(global, link_local),
                None => NextHop::Address(global.into()),
            };
            messages +=
                encode_announcements(context, &self.attributes, next_hop, announced_ipv6, out)?;
        }
        Ok(messages)
    }
}

fn ipv4(nlri: &Nlri) -> Option<Nlri<Ipv4Net>> {
    match nlri.prefix {
        IpNet::V4(prefix) => Some(Nlri {
            path_id: nlri.path_id,
            prefix,
        }),
        IpNet::V6(_) => None,
    }
}

fn ipv6(nlri: &Nlri) -> Option<Nlri<Ipv6Net>> {
    match nlri.prefix {
        IpNet::V6(prefix) => Some(Nlri {
            path_id: nlri.path_id,
            prefix,
        }),
        IpNet::V4(_) => None,
    }
}
