//! The next hops of the address family that a peer's session does not run over.

use super::super::log;
use super::{PeerTask, now};

impl PeerTask {
    /// Gives the peering the addresses of the session's interface, if it needs them as next hops.
    pub(super) fn look_up_interface(&mut self) {
        if !self.peering.needs_interface_addresses() {
            return;
        }
        let session = self.peering.session();
        let Some(negotiated) = session.negotiated() else {
            return;
        };
        let (local, device) = (negotiated.local_address, session.config().device());
        let interfaces = &self.shared.interfaces;
        match interfaces.addresses_of_interface(now(), local, device) {
            Ok(addresses) => self.peering.handle_interface_addresses(&addresses),
            // Routes that need such an address are withheld, which is reported.
            Err(error) => {
                log::write_line!(warn, peer = %self.address, %error, "cannot read the addresses of interfaces");
            }
        }
    }
}
