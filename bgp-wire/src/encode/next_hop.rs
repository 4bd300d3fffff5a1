//! The Network Address of Next Hop field in MP_REACH_NLRI (RFC 4760 section 3, RFC 2545, RFC 8950).

use core::net::IpAddr;

use crate::context::Context;
use crate::error::EncodeError;
use crate::family::Family;
use crate::iana::{Afi, Safi};
use crate::next_hop::{NextHop, is_host, is_usable};

/// The Network Address of Next Hop field of MP_REACH_NLRI.
#[derive(Default)]
pub(super) struct NextHopField {
    octets: [[u8; 16]; 3],
    length: usize,
}

impl NextHopField {
    /// What `next_hop` is for routes of `family`: the counterpart of what [`crate::MpReach`] accepts.
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
            _ => (true, true),
        };
        let flowspec = matches!(family.safi, Safi::FLOWSPEC | Safi::FLOWSPEC_VPN);
        let unknown = family.bit() == 0;
        let vpn = family.safi == Safi::VPN;
        match next_hop {
            NextHop::Absent if flowspec || unknown => {}
            NextHop::Absent => return Err(EncodeError::NextHopMissing(family)),
            NextHop::Address(IpAddr::V4(address))
                if ipv4 && is_host(address) && family != Family::IPV4_UNICAST =>
            {
                self.push(vpn, &address.octets());
            }
            NextHop::Address(IpAddr::V6(address)) if ipv6 && is_usable(address.into()) => {
                self.push(vpn, &address.octets());
            }
            NextHop::GlobalAndLinkLocal(global, link_local)
                if ipv6
                    && ip
                    && [global, link_local]
                        .iter()
                        .all(|hop| is_usable((*hop).into())) =>
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

    pub(super) fn as_slice(&self) -> &[u8] {
        debug_assert!(self.length <= 48, "48 octets hold the longest next hop");
        self.octets
            .as_flattened()
            .get(..self.length)
            .unwrap_or_default()
    }
}
