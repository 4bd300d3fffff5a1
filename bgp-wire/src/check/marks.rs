//! `Marks`: the unusual properties of a message's routes, in one octet.

/// A set of properties that few messages have.
// One octet, so that one test finds the usual message. The bits are a number for the same reason as the severity of a
// `StrongestFault`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Marks(u8);

impl Marks {
    pub(super) const EMPTY: Self = Self(0);

    /// The announced routes count as withdrawn: after treat-as-withdraw, or because they are unusable.
    pub(super) const WITHDRAWN: Self = Self(1);

    /// The message announces a bogus prefix.
    pub(super) const BOGUS: Self = Self(2);

    /// A field of routes is suspect (see [`Prefixes::check`](crate::nlri::Prefixes::check)).
    pub(super) const SUSPECT: Self = Self(4);

    /// Returns `true` if nothing is unusual.
    #[inline(always)]
    pub(super) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Returns `true` if a mark is set.
    #[inline(always)]
    pub(super) const fn has(self, mark: Self) -> bool {
        self.0 & mark.0 != 0
    }

    /// Sets a mark.
    #[inline(always)]
    pub(super) fn set(&mut self, mark: Self) {
        self.0 |= mark.0;
    }
}
