//! The state machine against a reviewed snapshot of its whole table and against the cells of RFC 4271 section 8.2.2.

#![cfg(test)]

use std::fmt::Write;

use bgp_session::fsm::{Action, Conditions, Event, State, step};

/// The snapshot has a row for each state and event, and one more for each condition that changes the transition.
#[test]
fn transition_table_matches_snapshot() {
    let mut text = String::new();
    for &state in State::ALL {
        writeln!(text, "{state}").unwrap();
        for &event in Event::ALL {
            let plain = Conditions::default();
            write_row(&mut text, "", state, event, plain);
            let variants = [
                ("passive", passive()),
                ("delay open", delayed(false)),
                ("delay open running", delayed(true)),
            ];
            // A variant that changes nothing would only repeat a row.
            let mut previous = step(state, event, plain);
            for (name, conditions) in variants {
                let transition = step(state, event, conditions);
                if transition != step(state, event, plain) && transition != previous {
                    write_row(&mut text, name, state, event, conditions);
                }
                previous = transition;
            }
        }
        text.push('\n');
    }
    insta::assert_snapshot!(text);
}

/// Returns the conditions of PassiveTcpEstablishment.
fn passive() -> Conditions {
    let mut conditions = Conditions::default();
    conditions.passive = true;
    conditions
}

/// Returns the conditions of DelayOpen.
fn delayed(is_running: bool) -> Conditions {
    let mut conditions = Conditions::default();
    conditions.delay_open = true;
    conditions.delay_open_running = is_running;
    conditions
}

fn write_row(
    text: &mut String,
    condition: &str,
    state: State,
    event: Event,
    conditions: Conditions,
) {
    let transition = step(state, event, conditions);
    let number = event
        .number()
        .map_or_else(|| "--".into(), |number| format!("{number:2}"));
    let actions: Vec<_> = transition.actions.iter().map(action).collect();
    let row = format!(
        "{number} {event:26} {condition:20} {:12} {}",
        transition.state,
        actions.join(", ")
    );
    writeln!(text, "  {}", row.trim_end()).unwrap();
}

/// Formats an action, with the code and subcode of a NOTIFICATION as routers print them.
fn action(action: &Action) -> String {
    if let Action::Notify(reason) = action {
        format!("Notify {}/{}", reason.code, reason.subcode)
    } else {
        format!("{action:?}")
    }
}

/// Returns the event with a number of RFC 4271 section 8.1, and the conditions that this number implies.
fn event(number: u8) -> (Event, Conditions) {
    let plain = Conditions::default();
    let (passive, delayed) = (passive(), delayed(true));
    // The RFC numbers one event by the session's configuration: events 1, 3 and 6 have passive twins 4, 5 and 7.
    match number {
        4 => (Event::ManualStart, passive),
        5 | 7 => (Event::AutomaticStart, passive),
        6 => (Event::AutomaticStart, plain),
        17 => (Event::TcpConnected, plain),
        20 => (Event::BgpOpen, delayed),
        _ => {
            let numbered = |event: &Event| event.number() == Some(number);
            (Event::ALL.iter().copied().find(numbered).unwrap(), plain)
        }
    }
}

/// The next state and the NOTIFICATION for events 1 to 28, by state. `!` is the NOTIFICATION that the event carries.
///
/// Sources: RFC 4271 section 8.2.2, RFC 6608 for the codes of unexpected messages, and ARCHITECTURE.md for deviations.
#[rustfmt::skip]
const CELLS: [(State, [&str; 28]); 6] = [
    (State::Idle, [
        "Connect", "Idle", "Connect", "Active", "Active", "Connect", "Active", "Idle", "Idle", "Idle",
        "Idle", "Idle", "Connect", "Idle", "Idle", "Idle", "Idle", "Idle", "Idle", "Idle",
        "Idle", "Idle", "Idle", "Idle", "Idle", "Idle", "Idle", "Idle",
    ]),
    (State::Connect, [
        "Connect", "Idle !", "Connect", "Connect", "Connect", "Connect", "Connect", "Idle", "Connect", "Idle",
        "Idle", "OpenSent", "Idle", "Connect", "Connect", "OpenSent", "OpenSent", "Idle", "Idle", "OpenConfirm",
        "Idle !", "Idle !", "Idle", "Idle", "Idle", "Idle", "Idle", "Idle",
    ]),
    (State::Active, [
        "Active", "Idle !", "Active", "Active", "Active", "Active", "Active", "Idle", "Connect", "Idle",
        "Idle", "OpenSent", "Idle", "Active", "Active", "OpenSent", "OpenSent", "Idle", "Idle", "OpenConfirm",
        "Idle !", "Idle !", "Idle", "Idle", "Idle", "Idle", "Idle", "Idle",
    ]),
    (State::OpenSent, [
        "OpenSent", "Idle !", "OpenSent", "OpenSent", "OpenSent", "OpenSent", "OpenSent", "Idle !", "Idle 5/0", "Idle 4/0",
        "Idle 5/0", "Idle 5/0", "Idle 5/0", "OpenSent", "OpenSent", "OpenSent", "OpenSent", "Active", "OpenConfirm",
        // Event 20 needs a running DelayOpenTimer, which has stopped in OpenSent, so the OPEN is event 19.
        "OpenConfirm",
        "Idle !", "Idle !", "Idle 6/7", "Idle", "Idle", "Idle 5/1", "Idle 5/1", "Idle 5/1",
    ]),
    (State::OpenConfirm, [
        "OpenConfirm", "Idle !", "OpenConfirm", "OpenConfirm", "OpenConfirm", "OpenConfirm", "OpenConfirm", "Idle !", "Idle 5/0", "Idle 4/0",
        "OpenConfirm", "Idle 5/0", "Idle 5/0", "OpenConfirm", "OpenConfirm", "OpenConfirm", "OpenConfirm", "Idle", "Idle 5/2", "Idle 5/2",
        "Idle !", "Idle 5/2", "Idle 6/7", "Idle", "Idle", "Established", "Idle 5/2", "Idle 5/2",
    ]),
    (State::Established, [
        "Established", "Idle !", "Established", "Established", "Established", "Established", "Established", "Idle !", "Idle 5/0", "Idle 4/0",
        "Established", "Idle 5/0", "Idle 5/0", "Established", "Established", "Established", "Established", "Idle", "Idle 5/3", "Idle 5/3",
        "Idle !", "Idle 5/3", "Idle 6/7", "Idle", "Idle", "Established", "Established", "Idle !",
    ]),
];

#[test]
fn transitions_match_rfc_4271() {
    for (state, cells) in CELLS {
        for (number, expected) in (1..).zip(cells) {
            let (event, conditions) = event(number);
            let transition = step(state, event, conditions);
            let notification = transition.actions.iter().find_map(|action| {
                if let Action::Notify(reason) = action {
                    return Some(format!(" {}/{}", reason.code, reason.subcode));
                }
                (*action == Action::NotifyCause).then(|| " !".to_owned())
            });
            let seen = format!("{}{}", transition.state, notification.unwrap_or_default());
            assert_eq!(seen, expected, "{state}, event {number}");
        }
    }
}
