//! The README's first command prints what the README says.

#![cfg(test)]

use std::process::Command;

#[test]
fn prints_what_the_readme_says() {
    let readme = include_str!("../../README.md");
    let (_, block) = readme.split_once("```text\n").unwrap();
    let (expected, _) = block.split_once("```").unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_speakerd"))
        .arg("demo")
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(
        without_port(std::str::from_utf8(&output.stdout).unwrap()),
        without_port(expected)
    );
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

fn without_port(text: &str) -> String {
    let (before, after) = text.split_once("127.0.0.1:").unwrap();
    format!(
        "{before}{}",
        after.trim_start_matches(|digit: char| digit.is_ascii_digit())
    )
}
