//! Sinks for encoded octets: one that counts them, and one that writes them to a slice.

/// A destination for encoded octets.
// One encoder serves both sinks, so that the measured length and the written octets agree.
pub(crate) trait Sink {
    /// Appends `octets`.
    fn put(&mut self, octets: &[u8]);
}

/// A sink that counts octets.
#[derive(Default)]
pub(crate) struct OctetCount(pub(crate) usize);

impl Sink for OctetCount {
    #[inline(always)]
    fn put(&mut self, octets: &[u8]) {
        self.0 += octets.len();
    }
}

/// A sink that writes to a slice, which has to be long enough.
pub(crate) struct Slice<'a> {
    rest: &'a mut [u8],
}

impl<'a> Slice<'a> {
    /// Returns a sink that fills `out` from its start.
    pub(crate) const fn new(out: &'a mut [u8]) -> Self {
        Self { rest: out }
    }

    /// Calls `write` with a sink on `out`. Returns the number of octets written.
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
        debug_assert!(slots.is_some(), "the length was measured");
        // A missing slot would be a bug of this crate; dropping octets is better than a panic on input.
        if let Some((slot, rest)) = slots {
            slot.copy_from_slice(octets);
            self.rest = rest;
        }
    }
}
