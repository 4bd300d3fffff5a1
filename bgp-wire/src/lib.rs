//! A zero-copy BGP-4 message codec: decodes and encodes messages, without I/O, clock or runtime.
//!
//! Received octets are split into a [`Frame`]. A frame is decoded into a [`Message`] that borrows from it. An
//! [`Update`] is checked by the rules of RFC 7606 into a [`Checked`], whose values an application can use without
//! further checks:
//!
//! ```
//! use bgp_wire::{Context, Frame, Message, MessageLimit, PeerKind};
//! use bytes::BytesMut;
//!
//! // MetalLB sends this UPDATE for the first service of a pool.
//! let octets = b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x00\x31\x02\x00\x00\x00\x15\
//!     \x40\x01\x01\x02\x40\x02\x00\x40\x03\x04\xc0\xa8\x00\x6f\x40\x05\x04\x00\x00\x00\x00\x20\xc0\xa8\x0a\x01";
//! let mut received = BytesMut::from(&octets[..]);
//! let frame = Frame::split(&mut received, MessageLimit::Standard)?.expect("a whole message");
//! let context = Context::new(PeerKind::Internal);
//! let Message::Update(update) = frame.decode(&context)? else { panic!("an UPDATE") };
//! let checked = update.check()?;
//! let announced: Vec<_> = checked.announced().map(|nlri| nlri.prefix.to_string()).collect();
//! assert_eq!(announced, ["192.168.10.1/32"]);
//! assert_eq!(checked.next_hop().unwrap().to_string(), "192.168.0.111");
//! # Ok::<(), bgp_wire::DecodeError>(())
//! ```
//!
//! No input causes a panic, a read beyond its end or an allocation: views borrow from the input. Types that own their
//! data, for sending, end in `Buf`. Values of IANA registries are open newtypes with named constants.
//!
//! # Coverage
#![doc = include_str!("coverage.md")]
#![no_std]
// docs.rs shows the feature that each item needs. The attribute is unstable, and docs.rs builds with nightly Rust.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]

// The crate is `no_std` in every build, so that nothing reaches `std` by its prelude.
extern crate alloc;
#[cfg(any(test, feature = "std"))]
extern crate std;

// Runs the example of the README as a doc test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod administrator;
#[cfg(any(test, feature = "arbitrary"))]
mod arbitrary;
mod asn;
mod attribute;
mod check;
#[cfg(feature = "codec")]
mod codec;
mod community;
mod context;
#[cfg(test)]
mod coverage;
mod dissect;
mod distinct;
mod encode;
mod error;
mod extended_community;
mod family;
mod frame;
// Public for `fuzz/`, a package of its own. Compiled only with `cfg(fuzzing)`, so it is no part of the public
// interface.
#[cfg(any(test, all(fuzzing, feature = "arbitrary")))]
pub mod fuzz;
mod hold_time;
mod iana;
mod mac_address;
mod message;
mod next_hop;
mod nlri;
mod parse;
mod reason;
mod registry;
mod route_distinguisher;
mod router_id;
#[cfg(feature = "serde")]
mod serde;
mod sink;
mod text;

// Modules are private: each public name has one path, and files can be split without a breaking change.
pub use asn::{Asn, ParseAsnError};
pub use attribute::{
    Aggregator, Aigp, AsPath, AsPathBuf, AttrSet, Attribute, AttributeFlags, AttributeSet,
    ClusterList, Communities, ExtendedCommunities, Ipv6ExtendedCommunities, LargeCommunities,
    MpPrefixes, MpReach, MpUnreach, ParseAsPathError, ParseAttributesError, PmsiTunnel, PrefixSid,
    RawAttribute, RawAttributeBuf, RawAttributes, Segment, SegmentBuf, Tlv, Treatment,
    TunnelEncapsulation, TunnelOptions,
};
pub use check::{Checked, Fault, UnicastRoutes, Unusable};
#[cfg(feature = "codec")]
pub use codec::{FrameCodec, FrameError};
pub use community::{Community, LargeCommunity, ParseCommunityError};
pub use context::{Context, MessageLimit, PeerKind};
pub use dissect::{Dissection, Field, dissect};
pub use encode::{UpdateBuf, encode_announcements, encode_end_of_rib, encode_withdrawals};
pub use error::{DecodeError, EncodeError, Span};
pub use extended_community::{
    ExtendedCommunity, Ipv6ExtendedCommunity, ParseExtendedCommunityError,
};
pub use family::{Family, FamilySet, ParseFamilyError};
pub use frame::Frame;
pub use hold_time::HoldTime;
pub use iana::{
    Afi, AttributeCode, CapabilityCode, MessageType, Origin, ParameterType, PmsiTunnelType,
    RefreshSubtype, Role, Safi, SegmentType, TunnelType,
};
pub use mac_address::{MacAddress, ParseMacAddressError};
pub use message::{
    AddPathFamily, Capabilities, Capability, CapabilityBuf, CapabilityEntries, CapabilityEntry,
    ExtendedNextHop, FilterType, GracefulRestart, GracefulRestartFamily, KEEPALIVE,
    LongLivedRestartFamily, Message, MultipleLabelsFamily, Notification, NotificationBuf,
    NotificationData, Open, OpenBuf, OutboundRouteFilter, RouteFilters, RouteFiltersBuf,
    RouteRefresh, Update,
};
pub use next_hop::NextHop;
pub use nlri::{
    AnyNlri, AnyNlriBuf, ComponentType, Destination, DestinationBuf, EncodeNlri,
    EthernetSegmentIdentifier, EvpnRoute, FlowSpec, FlowSpecBuf, FlowSpecComponent, FlowSpecMatch,
    FlowSpecMatches, FlowSpecOperator, Label, LabeledPrefix, Labels, Nlri,
    ParseEthernetSegmentIdentifierError, ParseNlriError, PathId, Prefixes, RouteTargetPrefix,
    Routes, UnicastPrefix, VpnPrefix, is_bogus_prefix,
};
pub use reason::Reason;
pub use route_distinguisher::{ParseRouteDistinguisherError, RouteDistinguisher};
pub use router_id::{ParseRouterIdError, RouterId};
pub use text::ParseValueError;
