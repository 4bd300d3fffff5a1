//! `ExportFilter`: a function of the application that decides which routes one peer is sent, and changes them.

use std::fmt;
use std::sync::Arc;

use crate::route::Route;

/// A function that is called with every route that the export policy of a peer permits. It returns the route to send, or
/// `None` to withhold it.
///
/// The function may change the attributes and the next hops. The changes of the
/// [`ExportPolicy`](crate::ExportPolicy) follow. A changed destination or path identifier has no effect, because they
/// identify the route.
///
/// It is called once for each change of a route and for each pass through the table, on the task of the peer. It must not
/// block. The same route must give the same result; give the peer a new filter if that changes, so that its routes are sent
/// again.
///
/// Clones are equal, and two separately created filters are different, even if their functions do the same.
///
/// ```
/// use bgp_session::{ExportFilter, PeerConfig};
/// use bgp_wire::Asn;
///
/// let hosts = |length| length == 32 || length == 128;
/// let filter = ExportFilter::new(move |route| {
///     let length = route.prefix()?.prefix_len();
///     // This peer is preferred for the hosts of the first half only.
///     let first = route.prefix()?.to_string().ends_with(".1/32");
///     hosts(length).then(|| route.with_multi_exit_disc(if first { 10 } else { 20 }))
/// });
/// let peer = PeerConfig::new("192.168.0.254".parse()?, Asn::new(64512)).with_export_filter(filter.clone());
/// assert_eq!(peer.export_filter(), Some(&filter));
/// assert_ne!(filter, ExportFilter::new(Some));
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Clone)]
pub struct ExportFilter(Arc<dyn Fn(Route) -> Option<Route> + Send + Sync>);

impl ExportFilter {
    /// Creates a filter from a function.
    #[must_use]
    pub fn new(filter: impl Fn(Route) -> Option<Route> + Send + Sync + 'static) -> Self {
        Self(Arc::new(filter))
    }

    /// Returns the route to send, or `None` to withhold it.
    pub(crate) fn apply(&self, route: Route) -> Option<Route> {
        (self.0)(route)
    }
}

impl PartialEq for ExportFilter {
    fn eq(&self, other: &Self) -> bool {
        // Functions cannot be compared. An equal filter must not send the whole table again.
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for ExportFilter {}

impl fmt::Debug for ExportFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The address distinguishes filters in a log of configurations.
        f.debug_tuple("ExportFilter")
            .field(&Arc::as_ptr(&self.0).cast::<()>())
            .finish()
    }
}
