//! Every conformance case against a session: what hostile and odd messages are answered with, strictly.
//!
//! The table is bgp-wire's (`bgp-wire/tests/conformance/cases.txt`, which says how to read it); here it is played whole,
//! with a clock that runs only when a case waits.

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

/// The speaker under test, and what its peer sees.
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
        let local = LocalConfig {
            asn: Asn::new(65000),
            router_id: "10.99.0.1".parse().unwrap(),
        };
        let peer_as = Asn::new(if case.internal { 65000 } else { 65001 });
        let config = PeerConfig::new("10.99.1.2".parse().unwrap(), peer_as)
            .passive(true)
            .extended_message(true)
            .deliver_updates(true);
        let mut session = Session::new(local, config, now, 1);
        session.start(now);
        let connection = session
            .accept(now, "10.99.0.1".parse().unwrap())
            .expect("wanted");
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
        fixture.drain();
        fixture
    }

    fn receives(&mut self, octets: &[u8]) {
        self.buffer.extend_from_slice(octets);
        self.session
            .handle_bytes(self.now, self.connection, &mut self.buffer);
        self.drain();
    }

    fn passes(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(deadline) = self.deadline.filter(|deadline| *deadline <= end) {
            self.now = deadline;
            self.session.handle_timeout(deadline);
            self.drain();
        }
        self.now = end;
    }

    fn drain(&mut self) {
        loop {
            match self.session.poll_output() {
                Output::Transmit(_, octets) => self.sent(octets.into()),
                Output::Close(connection) => self.closed |= connection == self.connection,
                Output::Event(SessionEvent::Update(update)) => {
                    let checked = update.check().unwrap();
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
            }
        }
    }

    fn sent(&mut self, mut octets: BytesMut) {
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

    fn play(&mut self, case: &Case) {
        if case.phase >= Phase::OpenConfirm {
            self.receives(&case.open);
        }
        if case.phase >= Phase::Established {
            self.receives(&KEEPALIVE);
            assert_eq!(self.session.state(), State::Established, "{}", case.id);
        }
        self.receives(&case.first);
        for step in &case.steps {
            match step {
                Step::Send(octets) => self.receives(octets),
                Step::Wait(time) => self.passes(*time),
                Step::Close => {
                    self.session.handle_closed(self.now, self.connection);
                    self.drain();
                }
                Step::Reconnect => {
                    self.session.handle_closed(self.now, self.connection);
                    self.drain();
                    self.buffer.clear();
                    self.connection = self
                        .session
                        .accept(self.now, "10.99.0.1".parse().unwrap())
                        .expect("wanted");
                    self.closed = false;
                    self.drain();
                    self.receives(&case.open);
                    self.receives(&KEEPALIVE);
                }
            }
        }
        if !self.closed {
            self.receives(&case.sentinel);
        }
    }

    /// What the peer sees at the end.
    fn outcome(&self, case: &Case) -> Expected {
        let announced = |message: &[u8]| -> BTreeSet<IpNet> {
            let Ok(frame) = Frame::from_bytes(message.to_vec().into(), MessageLimit::Extended)
            else {
                return BTreeSet::new();
            };
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
                "{}: a NOTIFICATION is followed by a close",
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
            "{}: the session goes on",
            case.id
        );
        if first.is_subset(&self.table) {
            Expected::Keep
        } else {
            Expected::Withdraw
        }
    }
}

fn verdict(case: &Case) -> Result<(), Failed> {
    let mut fixture = Fixture::new(case);
    fixture.play(case);
    let outcome = fixture.outcome(case);
    if case.expected.is_met_by(&outcome) {
        Ok(())
    } else {
        Err(format!("{} expected, {outcome} seen", case.expected).into())
    }
}

/// One test a case, by its id.
fn main() {
    let trials = cases().into_iter().map(|case| {
        let name = format!("{} {}", case.id, case.title);
        Trial::test(name, move || verdict(&case))
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit();
}
