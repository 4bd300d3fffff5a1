//! Group 7: memory of 100,000 idle sessions, and the CPU time of an hour of their KEEPALIVEs.

use std::time::{Duration, Instant};

use bgp_session::{ConnectionId, Output, Session};
use bgp_wire::KEEPALIVE;
use bytes::BytesMut;

use crate::established;
use crate::process::{cpu_time_of, memory};
use crate::table::Row;

const SESSIONS: usize = 100_000;

const HOUR: Duration = Duration::from_secs(3600);

/// The interval between KEEPALIVEs of a peer: a third of the hold time of 90 s (RFC 4271 section 4.4).
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(30);

/// A session with the input and the clock of its peer.
struct IdleSession {
    session: Session,
    connection: ConnectionId,
    /// The receive buffer, which is empty between two messages.
    inbound: BytesMut,
    next_keepalive: Instant,
    deadline: Instant,
}

impl IdleSession {
    fn new(start: Instant, number: usize) -> Self {
        let seed = u64::try_from(number).expect("a number that fits");
        let mut session = established::session(established::config(), start, seed);
        let connection = session.connection_id().expect("Established");
        let deadline = poll_outputs(&mut session).0;
        // Real peers start at different times, so their KEEPALIVEs spread over the interval.
        let share = u32::try_from(number % 1000).expect("a number that fits");
        Self {
            session,
            connection,
            inbound: BytesMut::new(),
            next_keepalive: start + KEEPALIVE_INTERVAL * share / 1000,
            deadline,
        }
    }

    fn due(&self) -> Instant {
        self.deadline.min(self.next_keepalive)
    }

    /// Serves the next deadline. Returns the numbers of KEEPALIVEs sent and received.
    fn advance(&mut self) -> (u64, u64) {
        let now = self.due();
        // Input comes first if both are due, as a KEEPALIVE that has arrived moves the hold timer.
        let receives = self.next_keepalive <= now;
        if receives {
            self.inbound.extend_from_slice(&KEEPALIVE);
            self.session
                .handle_bytes(now, self.connection, &mut self.inbound);
            self.next_keepalive += KEEPALIVE_INTERVAL;
        } else {
            self.session.handle_timeout(now);
        }
        let (deadline, sent) = poll_outputs(&mut self.session);
        self.deadline = deadline;
        (sent, u64::from(receives))
    }
}

/// Takes every output. Returns the next deadline and the number of messages sent.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "any other output, also a new one, is a failure"
)]
fn poll_outputs(session: &mut Session) -> (Instant, u64) {
    let mut sent = 0;
    loop {
        match session.poll_output() {
            Output::Wait(deadline) => return (deadline.expect("a running timer"), sent),
            Output::Transmit(_, octets) => {
                assert_eq!(octets.len(), KEEPALIVE.len());
                sent += 1;
            }
            other => {
                panic!("unexpected output of an idle session: {other:?}");
            }
        }
    }
}

/// The width of a slot of the timer wheel. It is small beside the 30 s between KEEPALIVEs.
const SLOT: Duration = Duration::from_millis(100);

/// Runs all sessions for an hour in the order of time, as a driver does, with a timer wheel.
fn run_by_time(sessions: &mut [IdleSession], start: Instant) -> (u64, u64) {
    let slot = |due: Instant| {
        let ticks = due.saturating_duration_since(start).as_nanos() / SLOT.as_nanos();
        usize::try_from(ticks).expect("a number that fits")
    };
    let end = slot(start + HOUR);
    let mut wheel = vec![Vec::new(); end + 1];
    for (number, idle) in sessions.iter().enumerate() {
        wheel[slot(idle.due()).min(end)].push(number);
    }
    let mut total = (0, 0);
    for now in 0..end {
        for number in std::mem::take(&mut wheel[now]) {
            let idle = &mut sessions[number];
            while slot(idle.due()) == now {
                let (sent, received) = idle.advance();
                total = (total.0 + sent, total.1 + received);
            }
            wheel[slot(idle.due()).min(end)].push(number);
        }
    }
    total
}

/// Runs each session for an hour, one after the other. The wheel and most cache misses are left out.
fn run_by_session(sessions: &mut [IdleSession], end: Instant) -> (u64, u64) {
    let mut total = (0, 0);
    for idle in sessions {
        while idle.due() <= end {
            let (sent, received) = idle.advance();
            total = (total.0 + sent, total.1 + received);
        }
    }
    total
}

#[expect(clippy::disallowed_methods, reason = "any instant serves as the first")]
pub(crate) fn rows() -> Vec<Row> {
    let own = std::process::id();
    let start = Instant::now();
    let mut sessions = Vec::with_capacity(SESSIONS);
    let before = memory(own, "VmRSS");
    sessions.extend((0..SESSIONS).map(|number| IdleSession::new(start, number)));
    // The vector's pages count only now, when they are first written. The fields of the peer are subtracted.
    let each = (memory(own, "VmRSS") - before) / count(SESSIONS)
        - count(size_of::<IdleSession>() - size_of::<Session>());
    let (apart, calls) = cpu_time_of(|| run_by_session(&mut sessions, start + HOUR));
    println!(
        "an hour of {SESSIONS} sessions: {} KEEPALIVEs sent, {} received",
        calls.0, calls.1
    );
    let (together, _) = cpu_time_of(|| run_by_time(&mut sessions, start + HOUR));
    vec![
        Row::info(
            "7 size_of::<Session>()",
            "octets",
            count(size_of::<Session>()),
        ),
        Row::limit(
            "7 memory of an idle session, its heap included",
            "octets",
            each,
            4096.0,
        ),
        Row::limit(
            "7 an hour of 100,000 idle sessions, one after the other",
            "s CPU",
            apart,
            1.0,
        ),
        Row::limit(
            "7 an hour of 100,000 idle sessions in the order of time",
            "s CPU",
            together,
            1.0,
        ),
    ]
}

fn count(number: usize) -> f64 {
    u32::try_from(number).expect("a number that fits").into()
}
