//! Sessions that have nothing to do: their memory, and what an hour of keepalives costs.

use std::time::{Duration, Instant};

use bgp_session::{ConnectionId, Output, Session};
use bgp_wire::KEEPALIVE;
use bytes::BytesMut;

use crate::established;
use crate::process::{cpu_time_of, memory};
use crate::table::Row;

const SESSIONS: usize = 100_000;

const HOUR: Duration = Duration::from_secs(3600);

/// A peer sends a KEEPALIVE three times in a hold time of 90 s.
const INTERVAL: Duration = Duration::from_secs(30);

struct Idle {
    session: Session,
    connection: ConnectionId,
    /// What was received: as empty as it is between two messages.
    inbound: BytesMut,
    next_keepalive: Instant,
    deadline: Instant,
}

impl Idle {
    fn new(start: Instant, number: usize) -> Self {
        let seed = u64::try_from(number).expect("it fits");
        let mut session = established::session(established::config(), start, seed);
        let connection = session.connection_id().expect("Established");
        let deadline = drain(&mut session).0;
        // Peers do not all send at once.
        let share = u32::try_from(number % 1000).expect("it fits");
        Self {
            session,
            connection,
            inbound: BytesMut::new(),
            next_keepalive: start + INTERVAL * share / 1000,
            deadline,
        }
    }

    fn due(&self) -> Instant {
        self.deadline.min(self.next_keepalive)
    }

    /// Whatever is due; how many KEEPALIVEs were sent and received.
    fn advance(&mut self) -> (u64, u64) {
        let now = self.due();
        let receives = self.next_keepalive <= now;
        if receives {
            self.inbound.extend_from_slice(&KEEPALIVE);
            self.session
                .handle_bytes(now, self.connection, &mut self.inbound);
            self.next_keepalive += INTERVAL;
        } else {
            self.session.handle_timeout(now);
        }
        let (deadline, sent) = drain(&mut self.session);
        self.deadline = deadline;
        (sent, u64::from(receives))
    }
}

/// When the session is to be called again, and how many messages it sends.
fn drain(session: &mut Session) -> (Instant, u64) {
    let mut sent = 0;
    loop {
        match session.poll_output() {
            Output::Wait(deadline) => return (deadline.expect("timers run"), sent),
            Output::Transmit(_, octets) => {
                assert_eq!(octets.len(), KEEPALIVE.len());
                sent += 1;
            }
            other @ (Output::Dial(_) | Output::Close(_) | Output::Event(_)) => {
                panic!("an idle session says {other:?}");
            }
        }
    }
}

/// So much time is a slot of the wheel.
const TICK: Duration = Duration::from_millis(100);

/// In the order of time, as a driver would: a wheel of slots says which sessions are due.
fn by_time(sessions: &mut [Idle], start: Instant) -> (u64, u64) {
    let slot = |due: Instant| {
        let ticks = due.saturating_duration_since(start).as_nanos() / TICK.as_nanos();
        usize::try_from(ticks).expect("it fits")
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

/// Each for an hour, one after the other: nothing but the sessions' own work.
fn by_session(sessions: &mut [Idle], end: Instant) -> (u64, u64) {
    let mut total = (0, 0);
    for idle in sessions {
        while idle.due() <= end {
            let (sent, received) = idle.advance();
            total = (total.0 + sent, total.1 + received);
        }
    }
    total
}

#[expect(clippy::disallowed_methods, reason = "some instant to begin with")]
pub(crate) fn rows() -> Vec<Row> {
    let own = std::process::id();
    let start = Instant::now();
    let mut sessions = Vec::with_capacity(SESSIONS);
    let before = memory(own, "VmRSS");
    sessions.extend((0..SESSIONS).map(|number| Idle::new(start, number)));
    let each = (memory(own, "VmRSS") - before) / count(SESSIONS)
        - count(size_of::<Idle>() - size_of::<Session>());
    let (apart, calls) = cpu_time_of(|| by_session(&mut sessions, start + HOUR));
    println!(
        "an hour of {SESSIONS} sessions: {} KEEPALIVEs sent, {} received",
        calls.0, calls.1
    );
    let (together, _) = cpu_time_of(|| by_time(&mut sessions, start + HOUR));
    vec![
        Row::told(
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
    u32::try_from(number).expect("it fits").into()
}
