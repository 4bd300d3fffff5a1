//! `speakerctl decode` as its users run it: both forms of output, and the exit status.

#![cfg(test)]

use std::process::Command;

use serde_json::Value;

/// Runs `speakerctl decode`. Returns its exit status and its standard output.
fn decode(message: &str, arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_speakerctl"))
        .arg("decode")
        .args(arguments)
        .arg(message)
        .output()
        .expect("the program is built");
    let text = String::from_utf8(output.stdout).expect("text");
    (output.status.code(), text)
}

/// Returns an UPDATE with these attributes and routes.
fn update(attributes: &str, routes: &str) -> String {
    let octets = |text: &str| text.chars().filter(char::is_ascii_hexdigit).count() / 2;
    let (attributes_length, routes_length) = (octets(attributes), octets(routes));
    let length = 23 + attributes_length + routes_length;
    let marker = "ff".repeat(16);
    format!("{marker} {length:04x} 02 0000 {attributes_length:04x} {attributes} {routes}")
}

#[test]
fn ignored_routes_are_shown_in_both_forms_and_are_no_failure() {
    let origin = "40010100";
    let path = "40020a 0202 0000fde9 0000fc00";
    let next_hop = "400304 c0000201";
    let attributes = format!("{origin} {path} {next_hop}");
    let looped = update(&attributes, "18c0a80a");
    let bogus = update(&attributes, "187f0000");
    let reflected = update(&format!("{attributes} 800904 c0a8006f"), "18c0a80a");
    let leaked = update(&format!("{attributes} c02304 0000fde9"), "18c0a80a");
    for (message, arguments, reason) in [
        (
            &looped,
            &["--local-as", "64512"][..],
            "AS path contains our AS number",
        ),
        (
            &looped,
            &["--local-address", "192.0.2.1"],
            "next hop is our address",
        ),
        (&bogus, &[], "bogus prefix"),
        (
            &reflected,
            &["--router-id", "192.168.0.111"],
            "ORIGINATOR_ID is our BGP Identifier",
        ),
        (&leaked, &["--peer-role", "customer"], "route leak"),
        (
            &leaked,
            &["--peer-role", "peer", "--first-as", "65002"],
            "route leak",
        ),
    ] {
        let (status, text) = decode(message, arguments);
        assert_eq!(status, Some(0), "{text}");
        let ignored = format!("\nignored: {reason}\n");
        assert!(text.ends_with(&ignored), "{arguments:?}: {text}");
        let (status, text) = decode(message, &[arguments, &["--json"]].concat());
        assert_eq!(status, Some(0), "{text}");
        let objects: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(objects[0]["unusable"], reason, "{arguments:?}: {text}");
        assert_eq!(objects[0]["fault"], Value::Null, "{arguments:?}: {text}");
    }
    for arguments in [
        &["--json"][..],
        &["--json", "--router-id", "192.168.0.112"],
        &["--json", "--peer-role", "peer", "--first-as", "65001"],
        &["--json", "--peer-role", "rs-client"],
    ] {
        let message = if arguments.len() == 5 {
            &leaked
        } else {
            &looped
        };
        let (status, text) = decode(message, arguments);
        assert_eq!(status, Some(0), "{text}");
        let objects: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(objects[0]["unusable"], Value::Null, "{arguments:?}: {text}");
    }
    let (status, _) = decode(&leaked, &["--peer-role", "peer"]);
    assert_eq!(status, Some(2), "the AS of the peer is missing");
}

#[test]
fn malformed_message_is_a_failure() {
    let malformed = update("40010107", "18c0a80a");
    let (status, text) = decode(&malformed, &["--json"]);
    assert_eq!(status, Some(1));
    let objects: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(objects[0]["fault"]["treatment"], "treat-as-withdraw");
    assert_eq!(objects[0]["unusable"], Value::Null);
}

#[test]
fn probable_path_identifiers_are_shown_in_both_forms() {
    let attributes = "40010100 400206 02010000fde9 400304 c0000201";
    let message = update(attributes, "00000001 180ac802");
    let (status, text) = decode(&message, &[]);
    assert_eq!(status, Some(0), "{text}");
    let note = "\nnote: three default routes of ipv4 unicast; probably path identifiers (ADD-PATH)\n  \
                help: decode with --add-path\n";
    assert!(text.ends_with(note), "{text}");
    let (_, text) = decode(&message, &["--json"]);
    let objects: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(objects[0]["unexpected-path-ids"], "ipv4 unicast");
    let (status, text) = decode(&message, &["--json", "--add-path"]);
    assert_eq!(status, Some(0), "{text}");
    let objects: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(objects[0]["unexpected-path-ids"], Value::Null);
}
