//! `Shutdown`: the reason for which the operator ends a session (RFC 4486, RFC 9003).

use bgp_wire::{NotificationBuf, Reason};

/// The reason for which the operator ends a session.
///
/// ```
/// use bgp_session::Shutdown;
/// use bgp_wire::Reason;
/// let planned = Shutdown::administrative("maintenance until noon");
/// assert_eq!((planned.reason(), planned.text()), (Reason::ADMINISTRATIVE_SHUTDOWN, "maintenance until noon"));
/// let resources = Shutdown::cease(Reason::OUT_OF_RESOURCES, "");
/// assert!(resources.is_some());
/// assert!(Shutdown::cease(Reason::BAD_PEER_AS, "").is_none(), "not a Cease");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Shutdown {
    reason: Reason,
    text: String,
    pub(super) restart: bool,
}

impl Shutdown {
    fn new(reason: Reason, text: impl Into<String>) -> Self {
        Self {
            reason,
            text: text.into(),
            restart: false,
        }
    }

    /// Ends the session with the NOTIFICATION `reason`, which must be a Cease (code 6). Returns `None` for any other code, and
    /// for Hard Reset.
    ///
    /// `text` explains the end to the peer's operator. Only Administrative Shutdown and Administrative Reset carry it (RFC
    /// 9003 section 2); with another reason it is kept in the status and not sent.
    #[must_use]
    pub fn cease(reason: Reason, text: impl Into<String>) -> Option<Self> {
        // RFC 8538 section 3.1: a Hard Reset contains another NOTIFICATION, and only some peers understand it. The session
        // wraps final reasons by itself.
        let is_allowed =
            reason.code == Reason::CEASE_UNSPECIFIC.code && reason != Reason::HARD_RESET;
        is_allowed.then(|| Self::new(reason, text))
    }

    /// Ends the session until it is started again, with Cease/Administrative Shutdown. `text` explains it to the peer's
    /// operator (RFC 9003); empty for none.
    #[must_use]
    pub fn administrative(text: impl Into<String>) -> Self {
        Self::new(Reason::ADMINISTRATIVE_SHUTDOWN, text)
    }

    /// Ends the session with Cease/Administrative Reset and `text` (RFC 9003). The caller starts it again.
    #[must_use]
    pub fn reset(text: impl Into<String>) -> Self {
        Self::new(Reason::ADMINISTRATIVE_RESET, text)
    }

    /// Ends the session with Cease/Peer De-configured, because the peer is removed from the configuration.
    #[must_use]
    pub fn deconfigured() -> Self {
        Self::new(Reason::PEER_DECONFIGURED, "")
    }

    /// Ends the session with Cease/Other Configuration Change. The caller starts it again.
    #[must_use]
    pub fn configuration_change() -> Self {
        Self::new(Reason::OTHER_CONFIGURATION_CHANGE, "")
    }

    /// Ends the session for a restart of this program.
    ///
    /// A peer that keeps our routes over the restart gets no NOTIFICATION (RFC 4724 section 4.1); any other peer gets
    /// Cease/Administrative Reset.
    #[must_use]
    pub fn restart() -> Self {
        Self {
            restart: true,
            ..Self::reset("restart")
        }
    }

    /// Returns the code and the subcode of the NOTIFICATION.
    #[must_use]
    pub fn reason(&self) -> Reason {
        self.reason
    }

    /// Returns the text for the peer's operator, or an empty string.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn notification(&self) -> NotificationBuf {
        NotificationBuf::with_text(self.reason, &self.text)
    }
}
