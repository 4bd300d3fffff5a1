//! What values are written to: octets, or their number.

/// Takes octets.
pub(crate) trait Sink {
    fn put(&mut self, octets: &[u8]);
}

/// Counts.
#[derive(Default)]
pub(crate) struct OctetCount(pub(crate) usize);

impl Sink for OctetCount {
    #[inline(always)]
    fn put(&mut self, octets: &[u8]) {
        self.0 += octets.len();
    }
}

/// Writes to a slice that has room for all.
pub(crate) struct Slice<'a> {
    rest: &'a mut [u8],
}

impl<'a> Slice<'a> {
    pub(crate) const fn new(out: &'a mut [u8]) -> Self {
        Self { rest: out }
    }

    /// Hands a writer of `out` to `write`, and says how many octets it wrote.
    #[inline(always)]
    pub(crate) fn write(out: &'a mut [u8], write: impl FnOnce(&mut Self)) -> usize {
        let room = out.len();
        let mut slice = Self::new(out);
        write(&mut slice);
        room - slice.rest.len()
    }
}

impl Sink for Slice<'_> {
    #[inline(always)]
    fn put(&mut self, octets: &[u8]) {
        let rest = core::mem::take(&mut self.rest);
        let slots = rest.split_at_mut_checked(octets.len());
        debug_assert!(slots.is_some(), "every writer measures first");
        if let Some((slot, rest)) = slots {
            slot.copy_from_slice(octets);
            self.rest = rest;
        }
    }
}
