//! The routes of a received UPDATE that are not of unicast. Those of unicast have iterators of their own, which are quicker.

use bgp_wire::{AnyNlri, Checked, Family};
use ipnet::IpNet;

use crate::destination::is_unicast;

/// Returns the routes of other families than unicast that are announced.
pub(crate) fn other_announced<'a>(checked: &Checked<'a>) -> impl Iterator<Item = AnyNlri<'a>> {
    let routes = has_others(checked).then(|| checked.announced_routes());
    routes.into_iter().flatten().filter(is_other)
}

/// Returns the routes of other families than unicast that are withdrawn.
pub(crate) fn other_withdrawn<'a>(checked: &Checked<'a>) -> impl Iterator<Item = AnyNlri<'a>> {
    let routes = has_others(checked).then(|| checked.withdrawn_routes());
    routes.into_iter().flatten().filter(is_other)
}

/// Returns `true` if the message has routes that are not of unicast.
pub(crate) fn has_others(checked: &Checked<'_>) -> bool {
    // Most messages have neither attribute, which costs less to find out than to decode them.
    if !checked.is_multiprotocol() {
        return false;
    }
    let reach = checked.mp_reach().map(|reach| reach.family());
    let unreach = checked.mp_unreach().map(|unreach| unreach.family());
    let mut families = reach.into_iter().chain(unreach);
    families.any(|family| !is_unicast(family))
}

fn is_other(nlri: &AnyNlri<'_>) -> bool {
    !is_unicast(nlri.family)
}

/// The family of unicast routes to a prefix.
pub(crate) fn family_of(prefix: IpNet) -> Family {
    match prefix {
        IpNet::V4(_) => Family::IPV4_UNICAST,
        IpNet::V6(_) => Family::IPV6_UNICAST,
    }
}
