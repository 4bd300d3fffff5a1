//! Booleans and whole numbers as YAML 1.1 writes them, which MetalLB reads.

use crate::config::diagnostic::Problem;

/// A boolean of YAML 1.1.
pub(super) fn boolean(text: &str) -> Result<bool, Problem> {
    match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" | "true" | "True" | "TRUE" => {
            Ok(true)
        }
        "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" | "false" | "False" | "FALSE" => {
            Ok(false)
        }
        _ => {
            Err(Problem::new(format!("`{text}` is neither true nor false"))
                .help("write true or false"))
        }
    }
}

/// A whole number of YAML 1.1: decimal, `0x`, `0o`, `0b`, or with a fraction that is zero.
pub(super) fn number(text: &str) -> Result<i64, Problem> {
    let problem = || Problem::new(format!("`{text}` is not a whole number"));
    for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] {
        if let Some(digits) = text.strip_prefix(prefix) {
            let digits = digits.strip_prefix(['+', '-']).map_or(digits, |_| "");
            return i64::from_str_radix(digits, radix).map_err(|_| problem());
        }
    }
    let Some((whole, fraction)) = text.split_once('.') else {
        return match text.parse() {
            Ok(_) if text.len() > 1 && text.starts_with('0') => {
                Err(problem().help("a leading zero makes it octal to some readers; leave it out"))
            }
            Ok(number) => Ok(number),
            Err(_) => Err(problem().help("write decimal digits")),
        };
    };
    match (whole.parse::<i64>(), fraction.parse::<u16>()) {
        (Ok(number), Ok(0)) => Ok(number),
        (Ok(high @ 0..=65535), Ok(low)) => Err(problem().help(format!(
            "MetalLB would read {high}; if this is an AS number, write {}",
            (high << 16) + i64::from(low)
        ))),
        _ => Err(problem().help("write decimal digits")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        for (text, value) in [
            ("0", 0),
            ("64512", 64512),
            ("64512.0", 64512),
            ("0xfc00", 64512),
            ("0o10", 8),
            ("0b101", 5),
            ("-1", -1),
            ("+1", 1),
        ] {
            assert_eq!(number(text), Ok(value), "{text}");
        }
        for text in [
            "",
            "010",
            "0x",
            "0x-1",
            "1.5",
            "1.",
            ".5",
            "1e3",
            "64_512",
            "one",
            "9223372036854775808",
        ] {
            assert!(number(text).is_err(), "{text}");
        }
    }

    #[test]
    fn asdot_is_not_cut_off() {
        let help = |text| number(text).unwrap_err().help.unwrap_or_default();
        assert!(help("1.5").ends_with("write 65541"));
        assert!(help("65535.65535").ends_with("write 4294967295"));
        assert_eq!(help("65536.1"), "write decimal digits");
    }

    #[test]
    fn booleans() {
        for (text, value) in [
            ("yes", true),
            ("On", true),
            ("TRUE", true),
            ("n", false),
            ("off", false),
        ] {
            assert_eq!(boolean(text), Ok(value), "{text}");
        }
        for text in ["", "1", "tRUE", "yes "] {
            assert!(boolean(text).is_err(), "{text}");
        }
    }
}
