//! How many prefixes a peer may announce (RFC 4271 section 6.7, RFC 4486 section 4).

use std::collections::HashMap;

use bgp_wire::{Checked, Family, Nlri};
use ipnet::IpNet;

/// What a peer has announced, as far as it is limited; never more than the limits allow.
#[derive(Debug)]
pub(super) struct PrefixLimit {
    limits: Vec<(Family, usize)>,
    ipv4: Announced,
    ipv6: Announced,
}

/// What is announced, and whether the refresh that is under way has named it (RFC 7313 section 4).
type Announced = HashMap<Nlri, bool>;

impl PrefixLimit {
    /// `None` where nothing is limited.
    pub(super) fn new(limits: &[(Family, u32)]) -> Option<Box<Self>> {
        let limits = limits
            .iter()
            .map(|(family, most)| (*family, usize::try_from(*most).unwrap_or(usize::MAX)))
            .collect::<Vec<_>>();
        (!limits.is_empty()).then(|| {
            Box::new(Self {
                limits,
                ipv4: Announced::new(),
                ipv6: Announced::new(),
            })
        })
    }

    /// Counts what a message withdraws and announces; the family and the limit that it goes beyond, if it does.
    pub(super) fn count(&mut self, checked: &Checked<'_>) -> Option<(Family, u32)> {
        for nlri in checked.withdrawn() {
            self.set(&nlri).remove(&nlri);
        }
        for nlri in checked.announced() {
            let family = match nlri.prefix {
                IpNet::V4(_) => Family::IPV4_UNICAST,
                IpNet::V6(_) => Family::IPV6_UNICAST,
            };
            let mut limits = self.limits.iter();
            let Some(&(_, most)) = limits.find(|(known, _)| *known == family) else {
                continue;
            };
            let set = self.set(&nlri);
            set.insert(nlri, true);
            if set.len() > most {
                return Some((family, u32::try_from(most).unwrap_or(u32::MAX)));
            }
        }
        None
    }

    /// The peer names everything in a family anew.
    pub(super) fn refresh_begins(&mut self, family: Family) {
        let announced = self.of_family(family).into_iter().flatten();
        announced.for_each(|(_, named)| *named = false);
    }

    /// It has: what it has not named is gone.
    pub(super) fn refresh_ends(&mut self, family: Family) {
        if let Some(announced) = self.of_family(family) {
            announced.retain(|_, named| *named);
        }
    }

    fn of_family(&mut self, family: Family) -> Option<&mut Announced> {
        match family {
            Family::IPV4_UNICAST => Some(&mut self.ipv4),
            Family::IPV6_UNICAST => Some(&mut self.ipv6),
            _ => None,
        }
    }

    fn set(&mut self, nlri: &Nlri) -> &mut Announced {
        match nlri.prefix {
            IpNet::V4(_) => &mut self.ipv4,
            IpNet::V6(_) => &mut self.ipv6,
        }
    }
}
