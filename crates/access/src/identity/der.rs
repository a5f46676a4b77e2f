//! Public keys as PEM files hold them: `SubjectPublicKeyInfo` (RFC 5280 §4.1.2.7) in DER.
//! *ring* takes what is inside.

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OBJECT_IDENTIFIER: u8 = 0x06;
const SEQUENCE: u8 = 0x30;

/// 1.2.840.113549.1.1.1, `rsaEncryption` (RFC 8017 §A.1).
const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];

/// 1.2.840.10045.2.1, `id-ecPublicKey` (RFC 5480 §2.1.1).
const ELLIPTIC_CURVE: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];

/// 1.2.840.10045.3.1.7, `secp256r1` (RFC 5480 §2.1.1.1).
const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];

/// 1.3.101.112, `id-Ed25519` (RFC 8410 §3).
const ED25519: &[u8] = &[0x2b, 0x65, 0x70];

/// A public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PublicKey<'a> {
    /// `RSAPublicKey` in DER.
    Rsa(&'a [u8]),
    /// An uncompressed point.
    P256(&'a [u8]),
    /// 32 bytes.
    Ed25519(&'a [u8]),
}

/// The key inside; `None` for any other one, and for what is no key.
pub(super) fn public_key(info: &[u8]) -> Option<PublicKey<'_>> {
    let (info, _) = take(info, SEQUENCE)?;
    let (algorithm, rest) = take(info, SEQUENCE)?;
    let (name, parameters) = take(algorithm, OBJECT_IDENTIFIER)?;
    let (bits, _) = take(rest, BIT_STRING)?;
    // The first byte counts the bits of the last one that are not used.
    let (0, key) = bits.split_first()? else {
        return None;
    };
    match name {
        RSA => Some(PublicKey::Rsa(key)),
        ELLIPTIC_CURVE => {
            let (curve, _) = take(parameters, OBJECT_IDENTIFIER)?;
            (curve == P256).then_some(PublicKey::P256(key))
        }
        ED25519 => Some(PublicKey::Ed25519(key)),
        _ => None,
    }
}

/// Whether all of this is one sequence, as keys and certificates are.
pub(super) fn is_whole(input: &[u8]) -> bool {
    take(input, SEQUENCE).is_some_and(|(_, rest)| rest.is_empty())
}

/// The modulus of an `RSAPublicKey`.
pub(super) fn rsa_modulus(key: &[u8]) -> Option<&[u8]> {
    let (key, _) = take(key, SEQUENCE)?;
    let (modulus, _) = take(key, INTEGER)?;
    Some(modulus)
}

/// An element with this tag from the beginning of the input: its content, and what
/// follows it.
fn take(input: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&found, rest) = input.split_first()?;
    if found != tag {
        return None;
    }
    let (&first, rest) = rest.split_first()?;
    if first < 0x80 {
        return rest.split_at_checked(usize::from(first));
    }
    // Two bytes count up to 64 KiB, and no key is larger.
    let count = usize::from(first & 0x7f);
    if !(1..=2).contains(&count) {
        return None;
    }
    let (length, rest) = rest.split_at_checked(count)?;
    let length = length.iter().fold(0, |n, byte| n << 8 | usize::from(*byte));
    rest.split_at_checked(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_key_is_none() {
        let good = [
            &[0x30, 0x2a, 0x30, 0x05, 0x06, 0x03][..],
            ED25519,
            &[0x03, 0x21, 0x00],
            &[7; 32],
        ]
        .concat();
        assert_eq!(public_key(&good), Some(PublicKey::Ed25519(&[7; 32])));
        for length in 0..good.len() {
            assert_eq!(public_key(&good[..length]), None, "{length} bytes");
        }
        let mut other = good;
        other[8] = 0x71;
        assert_eq!(public_key(&other), None, "Ed448");
        assert_eq!(public_key(&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff]), None);
    }
}
