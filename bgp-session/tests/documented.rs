//! Every public item of the crate is in an example: in the documentation, the READMEs or the programs of `examples/`.

#![cfg(test)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn sources(directory: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|it| it == "rs" || it == "md") {
            into.push(path);
        }
    }
}

fn files(root: &Path, below: &str) -> Vec<(PathBuf, String)> {
    let mut paths = Vec::new();
    sources(&root.join(below), &mut paths);
    paths.sort();
    paths
        .into_iter()
        .map(|path| (path.clone(), fs::read_to_string(path).unwrap()))
        .collect()
}

/// The lines of code in the documentation of a source file or in a README.
fn examples(text: &str, comment: bool) -> String {
    let mut inside = false;
    let mut code = String::new();
    for line in text.lines() {
        let line = line.trim_start();
        let documentation = line
            .strip_prefix("///")
            .or_else(|| line.strip_prefix("//!"));
        let Some(line) = (if comment { documentation } else { Some(line) }) else {
            inside = false;
            continue;
        };
        if line.trim_start().starts_with("```") {
            inside = !inside;
        } else if inside {
            code.push_str(line);
            code.push('\n');
        }
    }
    code
}

/// The name that a line makes public.
fn declared(line: &str) -> Option<&str> {
    let line = line.trim_start().strip_prefix("pub ")?;
    let line = ["const ", "async "]
        .iter()
        .find_map(|word| line.strip_prefix(word))
        .unwrap_or(line);
    let rest = ["fn ", "struct ", "enum ", "trait "]
        .iter()
        .find_map(|word| line.strip_prefix(word))?;
    rest.split(|it: char| !it.is_alphanumeric() && it != '_')
        .next()
}

#[test]
fn every_public_item_is_in_an_example() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut code = String::new();
    for (_, text) in files(&root, "examples/src") {
        code.push_str(&text);
    }
    for readme in ["README.md", "bgp-session/README.md"] {
        code.push_str(&examples(
            &fs::read_to_string(root.join(readme)).unwrap(),
            false,
        ));
    }
    let sources = files(&root, "bgp-session/src");
    for (_, text) in &sources {
        code.push_str(&examples(text, true));
    }
    let words: BTreeSet<&str> = code
        .split(|it: char| !it.is_alphanumeric() && it != '_')
        .collect();
    let mut missing = Vec::new();
    for (path, text) in &sources {
        let is_private = path.ends_with("fuzz.rs") || path.ends_with("tests.rs");
        let text = text.split("#[cfg(test)]").next().unwrap();
        for line in text.lines().filter(|_| !is_private) {
            if let Some(name) = declared(line).filter(|name| !words.contains(name)) {
                missing.push(format!(
                    "{}: {name}",
                    path.file_name().unwrap().to_string_lossy()
                ));
            }
        }
    }
    assert!(missing.is_empty(), "in no example:\n{}", missing.join("\n"));
}
