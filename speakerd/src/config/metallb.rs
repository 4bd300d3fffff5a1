//! MetalLB's configuration as it is (v0.12, the last to be configured by a ConfigMap): finding it in a YAML file.
//!
//! A file holds it bare, or as the text `data.config` of a ConfigMap, among other Kubernetes objects or not.

mod read;
mod scalar;
mod schema;

use std::ops::Range;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_saphyr::{Error, Location, Spanned};

use super::diagnostic::{Problem, Report, unknown_key};
use super::{ConfigError, Loaded};

/// What tells a Kubernetes object from a bare configuration, and one object from another.
#[derive(Default, Deserialize)]
struct Header {
    #[serde(rename = "apiVersion")]
    api_version: Option<String>,
    kind: Option<String>,
}

#[derive(Default, Deserialize)]
struct ConfigMap {
    #[serde(default)]
    data: Option<Data>,
}

#[derive(Default, Deserialize)]
struct Data {
    config: Option<Spanned<String>>,
}

pub(super) fn parse(name: &str, text: &str) -> Result<Loaded, ConfigError> {
    let mut report = Report::new(name, text);
    let mut found = Vec::new();
    let mut resource = false;
    for range in documents(text) {
        let document = Document::new(text, range);
        let Some(header) = document.read::<Header>(&mut report) else {
            continue;
        };
        resource |= is_resource(&header);
        let is_object = header.kind.is_some() || header.api_version.is_some();
        if !is_object {
            found.push(document);
        } else if header.kind.as_deref() == Some("ConfigMap") {
            let map = document.read::<ConfigMap>(&mut report).unwrap_or_default();
            let config = map.data.and_then(|data| data.config);
            found.extend(config.map(|config| document.inner(config)));
        }
    }
    let mut found = found.into_iter();
    let config = match found.next() {
        Some(document) => read::config(&document, &mut report),
        None => None,
    };
    if let Some(second) = found.next() {
        let problem = Problem::new("this is a second MetalLB configuration");
        report.error(&second.span(0..0), problem.help("keep one in the file"));
    }
    let warnings = report.finish()?;
    config
        .map(|config| Loaded { config, warnings })
        .ok_or_else(|| nothing(name, resource))
}

/// Whether the object is of MetalLB v0.13 or later, which is not configured by a ConfigMap.
fn is_resource(header: &Header) -> bool {
    let version = header.api_version.as_deref().unwrap_or_default();
    version.starts_with("metallb.io/")
}

fn nothing(name: &str, resource: bool) -> ConfigError {
    let problem = Problem::new("the file holds no MetalLB configuration");
    let help = if resource {
        "these are resources of MetalLB 0.13 or later; write their BGPPeer and IPAddressPool as `peers` and `address-pools`"
    } else {
        "a configuration has the keys `peers` and `address-pools`, by itself or as `data.config` of a ConfigMap"
    };
    ConfigError::whole(name.to_owned(), problem.help(help))
}

/// The documents of a file that say anything. A marker stands at the start of a line, wherever it is (YAML 9.1.2).
fn documents(text: &str) -> Vec<Range<usize>> {
    let mut documents = Vec::new();
    let (mut start, mut says, mut offset) = (0, false, 0);
    for line in text.split_inclusive('\n') {
        let marker = ["---", "..."]
            .into_iter()
            .find_map(|marker| line.strip_prefix(marker));
        let marker = marker.filter(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace));
        let content = marker.unwrap_or(line).trim_start();
        if marker.is_some() {
            if says {
                documents.push(start..offset);
            }
            (start, says) = (offset, false);
            if line.starts_with("...") {
                start += line.len();
            }
        }
        says |= !content.is_empty() && !content.starts_with(['#', '%']);
        offset += line.len();
    }
    if says {
        documents.push(start..offset);
    }
    documents
}

/// The text of one YAML document, and where that text stands in the file.
struct Document {
    text: String,
    lines: Lines,
}

enum Lines {
    /// A part of the file from this octet on.
    Verbatim(usize),
    /// A part of the file without the indentation: for each line its start in the text, and in the file.
    Dedented(Vec<(usize, usize)>),
    /// Written with escapes or folded: all of it is here.
    Rewritten(Range<usize>),
}

impl Document {
    fn new(file: &str, range: Range<usize>) -> Self {
        let start = range.start;
        Self {
            text: file.get(range).unwrap_or_default().to_owned(),
            lines: Lines::Verbatim(start),
        }
    }

    /// The document that is the value of a scalar in this one.
    fn inner(&self, scalar: Spanned<String>) -> Self {
        let lines = self
            .dedented(&scalar)
            .unwrap_or_else(|| Lines::Rewritten(self.span(self.offsets(scalar.defined))));
        Self {
            text: scalar.value,
            lines,
        }
    }

    /// A literal block scalar (YAML 8.1.2) is the lines of the file without their indentation.
    fn dedented(&self, scalar: &Spanned<String>) -> Option<Lines> {
        let first = self.offsets(scalar.defined).start;
        let mut line_start = self.text.get(..first)?.rfind('\n')? + 1;
        // The location is in the first line that is not blank.
        let is_blank = |line: &&str| line.trim().is_empty();
        let blank = scalar.value.lines().take_while(is_blank).count();
        let leading = |line: &str| line.len() - line.trim_start().len();
        let inner = leading(scalar.value.lines().nth(blank)?);
        let outer = leading(self.text.get(line_start..)?.lines().next()?);
        let indentation = outer.checked_sub(inner)?;
        for _ in 0..blank {
            line_start = self.text.get(..line_start.checked_sub(1)?)?.rfind('\n')? + 1;
        }
        let mut starts = Vec::new();
        let mut inner_start = 0;
        let rest = self.text.get(line_start..)?;
        for (inner, outer) in scalar
            .value
            .split_inclusive('\n')
            .zip(rest.split_inclusive('\n'))
        {
            // A blank line may be shorter than the indentation.
            let indented = indentation.min(outer.trim_end().len());
            if outer.get(indented..)?.trim_end() != inner.trim_end() {
                return None;
            }
            let start = line_start + indented;
            starts.push((inner_start, self.span(start..start).start));
            inner_start += inner.len();
            line_start += outer.len();
        }
        (inner_start == scalar.value.len()).then_some(Lines::Dedented(starts))
    }

    /// The document as a value; what is against it is reported.
    fn read<T: DeserializeOwned + Default>(&self, report: &mut Report<'_>) -> Option<T> {
        let options = serde_saphyr::options! { with_snippet: false };
        match serde_saphyr::from_str_with_options::<Option<T>>(&self.text, options) {
            Ok(value) => Some(value.unwrap_or_default()),
            Err(error) => {
                let offsets = self.offsets(error.location().unwrap_or(Location::UNKNOWN));
                report.error(&self.span(offsets), problem(&error));
                None
            }
        }
    }

    /// The octets of this document at a location of it.
    fn offsets(&self, location: Location) -> Range<usize> {
        let octets = |number: Option<u64>| number.and_then(|number| usize::try_from(number).ok());
        let span = location.span();
        if let (Some(start), Some(length)) = (octets(span.byte_offset()), octets(span.byte_len())) {
            return start..start + length;
        }
        let number = |number: u64| {
            usize::try_from(number)
                .unwrap_or(usize::MAX)
                .saturating_sub(1)
        };
        let line = self
            .text
            .split_inclusive('\n')
            .take(number(location.line()));
        let line_start: usize = line.map(str::len).sum();
        let column = self
            .text
            .get(line_start..)
            .unwrap_or_default()
            .chars()
            .take(number(location.column()));
        let start = line_start + column.map(char::len_utf8).sum::<usize>();
        start..start
    }

    /// The octets of the file that these octets of the document are.
    fn span(&self, offsets: Range<usize>) -> Range<usize> {
        match &self.lines {
            Lines::Verbatim(base) => base + offsets.start..base + offsets.end,
            Lines::Rewritten(whole) => whole.clone(),
            Lines::Dedented(starts) => {
                let after = starts.partition_point(|(inner, _)| *inner <= offsets.start);
                let line = after.checked_sub(1).and_then(|index| starts.get(index));
                let (inner, outer) = line.copied().unwrap_or_default();
                let start = outer + (offsets.start - inner);
                start..start + offsets.len()
            }
        }
    }
}

/// What the YAML parser, or serde, has against a document.
fn problem(error: &Error) -> Problem {
    if let Error::SerdeUnknownField {
        field, expected, ..
    } = error
    {
        return unknown_key(field, expected.iter().copied());
    }
    if let Error::DuplicateMappingKey { key, .. } = error {
        let key = key.as_deref().unwrap_or_default();
        return Problem::new(format!("the key `{key}` is there twice")).help("keep one of them");
    }
    if let Error::MultipleDocuments { .. } = error {
        return Problem::new("a second document begins here").help("keep one in `data.config`");
    }
    if let Error::NullIntoString { .. } = error {
        return Problem::new("there is no value here").help("write one, or leave the entry out");
    }
    if let Error::Unexpected { expected, .. } = error {
        return Problem::new(match *expected {
            "sequence start" => "this is not a list",
            "mapping start" => "these are not `key: value` lines",
            _ => "this is not a single value",
        });
    }
    let message = error.to_string();
    let message = message
        .split_once(" at line ")
        .map_or(message.as_str(), |(message, _)| message);
    Problem::new(message)
}
