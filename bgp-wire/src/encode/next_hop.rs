//! The Network Address of Next Hop field in MP_REACH_NLRI (RFC 4760 section 3, RFC 2545, RFC 8950).

use core::net::IpAddr;

use crate::context::Context;
use crate::error::EncodeError;
use crate::family::Family;
use crate::iana::{Afi, Safi};
use crate::next_hop::{NextHop, is_usable, is_usable_ipv4};

/// The octets of the Network Address of Next Hop field.
#[derive(Default)]
pub(super) struct NextHopField {
    // 48 octets in a type that has `Default`: two route distinguishers of 8 and two addresses of 16.
    octets: [[u8; 16]; 3],
    length: usize,
}

impl NextHopField {
    /// Appends `next_hop` in the form for routes of `family`. The permitted forms are those that [`crate::MpReach`]
    /// accepts.
    ///
    /// Fails if the next hop is missing or the family does not permit it.
    pub(super) fn put(
        &mut self,
        context: &Context,
        family: Family,
        next_hop: NextHop,
    ) -> Result<(), EncodeError> {
        let extended = context.extended_next_hop.contains(family);
        let ip = matches!(
            family.safi,
            Safi::UNICAST | Safi::MULTICAST | Safi::LABELED | Safi::VPN
        );
        let (ipv4, ipv6) = match family.afi {
            Afi::IPV4 if ip => (true, extended),
            Afi::IPV6 if ip => (false, true),
            // RFC 7432 section 9.2.1 and RFC 4684 section 4: EVPN and route targets permit both.
            _ => (true, true),
        };
        let flowspec = matches!(family.safi, Safi::FLOWSPEC | Safi::FLOWSPEC_VPN);
        let unknown = family.bit() == 0;
        let vpn = family.safi == Safi::VPN;
        match next_hop {
            NextHop::Absent if flowspec || unknown => {}
            NextHop::Absent => return Err(EncodeError::NextHopMissing(family)),
            // IPv4 unicast with an IPv4 next hop is encoded in NLRI; it gets here only if the address is unusable.
            NextHop::Address(IpAddr::V4(address))
                if ipv4 && is_usable_ipv4(address) && family != Family::IPV4_UNICAST =>
            {
                self.push(vpn, &address.octets());
            }
            NextHop::Address(IpAddr::V6(address)) if ipv6 && is_usable(address.into()) => {
                self.push(vpn, &address.octets());
            }
            // RFC 2545 section 3 and RFC 4659 section 3.2.1.1 define a second address for these families only. A
            // receiver ignores addresses of another scope.
            NextHop::GlobalAndLinkLocal(global, link_local)
                if ipv6 && ip && next_hop.is_usable() =>
            {
                self.push(vpn, &global.octets());
                self.push(vpn, &link_local.octets());
            }
            NextHop::Address(address) => return Err(EncodeError::NextHopUnusable(address)),
            NextHop::GlobalAndLinkLocal(address, _) => {
                return Err(EncodeError::NextHopUnusable(address.into()));
            }
        }
        Ok(())
    }

    /// Appends an address, after a zero route distinguisher if `vpn` is set (RFC 4364 section 4.3.2).
    fn push(&mut self, vpn: bool, address: &[u8]) {
        self.length += if vpn { 8 } else { 0 };
        let field = self.octets.as_flattened_mut();
        let slot = field.get_mut(self.length..self.length + address.len());
        debug_assert!(slot.is_some(), "48 octets hold the longest next hop");
        if let Some(slot) = slot {
            slot.copy_from_slice(address);
        }
        self.length += address.len();
    }

    /// Returns the octets of the field.
    pub(super) fn as_slice(&self) -> &[u8] {
        debug_assert!(self.length <= 48, "48 octets hold the longest next hop");
        self.octets
            .as_flattened()
            .get(..self.length)
            .unwrap_or_default()
    }
}
