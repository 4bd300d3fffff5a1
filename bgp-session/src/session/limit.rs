//! How many prefixes a peer may announce (RFC 4271 section 6.7, RFC 4486 section 4).

use std::collections::HashSet;

use bgp_wire::{Checked, Family, Nlri};
use ipnet::IpNet;

/// What a peer has announced, as far as it is limited; never more than the limits allow.
#[derive(Debug)]
pub(super) struct PrefixLimit {
    limits: Vec<(Family, usize)>,
    ipv4: HashSet<Nlri>,
    ipv6: HashSet<Nlri>,
}

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
                ipv4: HashSet::new(),
                ipv6: HashSet::new(),
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
            set.insert(nlri);
            if set.len() > most {
                return Some((family, u32::try_from(most).unwrap_or(u32::MAX)));
            }
        }
        None
    }

    fn set(&mut self, nlri: &Nlri) -> &mut HashSet<Nlri> {
        match nlri.prefix {
            IpNet::V4(_) => &mut self.ipv4,
            IpNet::V6(_) => &mut self.ipv6,
        }
    }
}
