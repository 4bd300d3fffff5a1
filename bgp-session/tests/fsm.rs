//! The table of the state machine, whole, as a reviewed snapshot.

#![cfg(test)]

use std::fmt::Write;

use bgp_session::fsm::{Action, Conditions, Event, State, step};

/// Every state and event under every condition that changes a row.
#[test]
fn table() {
    let mut text = String::new();
    for state in State::ALL {
        writeln!(text, "{state}").unwrap();
        for event in Event::ALL {
            let plain = Conditions::default();
            write_row(&mut text, "", state, event, plain);
            let variants = [
                (
                    "passive",
                    Conditions {
                        passive: true,
                        ..plain
                    },
                ),
                (
                    "delay open",
                    Conditions {
                        delay_open: true,
                        ..plain
                    },
                ),
                (
                    "delay open running",
                    Conditions {
                        delay_open: true,
                        delay_open_running: true,
                        ..plain
                    },
                ),
            ];
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

fn action(action: &Action) -> String {
    if let Action::Notify(reason) = action {
        format!("Notify {}/{}", reason.code, reason.subcode)
    } else {
        format!("{action:?}")
    }
}
