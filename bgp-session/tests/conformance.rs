//! Every conformance case against a session: the exact answers to hostile and unusual messages.
//!
//! The cases and their format are in `bgp-wire/tests/conformance/cases.txt`. The clock advances only when a case waits.

#![cfg(test)]

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use bgp_session::{ConnectionId, LocalConfig, Output, PeerConfig, Session, SessionEvent, State};
use bgp_wire::{Asn, Context, Frame, KEEPALIVE, Message, MessageLimit, PeerKind};
use bytes::BytesMut;
use ipnet::IpNet;
use libtest_mimic::{Arguments, Failed, Trial};

#[path = "../../bgp-wire/tests/conformance/table.rs"]
mod table;

use table::{Case, Expected, Phase, Step, cases};

/// The session under test, and its behaviour as its peer sees it.
struct Fixture {
    session: Session,
    now: Instant,
    connection: ConnectionId,
    buffer: BytesMut,
    deadline: Option<Instant>,
    notification: Option<(u8, u8, Vec<u8>)>,
    closed: bool,
    table: BTreeSet<IpNet>,
}

impl Fixture {
    #[expect(clippy::disallowed_methods, reason = "any instant serves as the first")]
    fn new(case: &Case) -> Self {
        let now = Instant::now();
        let local = LocalConfig::new(Asn::new(65000), "10.99.0.1".parse().unwrap());
        let peer_as = Asn::new(if case.internal { 65000 } else { 65001 });
        let config = PeerConfig::new("10.99.1.2".parse().unwrap(), peer_as)
            .with_passive(true)
            .with_extended_message(true)
            .with_deliver_updates(true);
        let mut session = Session::new(local, config, now, 1).unwrap();
        session.start(now);
        let connection = session
            .accept(now, "10.99.0.1".parse().unwrap())
            .expect("the session accepts");
        let mut fixture = Self {
            session,
            now,
            connection,
            buffer: BytesMut::new(),
            deadline: None,
            notification: None,
            closed: false,
            table: BTreeSet::new(),
        };
        fixture.poll_outputs();
        fixture
    }

    fn receive(&mut self, octets: &[u8]) {
        self.buffer.extend_from_slice(octets);
        self.session
            .handle_bytes(self.now, self.connection, &mut self.buffer);
        self.poll_outputs();
    }

    /// Advances the clock and serves every deadline on the way.
    fn advance(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(deadline) = self.deadline.filter(|deadline| *deadline <= end) {
            self.now = deadline;
            self.session.handle_timeout(deadline);
            self.poll_outputs();
        }
        self.now = end;
    }

    fn poll_outputs(&mut self) {
        loop {
            match self.session.poll_output() {
                Output::Transmit(_, octets) => self.note_sent(octets.into()),
                Output::Close(connection) => self.closed |= connection == self.connection,
                Output::Event(SessionEvent::Update(update)) => {
                    let checked = update.check();
                    for nlri in checked.withdrawn() {
                        self.table.remove(&nlri.prefix);
                    }
                    self.table
                        .extend(checked.announced().map(|nlri| nlri.prefix));
                }
                Output::Event(SessionEvent::Down { .. }) => self.table.clear(),
                Output::Event(_) | Output::Dial(_) => {}
                Output::Wait(deadline) => {
                    self.deadline = deadline;
                    return;
                }
                other => panic!("unknown output: {other:?}"),
            }
        }
    }

    /// Notes the NOTIFICATION among the messages that the session sent.
    fn note_sent(&mut self, mut octets: BytesMut) {
        while let Some(frame) = Frame::split(&mut octets, MessageLimit::Extended).unwrap() {
            if let Ok(Message::Notification(sent)) = frame.decode(&Context::new(PeerKind::External))
            {
                self.notification = Some((
                    sent.reason().code,
                    sent.reason().subcode,
                    sent.data().to_vec(),
                ));
            }
        }
    }

    /// Brings the session to the case's phase and plays the case.
    fn play(&mut self, case: &Case) {
        if case.phase >= Phase::OpenConfirm {
            self.receive(&case.open);
        }
        if case.phase >= Phase::Established {
            self.receive(&KEEPALIVE);
            assert_eq!(self.session.state(), State::Established, "{}", case.id);
        }
        self.receive(&case.first);
        for step in &case.steps {
            match step {
                Step::Send(octets) => self.receive(octets),
                Step::Wait(time) => self.advance(*time),
                Step::Close => {
                    self.session.handle_closed(self.now, self.connection);
                    self.poll_outputs();
                }
                Step::Reconnect => {
                    self.session.handle_closed(self.now, self.connection);
                    self.poll_outputs();
                    self.buffer.clear();
                    self.connection = self
                        .session
                        .accept(self.now, "10.99.0.1".parse().unwrap())
                        .expect("the session accepts");
                    self.closed = false;
                    self.poll_outputs();
                    self.receive(&case.open);
                    self.receive(&KEEPALIVE);
                }
            }
        }
        // A valid UPDATE behind the case shows that the session still works.
        if !self.closed {
            self.receive(&case.sentinel);
        }
    }

    /// Returns the outcome as the peer sees it.
    fn outcome(&self, case: &Case) -> Expected {
        let announced = |message: &[u8]| -> BTreeSet<IpNet> {
            let Ok(frame) = Frame::from_bytes(message.to_vec().into(), MessageLimit::Extended)
            else {
                return BTreeSet::new();
            };
            // Capability 65 with a length of 4 in the OPEN: AS numbers have four octets (RFC 6793).
            let four_octets = case.open.windows(6).any(|window| window[..2] == [65, 4]);
            let context = Context::new(case.kind()).with_four_octet_as(four_octets);
            let Ok(Message::Update(update)) = frame.decode(&context) else {
                return BTreeSet::new();
            };
            update
                .check()
                .unwrap()
                .announced()
                .map(|nlri| nlri.prefix)
                .collect()
        };
        if let Some((code, subcode, data)) = &self.notification {
            assert!(
                self.closed,
                "{}: connection open after a NOTIFICATION",
                case.id
            );
            return Expected::Notification(*code, *subcode, Some(data.clone()));
        }
        if self.closed {
            return Expected::Close;
        }
        let (first, sentinel) = (announced(&case.first), announced(&case.sentinel));
        if first.is_empty() && sentinel.is_empty() {
            return Expected::Up;
        }
        assert!(
            sentinel.is_subset(&self.table),
            "{}: route of the sentinel missing",
            case.id
        );
        if first.is_subset(&self.table) {
            Expected::Keep
        } else {
            Expected::Withdraw
        }
    }
}

fn check(case: &Case) -> Result<(), Failed> {
    let mut fixture = Fixture::new(case);
    fixture.play(case);
    let outcome = fixture.outcome(case);
    if case.expected.is_met_by(&outcome) {
        Ok(())
    } else {
        Err(format!("expected {}, got {outcome}", case.expected).into())
    }
}

/// Runs each case as a test with the case's id as its name.
fn main() {
    let trials = cases().into_iter().map(|case| {
        let name = format!("{} {}", case.id, case.title);
        Trial::test(name, move || check(&case))
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit();
}
