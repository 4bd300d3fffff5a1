//! The sum of a message's values, by which the codecs are compared.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

/// A wrapping sum of 64 bits. The order of the values does not matter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum(u64);

impl Sum {
    /// Returns the sum.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Adds a number.
    // Forced, so that adding costs the same in the walk of every codec.
    #[inline(always)]
    pub fn add(&mut self, number: impl Into<u64>) {
        self.0 = self.0.wrapping_add(number.into());
    }

    /// Adds a number of items.
    #[inline(always)]
    pub fn add_count(&mut self, count: usize) {
        self.0 = self.0.wrapping_add(u64::try_from(count).unwrap_or(0));
    }

    /// Adds an IPv4 address.
    #[inline(always)]
    pub fn add_ipv4(&mut self, address: Ipv4Addr) {
        self.add(u32::from(address));
    }

    /// Adds the halves of an IPv6 address.
    #[inline(always)]
    pub fn add_ipv6(&mut self, address: Ipv6Addr) {
        for half in address.octets().as_chunks::<8>().0 {
            self.add(u64::from_be_bytes(*half));
        }
    }

    /// Adds an address.
    #[inline(always)]
    pub fn add_address(&mut self, address: IpAddr) {
        match address {
            IpAddr::V4(address) => self.add_ipv4(address),
            IpAddr::V6(address) => self.add_ipv6(address),
        }
    }

    /// Adds the length and the address of a prefix.
    #[inline(always)]
    pub fn add_prefix(&mut self, prefix: IpNet) {
        self.add(prefix.prefix_len());
        self.add_address(prefix.addr());
    }
}
