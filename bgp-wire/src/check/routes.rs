//! The unicast prefixes of a message.

use ipnet::{IpNet, Ipv4Net};

use crate::attribute::MpPrefixes;
use crate::nlri::{Nlri, Prefixes};

/// The unicast prefixes of a message, IPv4 and IPv6.
///
/// `for_each` and what else is made of `fold` is faster than a `for` loop.
#[derive(Clone, Copy, Debug, Default)]
pub struct UnicastRoutes<'a> {
    first: Section<'a>,
    /// What was announced, after treat-as-withdraw.
    second: Option<Section<'a>>,
}

/// What is announced, or what is withdrawn.
#[derive(Clone, Copy, Debug)]
pub(super) struct Section<'a> {
    /// The field of its own that IPv4 has.
    pub(super) ipv4: Prefixes<'a, Ipv4Net>,
    pub(super) multiprotocol: MpPrefixes<'a>,
}

impl Default for Section<'_> {
    #[inline]
    fn default() -> Self {
        Self {
            ipv4: Prefixes::of_checked(&[], false),
            multiprotocol: MpPrefixes::None,
        }
    }
}

impl<'a> UnicastRoutes<'a> {
    #[inline]
    pub(super) fn of(first: Section<'a>) -> Self {
        Self {
            first,
            second: None,
        }
    }

    #[inline]
    pub(super) fn of_both(first: Section<'a>, second: Section<'a>) -> Self {
        Self {
            first,
            second: Some(second),
        }
    }
}

impl Section<'_> {
    #[inline(always)]
    fn next(&mut self) -> Option<Nlri<IpNet>> {
        self.ipv4
            .next()
            .map(Nlri::widen)
            .or_else(|| self.multiprotocol.next())
    }
}

impl Iterator for UnicastRoutes<'_> {
    type Item = Nlri<IpNet>;

    #[inline(always)]
    fn next(&mut self) -> Option<Nlri<IpNet>> {
        self.first.next().or_else(|| self.second.as_mut()?.next())
    }

    /// One loop for each of the usual two.
    #[inline(always)]
    fn fold<B, F: FnMut(B, Self::Item) -> B>(self, start: B, mut step: F) -> B {
        let ipv4 = self.first.ipv4;
        let mut all = ipv4.fold(start, |all, nlri| step(all, nlri.widen()));
        all = self.first.multiprotocol.fold(all, &mut step);
        if let Some(mut second) = self.second {
            while let Some(nlri) = second.next() {
                all = step(all, nlri);
            }
        }
        all
    }
}
