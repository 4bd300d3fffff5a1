//! What arrives on a connection: frames, decoded and turned into events.

use std::sync::Arc;
use std::time::Instant;

use bgp_wire::{
    Context, DecodeError, FamilySet, Frame, KEEPALIVE, Message, MessageType, Notification,
    NotificationBuf, Open, PeerKind, Reason, RefreshSubtype, RouteRefresh, Update,
};
use bytes::{Buf, BytesMut};

use super::{Session, Slot};
use crate::collision::{Existing, Initiator, Keep, Speaker, resolve};
use crate::connection::Cause;
use crate::fsm::{Event, State};
use crate::negotiate::negotiate;
use crate::output::{ConnectionId, ReceivedUpdate, SessionEvent};

impl Session {
    /// Takes whole messages off `buffer`, which holds what the connection has received, and leaves the rest in it.
    ///
    /// Nothing is copied: a delivered UPDATE shares the buffer's memory. Octets of a connection that has ended are
    /// discarded.
    pub fn handle_bytes(&mut self, now: Instant, id: ConnectionId, buffer: &mut BytesMut) {
        while let Some(slot) = self.slot(id) {
            // Most sessions say nothing else for most of their time: nothing is shared for it.
            if buffer.starts_with(&KEEPALIVE) {
                buffer.advance(KEEPALIVE.len());
                self.statistics.received.count(MessageType::KEEPALIVE);
                self.handle_keepalive(now, slot);
                continue;
            }
            let limit = self
                .connection(slot)
                .map(|connection| connection.message_limit())
                .unwrap_or_default();
            match Frame::split(buffer, limit) {
                Ok(Some(frame)) => self.handle_frame(now, slot, frame),
                Ok(None) => return,
                Err(error) => self.step(now, slot, Event::BgpHeaderErr, failure(error, buffer)),
            }
        }
        buffer.clear();
    }

    fn handle_frame(&mut self, now: Instant, slot: Slot, frame: Frame) {
        self.statistics.received.count(frame.message_type());
        // A copy: what the message causes may end the connection.
        let context = self
            .connection(slot)
            .and_then(|connection| connection.negotiated.as_ref())
            .map_or(BEFORE_OPEN, |negotiated| negotiated.context);
        match frame.decode(&context) {
            Ok(Message::Open(open)) => self.handle_open(now, slot, &open),
            Ok(Message::Update(update)) => {
                if self.handle_update(now, slot, &update) {
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
                    MessageType::OPEN => Event::BgpOpenMsgErr,
                    MessageType::UPDATE => Event::UpdateMsgErr,
                    // RFC 7313 section 5, where a ROUTE-REFRESH is expected at all.
                    MessageType::ROUTE_REFRESH if self.is_established(slot) => Event::UpdateMsgErr,
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

    fn is_established(&mut self, slot: Slot) -> bool {
        self.connection(slot)
            .is_some_and(|connection| connection.state == State::Established)
    }

    fn handle_open(&mut self, now: Instant, slot: Slot, open: &Open<'_>) {
        let Some(connection) = self.connection(slot) else {
            return;
        };
        let offered = connection.offered;
        let Some(transport) = connection.transport else {
            return;
        };
        let Some(local_address) = transport.local_address else {
            return;
        };
        self.statistics.peer_as = Some(open.asn());
        self.statistics.peer_router_id = Some(open.router_id());
        // The configuration may have changed since our OPEN was sent; one that is still to be sent says what holds now.
        let mood = offered.unwrap_or_else(|| self.mood(now));
        let mut cause = message(MessageType::OPEN);
        match negotiate(self.local, &self.config, mood, local_address, open) {
            Ok(negotiated) => cause.negotiated = Some(Arc::new(negotiated)),
            Err(notification) => {
                cause.notification = Some(notification);
                return self.step(now, slot, Event::BgpOpenMsgErr, cause);
            }
        }
        // RFC 4271 section 6.8: now the peer's identifier is known.
        let (keep, other) = self.collide(now, slot, transport.initiator, open);
        if keep == Keep::Existing {
            return self.step(now, slot, Event::OpenCollisionDump, cause);
        }
        if let (Keep::New, Some(other)) = (keep, other) {
            // RFC 4724 section 5: a peer that restarts has lost the session that we still believe in.
            let event = if self.is_established(other) {
                Event::TcpConnectionFails
            } else {
                Event::OpenCollisionDump
            };
            self.step(now, other, event, Cause::default());
        }
        // If the primary went, this connection is in its place now.
        let slot = self.slot(transport.id).unwrap_or(slot);
        self.step(now, slot, Event::BgpOpen, cause);
    }

    /// Which connection lives on, and which is the other one.
    fn collide(
        &mut self,
        now: Instant,
        slot: Slot,
        new: Initiator,
        open: &Open<'_>,
    ) -> (Keep, Option<Slot>) {
        // A second OPEN on one connection is a fault, not a collision.
        let first = self
            .connection(slot)
            .is_some_and(|connection| connection.negotiated.is_none());
        let Some((other, connection)) = self.other(slot).filter(|_| first) else {
            return (Keep::Both, None);
        };
        let Some(transport) = connection.transport else {
            return (Keep::Both, None);
        };
        let local = self.config.local(self.local);
        let local = Speaker {
            router_id: local.router_id,
            asn: local.asn,
        };
        let remote = Speaker {
            router_id: open.router_id(),
            asn: open.asn(),
        };
        let young = transport.is_young(now);
        let existing = Existing {
            initiator: transport.initiator,
            state: connection.state,
            young,
            restarts: self
                .negotiated()
                .and_then(|negotiated| negotiated.restart.as_ref())
                .is_some_and(|restart| !restart.families.is_empty()),
        };
        (resolve(local, remote, existing, new), Some(other))
    }

    /// Whether the message is to be delivered.
    fn handle_update(&mut self, now: Instant, slot: Slot, update: &Update<'_>) -> bool {
        if !self.is_established(slot) {
            self.step(now, slot, Event::UpdateMsg, message(MessageType::UPDATE));
            return false;
        }
        let checked = match update.check() {
            Ok(checked) => checked,
            Err(error) => {
                let cause = failure(error, update.octets());
                self.step(now, slot, Event::UpdateMsgErr, cause);
                return false;
            }
        };
        let excess = self.limit.as_mut().and_then(|limit| limit.count(&checked));
        if let Some((family, limit)) = excess {
            let notification = NotificationBuf::maximum_prefixes(family, limit);
            let cause = Cause {
                notification: Some(notification),
                ..Cause::default()
            };
            self.step(now, slot, Event::AutomaticStop, cause);
            return false;
        }
        self.step(now, slot, Event::UpdateMsg, message(MessageType::UPDATE));
        if let Some(fault) = checked.fault() {
            self.statistics.count_fault(fault.treatment);
            self.emit(SessionEvent::UpdateFault(fault));
        }
        if let Some(family) = checked.end_of_rib() {
            self.statistics.count_end_of_rib(family);
            if self.retention.end_of_rib(family) {
                self.emit_gone(FamilySet::EMPTY.with(family));
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
        // RFC 5492 section 3: the peer may know nothing of capabilities. Its own OPEN may have come before.
        let refused = notification.reason() == Reason::UNSUPPORTED_OPTIONAL_PARAMETER;
        let opening = self
            .connection(slot)
            .filter(|connection| matches!(connection.state, State::OpenSent | State::OpenConfirm));
        if let Some(offered) = opening.and_then(|connection| connection.offered)
            && refused
        {
            self.plain = !offered.plain;
        }
        let cause = Cause {
            notification: Some((*notification).into()),
            ..Cause::default()
        };
        self.step(now, slot, event, cause);
    }

    fn handle_refresh(&mut self, now: Instant, slot: Slot, refresh: RouteRefresh) {
        let established = self.is_established(slot);
        self.step(
            now,
            slot,
            Event::RouteRefreshMsg,
            message(MessageType::ROUTE_REFRESH),
        );
        let negotiated = self.primary.negotiated.as_ref().filter(|_| established);
        let Some(negotiated) = negotiated else { return };
        // RFC 2918 section 4: a family that was not negotiated is ignored.
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
            // RFC 7313 section 5: so is an unknown subtype.
            _ => {}
        }
    }
}

/// How messages read before there is an OPEN.
const BEFORE_OPEN: Context = Context::new(PeerKind::External);

fn message(message_type: MessageType) -> Cause {
    Cause {
        message_type: Some(message_type.0),
        ..Cause::default()
    }
}

fn failure(error: DecodeError, octets: &[u8]) -> Cause {
    let notification = Some(NotificationBuf::for_error(error, octets));
    Cause {
        notification,
        message_type: octets.get(18).copied(),
        ..Cause::default()
    }
}
