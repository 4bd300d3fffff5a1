//! What routes are written to: octets, or their number.

/// Takes octets.
pub(super) trait Sink {
    fn put(&mut self, octets: &[u8]);
}

/// Counts.
#[derive(Default)]
pub(super) struct Length(pub(super) usize);

impl Sink for Length {
    fn put(&mut self, octets: &[u8]) {
        self.0 += octets.len();
    }
}

/// Writes where there is room, and counts.
pub(super) struct Slice<'a> {
    out: &'a mut [u8],
    used: usize,
}

impl<'a> Slice<'a> {
    /// Hands a writer of `out` to `write`, and says how many octets it wrote.
    pub(super) fn write(out: &'a mut [u8], write: impl FnOnce(&mut Self)) -> usize {
        let mut slice = Self { out, used: 0 };
        write(&mut slice);
        slice.used
    }
}

impl Sink for Slice<'_> {
    fn put(&mut self, octets: &[u8]) {
        if let Some(slot) = self.out.get_mut(self.used..self.used + octets.len()) {
            slot.copy_from_slice(octets);
        }
        self.used += octets.len();
    }
}
