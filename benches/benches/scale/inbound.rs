//! Group 8: the cost that an Established session adds to decoding, on one stream with and without a session.

use std::hint::black_box;
use std::time::Instant;

use benches::codecs::ours::Ours;
use benches::{Decoder, data};
use bgp_session::{Output, Session};
use bgp_wire::{Context, Message};
use bytes::{Bytes, BytesMut};

use crate::established::{self, is_update};
use crate::process::cpu_time_of;
use crate::table::{Row, median};

const ROUNDS: usize = 7;

/// The octets of one read. The driver offers at least 4 KiB, and more if the last buffer had more room.
const READ: usize = 16 * 1024;

/// Decodes and checks every message with the codec alone, and counts its routes as a session does.
///
/// Returns the number of UPDATEs with routes.
fn codec(messages: &[Bytes], context: &Context) -> usize {
    let mut updates = 0;
    for message in messages {
        let Ok(Message::Update(update)) = Message::decode(message, context) else {
            panic!("not an UPDATE");
        };
        let checked = update.check().expect("an UPDATE that ends no session");
        black_box((checked.announced().count(), checked.withdrawn().count()));
        updates += usize::from(checked.end_of_rib().is_none());
    }
    updates
}

/// Decodes and checks every message and reads every attribute and every prefix.
fn walk(messages: &[Bytes]) {
    let mut codec = Ours::new();
    for message in messages {
        black_box(codec.walk(message));
    }
}

/// Returns the stream in the buffers of a connection, each of whole messages.
fn buffers(messages: &[Bytes]) -> Vec<BytesMut> {
    let mut buffers = Vec::new();
    let mut buffer = BytesMut::with_capacity(READ);
    for message in messages {
        if buffer.len() + message.len() > READ {
            buffers.push(std::mem::replace(
                &mut buffer,
                BytesMut::with_capacity(READ),
            ));
        }
        buffer.extend_from_slice(message);
    }
    buffers.push(buffer);
    buffers
}

/// Passes the stream through a session. Returns the number of UPDATEs that it delivers.
fn session(buffers: Vec<BytesMut>, session: &mut Session, now: Instant) -> usize {
    let connection = session.connection_id().expect("Established");
    let mut updates = 0;
    for mut buffer in buffers {
        session.handle_bytes(now, connection, &mut buffer);
        assert!(buffer.is_empty(), "partial message left in the buffer");
        loop {
            let output = session.poll_output();
            updates += usize::from(is_update(&output));
            if matches!(output, Output::Wait(_)) {
                break;
            }
        }
    }
    updates
}

#[expect(clippy::disallowed_methods, reason = "any instant serves as the first")]
pub(crate) fn rows() -> Result<Vec<Row>, String> {
    let messages = data::stream("updates-2019.as4.xz").ok_or("updates-2019 is missing")?;
    let now = Instant::now();
    let mut delivering =
        established::session(established::config().with_deliver_updates(true), now, 1);
    let mut counting = established::session(established::config(), now, 1);
    let context = delivering.negotiated().expect("Established").context;
    let mut rounds = [const { Vec::new() }; 4];
    for _ in 0..ROUNDS {
        // All four in each round, so that a change of the machine's speed affects all of them.
        let (walked, ()) = cpu_time_of(|| walk(&messages));
        let (alone, expected) = cpu_time_of(|| codec(&messages, &context));
        // Filling the buffers is the kernel's work, so it stays outside the measurement.
        let read = buffers(&messages);
        let (delivered, updates) = cpu_time_of(|| session(read, &mut delivering, now));
        assert_eq!(updates, expected, "an UPDATE was not delivered");
        let read = buffers(&messages);
        let (counted, _) = cpu_time_of(|| session(read, &mut counting, now));
        let messages = f64::from(u32::try_from(messages.len()).expect("a number that fits"));
        for (round, seconds) in rounds.iter_mut().zip([walked, alone, delivered, counted]) {
            round.push(seconds * 1e9 / messages);
        }
    }
    let [walked, alone, delivered, counted] = rounds.map(median);
    let row = |how, figure, other| {
        let name = format!("8 an UPDATE of 2019 through a session that {how}");
        Row::beside(name, "ns", figure, other, 1.25)
    };
    Ok(vec![
        row("delivers it", delivered, ("bgp-wire, walking", walked)),
        row("counts it", counted, ("bgp-wire, walking", walked)),
        row("counts it", counted, ("bgp-wire, counting", alone)),
    ])
}
