//! The body of the fuzz target `config`: both parsers of configuration files. `fuzz/` runs it with libFuzzer, the test with
//! the committed corpus.

#![expect(
    clippy::missing_panics_doc,
    reason = "a fuzz target fails by panicking"
)]

use std::collections::BTreeSet;

use crate::config::{Config, Severity};

/// Parses a text in every format. A refusal names a place and a problem, and a configuration is consistent.
pub fn config(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    // The parser reads the file that the key names, possibly a device without end. A backslash may hide the key.
    if text.contains("-file") || text.contains('\\') {
        return;
    }
    // The last name leaves the choice of the format to the content.
    for name in ["speakerd.toml", "config.yaml", "speakerd.conf"] {
        match Config::parse(name, text) {
            Ok(loaded) => {
                assert_consistent(&loaded.config);
                for warning in &loaded.warnings {
                    assert_eq!(warning.severity, Severity::Warning);
                    drop(warning.to_string());
                }
            }
            Err(error) => assert!(error.to_string().contains("error: "), "{error}"),
        }
    }
}

/// Asserts the properties that [`Config`] promises.
fn assert_consistent(config: &Config) {
    let peers: BTreeSet<_> = config
        .peers
        .iter()
        .map(|peer| (peer.address, peer.port))
        .collect();
    assert_eq!(peers.len(), config.peers.len(), "a peer occurs once");
    let names: BTreeSet<_> = config.pools.iter().map(|pool| &pool.name).collect();
    assert_eq!(names.len(), config.pools.len(), "a pool name occurs once");
    let mut networks: Vec<_> = config.pools.iter().flat_map(|pool| &pool.ranges).collect();
    // Overlapping networks are neighbors in this order.
    networks.sort_by_key(|network| (network.network(), network.prefix_len()));
    for pair in networks.windows(2) {
        if let [one, other] = pair {
            assert!(!one.contains(*other), "{one} and {other} overlap");
        }
    }
    for advertisement in config.pools.iter().flat_map(|pool| &pool.advertisements) {
        assert!(advertisement.aggregation_length <= 32);
        assert!(advertisement.aggregation_length_v6 <= 128);
    }
}

#[cfg(test)]
mod tests {
    /// Runs every committed input as an ordinary test.
    #[test]
    fn parsers_with_committed_corpus_do_not_panic() {
        let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/corpus/config");
        let mut count = 0;
        for entry in std::fs::read_dir(corpus).unwrap() {
            super::config(&std::fs::read(entry.unwrap().path()).unwrap());
            count += 1;
        }
        // A wrong path would otherwise pass as an empty corpus.
        assert!(count >= 20, "{count} inputs");
    }
}
