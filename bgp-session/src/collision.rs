//! Collision resolution: decides as a pure function which of two connections to one peer is kept (RFC 4271 section 6.8,
//! RFC 4724 section 5, RFC 6286 section 2.3).

use bgp_wire::{Asn, RouterId};

use crate::fsm::State;

/// The side that made a TCP connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Initiator {
    /// We dialled.
    Local,
    /// The peer dialled.
    Remote,
}

/// The connection to keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keep {
    /// The existing one.
    Existing,
    /// The one on which the OPEN has just been received.
    New,
    /// Both, until the existing one has received its OPEN.
    Both,
}

/// The numbers that identify a speaker in the comparison.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Identity {
    pub(crate) router_id: RouterId,
    pub(crate) asn: Asn,
}

/// The existing connection, as the decision needs it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Existing {
    pub(crate) initiator: Initiator,
    pub(crate) state: State,
    /// `true` if it was made only now, so that its OPEN may still be in transit.
    pub(crate) recent: bool,
    /// `true` if it is Established and its peer restarts gracefully (RFC 4724).
    pub(crate) restarts_gracefully: bool,
}

/// Returns the connection to keep after an OPEN was received on the one that `new` made.
pub(crate) fn resolve(
    local: Identity,
    remote: Identity,
    existing: Existing,
    new: Initiator,
) -> Keep {
    let is_comparable = match existing.state {
        State::Idle | State::Connect | State::Active => return Keep::Both,
        // RFC 4724 section 5: the peer has restarted and has lost the existing connection.
        State::Established if existing.restarts_gracefully => return Keep::New,
        // RFC 4271 section 6.8: a new connection does not replace an Established one.
        State::Established => return Keep::Existing,
        // RFC 4271 section 6.8 permits the comparison in OpenSent if the identifier is known, as it is from this OPEN.
        // Waiting for the other OPEN could make each side drop the connection that the other has kept.
        State::OpenSent => existing.recent && existing.initiator != new,
        // The RFC compares connections from different sides only. Of two from one side the existing one is ahead.
        State::OpenConfirm if existing.initiator == new => return Keep::Existing,
        State::OpenConfirm => true,
    };
    if !is_comparable {
        return Keep::Both;
    }
    // RFC 4271 section 6.8 keeps the connection of the higher identifier; RFC 6286 section 2.3 compares AS numbers if
    // both are equal.
    let local_is_higher =
        (local.router_id.to_bits(), local.asn) > (remote.router_id.to_bits(), remote.asn);
    let winner = if local_is_higher {
        Initiator::Local
    } else {
        Initiator::Remote
    };
    if existing.initiator == winner {
        Keep::Existing
    } else {
        Keep::New
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn collision_in_each_state_keeps_connection_of_higher_identity() {
        use Initiator::{Local, Remote};
        let identity = |id, asn| Identity {
            router_id: RouterId::from_bits(id).unwrap(),
            asn: Asn::new(asn),
        };
        let table = [
            ((1, 64512), (2, 64512), Local, Remote, Keep::New),
            ((1, 64512), (2, 64512), Remote, Local, Keep::Existing),
            ((2, 64512), (1, 64512), Local, Remote, Keep::Existing),
            ((2, 64512), (1, 64512), Remote, Local, Keep::New),
            // RFC 4271 section 6.8: identifiers compare as unsigned integers.
            ((0xff00_0000, 1), (1, 1), Local, Remote, Keep::Existing),
            // RFC 6286 section 2.3: equal identifiers, so the AS numbers decide.
            ((1, 64513), (1, 64512), Local, Remote, Keep::Existing),
            ((1, 64512), (1, 64513), Local, Remote, Keep::New),
            ((1, 1), (2, 1), Remote, Remote, Keep::Existing),
            ((2, 1), (1, 1), Local, Local, Keep::Existing),
        ];
        for ((id, asn), (remote_id, remote_asn), existing, new, keep) in table {
            let (local, remote) = (identity(id, asn), identity(remote_id, remote_asn));
            let decide = |state, recent| {
                let existing = Existing {
                    initiator: existing,
                    state,
                    recent,
                    restarts_gracefully: false,
                };
                resolve(local, remote, existing, new)
            };
            assert_eq!(decide(State::OpenConfirm, false), keep);
            assert_eq!(decide(State::Established, true), Keep::Existing);
            let restarted = Existing {
                initiator: existing,
                state: State::Established,
                recent: false,
                restarts_gracefully: true,
            };
            assert_eq!(resolve(local, remote, restarted, new), Keep::New);
            assert_eq!(decide(State::OpenSent, false), Keep::Both);
            let early = if existing == new { Keep::Both } else { keep };
            assert_eq!(decide(State::OpenSent, true), early);
        }
    }
}
