//! Conversions of a checked UPDATE to owned types, to store or forward it: `AttributeSet` and `UpdateBuf`.

use core::net::IpAddr;

use super::Checked;
use crate::asn::Asn;
use crate::attribute::{Attribute, AttributeFlags, AttributeSet, RawAttributeBuf};
use crate::distinct::dedup;
use crate::encode::UpdateBuf;
use crate::family::Family;
use crate::iana::Origin;
use crate::nlri::AnyNlriBuf;

impl From<&Checked<'_>> for UpdateBuf {
    /// Copies the routes, their next hops, and the attributes to pass on (see [`AttributeSet::from`]).
    fn from(checked: &Checked<'_>) -> Self {
        let mut update = Self::new(checked.into());
        if let Some(address) = checked.next_hop() {
            update.set_next_hop(Family::IPV4_UNICAST, IpAddr::V4(address));
        }
        if let Some(reach) = checked.mp_reach()
            && let Some(next_hop) = reach.next_hop_value()
        {
            update.set_next_hop(reach.family(), next_hop);
        }
        update
            .announced
            .extend(checked.announced_routes().map(AnyNlriBuf::from));
        update
            .withdrawn
            .extend(checked.withdrawn_routes().map(AnyNlriBuf::from));
        update
    }
}

impl From<&Checked<'_>> for AttributeSet {
    /// Copies the attributes to pass on with a route: all except next hops, routes, and unknown non-transitive
    /// attributes.
    ///
    /// Unknown attributes get the Partial bit (RFC 4271 section 5). AS4_PATH is merged into AS_PATH (RFC 6793 section
    /// 4.2.3).
    fn from(checked: &Checked<'_>) -> Self {
        let mut set = Self::new(Origin::INCOMPLETE);
        for raw in checked.raw_attributes() {
            match Attribute::decode(raw, checked.update().context()) {
                Attribute::Origin(origin) => set.origin = origin,
                Attribute::AsPath(path) => set.as_path = path.into(),
                Attribute::MultiExitDisc(value) => set.multi_exit_disc = Some(value),
                Attribute::LocalPref(value) => set.local_pref = Some(value),
                Attribute::AtomicAggregate => set.atomic_aggregate = true,
                Attribute::Aggregator(aggregator) => set.aggregator = Some(aggregator),
                Attribute::Communities(communities) => set.communities.extend(communities.iter()),
                Attribute::OriginatorId(originator) => set.originator_id = Some(originator),
                Attribute::ClusterList(clusters) => set.cluster_list.extend(clusters.iter()),
                Attribute::ExtendedCommunities(communities) => {
                    set.extended_communities.extend(communities.iter());
                }
                Attribute::LargeCommunities(communities) => {
                    set.large_communities.extend(communities.iter());
                    // RFC 8092 section 3: duplicates are removed on receipt.
                    dedup(&mut set.large_communities);
                }
                Attribute::OnlyToCustomer(asn) => set.only_to_customer = Some(asn),
                Attribute::PmsiTunnel(_)
                | Attribute::TunnelEncapsulation(_)
                | Attribute::Ipv6ExtendedCommunities(_)
                | Attribute::Aigp(_)
                | Attribute::PrefixSid(_)
                | Attribute::AttrSet(_) => set.unknown.push(raw.into()),
                Attribute::Unknown(raw) if raw.flags.is_transitive() => {
                    let mut unknown = RawAttributeBuf::from(raw);
                    unknown.flags.0 |= AttributeFlags::PARTIAL;
                    set.unknown.push(unknown);
                }
                Attribute::Unknown(_)
                | Attribute::NextHop(_)
                | Attribute::MpReach(_)
                | Attribute::MpUnreach(_)
                | Attribute::As4Path(_)
                | Attribute::As4Aggregator(_) => {}
            }
        }
        // After the walk, because AS4_PATH may precede AS_PATH in the message.
        merge_as4(&mut set, checked);
        // RFC 4271 section 5: a receiver accepts any order, but the encoder requires an ascending one.
        set.unknown.sort_by_key(|unknown| unknown.code);
        set
    }
}

/// Restores the four-octet AS numbers that a two-octet speaker passed on in separate attributes (RFC 6793 section
/// 4.2.3).
fn merge_as4(set: &mut AttributeSet, checked: &Checked<'_>) {
    let is_newer = set
        .aggregator
        .is_some_and(|aggregator| aggregator.asn != Asn::TRANS);
    if let Some(aggregator) = checked.as4_aggregator() {
        if is_newer {
            // A speaker without RFC 6793 aggregated the route later: both AS4 attributes are outdated and ignored.
            return;
        }
        set.aggregator = Some(aggregator);
    }
    if let Some(as4_path) = checked.as4_path() {
        set.as_path = core::mem::take(&mut set.as_path).merge(as4_path.into());
    }
}
