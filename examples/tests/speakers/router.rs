//! A router that keeps what an example announces.

use std::error::Error;
use std::future::Future;
use std::net::SocketAddr;

use bgp_session::{AdjRibIn, DownReason, Events, PeerConfig, SessionEvent, Speaker, SpeakerEvent};
use bgp_wire::{Asn, Family};
use speakerd_testkit::TIMEOUT;

pub(crate) const NODE: &str = "127.0.0.1";
pub(crate) const ROUTER: &str = "127.0.0.2";

/// A router that keeps the routes of one internal peer at 127.0.0.1.
pub(crate) struct Router {
    pub(crate) speaker: Speaker,
    events: Events,
    table: AdjRibIn,
}

impl Router {
    pub(crate) async fn start(on: &str) -> Result<Self, Box<dyn Error>> {
        Self::start_with(on, &[Family::IPV4_UNICAST, Family::IPV4_FLOWSPEC]).await
    }

    pub(crate) async fn start_with(on: &str, families: &[Family]) -> Result<Self, Box<dyn Error>> {
        let speaker = Speaker::builder(Asn::new(64512), "192.168.0.254".parse()?)
            .with_listener(SocketAddr::new(on.parse()?, 0))
            .spawn()
            .await?;
        let events = speaker.events();
        let config = PeerConfig::new(NODE.parse()?, Asn::new(64512))
            .with_passive(true)
            .with_families(families.iter().copied())?
            .with_deliver_updates(true);
        speaker.add_peer(config)?;
        Ok(Self {
            speaker,
            events,
            table: AdjRibIn::new(),
        })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.speaker.listeners()[0]
    }

    /// Returns the routes with their next hops and communities.
    fn routes(&self) -> Vec<String> {
        let text = |(nlri, route): (bgp_wire::AnyNlriBuf, &bgp_session::ReceivedRoute)| {
            let communities = &route.attributes.communities;
            let communities: Vec<_> = communities.iter().map(ToString::to_string).collect();
            format!("{nlri} via {} {}", route.next_hop, communities.join(" "))
        };
        self.table.routes().map(text).collect()
    }

    /// Applies events until the table is `wanted`.
    pub(crate) async fn wait_for_routes(&mut self, wanted: &[&str]) {
        let change = async {
            while self.routes() != wanted {
                self.next_event().await;
            }
        };
        let reached = tokio::time::timeout(TIMEOUT, change).await;
        assert!(reached.is_ok(), "{:?} instead of {wanted:?}", self.routes());
    }

    /// Applies events until the peer announces a route.
    pub(crate) async fn wait_for_announcement(&mut self) {
        let announcement = async {
            loop {
                if let SessionEvent::Update(update) = self.next_event().await
                    && update.check().announced_routes().next().is_some()
                {
                    return;
                }
            }
        };
        in_time(announcement).await;
    }

    /// Applies events until the session ends. Returns the reason.
    pub(crate) async fn wait_for_down(&mut self) -> DownReason {
        let down = async {
            loop {
                if let SessionEvent::Down { reason, .. } = self.next_event().await {
                    return reason;
                }
            }
        };
        in_time(down).await
    }

    async fn next_event(&mut self) -> SessionEvent {
        loop {
            let event = self.events.next().await.expect("the speaker runs");
            if let SpeakerEvent::Session { event, .. } = event {
                self.table.apply(&event, |_| {});
                return event;
            }
        }
    }
}

/// Waits for the result of a future, with a time limit.
pub(crate) async fn in_time<T>(future: impl Future<Output = T>) -> T {
    let result = tokio::time::timeout(TIMEOUT, future).await;
    result.expect("in time")
}
