//! The encoder of path attributes: in ascending order of their codes (RFC 4271 section 5).

use core::net::Ipv4Addr;

use super::rules::{flags, is_accepted};
use super::{Aggregator, AttributeFlags, AttributeSet, RawAttributeBuf, SegmentBuf, as_path_buf};
use crate::context::{Context, PeerKind};
use crate::distinct::each_distinct;
use crate::iana::AttributeCode;
use crate::sink::{Sink, Slice};

impl AttributeSet {
    /// Returns the number of octets that [`Self::write`] writes.
    pub(crate) fn encoded_length(&self, context: &Context, next_hop: Option<Ipv4Addr>) -> usize {
        // ORIGIN and AS_PATH are mandatory (RFC 4271 section 5), so an empty path is also counted.
        let segments = self.as_path.segments.iter();
        let path = as_path_buf::encoded_length(segments, context.four_octet_as);
        let common = attribute_length(1)
            + attribute_length(path)
            + optional_length(next_hop.is_some(), 4)
            + optional_length(self.multi_exit_disc.is_some(), 4)
            + optional_length(context.peer_kind != PeerKind::External, 4)
            + list_length(self.communities.len(), 4);
        // Most routes have only common attributes: one test replaces one for each of the others.
        if self.has_uncommon(context) {
            common + self.uncommon_length(context)
        } else {
            common
        }
    }

    /// Returns the number of octets of the attributes that few routes have.
    #[cold]
    fn uncommon_length(&self, context: &Context) -> usize {
        let (four_octets, peer) = (context.four_octet_as, context.peer_kind);
        let internal = peer == PeerKind::Internal;
        let unknown = self
            .unknown
            .iter()
            .map(|unknown| optional_length(is_accepted(unknown.code, peer), unknown.value.len()));
        optional_length(self.atomic_aggregate, 0)
            + optional_length(self.aggregator.is_some(), if four_octets { 8 } else { 6 })
            + optional_length(internal && self.originator_id.is_some(), 4)
            + list_length(if internal { self.cluster_list.len() } else { 0 }, 4)
            + list_length(self.extended_communities.len(), 8)
            + if four_octets { 0 } else { self.as4_length() }
            // RFC 8092 section 3: each large community is sent once.
            + list_length(self.distinct_large_communities(), 12)
            + optional_length(self.only_to_customer.is_some(), 4)
            + unknown.sum::<usize>()
    }

    /// Returns the number of large communities without duplicates.
    fn distinct_large_communities(&self) -> usize {
        let mut count = 0;
        each_distinct(&self.large_communities, |_| count += 1);
        count
    }

    /// Returns `true` if the route may have attributes other than NEXT_HOP and the five that most routes have.
    #[inline(always)]
    fn has_uncommon(&self, context: &Context) -> bool {
        // `|` and not `||`: one branch instead of nine.
        self.atomic_aggregate
            | self.aggregator.is_some()
            | self.originator_id.is_some()
            | !self.cluster_list.is_empty()
            | !self.extended_communities.is_empty()
            | !self.large_communities.is_empty()
            | self.only_to_customer.is_some()
            | !self.unknown.is_empty()
            | !context.four_octet_as
    }

    /// Returns `true` if a peer with two-octet AS numbers must get AS4_PATH.
    fn has_as4_path(&self) -> bool {
        // RFC 6793 section 4.2.2: only if an AS number does not fit into two octets.
        let mut asns = self
            .as_path
            .as4_segments()
            .flat_map(|segment| &segment.asns);
        asns.any(|asn| asn.number() > u16::MAX.into())
    }

    /// Returns the value of AS4_AGGREGATOR if the AS number does not fit into two octets (RFC 6793 section 4.2.2).
    fn as4_aggregator(&self) -> Option<Aggregator> {
        self.aggregator
            .filter(|aggregator| aggregator.asn.number() > u16::MAX.into())
    }

    /// Returns the number of octets of AS4_PATH and AS4_AGGREGATOR.
    fn as4_length(&self) -> usize {
        let path = if self.has_as4_path() {
            attribute_length(as_path_buf::encoded_length(
                self.as_path.as4_segments(),
                true,
            ))
        } else {
            0
        };
        path + self.as4_aggregator().map_or(0, |_| attribute_length(8))
    }

    /// Writes the attributes to the start of `out`, with NEXT_HOP if it is given. `out` must have room for all.
    ///
    /// External peers get neither LOCAL_PREF nor the attributes of route reflection. All other peers get LOCAL_PREF.
    ///
    /// Every attribute must have at most 65535 octets.
    #[inline(never)]
    pub(crate) fn write(&self, context: &Context, next_hop: Option<Ipv4Addr>, out: &mut [u8]) {
        let used = Slice::write(out, |out| self.put(context, next_hop, out));
        debug_assert_eq!(used, self.encoded_length(context, next_hop));
    }

    /// Writes the attributes to `out`.
    #[inline(always)]
    fn put(&self, context: &Context, next_hop: Option<Ipv4Addr>, out: &mut Slice<'_>) {
        let mut writer = Writer {
            out,
            peer: context.peer_kind,
            unknown: &self.unknown,
        };
        writer.put(AttributeCode::ORIGIN, [self.origin.0]);
        let segments = self.as_path.segments.iter();
        writer.put_path(AttributeCode::AS_PATH, segments, context.four_octet_as);
        if let Some(next_hop) = next_hop {
            writer.put_four_octets(AttributeCode::NEXT_HOP, next_hop.octets());
        }
        if let Some(discriminator) = self.multi_exit_disc {
            writer.put_four_octets(AttributeCode::MULTI_EXIT_DISC, discriminator.to_be_bytes());
        }
        // RFC 4271 section 5.1.5: required for internal peers, forbidden for external ones.
        if context.peer_kind != PeerKind::External {
            let preference = self.local_pref.unwrap_or(DEFAULT_LOCAL_PREF);
            writer.put_four_octets(AttributeCode::LOCAL_PREF, preference.to_be_bytes());
        }
        // Tested once, and used on both sides of COMMUNITIES, because codes must ascend.
        let uncommon = self.has_uncommon(context);
        if uncommon {
            self.put_aggregation(context, &mut writer);
        }
        writer.put_list(AttributeCode::COMMUNITIES, &self.communities, |item| {
            item.0.to_be_bytes()
        });
        if uncommon {
            self.put_uncommon(context, &mut writer);
        }
    }

    /// Writes the uncommon attributes whose codes are below that of COMMUNITIES.
    #[inline(always)]
    fn put_aggregation(&self, context: &Context, writer: &mut Writer<'_, '_>) {
        if self.atomic_aggregate {
            writer.put(AttributeCode::ATOMIC_AGGREGATE, []);
        }
        if let Some(Aggregator { asn, address }) = self.aggregator {
            let [a, b, c, d] = address.octets();
            if context.four_octet_as {
                writer.put_aggregator(AttributeCode::AGGREGATOR, asn.number(), address);
            } else {
                let [high, low] = asn.to_two_octets().to_be_bytes();
                writer.put(AttributeCode::AGGREGATOR, [high, low, a, b, c, d]);
            }
        }
    }

    /// Writes the uncommon attributes whose codes are above that of COMMUNITIES, and the rest of the unknown ones.
    #[inline(always)]
    fn put_uncommon(&self, context: &Context, writer: &mut Writer<'_, '_>) {
        // RFC 7606 sections 7.9 and 7.10: other peers discard the attributes of route reflection.
        let internal = context.peer_kind == PeerKind::Internal;
        if let Some(originator) = self.originator_id.filter(|_| internal) {
            writer.put_four_octets(AttributeCode::ORIGINATOR_ID, originator.octets());
        }
        let clusters: &[_] = if internal { &self.cluster_list } else { &[] };
        writer.put_list(AttributeCode::CLUSTER_LIST, clusters, Ipv4Addr::octets);
        writer.put_list(
            AttributeCode::EXTENDED_COMMUNITIES,
            &self.extended_communities,
            |item| item.0,
        );
        if !context.four_octet_as {
            self.put_as4(writer);
        }
        // RFC 8092 section 3: each large community is sent once.
        if !self.large_communities.is_empty() {
            let octets = self.distinct_large_communities() * 12;
            writer.put_header(AttributeCode::LARGE_COMMUNITIES, octets);
            each_distinct(&self.large_communities, |item| {
                writer.out.put(&item.to_octets());
            });
        }
        if let Some(asn) = self.only_to_customer {
            writer.put_four_octets(AttributeCode::ONLY_TO_CUSTOMER, asn.number().to_be_bytes());
        }
        writer.finish();
    }

    /// Writes AS4_PATH and AS4_AGGREGATOR if AS numbers do not fit into two octets.
    #[inline(always)]
    fn put_as4(&self, writer: &mut Writer<'_, '_>) {
        if self.has_as4_path() {
            writer.put_path(AttributeCode::AS4_PATH, self.as_path.as4_segments(), true);
        }
        if let Some(Aggregator { asn, address }) = self.as4_aggregator() {
            writer.put_aggregator(AttributeCode::AS4_AGGREGATOR, asn.number(), address);
        }
    }
}

/// Returns the length of an attribute whose value has this number of octets.
#[inline(always)]
fn attribute_length(octets: usize) -> usize {
    // `put_header` uses the extended length under the same condition.
    octets + if octets > 255 { 4 } else { 3 }
}

/// Returns the length of an attribute that is present or not.
#[inline(always)]
fn optional_length(is_present: bool, octets: usize) -> usize {
    if is_present {
        attribute_length(octets)
    } else {
        0
    }
}

/// Returns the length of an attribute with a list of items of `octets` each. An empty list is not sent.
#[inline(always)]
fn list_length(items: usize, octets: usize) -> usize {
    optional_length(items != 0, items * octets)
}

/// The LOCAL_PREF of a route that has none. Routers also assume 100 without a policy.
const DEFAULT_LOCAL_PREF: u32 = 100;

/// Merges the attributes that have fields with the unknown ones, in ascending order of their codes.
struct Writer<'a, 'o> {
    out: &'a mut Slice<'o>,
    peer: PeerKind,
    /// The unknown attributes that are not yet written.
    unknown: &'a [RawAttributeBuf],
}

impl Writer<'_, '_> {
    /// Writes an attribute with a value of fixed size.
    #[inline(always)]
    fn put<const N: usize>(&mut self, code: AttributeCode, value: [u8; N]) {
        self.put_header(code, N);
        self.out.put(&value);
    }

    /// Writes an attribute with a value of four octets, the most frequent size, as one slice.
    #[inline(always)]
    fn put_four_octets(&mut self, code: AttributeCode, [a, b, c, d]: [u8; 4]) {
        self.put_unknown_before(code);
        self.out.put(&[known_flags(code), code.0, 4, a, b, c, d]);
    }

    /// Writes AGGREGATOR or AS4_AGGREGATOR with a four-octet AS number.
    #[inline(always)]
    fn put_aggregator(&mut self, code: AttributeCode, asn: u32, address: Ipv4Addr) {
        let ([a, b, c, d], [e, f, g, h]) = (asn.to_be_bytes(), address.octets());
        self.put(code, [a, b, c, d, e, f, g, h]);
    }

    /// Writes the unknown attributes before `code`, then the header of `code`.
    #[inline(always)]
    fn put_header(&mut self, code: AttributeCode, length: usize) {
        self.put_unknown_before(code);
        put_header(self.out, known_flags(code), code, length);
    }

    /// Writes the unknown attributes whose codes are below `code`.
    #[inline(always)]
    fn put_unknown_before(&mut self, code: AttributeCode) {
        while let [unknown, rest @ ..] = self.unknown
            && unknown.code < code
        {
            self.unknown = rest;
            self.put_unknown(unknown);
        }
    }

    /// Writes an attribute that is a list, or nothing if the list is empty.
    #[inline(always)]
    fn put_list<T, const N: usize>(
        &mut self,
        code: AttributeCode,
        items: &[T],
        octets: impl Fn(&T) -> [u8; N],
    ) {
        if items.is_empty() {
            return;
        }
        self.put_header(code, items.len() * N);
        items.iter().for_each(|item| self.out.put(&octets(item)));
    }

    /// Writes AS_PATH or AS4_PATH.
    #[inline(always)]
    fn put_path<'a>(
        &mut self,
        code: AttributeCode,
        segments: impl Iterator<Item = &'a SegmentBuf> + Clone,
        four_octets: bool,
    ) {
        let length = as_path_buf::encoded_length(segments.clone(), four_octets);
        self.put_header(code, length);
        as_path_buf::write(segments, four_octets, self.out);
    }

    /// Writes an unknown attribute if this kind of peer accepts it.
    #[inline(always)]
    fn put_unknown(&mut self, unknown: &RawAttributeBuf) {
        if is_accepted(unknown.code, self.peer) {
            // Passed by value: a reference would keep the position in memory instead of a register, for all attributes.
            let out = core::mem::replace(self.out, Slice::new(&mut []));
            *self.out = put_raw(unknown, out);
        }
    }

    /// Writes the remaining unknown attributes.
    #[inline(always)]
    fn finish(&mut self) {
        for unknown in core::mem::take(&mut self.unknown) {
            self.put_unknown(unknown);
        }
    }
}

/// Writes an unknown attribute and returns `out`.
#[cold]
fn put_raw<'o>(unknown: &RawAttributeBuf, mut out: Slice<'o>) -> Slice<'o> {
    put_header(
        &mut out,
        unknown.flags.sendable().0,
        unknown.code,
        unknown.value.len(),
    );
    out.put(&unknown.value);
    out
}

/// Returns the flags of an attribute that has a rule.
#[inline(always)]
fn known_flags(code: AttributeCode) -> u8 {
    let flags = flags(code);
    debug_assert!(flags.is_some(), "{code} has a rule");
    flags.unwrap_or_default()
}

/// Writes flags, code and length. The length has two octets only if one is too short.
#[inline(always)]
fn put_header(out: &mut Slice<'_>, flags: u8, code: AttributeCode, length: usize) {
    if let Ok(length) = u8::try_from(length) {
        out.put(&[flags, code.0, length]);
    } else {
        let length = u16::try_from(length);
        debug_assert!(length.is_ok(), "the message fits its limit");
        let [high, low] = length.unwrap_or(u16::MAX).to_be_bytes();
        out.put(&[flags | AttributeFlags::EXTENDED_LENGTH, code.0, high, low]);
    }
}
