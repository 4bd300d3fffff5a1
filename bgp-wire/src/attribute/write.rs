//! Writing path attributes, in the ascending order of their codes (RFC 4271 section 5).

use core::net::Ipv4Addr;

use super::rules::{flags, is_accepted};
use super::{Aggregator, AttributeFlags, AttributeSet, RawAttributeBuf, SegmentBuf, as_path_buf};
use crate::context::{Context, PeerKind};
use crate::iana::AttributeCode;
use crate::sink::{Sink, Slice};

impl AttributeSet {
    /// How many octets [`Self::write`] writes.
    pub(crate) fn encoded_length(&self, context: &Context, next_hop: Option<Ipv4Addr>) -> usize {
        let segments = self.as_path.segments.iter();
        let path = as_path_buf::encoded_length(segments, context.four_octet_as);
        let common = attribute_length(1)
            + attribute_length(path)
            + optional_length(next_hop.is_some(), 4)
            + optional_length(self.multi_exit_disc.is_some(), 4)
            + optional_length(context.peer_kind != PeerKind::External, 4)
            + list_length(self.communities.len(), 4);
        if self.has_uncommon(context) {
            common + self.uncommon_length(context)
        } else {
            common
        }
    }

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
            + list_length(distinct(&self.large_communities).count(), 12)
            + optional_length(self.only_to_customer.is_some(), 4)
            + unknown.sum::<usize>()
    }

    /// Whether there can be other attributes than the five that most routes have, and NEXT_HOP.
    #[inline(always)]
    fn has_uncommon(&self, context: &Context) -> bool {
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

    /// RFC 6793 section 4.2.2: AS4_PATH says what two octets cannot say.
    fn has_as4_path(&self) -> bool {
        let mut asns = self
            .as_path
            .as4_segments()
            .flat_map(|segment| &segment.asns);
        asns.any(|asn| asn.number() > u16::MAX.into())
    }

    fn as4_aggregator(&self) -> Option<Aggregator> {
        self.aggregator
            .filter(|aggregator| aggregator.asn.number() > u16::MAX.into())
    }

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

    /// Writes the attributes to the start of `out`, which has room for them, with NEXT_HOP if it is given: an external
    /// peer is sent neither LOCAL_PREF nor the attributes of route reflection, an internal one always a LOCAL_PREF.
    ///
    /// Every attribute has to have at most 65535 octets.
    #[inline(never)]
    pub(crate) fn write(&self, context: &Context, next_hop: Option<Ipv4Addr>, out: &mut [u8]) {
        let used = Slice::write(out, |out| self.put(context, next_hop, out));
        debug_assert_eq!(used, self.encoded_length(context, next_hop));
    }

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
        if context.peer_kind != PeerKind::External {
            let preference = self.local_pref.unwrap_or(DEFAULT_LOCAL_PREF);
            writer.put_four_octets(AttributeCode::LOCAL_PREF, preference.to_be_bytes());
        }
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

    #[inline(always)]
    fn put_uncommon(&self, context: &Context, writer: &mut Writer<'_, '_>) {
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
        // RFC 8092 section 3: none is sent twice.
        let large = distinct(&self.large_communities).count();
        if large > 0 {
            writer.put_header(AttributeCode::LARGE_COMMUNITIES, large * 12);
            distinct(&self.large_communities).for_each(|item| writer.out.put(&item.to_octets()));
        }
        if let Some(asn) = self.only_to_customer {
            writer.put_four_octets(AttributeCode::ONLY_TO_CUSTOMER, asn.number().to_be_bytes());
        }
        writer.finish();
    }

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

/// Octets of an attribute with a value of so many.
#[inline(always)]
fn attribute_length(octets: usize) -> usize {
    octets + if octets > 255 { 4 } else { 3 }
}

/// The first of each.
fn distinct<T: PartialEq>(items: &[T]) -> impl Iterator<Item = &T> {
    let earlier = |position| items.get(..position).unwrap_or_default();
    let all = items.iter().enumerate();
    all.filter_map(move |(position, item)| (!earlier(position).contains(item)).then_some(item))
}

#[inline(always)]
fn optional_length(yes: bool, octets: usize) -> usize {
    if yes { attribute_length(octets) } else { 0 }
}

#[inline(always)]
fn list_length(items: usize, octets: usize) -> usize {
    optional_length(items != 0, items * octets)
}

/// What an internal peer is sent where nothing is said: what routers take it for.
const DEFAULT_LOCAL_PREF: u32 = 100;

/// Merges the attributes that have fields with those that have none.
struct Writer<'a, 'o> {
    out: &'a mut Slice<'o>,
    peer: PeerKind,
    unknown: &'a [RawAttributeBuf],
}

impl Writer<'_, '_> {
    #[inline(always)]
    fn put<const N: usize>(&mut self, code: AttributeCode, value: [u8; N]) {
        self.put_header(code, N);
        self.out.put(&value);
    }

    /// The same for what most messages have, at once.
    #[inline(always)]
    fn put_four_octets(&mut self, code: AttributeCode, [a, b, c, d]: [u8; 4]) {
        self.put_unknown_before(code);
        self.out.put(&[known_flags(code), code.0, 4, a, b, c, d]);
    }

    #[inline(always)]
    fn put_aggregator(&mut self, code: AttributeCode, asn: u32, address: Ipv4Addr) {
        let ([a, b, c, d], [e, f, g, h]) = (asn.to_be_bytes(), address.octets());
        self.put(code, [a, b, c, d, e, f, g, h]);
    }

    #[inline(always)]
    fn put_header(&mut self, code: AttributeCode, length: usize) {
        self.put_unknown_before(code);
        put_header(self.out, known_flags(code), code, length);
    }

    #[inline(always)]
    fn put_unknown_before(&mut self, code: AttributeCode) {
        while let [unknown, rest @ ..] = self.unknown
            && unknown.code < code
        {
            self.unknown = rest;
            self.put_unknown(unknown);
        }
    }

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

    #[inline(always)]
    fn put_unknown(&mut self, unknown: &RawAttributeBuf) {
        if is_accepted(unknown.code, self.peer) {
            // By value: what is lent to a function is kept in memory.
            let out = core::mem::replace(self.out, Slice::new(&mut []));
            *self.out = put_raw(unknown, out);
        }
    }

    #[inline(always)]
    fn finish(&mut self) {
        for unknown in core::mem::take(&mut self.unknown) {
            self.put_unknown(unknown);
        }
    }
}

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

/// The flags of an attribute that has a field in [`AttributeSet`].
#[inline(always)]
fn known_flags(code: AttributeCode) -> u8 {
    let flags = flags(code);
    debug_assert!(flags.is_some(), "{code} has a rule");
    flags.unwrap_or_default()
}

/// Writes flags, code and length, in two octets exactly where one is too short.
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
