//! Ports for servers.

use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::net::{TcpListener, UdpSocket};
use std::ops::{Range, RangeInclusive};

/// Ports that every user may listen on and that few programs use.
const CANDIDATES: Range<u16> = 10_000..u16::MAX;

/// A free port of the loopback interface, reserved until it is dropped.
///
/// The kernel takes the ports of outgoing connections from a range of its own. It could take the port
/// of a server that was killed before that starts again, so this port lies outside of the range.
pub(crate) struct Port {
    number: u16,
    /// Socket with the same number. It disturbs no TCP server, and every other process that reserves
    /// a port in this way passes over it.
    _reservation: UdpSocket,
}

impl Port {
    pub(crate) fn reserve() -> Self {
        let outgoing = outgoing_ports();
        let mut ports: Vec<_> = CANDIDATES.filter(|port| !outgoing.contains(port)).collect();
        if ports.is_empty() {
            ports.extend(CANDIDATES);
        }
        // Processes that start at the same time begin their search in different places.
        let start = RandomState::new().hash_one(()) % ports.len() as u64;
        ports.rotate_left(usize::try_from(start).expect("less than the number of ports"));
        ports.into_iter().find_map(Self::reserve_number).expect("a free port")
    }

    /// Reserves one port, unless it is in use.
    fn reserve_number(number: u16) -> Option<Self> {
        let reservation = UdpSocket::bind(("127.0.0.1", number)).ok()?;
        TcpListener::bind(("127.0.0.1", number)).ok()?;
        Some(Self { number, _reservation: reservation })
    }

    pub(crate) fn number(&self) -> u16 {
        self.number
    }
}

/// Ports that the kernel gives to outgoing connections: see ip(7).
fn outgoing_ports() -> RangeInclusive<u16> {
    let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let mut bounds = range.split_whitespace().filter_map(|bound| bound.parse().ok());
    bounds.next().unwrap_or(32_768)..=bounds.next().unwrap_or(60_999)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_outgoing_connection_takes_the_port() {
        assert!(!outgoing_ports().contains(&Port::reserve().number()));
    }

    #[test]
    fn a_port_is_reserved_once_at_a_time() {
        let port = Port::reserve();
        assert!(Port::reserve_number(port.number()).is_none());
    }

    #[test]
    fn a_port_with_a_server_is_not_reserved() {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let number = server.local_addr().unwrap().port();
        assert!(Port::reserve_number(number).is_none());
    }
}
