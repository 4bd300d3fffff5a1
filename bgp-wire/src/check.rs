//! `Update::check`: applies the rules of RFC 7606 once, so that its result needs no further checks.

mod head;
mod index;
mod marks;
mod owned;
mod routes;
#[cfg(any(test, all(fuzzing, feature = "arbitrary")))]
pub(crate) mod thorough;
mod usable;
mod values;

pub use routes::UnicastRoutes;
pub use usable::Unusable;

use ipnet::Ipv4Net;

use crate::attribute::rules::{SLOTS, fast_rules, slot, verdict};
use crate::attribute::{Attribute, MpReach, MpUnreach, RawAttribute, Treatment};
use crate::context::Context;
use crate::error::{DecodeError, Span};
use crate::family::Family;
use crate::iana::AttributeCode;
use crate::message::Update;
use crate::nlri::Prefixes;
use crate::reason::Reason;
use head::check_head;
use index::{Index, Seen, SurvivingAttributes};
use marks::Marks;

/// An UPDATE after the checks of RFC 7606.
///
/// Discarded attributes are absent. After treat-as-withdraw, and if the routes are unusable, [`Checked::withdrawn`] also
/// returns the announced prefixes, so that an application cannot miss them. Apply withdrawn routes before announced ones.
///
/// Announcements of bogus prefixes are absent also (see [`is_bogus_prefix`](crate::is_bogus_prefix)).
#[derive(Clone, Copy, Debug)]
pub struct Checked<'a> {
    update: Update<'a>,
    index: Index,
    strongest: StrongestFault,
    marks: Marks,
    /// The number of the reason for which the routes are unusable, or 0. The reason of bogus prefixes is not stored here.
    unusable: u8,
}

/// The strongest fault of an UPDATE that the session survives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Fault {
    /// The treatment that was applied.
    pub treatment: Treatment,
    /// The reason and the octets at fault.
    pub error: DecodeError,
}

/// The strongest fault so far.
#[derive(Clone, Copy, Debug)]
struct StrongestFault {
    /// 0 without a fault, else one more than the number of the treatment.
    // A number and not an enum: the compiler would use the enum's unused values to encode `Result<Checked, _>`, and
    // would then copy the struct in pieces.
    severity: u8,
    error: DecodeError,
}

impl StrongestFault {
    const NONE: Self = Self {
        severity: 0,
        // Unused while the severity is 0. An `Option` would have the same unused values as an enum.
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

    /// Returns the treatment, or `None` without a fault.
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
    /// Checks every attribute and every prefix by the rules of RFC 7606. Allocates nothing.
    ///
    /// # Errors
    ///
    /// Returns an error if the session must be reset. Weaker faults are already treated; [`Checked::fault`] returns the
    /// strongest of them.
    #[inline(always)]
    pub fn check(&self) -> Result<Checked<'a>, DecodeError> {
        // Checked in place of the return value: a copy of it costs as much as the check of an attribute.
        let mut result = Ok(Checked {
            update: *self,
            index: Index::EMPTY,
            strongest: StrongestFault::NONE,
            marks: Marks::EMPTY,
            unusable: 0,
        });
        if let Ok(checked) = &mut result
            && let Err(error) = checked.check()
        {
            result = Err(error);
        }
        result
    }
}

/// Checks a field of IPv4 prefixes that begins at position `start` of its message. Returns `true` if it is suspect.
#[inline(always)]
fn check_ipv4(field: &[u8], start: usize, context: &Context) -> Result<bool, DecodeError> {
    // Most UPDATEs have at most one of the two fields.
    if field.is_empty() {
        return Ok(false);
    }
    let add_path = context.add_path.contains(Family::IPV4_UNICAST);
    match Prefixes::<Ipv4Net>::check(field, add_path, start) {
        Ok(suspect) => Ok(suspect),
        Err(span) => Err(DecodeError {
            reason: Reason::INVALID_NETWORK_FIELD,
            span,
        }),
    }
}

impl Update<'_> {
    /// Returns the treatment and the reason of a faulty attribute as an error. For a valid one, returns `true` if it
    /// has suspect routes. `new` is `false` if its code appeared before.
    // Inlined: MP_REACH_NLRI takes this path in every UPDATE of IPv6 routes.
    #[inline(always)]
    pub(crate) fn check_attribute(
        &self,
        raw: &RawAttribute<'_>,
        new: bool,
    ) -> Result<bool, (Treatment, Reason)> {
        let context = self.context();
        if !new {
            // RFC 7606 section 3 (g): a duplicate is discarded, except for attributes with routes.
            let treatment = match raw.code {
                AttributeCode::MP_REACH_NLRI | AttributeCode::MP_UNREACH_NLRI => Treatment::Reset,
                _ => Treatment::Discard,
            };
            return Err((treatment, Reason::MALFORMED_ATTRIBUTE_LIST));
        }
        if let Some((treatment, reason)) = verdict(raw, context) {
            let unused = raw.code == AttributeCode::NEXT_HOP && self.next_hop_is_unused();
            let treatment = if unused {
                Treatment::Discard
            } else {
                treatment
            };
            return Err((treatment, reason));
        }
        let checked = match raw.code {
            AttributeCode::MP_REACH_NLRI => MpReach::check(raw.value, context),
            AttributeCode::MP_UNREACH_NLRI => MpUnreach::check(raw.value, context),
            _ => Some(false),
        };
        checked.ok_or((Treatment::Reset, Reason::OPTIONAL_ATTRIBUTE_ERROR))
    }

    /// Returns `true` if NEXT_HOP is ignored because only MP_REACH_NLRI announces routes (RFC 4760 section 3).
    fn next_hop_is_unused(&self) -> bool {
        // The index may not have MP_REACH_NLRI yet, which can come after NEXT_HOP.
        let mut attributes = self.raw_attributes().map_while(Result::ok);
        self.nlri_octets().is_empty()
            && attributes.any(|raw| raw.code == AttributeCode::MP_REACH_NLRI)
    }
}

impl<'a> Checked<'a> {
    /// Checks the fields, the attributes and the treatment of the strongest fault.
    #[inline(always)]
    fn check(&mut self) -> Result<(), DecodeError> {
        let update = self.update;
        // RFC 7606 section 5.3: without complete prefixes the routes are unknown, so a fault here resets the session.
        let withdrawn = check_ipv4(
            update.withdrawn_octets(),
            update.withdrawn_start(),
            update.context(),
        )?;
        let announced = check_ipv4(update.nlri_octets(), update.nlri_start(), update.context())?;
        if withdrawn | announced {
            self.note_suspect_prefixes();
        }
        let unusual = self.check_attributes();
        if self.announces_routes() {
            self.check_mandatory();
            if unusual {
                self.check_usable();
            }
        }
        match self.fault() {
            None => Ok(()),
            Some(fault) => self.apply_fault(fault),
        }
    }

    /// Returns an error if the fault must reset the session.
    #[cold]
    fn apply_fault(&self, fault: Fault) -> Result<(), DecodeError> {
        match fault.treatment {
            Treatment::Discard => Ok(()),
            Treatment::Withdraw if self.announces_routes() => Ok(()),
            // RFC 7606 section 5.2: without a route in the message the faulty attributes belong to unknown routes.
            Treatment::Withdraw | Treatment::Reset => Err(fault.error),
        }
    }

    /// Checks every attribute. Returns `true` if [`Checked::check_usable`] must run.
    // Not inlined, unlike `check`: one copy of the loop serves every caller.
    #[inline(never)]
    fn check_attributes(&mut self) -> bool {
        // Nothing is unusable if the context sets no condition and the fast path accepts every attribute.
        let context = self.update.context();
        let mut unusual = context.first_as.is_some()
            || context.local_as.is_some()
            || context.local_address.is_some()
            || context.router_id.is_some()
            || context.peer_role.is_some();
        let rules = fast_rules(context.peer_kind);
        let attributes = self.update.raw_attributes();
        let (rest, mut seen) =
            check_head(attributes, self.update.octets(), context, &mut self.index);
        let mut seen_others = Seen::default();
        for item in rest {
            let raw = match item {
                Ok(raw) => raw,
                Err(error) => {
                    self.record_fault(Treatment::Withdraw, error);
                    return true;
                }
            };
            // The shift gives 0 for codes from 64; the set `seen_others` has those.
            let code = u32::from(raw.code.0);
            let bit = 1_u64.unbounded_shl(code);
            let fast = rules.get(usize::from(raw.code.0));
            let slot = fast.and_then(|fast| fast.slot(&raw, context));
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
                self.check_by_rules(raw.start, new);
                unusual = true;
            }
            seen |= bit;
        }
        unusual
    }

    /// Checks an attribute that the fast path does not accept. `new` is `false` if its code appeared before.
    #[inline(never)]
    fn check_by_rules(&mut self, position: u16, new: bool) {
        let Some(raw) = self.update.raw_attributes().at(position) else {
            debug_assert!(false, "no attribute starts at {position}");
            return;
        };
        let checked = self.update.check_attribute(&raw, new);
        match checked {
            Ok(suspect) => {
                self.index.insert(slot(raw.code), position);
                if suspect {
                    self.note_suspect_routes(&raw);
                }
            }
            Err((treatment, reason)) => {
                let span = raw.span();
                self.record_fault(treatment, DecodeError { reason, span });
            }
        }
    }

    /// Notes a bogus prefix in the NLRI field, one of the two fields of which is suspect.
    #[cold]
    fn note_suspect_prefixes(&mut self) {
        self.marks.set(Marks::SUSPECT);
        let announced = self.ipv4_prefixes(self.update.nlri_octets());
        if announced.any_bogus() {
            self.marks.set(Marks::BOGUS);
        }
    }

    /// Notes a bogus prefix in a well-formed multiprotocol attribute whose routes are suspect.
    #[cold]
    fn note_suspect_routes(&mut self, raw: &RawAttribute<'a>) {
        self.marks.set(Marks::SUSPECT);
        // A withdrawal of a bogus prefix is not ignored.
        if raw.code == AttributeCode::MP_REACH_NLRI {
            let mut routes = MpReach::from_checked(raw.value, self.update.context()).routes();
            if routes.any(|route| route.is_bogus()) {
                self.marks.set(Marks::BOGUS);
            }
        }
    }

    /// Records treat-as-withdraw if a mandatory attribute is missing (RFC 7606 section 3 (d)).
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
            self.record_fault(Treatment::Withdraw, error);
        }
    }

    /// Records a fault if it is stronger than those before (RFC 7606 section 3 (h)). Of equal faults the first counts.
    fn record_fault(&mut self, treatment: Treatment, error: DecodeError) {
        if self.strongest.treatment() < Some(treatment) {
            self.strongest = StrongestFault::new(treatment, error);
            if treatment == Treatment::Withdraw {
                self.marks.set(Marks::WITHDRAWN);
            }
        }
    }

    /// Returns `true` if an indexed attribute survives.
    #[inline]
    fn has(&self, code: AttributeCode) -> bool {
        self.index.position(code).is_some()
    }

    /// Returns a surviving attribute by its code.
    #[inline]
    fn raw(&self, code: AttributeCode) -> Option<RawAttribute<'a>> {
        if usize::from(slot(code)) >= SLOTS {
            return self.raw_attributes().find(|raw| raw.code == code);
        }
        let position = self.index.position(code)?;
        self.update.raw_attributes().at(position)
    }

    /// Returns the value of a surviving attribute.
    #[inline]
    fn value(&self, code: AttributeCode) -> Option<&'a [u8]> {
        self.raw(code).map(|raw| raw.value)
    }

    /// Returns the value of a surviving attribute whose length is four octets.
    #[inline]
    fn word(&self, code: AttributeCode) -> Option<[u8; 4]> {
        let value = self.value(code)?;
        debug_assert_eq!(value.len(), 4, "the length rule ran");
        value.first_chunk().copied()
    }

    /// Returns `true` if the message announces a route.
    fn announces_routes(&self) -> bool {
        !self.update.nlri_octets().is_empty()
            || self
                .mp_reach()
                .is_some_and(|reach| !reach.nlri_octets().is_empty())
    }

    /// Returns the unchecked message.
    #[must_use]
    pub fn update(&self) -> &Update<'a> {
        &self.update
    }

    /// Returns the strongest fault that was treated, for logs and counters. Routes that are merely unusable are no fault (see
    /// [`Checked::unusable`]).
    #[must_use]
    #[inline]
    pub fn fault(&self) -> Option<Fault> {
        let treatment = self.strongest.treatment()?;
        Some(Fault {
            treatment,
            error: self.strongest.error,
        })
    }

    /// Returns `true` if the message announces a bogus prefix.
    #[inline]
    fn has_bogus(&self) -> bool {
        self.marks.has(Marks::BOGUS)
    }

    /// Returns `true` if the announced routes count as withdrawn: after treat-as-withdraw, or because they are unusable.
    #[inline]
    fn treats_as_withdraw(&self) -> bool {
        self.marks.has(Marks::WITHDRAWN)
    }

    /// Returns the surviving attributes in the order of the message. Of duplicates the first survives.
    #[inline]
    pub fn attributes(&self) -> impl Iterator<Item = Attribute<'a>> + use<'a> {
        let context = self.update.context();
        self.raw_attributes()
            .map(move |raw| Attribute::decode(raw, context))
    }

    /// Returns the surviving attributes as received, in the order of the message.
    #[inline]
    pub fn raw_attributes(&self) -> impl Iterator<Item = RawAttribute<'a>> + use<'a> {
        let all = self.strongest.treatment().is_none();
        SurvivingAttributes::new(self.update.raw_attributes(), all, self.update.context())
    }
}
