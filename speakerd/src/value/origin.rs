//! ORIGIN as text: `igp`, `egp` or `incomplete`.

use bgp_wire::Origin;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Parses `igp`, `egp` or `incomplete`.
///
/// # Errors
///
/// The text is none of them.
pub(crate) fn parse_origin(text: &str) -> Result<Origin, String> {
    match text {
        "igp" => Ok(Origin::IGP),
        "egp" => Ok(Origin::EGP),
        "incomplete" => Ok(Origin::INCOMPLETE),
        _ => Err(format!(
            "`{text}` is not an origin; write igp, egp or incomplete"
        )),
    }
}

#[expect(
    clippy::ref_option,
    clippy::trivially_copy_pass_by_ref,
    reason = "serde's signature"
)]
pub(crate) fn serialize<S: Serializer>(
    origin: &Option<Origin>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    origin
        .map(|origin| origin.to_string().to_ascii_lowercase())
        .serialize(serializer)
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Origin>, D::Error> {
    let Some(text) = Option::<String>::deserialize(deserializer)? else {
        return Ok(None);
    };
    parse_origin(&text).map(Some).map_err(D::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize, Deserialize)]
    struct Holder {
        #[serde(with = "super")]
        origin: Option<Origin>,
    }

    #[test]
    fn origin_is_read_and_written_as_text() {
        for (text, origin) in [
            ("igp", Origin::IGP),
            ("egp", Origin::EGP),
            ("incomplete", Origin::INCOMPLETE),
        ] {
            assert_eq!(parse_origin(text), Ok(origin));
            let json = format!(r#"{{"origin":"{text}"}}"#);
            let holder: Holder = serde_json::from_str(&json).unwrap();
            assert_eq!(holder.origin, Some(origin));
            assert_eq!(serde_json::to_string(&holder).unwrap(), json);
        }
        assert!(serde_json::from_str::<Holder>(r#"{"origin":"IGP"}"#).is_err());
    }
}
