//! `Update::check`: applies the rules of RFC 7606 once; what comes out can be used without further thought.

mod head;
mod index;
mod owned;
mod routes;
#[cfg(any(test, all(fuzzing, feature = "arbitrary")))]
pub(crate) mod thorough;
mod values;

#[cfg(any(test, all(fuzzing, feature = "arbitrary")))]
pub(crate) use owned::dedup;
pub use routes::UnicastRoutes;

use core::net::IpAddr;

use ipnet::Ipv4Net;

use crate::attribute::rules::{SLOTS, plain_rules, slot, verdict};
use crate::attribute::{Attribute, MpPrefixes, MpReach, MpUnreach, RawAttribute, Treatment};
use crate::context::{Context, PeerKind};
use crate::error::{DecodeError, Span};
use crate::family::Family;
use crate::iana::{AttributeCode, Role, Safi};
use crate::message::Update;
use crate::next_hop::{NextHop, is_host, is_usable};
use crate::nlri::{AnyNlri, Form, Nlri, Prefixes, Routes};
use crate::reason::Reason;
use head::check_head;
use index::{Index, Seen, Surviving};
use routes::Section;

/// An UPDATE that was checked (RFC 7606).
///
/// A discarded attribute is not there, and after treat-as-withdraw every announced prefix comes out of
/// [`Checked::withdrawn`]: an application cannot forget it. Apply what is withdrawn before what is announced.
#[derive(Clone, Copy, Debug)]
pub struct Checked<'a> {
    update: Update<'a>,
    index: Index,
    strongest: Strongest,
}

/// The strongest fault of an UPDATE that the session survives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Fault {
    /// What was done.
    pub treatment: Treatment,
    /// Why.
    pub error: DecodeError,
}

/// The strongest fault so far.
#[derive(Clone, Copy, Debug)]
struct Strongest {
    /// 0 for none, else one more than the number of the treatment. A number and no enum, whose unused values the compiler
    /// would use for others: what has such a place in its middle is copied in pieces.
    severity: u8,
    error: DecodeError,
}

impl Strongest {
    const NONE: Self = Self {
        severity: 0,
        error: DecodeError {
            reason: Reason::MALFORMED_ATTRIBUTE_LIST,
            span: Span { start: 0, end: 0 },
        },
    };

    const fn new(treatment: Treatment, error: DecodeError) -> Self {
        let severity = match treatment {
            Treatment::Discard => 1,
            Treatment::Withdraw => 2,
            Treatment::Reset => 3,
        };
        Self { severity, error }
    }

    #[inline]
    const fn treatment(&self) -> Option<Treatment> {
        match self.severity {
            0 => None,
            1 => Some(Treatment::Discard),
            2 => Some(Treatment::Withdraw),
            _ => Some(Treatment::Reset),
        }
    }
}

impl<'a> Update<'a> {
    /// Checks every attribute and every prefix by the rules of RFC 7606, without allocation.
    ///
    /// # Errors
    ///
    /// The session must be reset. Weaker faults are in [`Checked::fault`] and already acted on.
    #[inline(always)]
    pub fn check(&self) -> Result<Checked<'a>, DecodeError> {
        // Checked in the place where it is returned: copying it costs as much as checking an attribute.
        let mut result = Ok(Checked {
            update: *self,
            index: Index::EMPTY,
            strongest: Strongest::NONE,
        });
        if let Ok(checked) = &mut result
            && let Err(error) = checked.check()
        {
            result = Err(error);
        }
        result
    }
}

/// Checks a field of IPv4 prefixes that starts at `start` in its message.
#[inline(always)]
fn check_ipv4(field: &[u8], start: usize, context: &Context) -> Result<(), DecodeError> {
    if field.is_empty() {
        return Ok(());
    }
    let add_path = context.add_path.contains(Family::IPV4_UNICAST);
    match Prefixes::<Ipv4Net>::check(field, add_path, start) {
        Ok(_) => Ok(()),
        Err(span) => Err(DecodeError {
            reason: Reason::INVALID_NETWORK_FIELD,
            span,
        }),
    }
}

impl<'a> Checked<'a> {
    #[inline(always)]
    fn check(&mut self) -> Result<(), DecodeError> {
        let update = self.update;
        check_ipv4(
            update.withdrawn_octets(),
            update.withdrawn_start(),
            update.context(),
        )?;
        check_ipv4(update.nlri_octets(), update.nlri_start(), update.context())?;
        let unusual = self.check_attributes();
        if self.reaches() {
            self.check_mandatory();
            if unusual {
                self.check_usable();
            }
        }
        match self.fault() {
            None => Ok(()),
            Some(fault) => self.act_on(fault),
        }
    }

    #[cold]
    fn act_on(&self, fault: Fault) -> Result<(), DecodeError> {
        match fault.treatment {
            Treatment::Discard => Ok(()),
            Treatment::Withdraw if self.reaches() => Ok(()),
            // RFC 7606 section 5.2: there is nothing to withdraw, or it cannot be found.
            Treatment::Withdraw | Treatment::Reset => Err(fault.error),
        }
    }

    /// Whether [`Checked::check_usable`] has to look: where all is as usual it has not.
    #[inline(never)]
    fn check_attributes(&mut self) -> bool {
        let context = self.update.context();
        let mut unusual = context.first_as.is_some()
            || context.local_as.is_some()
            || context.local_address.is_some()
            || context.peer_role.is_some();
        let rules = plain_rules(context.peer);
        let attributes = self.update.raw_attributes();
        let (rest, mut seen) =
            check_head(attributes, self.update.octets(), context, &mut self.index);
        let mut seen_others = Seen::default();
        for item in rest {
            let raw = match item {
                Ok(raw) => raw,
                Err(error) => {
                    self.note(Treatment::Withdraw, error);
                    return true;
                }
            };
            let code = u32::from(raw.code.0);
            let bit = 1_u64.unbounded_shl(code);
            let plain = rules.get(usize::from(raw.code.0));
            let slot = plain.and_then(|plain| plain.slot(&raw, context));
            if let Some(slot) = slot
                && seen & bit == 0
            {
                self.index.insert(slot, raw.start);
            } else {
                let new = if bit == 0 {
                    seen_others.insert(raw.code)
                } else {
                    seen & bit == 0
                };
                self.check_closely(raw.start, new);
                unusual = true;
            }
            seen |= bit;
        }
        unusual
    }

    /// Checks an attribute of which it is not plain that it stands.
    #[inline(never)]
    fn check_closely(&mut self, position: u16, new: bool) {
        let Some(raw) = self.update.raw_attributes().at(position) else {
            return;
        };
        let context = self.update.context();
        let fault = if !new {
            // RFC 7606 section 3 (g).
            let treatment = match raw.code {
                AttributeCode::MP_REACH_NLRI | AttributeCode::MP_UNREACH_NLRI => Treatment::Reset,
                _ => Treatment::Discard,
            };
            Some((treatment, Reason::MALFORMED_ATTRIBUTE_LIST))
        } else if let Some((treatment, reason)) = verdict(&raw, context) {
            let idle = raw.code == AttributeCode::NEXT_HOP && self.next_hop_is_idle();
            Some((if idle { Treatment::Discard } else { treatment }, reason))
        } else {
            let whole = match raw.code {
                AttributeCode::MP_REACH_NLRI => MpReach::check(raw.value, context),
                AttributeCode::MP_UNREACH_NLRI => MpUnreach::check(raw.value, context),
                _ => true,
            };
            (!whole).then_some((Treatment::Reset, Reason::OPTIONAL_ATTRIBUTE_ERROR))
        };
        match fault {
            None => self.index.insert(slot(raw.code), position),
            Some((treatment, reason)) => {
                let span = raw.span();
                self.note(treatment, DecodeError { reason, span });
            }
        }
    }

    /// RFC 4760 section 3: where there are no other routes than those of MP_REACH_NLRI, NEXT_HOP is not looked at.
    fn next_hop_is_idle(&self) -> bool {
        let mut attributes = self.update.raw_attributes().map_while(Result::ok);
        self.update.nlri_octets().is_empty()
            && attributes.any(|raw| raw.code == AttributeCode::MP_REACH_NLRI)
    }

    /// What makes a route unusable without being an error (RFC 4271 sections 6.3 and 9.1.2): it is withdrawn, and the
    /// session goes on.
    #[inline(never)]
    fn check_usable(&mut self) {
        let context = *self.update.context();
        let path = self.as_path();
        let foreign = context.first_as.is_some_and(|first| {
            let external = context.peer == PeerKind::External;
            external && path.is_some_and(|path| path.asns().next() != Some(first))
        });
        let paths = [path, self.as4_path()];
        let looped = context.local_as.is_some_and(|local| {
            let mut paths = paths.into_iter().flatten();
            paths.any(|path| path.asns().any(|asn| asn == local))
        });
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
        let multiprotocol = self
            .mp_reach()
            .filter(|reach| context.exchanges(reach.family()) && reach.has_next_hop())
            .and_then(|reach| reach.next_hop());
        if multiprotocol
            .is_some_and(|next_hop| !is_usable(next_hop) || context.local_address == Some(next_hop))
        {
            self.note_unusable(
                AttributeCode::MP_REACH_NLRI,
                Reason::INVALID_NEXT_HOP_ATTRIBUTE,
            );
        }
        if self.is_leaked() {
            let reason = Reason::OPTIONAL_ATTRIBUTE_ERROR;
            self.note_unusable(AttributeCode::ONLY_TO_CUSTOMER, reason);
        }
    }

    /// RFC 9234 section 5: the rules for what is received, for unicast routes.
    fn is_leaked(&self) -> bool {
        let (Some((role, peer_as)), Some(asn)) =
            (self.update.context().peer_role, self.only_to_customer())
        else {
            return false;
        };
        let unicast = self
            .mp_reach()
            .is_none_or(|reach| reach.family().safi == Safi::UNICAST);
        let leaked = match role {
            Role::CUSTOMER | Role::ROUTE_SERVER_CLIENT => true,
            Role::PEER => asn != peer_as,
            _ => false,
        };
        leaked && unicast
    }

    fn note_unusable(&mut self, code: AttributeCode, reason: Reason) {
        if let Some(raw) = self.raw(code) {
            self.note(
                Treatment::Withdraw,
                DecodeError {
                    reason,
                    span: raw.span(),
                },
            );
        }
    }

    /// RFC 7606 section 3 (d): what a route cannot be without.
    #[inline]
    fn check_mandatory(&mut self) {
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
        if self.strongest.treatment() < Some(treatment) {
            self.strongest = Strongest::new(treatment, error);
        }
    }

    #[inline]
    fn has(&self, code: AttributeCode) -> bool {
        self.index.position(code).is_some()
    }

    #[inline]
    fn raw(&self, code: AttributeCode) -> Option<RawAttribute<'a>> {
        if usize::from(slot(code)) >= SLOTS {
            return self.raw_attributes().find(|raw| raw.code == code);
        }
        let position = self.index.position(code)?;
        self.update.raw_attributes().at(position)
    }

    #[inline]
    fn value(&self, code: AttributeCode) -> Option<&'a [u8]> {
        self.raw(code).map(|raw| raw.value)
    }

    #[inline]
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
    #[inline]
    pub fn fault(&self) -> Option<Fault> {
        let treatment = self.strongest.treatment()?;
        Some(Fault {
            treatment,
            error: self.strongest.error,
        })
    }

    /// Treat-as-withdraw.
    #[inline]
    fn withdraws(&self) -> bool {
        self.strongest.treatment() == Some(Treatment::Withdraw)
    }

    /// The attributes that survive, in the order of the message; the first of duplicates.
    #[inline]
    pub fn attributes(&self) -> impl Iterator<Item = Attribute<'a>> + use<'a> {
        let context = self.update.context();
        self.raw_attributes()
            .map(move |raw| Attribute::decode(raw, context))
    }

    /// The same, as they stand in the message.
    #[inline]
    pub fn raw_attributes(&self) -> impl Iterator<Item = RawAttribute<'a>> + use<'a> {
        let all = self.strongest.treatment().is_none();
        Surviving::new(self.update.raw_attributes(), all, self.update.context())
    }

    /// Every unicast prefix that is announced. Nothing after treat-as-withdraw.
    #[must_use]
    #[inline(always)]
    pub fn announced(&self) -> UnicastRoutes<'a> {
        if self.withdraws() {
            UnicastRoutes::default()
        } else {
            UnicastRoutes::of(self.reachable())
        }
    }

    /// The same, each with its next hop: that of IPv4 may stand in NEXT_HOP or in MP_REACH_NLRI.
    pub fn announced_with_next_hops(&self) -> impl Iterator<Item = (NextHop, Nlri)> + use<'a> {
        let Section {
            ipv4,
            multiprotocol,
        } = if self.withdraws() {
            Section::default()
        } else {
            self.reachable()
        };
        let of_ipv4 = self.next_hop().map(|address| IpAddr::V4(address).into());
        let of_reach = self.mp_reach().and_then(|reach| reach.next_hop_value());
        let ipv4 = ipv4.map(move |nlri| (of_ipv4.unwrap_or(NextHop::Absent), nlri.widen()));
        let others = multiprotocol.map(move |nlri| (of_reach.unwrap_or(NextHop::Absent), nlri));
        ipv4.chain(others)
    }

    /// Every unicast prefix that is withdrawn, and after treat-as-withdraw those that were announced.
    #[must_use]
    #[inline(always)]
    pub fn withdrawn(&self) -> UnicastRoutes<'a> {
        let unreachable = Section {
            ipv4: self.ipv4_prefixes(self.update.withdrawn_octets()),
            multiprotocol: self
                .mp_unreach()
                .map_or(MpPrefixes::None, |unreach| unreach.prefixes()),
        };
        if self.withdraws() {
            UnicastRoutes::of_both(unreachable, self.reachable())
        } else {
            UnicastRoutes::of(unreachable)
        }
    }

    #[inline(always)]
    fn reachable(&self) -> Section<'a> {
        Section {
            ipv4: self.ipv4_prefixes(self.update.nlri_octets()),
            multiprotocol: self
                .mp_reach()
                .map_or(MpPrefixes::None, |reach| reach.prefixes()),
        }
    }

    #[inline]
    fn ipv4_prefixes(&self, field: &'a [u8]) -> Prefixes<'a, Ipv4Net> {
        let context = self.update.context();
        if context.families.contains(Family::IPV4_UNICAST) {
            Prefixes::of_checked(field, context.add_path.contains(Family::IPV4_UNICAST))
        } else {
            Prefixes::of_checked(&[], false)
        }
    }

    /// Every route that is announced, of all families. Nothing after treat-as-withdraw.
    pub fn announced_routes(&self) -> impl Iterator<Item = AnyNlri<'a>> + use<'a> {
        let reachable = (!self.withdraws()).then(|| self.reachable_routes());
        reachable.into_iter().flatten()
    }

    /// Every route that is withdrawn, of all families, and after treat-as-withdraw those that were announced.
    pub fn withdrawn_routes(&self) -> impl Iterator<Item = AnyNlri<'a>> + use<'a> {
        let ipv4 = self.ipv4_routes(self.update.withdrawn_octets(), true);
        let multiprotocol = self.mp_unreach().map(|unreach| unreach.routes());
        let reachable = self.withdraws().then(|| self.reachable_routes());
        ipv4.chain(multiprotocol.into_iter().flatten())
            .chain(reachable.into_iter().flatten())
    }

    fn reachable_routes(&self) -> impl Iterator<Item = AnyNlri<'a>> + use<'a> {
        let multiprotocol = self.mp_reach().map(|reach| reach.routes());
        self.ipv4_routes(self.update.nlri_octets(), false)
            .chain(multiprotocol.into_iter().flatten())
    }

    fn ipv4_routes(&self, field: &'a [u8], withdrawn: bool) -> Routes<'a> {
        let context = self.update.context();
        let form = Form::new(Family::IPV4_UNICAST, context, withdrawn);
        let exchanged = context.exchanges(Family::IPV4_UNICAST);
        Routes::of_checked(if exchanged { field } else { &[] }, form)
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
}
