//! Announces and withdraws routes by BGP.

use bgp_session::{Route, Speaker, SpeakerShutDown};

use crate::intent::{Attributes, Effect};
use crate::value::Prefix;

/// Carries out effects in their order.
///
/// # Errors
///
/// The speaker announces nothing more.
pub(crate) fn carry_out(speaker: &Speaker, effects: &[Effect]) -> Result<(), SpeakerShutDown> {
    let announced = effects.iter().filter_map(|effect| match effect {
        Effect::Announce(prefix, attributes) => Some(route(*prefix, attributes)),
        Effect::Withdraw(_) => None,
    });
    // In one step, so that routes with equal attributes share messages.
    let announced: Vec<_> = announced.collect();
    speaker.announce_all(&announced)?;
    for effect in effects {
        if let Effect::Withdraw(prefix) = effect {
            speaker.withdraw(prefix.network())?;
        }
    }
    Ok(())
}

/// Returns a route as the speaker announces it.
pub(crate) fn route(prefix: Prefix, attributes: &Attributes) -> Route {
    let route = Route::new(prefix.network()).with_attributes(attributes.into());
    match attributes.next_hop {
        Some(address) => route.with_next_hop(address),
        None => route,
    }
}
