//! `Update::check`: applies the rules of RFC 7606 once; what comes out can be used without further thought.

use core::net::Ipv4Addr;

use ipnet::{IpNet, Ipv4Net};

use crate::attribute::rules::{INDEXED, is_host, verdict};
use crate::attribute::{
    Aggregator, AsPath, Attribute, Communities, LargeCommunities, MpPrefixes, MpReach, MpUnreach,
    RawAttribute, Treatment,
};
use crate::context::PeerKind;
use crate::error::DecodeError;
use crate::family::Family;
use crate::iana::{AttributeCode, Origin};
use crate::message::{RawAttributes, Update};
use crate::nlri::{AnyNlri, Form, Nlri, Prefixes, Routes};
use crate::reason::Reason;

/// An UPDATE that was checked (RFC 7606).
///
/// A discarded attribute is not there, and after treat-as-withdraw every announced prefix comes out of
/// [`Checked::withdrawn`]: an application cannot forget it. Apply what is withdrawn before what is announced.
#[derive(Clone, Copy, Debug)]
pub struct Checked<'a> {
    update: Update<'a>,
    /// Where the surviving attribute of each code stands in the message; 0 where there is none.
    index: [u16; INDEXED],
    mp_reach: Option<MpReach<'a>>,
    mp_unreach: Option<MpUnreach<'a>>,
    withdraw: bool,
    fault: Option<Fault>,
    withdrawn: Prefixes<'a, Ipv4Net>,
    announced: Prefixes<'a, Ipv4Net>,
}

/// The strongest fault of an UPDATE that the session survives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What was done.
    pub treatment: Treatment,
    /// Why.
    pub error: DecodeError,
}

impl<'a> Update<'a> {
    /// Checks every attribute and every prefix by the rules of RFC 7606, without allocation.
    ///
    /// # Errors
    ///
    /// The session must be reset. Weaker faults are in [`Checked::fault`] and already acted on.
    pub fn check(&self) -> Result<Checked<'a>, DecodeError> {
        let add_path = self.context().add_path.contains(Family::IPV4_UNICAST);
        let network_field = |span| DecodeError {
            reason: Reason::INVALID_NETWORK_FIELD,
            span,
        };
        let withdrawn = Prefixes::check(self.withdrawn_octets(), add_path, self.withdrawn_start());
        let announced = Prefixes::check(self.nlri_octets(), add_path, self.nlri_start());
        let mut checked = Checked {
            update: *self,
            index: [0; INDEXED],
            mp_reach: None,
            mp_unreach: None,
            withdraw: false,
            fault: None,
            withdrawn: withdrawn.map_err(network_field)?,
            announced: announced.map_err(network_field)?,
        };
        checked.check_attributes();
        checked.check_mandatory();
        checked.check_usable();
        match checked.fault {
            Some(Fault {
                treatment: Treatment::Reset,
                error,
            }) => return Err(error),
            // RFC 7606 section 5.2: there is nothing to withdraw, or it cannot be found.
            Some(Fault {
                treatment: Treatment::Withdraw,
                error,
            }) if !checked.reaches() => return Err(error),
            Some(Fault {
                treatment: Treatment::Withdraw,
                ..
            }) => checked.withdraw = true,
            Some(Fault {
                treatment: Treatment::Discard,
                ..
            })
            | None => {}
        }
        Ok(checked)
    }
}

impl<'a> Checked<'a> {
    fn check_attributes(&mut self) {
        let mut seen = Seen::default();
        for item in self.update.raw_attributes() {
            let raw = match item {
                Ok(raw) => raw,
                Err(error) => return self.note(Treatment::Withdraw, error),
            };
            let error = |reason| DecodeError {
                reason,
                span: raw.span,
            };
            if !seen.insert(raw.code) {
                // RFC 7606 section 3 (g).
                if matches!(
                    raw.code,
                    AttributeCode::MP_REACH_NLRI | AttributeCode::MP_UNREACH_NLRI
                ) {
                    self.note(Treatment::Reset, error(Reason::MALFORMED_ATTRIBUTE_LIST));
                } else {
                    self.note(Treatment::Discard, error(Reason::MALFORMED_ATTRIBUTE_LIST));
                }
                continue;
            }
            match verdict(&raw, self.update.context()) {
                // RFC 4760 section 3: without IPv4 routes of its own NEXT_HOP is not looked at.
                Some((_, reason))
                    if raw.code == AttributeCode::NEXT_HOP
                        && self.update.nlri_octets().is_empty() =>
                {
                    self.note(Treatment::Discard, error(reason));
                }
                Some((treatment, reason)) => self.note(treatment, error(reason)),
                None if self.keep(&raw).is_some() => {}
                None => self.note(Treatment::Reset, error(Reason::OPTIONAL_ATTRIBUTE_ERROR)),
            }
        }
    }

    /// Notes where a good attribute stands; `None` if it is a multiprotocol attribute and does not parse.
    fn keep(&mut self, raw: &RawAttribute<'a>) -> Option<()> {
        match raw.code {
            AttributeCode::MP_REACH_NLRI => {
                self.mp_reach = Some(MpReach::decode(*raw, self.update.context()).ok()?);
            }
            AttributeCode::MP_UNREACH_NLRI => {
                self.mp_unreach = Some(MpUnreach::decode(*raw, self.update.context()).ok()?);
            }
            _ => {}
        }
        if let Some(slot) = self.index.get_mut(usize::from(raw.code.0)) {
            *slot = raw.span.start;
        }
        Some(())
    }

    /// What makes a route unusable without being an error (RFC 4271 sections 6.3 and 9.1.2): it is withdrawn, and the
    /// session goes on.
    fn check_usable(&mut self) {
        if !self.reaches() {
            return;
        }
        let context = *self.update.context();
        let path = self.as_path();
        let foreign = context.first_as.is_some_and(|first| {
            let external = context.peer == PeerKind::External;
            external && path.is_some_and(|path| path.asns().next() != Some(first))
        });
        let looped = context
            .local_as
            .is_some_and(|local| path.is_some_and(|path| path.asns().any(|asn| asn == local)));
        if foreign || looped {
            self.note_unusable(AttributeCode::AS_PATH, Reason::MALFORMED_AS_PATH);
        }
        let next_hop = self
            .next_hop()
            .filter(|_| !self.update.nlri_octets().is_empty());
        if next_hop.is_some_and(|next_hop| {
            !is_host(next_hop) || context.local_address == Some(next_hop.into())
        }) {
            self.note_unusable(AttributeCode::NEXT_HOP, Reason::INVALID_NEXT_HOP_ATTRIBUTE);
        }
    }

    fn note_unusable(&mut self, code: AttributeCode, reason: Reason) {
        if let Some(raw) = self.raw(code) {
            self.note(
                Treatment::Withdraw,
                DecodeError {
                    reason,
                    span: raw.span,
                },
            );
        }
    }

    /// RFC 7606 section 3 (d): what a route cannot be without.
    fn check_mandatory(&mut self) {
        if !self.reaches() {
            return;
        }
        let nlri = !self.update.nlri_octets().is_empty();
        let missing = (!self.has(AttributeCode::ORIGIN))
            || (!self.has(AttributeCode::AS_PATH))
            || (nlri && !self.has(AttributeCode::NEXT_HOP));
        if missing {
            let start = self.update.withdrawn_start() + self.update.withdrawn_octets().len();
            let error = DecodeError::new(
                Reason::MISSING_WELL_KNOWN_ATTRIBUTE,
                start,
                self.update.nlri_start(),
            );
            self.note(Treatment::Withdraw, error);
        }
    }

    /// RFC 7606 section 3 (h): of several faults the strongest counts; of equals the first.
    fn note(&mut self, treatment: Treatment, error: DecodeError) {
        if self.fault.is_none_or(|fault| fault.treatment < treatment) {
            self.fault = Some(Fault { treatment, error });
        }
    }

    fn has(&self, code: AttributeCode) -> bool {
        self.position(code).is_some()
    }

    fn position(&self, code: AttributeCode) -> Option<u16> {
        self.index
            .get(usize::from(code.0))
            .copied()
            .filter(|position| *position != 0)
    }

    fn raw(&self, code: AttributeCode) -> Option<RawAttribute<'a>> {
        self.update.raw_attributes().at(self.position(code)?.into())
    }

    fn value(&self, code: AttributeCode) -> Option<&'a [u8]> {
        self.raw(code).map(|raw| raw.value)
    }

    fn word(&self, code: AttributeCode) -> Option<[u8; 4]> {
        self.value(code)?.first_chunk().copied()
    }

    /// Whether the message announces any route.
    fn reaches(&self) -> bool {
        !self.update.nlri_octets().is_empty()
            || self
                .mp_reach()
                .is_some_and(|reach| !reach.nlri_octets().is_empty())
    }

    /// The message.
    #[must_use]
    pub fn update(&self) -> &Update<'a> {
        &self.update
    }

    /// The strongest fault that was acted on, for logs and counters.
    #[must_use]
    pub fn fault(&self) -> Option<Fault> {
        self.fault
    }

    /// The attributes that survive, in the order of the message; the first of duplicates.
    pub fn attributes(&self) -> impl Iterator<Item = Attribute<'a>> + use<'a> {
        let context = *self.update.context();
        self.raw_attributes()
            .map(move |raw| Attribute::decode(raw, &context))
    }

    /// The same, as they stand in the message.
    pub fn raw_attributes(&self) -> impl Iterator<Item = RawAttribute<'a>> + use<'a> {
        Surviving {
            raw: self.update.raw_attributes(),
            index: self.index,
            seen: Seen::default(),
        }
    }

    /// Every unicast prefix that is announced. Nothing after treat-as-withdraw.
    #[must_use]
    pub fn announced(&self) -> UnicastRoutes<'a> {
        if self.withdraw {
            UnicastRoutes::none()
        } else {
            self.reachable()
        }
    }

    /// Every unicast prefix that is withdrawn, and after treat-as-withdraw those that were announced.
    pub fn withdrawn(&self) -> impl Iterator<Item = Nlri<IpNet>> + use<'a> {
        let unreachable = UnicastRoutes {
            ipv4: self.withdrawn,
            multiprotocol: self
                .mp_unreach()
                .map_or(MpPrefixes::None, |unreach| unreach.prefixes()),
        };
        unreachable.chain(if self.withdraw {
            self.reachable()
        } else {
            UnicastRoutes::none()
        })
    }

    fn reachable(&self) -> UnicastRoutes<'a> {
        UnicastRoutes {
            ipv4: self.announced,
            multiprotocol: self
                .mp_reach()
                .map_or(MpPrefixes::None, |reach| reach.prefixes()),
        }
    }

    /// Every route that is announced, of all families. Nothing after treat-as-withdraw.
    pub fn announced_routes(&self) -> impl Iterator<Item = AnyNlri<'a>> + use<'a> {
        let reachable = (!self.withdraw).then(|| self.reachable_routes());
        reachable.into_iter().flatten()
    }

    /// Every route that is withdrawn, of all families, and after treat-as-withdraw those that were announced.
    pub fn withdrawn_routes(&self) -> impl Iterator<Item = AnyNlri<'a>> + use<'a> {
        let ipv4 = self.ipv4_routes(self.update.withdrawn_octets(), true);
        let multiprotocol = self.mp_unreach().map(|unreach| unreach.routes());
        let reachable = self.withdraw.then(|| self.reachable_routes());
        ipv4.chain(multiprotocol.into_iter().flatten())
            .chain(reachable.into_iter().flatten())
    }

    fn reachable_routes(&self) -> impl Iterator<Item = AnyNlri<'a>> + use<'a> {
        let multiprotocol = self.mp_reach().map(|reach| reach.routes());
        self.ipv4_routes(self.update.nlri_octets(), false)
            .chain(multiprotocol.into_iter().flatten())
    }

    fn ipv4_routes(&self, field: &'a [u8], withdrawn: bool) -> Routes<'a> {
        let form = Form::new(Family::IPV4_UNICAST, self.update.context(), withdrawn);
        Routes::of_checked(field, form)
    }

    /// The family that an End-of-RIB marker ends (RFC 4724 section 2).
    #[must_use]
    pub fn end_of_rib(&self) -> Option<Family> {
        let update = &self.update;
        if !update.nlri_octets().is_empty() || !update.withdrawn_octets().is_empty() {
            return None;
        }
        let mut attributes = update.raw_attributes();
        if attributes.is_empty() {
            return Some(Family::IPV4_UNICAST);
        }
        let unreach = self
            .mp_unreach()
            .filter(|unreach| unreach.nlri_octets().is_empty())?;
        (attributes.by_ref().count() == 1).then(|| unreach.family())
    }

    /// ORIGIN. Every message that announces has one.
    #[must_use]
    pub fn origin(&self) -> Option<Origin> {
        Some(Origin(*self.value(AttributeCode::ORIGIN)?.first()?))
    }

    /// AS_PATH. Every message that announces has one.
    #[must_use]
    pub fn as_path(&self) -> Option<AsPath<'a>> {
        Some(AsPath::new(
            self.value(AttributeCode::AS_PATH)?,
            self.update.context().four_octet_as,
        ))
    }

    /// NEXT_HOP: that of the IPv4 routes outside MP_REACH_NLRI.
    #[must_use]
    pub fn next_hop(&self) -> Option<Ipv4Addr> {
        self.word(AttributeCode::NEXT_HOP).map(Ipv4Addr::from)
    }

    /// MULTI_EXIT_DISC.
    #[must_use]
    pub fn multi_exit_disc(&self) -> Option<u32> {
        self.word(AttributeCode::MULTI_EXIT_DISC)
            .map(u32::from_be_bytes)
    }

    /// LOCAL_PREF, from internal peers.
    #[must_use]
    pub fn local_pref(&self) -> Option<u32> {
        self.word(AttributeCode::LOCAL_PREF).map(u32::from_be_bytes)
    }

    /// COMMUNITIES.
    #[must_use]
    pub fn communities(&self) -> Option<Communities<'a>> {
        self.value(AttributeCode::COMMUNITIES).map(Communities::new)
    }

    /// LARGE_COMMUNITIES.
    #[must_use]
    pub fn large_communities(&self) -> Option<LargeCommunities<'a>> {
        self.value(AttributeCode::LARGE_COMMUNITIES)
            .map(LargeCommunities::new)
    }

    /// AS4_PATH, on a session with AS numbers of two octets (RFC 6793).
    #[must_use]
    pub fn as4_path(&self) -> Option<AsPath<'a>> {
        self.value(AttributeCode::AS4_PATH)
            .map(|value| AsPath::new(value, true))
    }

    /// AS4_AGGREGATOR, on a session with AS numbers of two octets (RFC 6793).
    #[must_use]
    pub fn as4_aggregator(&self) -> Option<Aggregator> {
        self.value(AttributeCode::AS4_AGGREGATOR)
            .and_then(Aggregator::decode)
    }

    /// MP_REACH_NLRI. Its prefixes are withdrawn after treat-as-withdraw: take them from [`Checked::announced`].
    #[must_use]
    pub fn mp_reach(&self) -> Option<MpReach<'a>> {
        self.mp_reach
    }

    /// MP_UNREACH_NLRI.
    #[must_use]
    pub fn mp_unreach(&self) -> Option<MpUnreach<'a>> {
        self.mp_unreach
    }
}

/// The attributes of a checked UPDATE that survive, as they stand in the message.
#[derive(Clone, Copy, Debug)]
struct Surviving<'a> {
    raw: RawAttributes<'a>,
    index: [u16; INDEXED],
    seen: Seen,
}

impl<'a> Iterator for Surviving<'a> {
    type Item = RawAttribute<'a>;

    fn next(&mut self) -> Option<RawAttribute<'a>> {
        loop {
            let raw = self.raw.next()?.ok()?;
            let survives = match self.index.get(usize::from(raw.code.0)) {
                // Zero: discarded, as no attribute starts at the first octet of a message.
                Some(position) => *position == raw.span.start,
                None => self.seen.insert(raw.code),
            };
            if survives {
                return Some(raw);
            }
        }
    }
}

/// The unicast prefixes of a message, IPv4 and IPv6.
#[derive(Clone, Copy, Debug)]
pub struct UnicastRoutes<'a> {
    ipv4: Prefixes<'a, Ipv4Net>,
    multiprotocol: MpPrefixes<'a>,
}

impl UnicastRoutes<'_> {
    fn none() -> Self {
        Self {
            ipv4: Prefixes::empty(),
            multiprotocol: MpPrefixes::None,
        }
    }
}

impl Iterator for UnicastRoutes<'_> {
    type Item = Nlri<IpNet>;

    fn next(&mut self) -> Option<Nlri<IpNet>> {
        self.ipv4
            .next()
            .map(Nlri::widen)
            .or_else(|| self.multiprotocol.next())
    }

    /// One loop for each of the two.
    fn fold<B, F: FnMut(B, Self::Item) -> B>(self, start: B, mut step: F) -> B {
        let ipv4 = self.ipv4.fold(start, |all, nlri| step(all, nlri.widen()));
        self.multiprotocol.fold(ipv4, step)
    }
}

/// The attribute codes that were met.
#[derive(Clone, Copy, Debug, Default)]
struct Seen([u64; 4]);

impl Seen {
    /// Whether the code is new.
    fn insert(&mut self, code: AttributeCode) -> bool {
        let Some(word) = self.0.get_mut(usize::from(code.0 >> 6)) else {
            return false;
        };
        let bit = 1 << (code.0 & 63);
        let new = *word & bit == 0;
        *word |= bit;
        new
    }
}
