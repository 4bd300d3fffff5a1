//! Unusable routes: well-formed, but ignored while the session continues (RFC 4271 sections 6.3 and 9.1.2, RFC 4456 section 8,
//! RFC 9234 section 5).

use core::fmt;

use super::Checked;
use super::marks::Marks;
use crate::attribute::Treatment;
use crate::context::PeerKind;
use crate::error::DecodeError;
use crate::iana::{AttributeCode, Role, Safi};
use crate::next_hop::{is_usable, is_usable_ipv4};
use crate::reason::Reason;

/// The reason for which well-formed routes are ignored. The sender is not at fault, unlike with a [`Fault`](super::Fault).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Unusable {
    /// The AS path contains our AS number (RFC 4271 section 9.1.2).
    AsLoop,
    /// ORIGINATOR_ID is our BGP Identifier (RFC 4456 section 8).
    OwnOriginatorId,
    /// The next hop is our address (RFC 4271 section 6.3).
    OwnNextHop,
    /// The routes are leaked (RFC 9234 section 5).
    RouteLeak,
    /// The prefix is bogus (see [`is_bogus_prefix`](crate::is_bogus_prefix)). Other routes of the message are announced.
    BogusPrefix,
}

impl Unusable {
    /// Every reason.
    pub const ALL: &'static [Self] = &[
        Self::AsLoop,
        Self::OwnOriginatorId,
        Self::OwnNextHop,
        Self::RouteLeak,
        Self::BogusPrefix,
    ];

    /// Returns the number that a `Checked` stores. 0 stands for no reason.
    const fn number(self) -> u8 {
        match self {
            Self::AsLoop => 1,
            Self::OwnOriginatorId => 2,
            Self::OwnNextHop => 3,
            Self::RouteLeak => 4,
            Self::BogusPrefix => 5,
        }
    }
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AsLoop => "AS path contains our AS number",
            Self::OwnOriginatorId => "ORIGINATOR_ID is our BGP Identifier",
            Self::OwnNextHop => "next hop is our address",
            Self::RouteLeak => "route leak",
            Self::BogusPrefix => "bogus prefix",
        })
    }
}

impl Checked<'_> {
    /// Returns the reason for which announced routes are ignored, or `None`. [`Checked::rejected_routes`] returns the routes.
    ///
    /// If the reason concerns the attributes, all announced routes count as withdrawn, because an earlier route of the peer to
    /// the same destination is gone. `None` also after treat-as-withdraw, which [`Checked::fault`] reports.
    #[must_use]
    #[inline]
    pub fn unusable(&self) -> Option<Unusable> {
        if self.marks.is_empty() {
            return None;
        }
        self.reason_of_unusable()
    }

    /// Does the work of [`Self::unusable`]; apart, because few messages have unusable routes.
    #[cold]
    fn reason_of_unusable(&self) -> Option<Unusable> {
        let is_malformed = self.strongest.treatment() == Some(Treatment::Withdraw);
        let number = match self.unusable {
            0 if self.has_bogus() => Unusable::BogusPrefix.number(),
            number => number,
        };
        Unusable::ALL
            .iter()
            .copied()
            .find(|reason| reason.number() == number && !is_malformed)
    }

    /// Records unusable routes, and the faults that only the context or the use of an attribute shows: a path that does not begin
    /// with the AS of the peer, and a next hop that is no host.
    #[inline(never)]
    pub(super) fn check_usable(&mut self) {
        self.check_path();
        if self.is_reflected_to_us() {
            self.record_unusable(Unusable::OwnOriginatorId);
        }
        self.check_next_hop();
        if self.has(AttributeCode::MP_REACH_NLRI) {
            self.check_mp_next_hop();
        }
        if self.is_leaked() {
            self.record_unusable(Unusable::RouteLeak);
        }
    }

    #[inline(always)]
    fn check_path(&mut self) {
        let context = self.update.context();
        let path = self.as_path();
        // RFC 4271 section 6.3: the first AS of a path from an external peer is that of the peer.
        let is_foreign = context.first_as.is_some_and(|first| {
            let external = context.peer_kind == PeerKind::External;
            external && path.is_some_and(|path| path.asns().next() != Some(first))
        });
        // Our AS number may have four octets: a two-octet speaker then has it only in AS4_PATH.
        let is_looped = context.local_as.is_some_and(|local| {
            path.is_some_and(|path| path.contains(local))
                || self.as4_path().is_some_and(|path| path.contains(local))
        });
        // A path that the peer should not have sent is malformed; one with our AS is what loop detection is for.
        if is_foreign {
            self.record_malformed(AttributeCode::AS_PATH, Reason::MALFORMED_AS_PATH);
        }
        if is_looped {
            self.record_unusable(Unusable::AsLoop);
        }
    }

    #[inline(always)]
    fn check_next_hop(&mut self) {
        // RFC 4760 section 3: without routes in the NLRI field NEXT_HOP is ignored.
        if self.update.nlri_octets().is_empty() {
            return;
        }
        let Some(next_hop) = self.next_hop() else {
            return;
        };
        // RFC 4271 section 6.3: an address that no host can have is malformed, and our own address is not.
        if !is_usable_ipv4(next_hop) {
            self.record_malformed(AttributeCode::NEXT_HOP, Reason::INVALID_NEXT_HOP_ATTRIBUTE);
        }
        if self.update.context().local_address == Some(next_hop.into()) {
            self.record_unusable(Unusable::OwnNextHop);
        }
    }

    #[inline(always)]
    fn check_mp_next_hop(&mut self) {
        let context = self.update.context();
        let next_hop = self
            .mp_reach()
            .filter(|reach| reach.has_next_hop() && context.exchanges(reach.family()))
            .and_then(|reach| reach.next_hop());
        let Some(next_hop) = next_hop else {
            return;
        };
        if !is_usable(next_hop) {
            let reason = Reason::INVALID_NEXT_HOP_ATTRIBUTE;
            self.record_malformed(AttributeCode::MP_REACH_NLRI, reason);
        }
        if context.local_address == Some(next_hop) {
            self.record_unusable(Unusable::OwnNextHop);
        }
    }

    /// Returns `true` if a route reflector returns a route that we have originated (RFC 4456 section 8).
    fn is_reflected_to_us(&self) -> bool {
        let ours = self.update.context().router_id;
        // Without a configured identifier the attribute is not decoded.
        ours.is_some_and(|ours| {
            let originator = self.originator_id();
            originator.is_some_and(|originator| originator.to_bits() == ours.to_bits())
        })
    }

    /// Returns `true` if the routes are leaked (RFC 9234 section 5, the rules for received routes).
    fn is_leaked(&self) -> bool {
        let Some((role, peer_as)) = self.update.context().peer_role else {
            return false;
        };
        // Looked up last: the attribute is not indexed.
        let Some(asn) = self.only_to_customer() else {
            return false;
        };
        // RFC 9234 section 5: the rules apply to IPv4 and IPv6 unicast only. A message may also announce other routes.
        let unicast = !self.update.nlri_octets().is_empty()
            || self
                .mp_reach()
                .is_some_and(|reach| reach.family().safi == Safi::UNICAST);
        let leaked = match role {
            Role::CUSTOMER | Role::ROUTE_SERVER_CLIENT => true,
            Role::PEER => asn != peer_as,
            _ => false,
        };
        leaked && unicast
    }

    /// Records treat-as-withdraw with the span of an attribute.
    fn record_malformed(&mut self, code: AttributeCode, reason: Reason) {
        if let Some(raw) = self.raw(code) {
            let span = raw.span();
            self.record_fault(Treatment::Withdraw, DecodeError { reason, span });
        }
    }

    /// Records the first reason for which the routes are ignored.
    fn record_unusable(&mut self, reason: Unusable) {
        if self.unusable == 0 {
            self.unusable = reason.number();
            self.marks.set(Marks::WITHDRAWN);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_its_own_number_and_text() {
        let mut texts: alloc::vec::Vec<_> = Unusable::ALL
            .iter()
            .map(alloc::string::ToString::to_string)
            .collect();
        for (position, reason) in Unusable::ALL.iter().enumerate() {
            assert_eq!(usize::from(reason.number()), position + 1);
        }
        texts.sort();
        texts.dedup();
        assert_eq!(texts.len(), Unusable::ALL.len());
    }
}
