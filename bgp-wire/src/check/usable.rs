//! Routes that are well-formed and of no use: they are withdrawn, and the session goes on (RFC 4271 sections 6.3 and
//! 9.1.2, RFC 9234 section 5).

use super::Checked;
use crate::attribute::Treatment;
use crate::context::PeerKind;
use crate::error::DecodeError;
use crate::iana::{AttributeCode, Role, Safi};
use crate::next_hop::{is_host, is_usable};
use crate::reason::Reason;

impl Checked<'_> {
    /// What makes a route unusable without being an error (RFC 4271 sections 6.3 and 9.1.2): it is withdrawn, and the
    /// session goes on.
    #[inline(never)]
    pub(super) fn check_usable(&mut self) {
        let context = *self.update.context();
        let path = self.as_path();
        let foreign = context.first_as.is_some_and(|first| {
            let external = context.peer_kind == PeerKind::External;
            external && path.is_some_and(|path| path.asns().next() != Some(first))
        });
        let paths = [path, self.as4_path()];
        let looped = context.local_as.is_some_and(|local| {
            let mut paths = paths.into_iter().flatten();
            paths.any(|path| path.asns().any(|asn| asn == local))
        });
        if foreign || looped {
            self.record_unusable(AttributeCode::AS_PATH, Reason::MALFORMED_AS_PATH);
        }
        let next_hop = self
            .next_hop()
            .filter(|_| !self.update.nlri_octets().is_empty());
        if next_hop.is_some_and(|next_hop| {
            !is_host(next_hop) || context.local_address == Some(next_hop.into())
        }) {
            self.record_unusable(AttributeCode::NEXT_HOP, Reason::INVALID_NEXT_HOP_ATTRIBUTE);
        }
        let multiprotocol = self
            .mp_reach()
            .filter(|reach| context.exchanges(reach.family()) && reach.has_next_hop())
            .and_then(|reach| reach.next_hop());
        if multiprotocol
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

    /// RFC 9234 section 5: the rules for what is received, for unicast routes.
    fn is_leaked(&self) -> bool {
        let (Some((role, peer_as)), Some(asn)) =
            (self.update.context().peer_role, self.only_to_customer())
        else {
            return false;
        };
        let unicast = self
            .mp_reach()
            .is_none_or(|reach| reach.family().safi == Safi::UNICAST);
        let leaked = match role {
            Role::CUSTOMER | Role::ROUTE_SERVER_CLIENT => true,
            Role::PEER => asn != peer_as,
            _ => false,
        };
        leaked && unicast
    }

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
