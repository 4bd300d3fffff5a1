//! Received octets: splits them into messages, decodes these, and turns them into events.

use std::sync::Arc;
use std::time::Instant;

use bgp_wire::{
    Asn, Checked, Context, DecodeError, FamilySet, Fault, Frame, KEEPALIVE, Message, MessageType,
    Notification, NotificationBuf, Open, PeerKind, Reason, RefreshSubtype, RouteRefresh, Treatment,
    Unusable, Update,
};
use bytes::{Buf, BytesMut};

use super::Session;
use super::connection::EventDetails;
use super::connections::Slot;
use crate::collision::{Existing, Identity, Initiator, Keep, resolve};
use crate::fsm::{Event, State};
use crate::negotiate::negotiate;
use crate::output::{ConnectionId, MalformedUpdate, ReceivedUpdate, SessionEvent};
use crate::stats::RejectedOpen;

impl Session {
    /// Processes the whole messages in `buffer`, the received octets of a connection, and leaves an incomplete one in
    /// it.
    ///
    /// Nothing is copied: a delivered UPDATE shares the buffer's memory. Octets of a connection that has ended are
    /// discarded.
    pub fn handle_bytes(&mut self, now: Instant, id: ConnectionId, buffer: &mut BytesMut) {
        while let Some(slot) = self.connections.slot(id) {
            // Most messages are KEEPALIVEs. A frame would share the buffer, and pay for its reference count.
            if buffer.starts_with(&KEEPALIVE) {
                buffer.advance(KEEPALIVE.len());
                self.statistics.received.count(MessageType::KEEPALIVE);
                self.handle_keepalive(now, slot);
                continue;
            }
            let limit = self.connections.in_use(slot).message_limit();
            match Frame::split(buffer, limit) {
                Ok(Some(frame)) => self.handle_frame(now, slot, frame),
                Ok(None) => return,
                Err(error) => self.step(now, slot, Event::BgpHeaderErr, failure(error, buffer)),
            }
        }
        // Octets behind the message that ended the connection have no receiver.
        buffer.clear();
    }

    fn handle_frame(&mut self, now: Instant, slot: Slot, frame: Frame) {
        self.statistics.received.count(frame.message_type());
        // A copy, because the message may end the connection while the frame is still in use.
        let negotiated = &self.connections.in_use(slot).negotiated;
        let context = negotiated
            .as_ref()
            .map_or(BEFORE_OPEN, |negotiated| negotiated.context);
        match frame.decode(&context) {
            Ok(Message::Open(open)) => self.handle_open(now, slot, &open),
            Ok(Message::Update(update)) => {
                if self.handle_update(now, slot, &frame, &context, &update) {
                    let received = ReceivedUpdate { frame, context };
                    self.emit(SessionEvent::Update(received));
                }
            }
            Ok(Message::Notification(notification)) => {
                self.handle_notification(now, slot, &notification);
            }
            Ok(Message::Keepalive) => self.handle_keepalive(now, slot),
            Ok(Message::RouteRefresh(refresh)) => self.handle_refresh(now, slot, refresh),
            Err(error) => {
                let event = match frame.message_type() {
                    MessageType::OPEN => {
                        self.note_malformed_open(error, &frame);
                        Event::BgpOpenMsgErr
                    }
                    MessageType::UPDATE => {
                        if self.is_established(slot) {
                            self.report_malformed(reset(error), &frame, &context);
                        }
                        Event::UpdateMsgErr
                    }
                    // RFC 7313 section 5 defines the error for a session that expects the message.
                    MessageType::ROUTE_REFRESH if self.is_established(slot) => Event::UpdateMsgErr,
                    // RFC 6608: in any other state the message itself is the error.
                    MessageType::ROUTE_REFRESH => Event::RouteRefreshMsg,
                    _ => Event::BgpHeaderErr,
                };
                self.step(now, slot, event, failure(error, frame.octets()));
            }
        }
    }

    fn handle_keepalive(&mut self, now: Instant, slot: Slot) {
        self.step(
            now,
            slot,
            Event::KeepaliveMsg,
            message(MessageType::KEEPALIVE),
        );
    }

    /// Returns `true` if the connection in `slot` is Established.
    fn is_established(&self, slot: Slot) -> bool {
        self.connections
            .get(slot)
            .is_some_and(|connection| connection.state == State::Established)
    }

    fn handle_open(&mut self, now: Instant, slot: Slot, open: &Open<'_>) {
        let connection = self.connections.in_use(slot);
        let (offered, tcp) = (connection.offered, connection.tcp);
        debug_assert!(tcp.is_some(), "octets arrive on a TCP connection");
        // A driver must not pass octets of a dial that TCP has not connected; they are ignored.
        let Some((tcp, local_address)) = tcp.and_then(|tcp| Some((tcp, tcp.local_address?))) else {
            return;
        };
        // Negotiate what our OPEN offered: the configuration may have changed since it was sent.
        // With DelayOpen ours follows the peer's, and offers what is configured now.
        let open_parameters = offered.unwrap_or_else(|| self.open_parameters(now));
        let mut details = message(MessageType::OPEN);
        match negotiate(
            self.local,
            &self.config,
            open_parameters,
            local_address,
            open,
        ) {
            Ok(negotiated) => details.negotiated = Some(Arc::new(negotiated)),
            Err(notification) => {
                // Apart from the values of a session, which another connection may have.
                self.statistics.rejected_open = Some(RejectedOpen {
                    asn: Some(open.asn()),
                    my_as: Some(open.my_as()),
                    router_id: Some(open.router_id()),
                });
                details.notification = Some(notification);
                return self.step(now, slot, Event::BgpOpenMsgErr, details);
            }
        }
        // RFC 4271 section 6.8: a collision can be resolved once the OPEN contains the peer's identifier.
        let (keep, other) = self.resolve_collision(now, slot, tcp.initiator, open);
        if keep == Keep::Existing {
            return self.step(now, slot, Event::OpenCollisionDump, details);
        }
        if let (Keep::New, Some(other)) = (keep, other) {
            // RFC 4724 section 5: a restarted peer has lost the session, so its routes are kept as if TCP had failed.
            let event = if self.is_established(other) {
                Event::TcpConnectionFails
            } else {
                Event::OpenCollisionDump
            };
            self.step(now, other, event, EventDetails::default());
        }
        // Only a secondary whose OPEN is accepted is promoted, so this connection still has its slot.
        debug_assert_eq!(self.connections.slot(tcp.id), Some(slot));
        self.step(now, slot, Event::BgpOpen, details);
    }

    /// Resolves a collision. Returns the connection to keep, and the slot of the other one if TCP has connected it.
    fn resolve_collision(
        &mut self,
        now: Instant,
        slot: Slot,
        new: Initiator,
        open: &Open<'_>,
    ) -> (Keep, Option<Slot>) {
        // A second OPEN on one connection is an error of the state machine, not a collision.
        let is_first_open = self.connections.in_use(slot).negotiated.is_none();
        let Some((other, state, tcp)) = self.connections.other(slot).filter(|_| is_first_open)
        else {
            return (Keep::Both, None);
        };
        let configured = self.config.local(self.local);
        let local = Identity {
            router_id: configured.router_id,
            asn: configured.asn,
        };
        let remote = Identity {
            router_id: open.router_id(),
            asn: open.asn(),
        };
        let existing = Existing {
            initiator: tcp.initiator,
            state,
            recent: tcp.is_recent(now),
            restarts_gracefully: self
                .negotiated()
                .and_then(|negotiated| negotiated.restart.as_ref())
                .is_some_and(|restart| !restart.families.is_empty()),
        };
        (resolve(local, remote, existing, new), Some(other))
    }

    /// Records an OPEN that does not decode, with its AS number if that is the reason.
    fn note_malformed_open(&mut self, error: DecodeError, frame: &Frame) {
        let mut rejected = RejectedOpen::default();
        if error.reason == Reason::BAD_PEER_AS {
            // RFC 7607 section 2: the number is 0, in the field or in the capability.
            rejected.asn = Some(Asn::new(0));
            let my_as = frame
                .octets()
                .get(20..22)
                .and_then(|field| field.as_array());
            rejected.my_as = my_as.map(|octets| u16::from_be_bytes(*octets));
        }
        self.statistics.rejected_open = Some(rejected);
    }

    /// Counts and emits the fault of an UPDATE.
    #[cold]
    fn report_malformed(&mut self, fault: Fault, frame: &Frame, context: &Context) {
        self.statistics.count_fault(fault.treatment);
        self.emit(SessionEvent::UpdateFault(MalformedUpdate {
            fault,
            frame: frame.clone(),
            context: *context,
        }));
    }

    /// Counts the announced routes of an UPDATE that are ignored, and emits the first UPDATE of each reason.
    #[cold]
    fn report_ignored(
        &mut self,
        reason: Unusable,
        checked: &Checked<'_>,
        frame: &Frame,
        context: &Context,
    ) {
        self.statistics.count_ignored(reason, checked);
        // A peer that sends a whole table of such routes must not displace other events.
        if self.reported_unusable.contains(&reason) {
            return;
        }
        self.reported_unusable.push(reason);
        let update = ReceivedUpdate {
            frame: frame.clone(),
            context: *context,
        };
        self.emit(SessionEvent::RoutesIgnored { reason, update });
    }

    /// Processes an UPDATE, the content of `frame`. Returns `true` if the caller delivers it to the application.
    fn handle_update(
        &mut self,
        now: Instant,
        slot: Slot,
        frame: &Frame,
        context: &Context,
        update: &Update<'_>,
    ) -> bool {
        if !self.is_established(slot) {
            self.step(now, slot, Event::UpdateMsg, message(MessageType::UPDATE));
            return false;
        }
        let checked = match update.check() {
            Ok(checked) => checked,
            Err(error) => {
                self.report_malformed(reset(error), frame, context);
                let details = failure(error, update.octets());
                self.step(now, slot, Event::UpdateMsgErr, details);
                return false;
            }
        };
        // RFC 4271 section 6.7: the message that exceeds the limit ends the session, and is not delivered.
        let excess = self.limit.as_mut().and_then(|limit| limit.count(&checked));
        if let Some((family, limit)) = excess {
            let notification = NotificationBuf::maximum_prefixes(family, limit);
            let details = EventDetails {
                notification: Some(notification),
                ..EventDetails::default()
            };
            self.step(now, slot, Event::AutomaticStop, details);
            return false;
        }
        self.step(now, slot, Event::UpdateMsg, message(MessageType::UPDATE));
        if let Some(fault) = checked.fault() {
            self.report_malformed(fault, frame, context);
        }
        if let Some(reason) = checked.unusable() {
            self.report_ignored(reason, &checked, frame, context);
        }
        if !self.has_reported_path_ids
            && let Some(family) = checked.unexpected_path_ids()
        {
            // Once: every message of such a peer would cause the event.
            self.has_reported_path_ids = true;
            self.emit(SessionEvent::UnexpectedPathIds(family));
        }
        if let Some(family) = checked.end_of_rib() {
            self.statistics.count_end_of_rib(family);
            // RFC 4724 section 4.2: routes that the peer has not sent again by now are removed.
            if self.retention.end_of_rib(family) {
                self.emit_stale_routes_gone(FamilySet::EMPTY.with(family));
            }
            self.emit(SessionEvent::EndOfRib(family));
            return false;
        }
        self.statistics.count_routes(&checked);
        self.config.deliver_updates
    }

    fn handle_notification(&mut self, now: Instant, slot: Slot, notification: &Notification<'_>) {
        let event = match notification.reason() {
            Reason::UNSUPPORTED_VERSION_NUMBER => Event::NotifMsgVerErr,
            _ => Event::NotifMsg,
        };
        // RFC 5492 section 3: retry without capabilities. The peer's own OPEN may precede its refusal of ours.
        let rejects_capabilities = notification.reason() == Reason::UNSUPPORTED_OPTIONAL_PARAMETER;
        let connection = self.connections.in_use(slot);
        let opening = matches!(connection.state, State::OpenSent | State::OpenConfirm);
        debug_assert!(
            !opening || connection.offered.is_some(),
            "an OPEN has been sent"
        );
        if let Some(offered) = connection.offered
            && opening
            && rejects_capabilities
        {
            // A peer that rejects the OPEN without them also has another problem; offer them again.
            self.omit_capabilities = !offered.omit_capabilities;
        }
        let details = EventDetails {
            notification: Some((*notification).into()),
            ..EventDetails::default()
        };
        self.step(now, slot, event, details);
    }

    fn handle_refresh(&mut self, now: Instant, slot: Slot, refresh: RouteRefresh) {
        let is_established = self.is_established(slot);
        self.step(
            now,
            slot,
            Event::RouteRefreshMsg,
            message(MessageType::ROUTE_REFRESH),
        );
        let Some(negotiated) = self
            .connections
            .primary
            .negotiated
            .as_ref()
            .filter(|_| is_established)
        else {
            return;
        };
        // RFC 2918 section 4: a request for a family that was not negotiated is ignored.
        if !negotiated.families().contains(refresh.family) {
            return;
        }
        let enhanced = negotiated.enhanced_route_refresh;
        match refresh.subtype {
            RefreshSubtype::REQUEST => self.emit(SessionEvent::Refresh(refresh.family)),
            RefreshSubtype::BEGIN if enhanced => {
                if let Some(limit) = &mut self.limit {
                    limit.refresh_begins(refresh.family);
                }
                self.emit(SessionEvent::RefreshBegins(refresh.family));
            }
            RefreshSubtype::END if enhanced => {
                if let Some(limit) = &mut self.limit {
                    limit.refresh_ends(refresh.family);
                }
                self.emit(SessionEvent::RefreshEnds(refresh.family));
            }
            // RFC 7313 section 5: an unknown subtype is ignored. Markers without the capability are unknown.
            _ => {}
        }
    }
}

/// Returns the fault of an error that resets the session.
fn reset(error: DecodeError) -> Fault {
    Fault {
        treatment: Treatment::Reset,
        error,
    }
}

/// The context for messages before an OPEN is accepted.
const BEFORE_OPEN: Context = Context::new(PeerKind::External);

/// Returns the details of an event that a message of this type causes.
fn message(message_type: MessageType) -> EventDetails {
    EventDetails {
        message_type: Some(message_type.0),
        ..EventDetails::default()
    }
}

/// Returns the details of an event that an error in `octets` causes.
fn failure(error: DecodeError, octets: &[u8]) -> EventDetails {
    let notification = Some(NotificationBuf::for_error(error, octets));
    EventDetails {
        notification,
        // The type follows marker and length (RFC 4271 section 4.1); a bad header may be shorter.
        message_type: octets.get(18).copied(),
        ..EventDetails::default()
    }
}
