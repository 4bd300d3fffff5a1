//! The commands to a peer's task.

use bgp_wire::{Family, UpdateBuf};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::event::RemovalReason;
use super::transport::Transport;
use crate::config::{LocalConfig, PeerConfig};
use crate::peering::PeerFlush;
use crate::session::{RefreshError, SendError, Shutdown};

pub(super) enum Command {
    /// Offers an accepted connection to the session. The permit limits the number of connections that wait for the task.
    Accept(Box<dyn Transport>, OwnedSemaphorePermit),
    /// Answers when the peer has acknowledged the table as it is now, or when its session is not up.
    Flush(oneshot::Sender<PeerFlush>),
    /// Asks the peer to send its routes of this family again (RFC 2918). Answers when the request is queued.
    Refresh(Family, oneshot::Sender<Result<(), RefreshError>>),
    /// Asks the peer to prefer the routes of other speakers, or ends that request (RFC 8326).
    Drain(bool),
    /// Replaces the configuration.
    Update(Box<PeerConfig>),
    /// Replaces our AS number and BGP Identifier.
    UpdateLocal(LocalConfig),
    /// Ends the session and starts it again.
    Reset(Shutdown),
    /// Sends an UPDATE as it is. Answers with the number of messages.
    Send(Box<UpdateBuf>, oneshot::Sender<Result<usize, SendError>>),
    /// Ends the session until it is started again.
    Stop(Shutdown),
    /// Starts the session again.
    Start,
    /// Ends the session and the task because the peer is removed.
    Remove(Shutdown, RemovalReason),
}
