//! Ranges of addresses, as Go's `net/netip` reads them and Envoy and Kubernetes compare them.

use core::net::IpAddr;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    address: IpAddr,
    length: u8,
}

impl Range {
    /// `10.0.0.0/8`, `fd00::/8`, or one address; `None`: it is neither.
    pub fn parse(text: &str) -> Option<Range> {
        let Some((address, length)) = text.split_once('/') else {
            let address: IpAddr = text.parse().ok()?;
            let length = most(address);
            return Some(Range { address, length });
        };
        let address: IpAddr = address.parse().ok()?;
        let plain = length.len() == 1 || !length.starts_with(['0', '+']);
        let length: u8 = length.parse().ok().filter(|_| plain)?;
        (length <= most(address)).then_some(Range { address, length })
    }

    pub fn holds(&self, other: IpAddr) -> bool {
        match (self.address, other) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let shift = 32 - u32::from(self.length);
                let cut = |bits: u32| bits.checked_shr(shift).unwrap_or(0);
                cut(own.to_bits()) == cut(other.to_bits())
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let shift = 128 - u32::from(self.length);
                let cut = |bits: u128| bits.checked_shr(shift).unwrap_or(0);
                cut(own.to_bits()) == cut(other.to_bits())
            }
            _ => false,
        }
    }
}

fn most(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_range_holds() {
        for (range, address, expected) in [
            ("10.0.0.0/8", "10.255.0.1", Some(true)),
            ("10.1.2.3/8", "10.255.0.1", Some(true)),
            ("10.0.0.0/8", "11.0.0.1", Some(false)),
            ("0.0.0.0/0", "11.0.0.1", Some(true)),
            ("0.0.0.0/0", "fd00::1", Some(false)),
            ("::/0", "fd00::1", Some(true)),
            ("fd00::/8", "fd12::1", Some(true)),
            ("10.0.0.1", "10.0.0.1", Some(true)),
            ("10.0.0.1", "10.0.0.2", Some(false)),
            ("10.0.0.0/33", "10.0.0.2", None),
            ("10.0.0.0/08", "10.0.0.2", None),
            ("web", "10.0.0.2", None),
        ] {
            let found = Range::parse(range).map(|range| range.holds(address.parse().unwrap()));
            assert_eq!(found, expected, "{range} {address}");
        }
    }
}
