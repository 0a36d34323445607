//! Which addresses may be dialled. A name is resolved once, every address is checked, and only checked ones are dialled:
//! a name that answers differently the second time finds nobody asking.

use std::error::Error;
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::Host;

use super::names;

/// What a client of its own is built for.
#[derive(Debug, Clone)]
pub(super) enum Gate {
    /// The public internet and the nets that the operator lets through: for https.
    Guarded(Arc<[IpNet]>),
    /// The nets that the operator lets through alone: for plain http.
    Listed(Arc<[IpNet]>),
    /// Any: for a host that the operator has redirected himself.
    Open,
}

/// In a connect error's chain: the name has addresses, and none may be dialled.
#[derive(Debug)]
pub(super) struct Blocked;

impl Blocked {
    /// What somebody is told who named the address himself.
    pub(super) const ADDRESS: &str = "its address is private or reserved: only public ones are fetched from";
}

impl fmt::Display for Blocked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name's addresses are private or reserved; [egress] allow lets a net through")
    }
}

impl Error for Blocked {}

impl Gate {
    /// A name is resolved and checked by the client's resolver, which an address never reaches.
    pub(super) fn permits_host(&self, host: &Host<&str>) -> bool {
        match *host {
            Host::Domain(_) => true,
            Host::Ipv4(address) => self.permits(address.into()),
            Host::Ipv6(address) => self.permits(address.into()),
        }
    }

    pub(super) fn permits(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let listed = |nets: &[IpNet]| nets.iter().any(|net| net.contains(&address));
        match self {
            Self::Guarded(nets) => listed(nets) || is_public(address),
            Self::Listed(nets) => listed(nets),
            Self::Open => true,
        }
    }
}

impl Gate {
    /// The host's addresses that may be dialled; none where it has some, and may be reached at none of them.
    pub(super) async fn addresses(&self, host: &str, port: u16) -> io::Result<Option<Vec<SocketAddr>>> {
        let found = names::addresses_of(host, port).await?;
        let permitted: Vec<SocketAddr> = found.iter().copied().filter(|address| self.permits(address.ip())).collect();
        Ok((found.is_empty() || !permitted.is_empty()).then_some(permitted))
    }
}

impl Resolve for Gate {
    fn resolve(&self, name: Name) -> Resolving {
        let gate = self.clone();
        Box::pin(async move {
            let permitted = gate.addresses(name.as_str(), 0).await?.ok_or(Blocked)?;
            Ok(Box::new(permitted.into_iter()) as Addrs)
        })
    }
}

/// Everything that isn't globally reachable, by the IANA special-purpose registries
/// (<https://www.iana.org/assignments/iana-ipv4-special-registry>), multicast, and the clouds' metadata services.
const BLOCKED_V4: &[(Ipv4Addr, u8)] = &[
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    // Azure's metadata and DHCP service, on a public address.
    (Ipv4Addr::new(168, 63, 129, 16), 32),
    // Link-local; 169.254.169.254 is the metadata service of most clouds.
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    (Ipv4Addr::new(240, 0, 0, 0), 4),
];

/// All that is globally routed; and, within it, what isn't a host's own address.
const GLOBAL_V6: (Ipv6Addr, u8) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);
const BLOCKED_V6: &[(Ipv6Addr, u8)] = &[
    // Protocol assignments: Teredo, ORCHID, benchmarking.
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    // Documentation.
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
    // 6to4 tunnels to any IPv4 address.
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
];

/// An IPv4 address behind a NAT64, as it is reached from networks without IPv4 (RFC 6052).
const NAT64: (Ipv6Addr, u8) = (Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96);

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !BLOCKED_V4.iter().any(|net| within_v4(*net, address)),
        IpAddr::V6(address) if within_v6(NAT64, address) => {
            let [.., a, b, c, d] = address.octets();
            is_public(IpAddr::V4(Ipv4Addr::new(a, b, c, d)))
        }
        // An allow list: loopback, mapped, compatible, unique local, link-local and multicast addresses lie outside.
        IpAddr::V6(address) => within_v6(GLOBAL_V6, address) && !BLOCKED_V6.iter().any(|net| within_v6(*net, address)),
    }
}

fn within_v4((net, prefix): (Ipv4Addr, u8), address: Ipv4Addr) -> bool {
    Ipv4Net::new_assert(net, prefix).contains(&address)
}

fn within_v6((net, prefix): (Ipv6Addr, u8), address: Ipv6Addr) -> bool {
    Ipv6Net::new_assert(net, prefix).contains(&address)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guarded(allow: &[&str]) -> Gate {
        Gate::Guarded(allow.iter().map(|net| net.parse().unwrap()).collect())
    }

    #[test]
    fn only_public_addresses_are_dialled() {
        for blocked in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "100.100.100.200",
            "127.0.0.1",
            "168.63.129.16",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "64:ff9b::10.0.0.1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::1",
            "2002:7f00:1::",
            "2001::1",
            "2001:db8::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!guarded(&[]).permits(blocked.parse().unwrap()), "{blocked}");
        }
        for public in [
            "149.154.167.220",
            "172.15.0.1",
            "172.32.0.1",
            "100.128.0.1",
            "2001:67c:4e8:f004::9",
            "64:ff9b::149.154.167.220",
            "::ffff:1.1.1.1",
        ] {
            assert!(guarded(&[]).permits(public.parse().unwrap()), "{public}");
        }
    }

    #[test]
    fn a_listed_net_is_let_through_in_every_notation() {
        let gate = guarded(&["127.0.0.0/8", "fd00::/8"]);
        for through in ["127.0.0.1", "::ffff:127.0.0.1", "fd00::1", "1.1.1.1"] {
            assert!(gate.permits(through.parse().unwrap()), "{through}");
        }
        assert!(!gate.permits("10.0.0.1".parse().unwrap()) && !gate.permits("::1".parse().unwrap()));
        let Gate::Guarded(nets) = gate else { unreachable!() };
        assert!(!Gate::Listed(nets).permits("1.1.1.1".parse().unwrap()), "plain http goes to listed nets alone");
    }

    #[tokio::test]
    async fn a_name_of_private_addresses_is_blocked() {
        let refused = guarded(&[]).resolve("localhost".parse().unwrap()).await.err().unwrap();
        assert!(refused.is::<Blocked>(), "{refused}");
        assert!(guarded(&["127.0.0.0/8"]).resolve("localhost".parse().unwrap()).await.unwrap().all(|found| found.is_ipv4()));
    }
}
