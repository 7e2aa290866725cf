//! Addresses of machines: IP versions four and six, MAC.

use super::{Look, Sighting};
use crate::classify::kind::Place;

/// Recognises them.
pub(super) fn recognise(look: &Look<'_>, seen: &mut Sighting) {
    let text = look.text;
    if text.len() > 60 || look.spaces > 0 || look.wide > 0 {
        return;
    }
    if look.dots == 3 && look.letters == 0 {
        let host = text.split(['/', ':']).next().unwrap_or(text);
        if let Some(octets) = ip_4(host) {
            seen.may_be(Place::Ip);
            // Four small numbers are a version as well: 1.2.3.4, 10.0.1.0 is both.
            if octets.iter().any(|octet| *octet > 31) {
                seen.is(Place::Ip);
            }
        }
    } else if look.colons == 5 && is_mac(text, b':')
        || look.dashes == 5 && is_mac(text, b'-')
        || look.dots == 2 && text.len() == 14 && is_cisco_mac(text)
    {
        seen.is(Place::Mac);
    } else if look.colons >= 2 && is_ip_6(text) {
        seen.is(Place::Ip);
    } else if text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        seen.may_be(Place::Mac);
    }
}

/// Four numbers below 256, without leading zeros.
fn ip_4(text: &str) -> Option<[u16; 4]> {
    let mut octets = [0; 4];
    let mut parts = text.split('.');
    for octet in &mut octets {
        let part = parts.next()?;
        let is_plain = matches!(part.len(), 1..=3) && (part.len() == 1 || !part.starts_with('0'));
        *octet = is_plain.then(|| part.parse().ok()).flatten()?;
    }
    (parts.next().is_none() && octets.iter().all(|octet| *octet < 256)).then_some(octets)
}

fn is_mac(text: &str, separator: u8) -> bool {
    text.len() == 17
        && text.bytes().enumerate().all(|(place, byte)| match place % 3 {
            2 => byte == separator,
            _ => byte.is_ascii_hexdigit(),
        })
}

/// `0123.4567.89ab`
fn is_cisco_mac(text: &str) -> bool {
    text.bytes().enumerate().all(|(place, byte)| match place % 5 {
        4 => byte == b'.',
        _ => byte.is_ascii_hexdigit(),
    })
}

/// Eight groups of up to four hexadecimal digits, or fewer with one `::`.
fn is_ip_6(text: &str) -> bool {
    let text = text.split(['%', '/']).next().unwrap_or(text);
    let text = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let mut gaps = text.matches("::");
    let has_gap = gaps.next().is_some();
    if gaps.next().is_some() || text.contains(":::") {
        return false;
    }
    let mut groups = 0;
    for group in text.split(':').filter(|group| !group.is_empty()) {
        if group.contains('.') {
            groups += 1;
            if ip_4(group).is_none() {
                return false;
            }
        } else if group.len() > 4 || !group.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return false;
        }
        groups += 1;
    }
    // `::` alone, or a time such as `10:20:30`, is not worth a finding.
    if has_gap { (2..8).contains(&groups) } else { groups == 8 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classify::values::recognise as all;

    fn is(text: &str, place: Place) -> bool {
        all(&Look::at(text)).matched.has(place)
    }

    #[test]
    fn addresses_of_machines_are_recognised() {
        for text in [
            "192.0.2.17",
            "203.0.113.255",
            "198.51.100.7:8080",
            "192.0.2.0/24",
            "2001:db8::1",
            "fe80::1%eth0",
            "2001:db8:0:0:0:0:0:1",
        ] {
            assert!(is(text, Place::Ip), "{text}");
        }
        for text in ["00:00:5e:00:53:af", "00-00-5E-00-53-AF", "0000.5e00.53af"] {
            assert!(is(text, Place::Mac), "{text}");
        }
    }

    #[test]
    fn versions_and_times_are_no_addresses() {
        for text in [
            "1.2.3.4",
            "10.4.0.1",
            "4.18.0",
            "10:20:30",
            "256.1.1.1",
            "1.2.3",
            "192.0.2.017",
            "std::vec",
            "12:34",
        ] {
            assert!(!is(text, Place::Ip), "{text}");
        }
        assert!(!is("00:00:5e:00:53", Place::Mac));
    }
}
