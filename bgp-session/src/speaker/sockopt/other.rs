//! The socket options of systems other than Linux and Android. They have no common interface for keys, the minimum TTL,
//! devices or a user timeout.

use std::io;
use std::time::Duration;

use ipnet::IpNet;
use socket2::Socket;

use super::KeyedSocket;
use crate::config::{AoKey, Md5Key};
use crate::speaker::support::TransportOption;

/// The options that this system has, and others may lack.
pub(in crate::speaker) const SUPPORTED: &[TransportOption] = if cfg!(windows) {
    &[]
} else {
    &[TransportOption::Dscp]
};

/// Succeeds for `None`: no key can have been set.
pub(in crate::speaker) fn set_md5_key(
    keyed: KeyedSocket<'_>,
    peers: IpNet,
    key: Option<&Md5Key>,
) -> io::Result<()> {
    let (_, _, _) = (keyed.socket, keyed.mapped, peers);
    key.map_or(Ok(()), |_| unsupported(TransportOption::Md5Key))
}

pub(in crate::speaker) fn add_ao_key(
    keyed: KeyedSocket<'_>,
    peers: IpNet,
    key: &AoKey,
) -> io::Result<()> {
    let (_, _, _) = (keyed, peers, key);
    unsupported(TransportOption::AoKey)
}

pub(in crate::speaker) fn delete_ao_key(
    keyed: KeyedSocket<'_>,
    peers: IpNet,
    key: &AoKey,
) -> io::Result<()> {
    let (_, _, _) = (keyed, peers, key);
    unsupported(TransportOption::AoKey)
}

/// Succeeds for 0, the minimum of every socket.
pub(in crate::speaker) fn set_min_ttl(_: &Socket, _: bool, ttl: u8) -> io::Result<()> {
    if ttl == 0 {
        Ok(())
    } else {
        unsupported(TransportOption::TtlSecurity)
    }
}

pub(in crate::speaker) fn bind_device(_: &Socket, _: &str) -> io::Result<()> {
    unsupported(TransportOption::Device)
}

pub(in crate::speaker) fn interface_index(_: &str) -> io::Result<u32> {
    unsupported(TransportOption::Device)
}

pub(in crate::speaker) fn set_user_timeout(_: &Socket, _: Duration) -> io::Result<()> {
    unsupported(TransportOption::UserTimeout)
}

fn unsupported<T>(option: TransportOption) -> io::Result<T> {
    let message = format!("this system does not support {option}");
    Err(io::Error::new(io::ErrorKind::Unsupported, message))
}
