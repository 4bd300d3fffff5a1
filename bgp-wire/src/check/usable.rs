//! Unusable routes: well-formed, but withdrawn while the session continues (RFC 4271 sections 6.3 and 9.1.2, RFC 9234
//! section 5).

use super::Checked;
use crate::attribute::Treatment;
use crate::context::PeerKind;
use crate::error::DecodeError;
use crate::iana::{AttributeCode, Role, Safi};
use crate::next_hop::{is_host, is_usable};
use crate::reason::Reason;

impl Checked<'_> {
    /// Records a fault with treat-as-withdraw if the routes are unusable (RFC 4271 sections 6.3 and 9.1.2).
    #[inline(never)]
    pub(super) fn check_usable(&mut self) {
        let context = *self.update.context();
        let path = self.as_path();
        // RFC 4271 section 6.3: the first AS of a path from an external peer is that of the peer.
        let is_foreign = context.first_as.is_some_and(|first| {
            let external = context.peer_kind == PeerKind::External;
            external && path.is_some_and(|path| path.asns().next() != Some(first))
        });
        // Our AS number may have four octets: a two-octet speaker then has it only in AS4_PATH.
        let paths = [path, self.as4_path()];
        let is_looped = context.local_as.is_some_and(|local| {
            let mut paths = paths.into_iter().flatten();
            paths.any(|path| path.asns().any(|asn| asn == local))
        });
        if is_foreign || is_looped {
            self.record_unusable(AttributeCode::AS_PATH, Reason::MALFORMED_AS_PATH);
        }
        // RFC 4760 section 3: without routes in the NLRI field NEXT_HOP is ignored.
        let next_hop = self
            .next_hop()
            .filter(|_| !self.update.nlri_octets().is_empty());
        if next_hop.is_some_and(|next_hop| {
            !is_host(next_hop) || context.local_address == Some(next_hop.into())
        }) {
            self.record_unusable(AttributeCode::NEXT_HOP, Reason::INVALID_NEXT_HOP_ATTRIBUTE);
        }
        let mp_next_hop = self
            .mp_reach()
            .filter(|reach| context.exchanges(reach.family()) && reach.has_next_hop())
            .and_then(|reach| reach.next_hop());
        if mp_next_hop
            .is_some_and(|next_hop| !is_usable(next_hop) || context.local_address == Some(next_hop))
        {
            self.record_unusable(
                AttributeCode::MP_REACH_NLRI,
                Reason::INVALID_NEXT_HOP_ATTRIBUTE,
            );
        }
        if self.is_leaked() {
            let reason = Reason::OPTIONAL_ATTRIBUTE_ERROR;
            self.record_unusable(AttributeCode::ONLY_TO_CUSTOMER, reason);
        }
    }

    /// Returns `true` if the routes are leaked (RFC 9234 section 5, the rules for received routes).
    fn is_leaked(&self) -> bool {
        let (Some((role, peer_as)), Some(asn)) =
            (self.update.context().peer_role, self.only_to_customer())
        else {
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
    fn record_unusable(&mut self, code: AttributeCode, reason: Reason) {
        if let Some(raw) = self.raw(code) {
            self.record_fault(
                Treatment::Withdraw,
                DecodeError {
                    reason,
                    span: raw.span(),
                },
            );
        }
    }
}
