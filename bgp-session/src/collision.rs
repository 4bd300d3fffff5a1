//! Which of two connections to one peer is kept (RFC 4271 section 6.8, RFC 4724 section 5, RFC 6286 section 2.3), as a
//! pure function.

use bgp_wire::{Asn, RouterId};

use crate::fsm::State;

/// Who made a TCP connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Initiator {
    /// We dialled.
    Local,
    /// The peer dialled.
    Remote,
}

/// Which connection lives on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keep {
    /// The one that was there.
    Existing,
    /// The one on which an OPEN has just been received.
    New,
    /// Both, until the other has received its OPEN.
    Both,
}

/// One speaker, as the comparison sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Speaker {
    pub(crate) router_id: RouterId,
    pub(crate) asn: Asn,
}

/// The other connection, as the comparison sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Existing {
    pub(crate) initiator: Initiator,
    pub(crate) state: State,
    /// It has come up only now: that its OPEN has not been received means nothing yet.
    pub(crate) young: bool,
    /// The peer of an Established session has said that it restarts gracefully.
    pub(crate) restarts: bool,
}

/// Decides when an OPEN has been received on the connection that `new` made, and there is an `existing` one.
pub(crate) fn resolve(local: Speaker, remote: Speaker, existing: Existing, new: Initiator) -> Keep {
    let compared = match existing.state {
        State::Idle | State::Connect | State::Active => return Keep::Both,
        // RFC 4724 section 5: it has restarted, and knows nothing of the other connection any more.
        State::Established if existing.restarts => return Keep::New,
        State::Established => return Keep::Existing,
        // RFC 4271 section 6.8: OpenSent counts where the peer's identifier is known, as it is from this OPEN. Waiting
        // for the other OPEN would let each side drop the connection that the other one has just kept.
        State::OpenSent => existing.young && existing.initiator != new,
        // Two from one side: no rule says which, and the older one is further.
        State::OpenConfirm if existing.initiator == new => return Keep::Existing,
        State::OpenConfirm => true,
    };
    if !compared {
        return Keep::Both;
    }
    // The connection made by the speaker with the higher identifier; of equal ones, with the higher AS number.
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
    fn table() {
        use Initiator::{Local, Remote};
        let speaker = |id, asn| Speaker {
            router_id: RouterId::from_bits(id).unwrap(),
            asn: Asn::new(asn),
        };
        let table = [
            ((1, 64512), (2, 64512), Local, Remote, Keep::New),
            ((1, 64512), (2, 64512), Remote, Local, Keep::Existing),
            ((2, 64512), (1, 64512), Local, Remote, Keep::Existing),
            ((2, 64512), (1, 64512), Remote, Local, Keep::New),
            // As unsigned integers, not as signed ones.
            ((0xff00_0000, 1), (1, 1), Local, Remote, Keep::Existing),
            // RFC 6286 section 2.3.
            ((1, 64513), (1, 64512), Local, Remote, Keep::Existing),
            ((1, 64512), (1, 64513), Local, Remote, Keep::New),
            ((1, 1), (2, 1), Remote, Remote, Keep::Existing),
            ((2, 1), (1, 1), Local, Local, Keep::Existing),
        ];
        for ((id, asn), (remote_id, remote_asn), existing, new, keep) in table {
            let (local, remote) = (speaker(id, asn), speaker(remote_id, remote_asn));
            let decide = |state, young| {
                let existing = Existing {
                    initiator: existing,
                    state,
                    young,
                    restarts: false,
                };
                resolve(local, remote, existing, new)
            };
            assert_eq!(decide(State::OpenConfirm, false), keep);
            assert_eq!(decide(State::Established, true), Keep::Existing);
            let restarted = Existing {
                initiator: existing,
                state: State::Established,
                young: false,
                restarts: true,
            };
            assert_eq!(resolve(local, remote, restarted, new), Keep::New);
            assert_eq!(decide(State::OpenSent, false), Keep::Both);
            let early = if existing == new { Keep::Both } else { keep };
            assert_eq!(decide(State::OpenSent, true), early);
        }
    }
}
