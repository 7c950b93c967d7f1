//! Shamir's secret sharing over GF(2^8), byte by byte, as SOPS uses it for key groups: a share is a byte of each
//! polynomial at one point, and last the point itself.
//!
//! The arithmetic takes the same time whatever the bytes are: no tables, no branches on secrets.

use zeroize::Zeroizing;

use crate::primitives::{Random, RandomError};

/// Fewest and most shares.
const MIN: usize = 2;
const MAX: usize = 255;

/// Shares that do not make a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShareError {
    /// One share says nothing.
    #[error("at least two shares are needed")]
    TooFew,
    /// Of different lengths, or without contents.
    #[error("the shares have different lengths")]
    Length,
    /// Two of the same point, or of point zero, which is the secret itself.
    #[error("two shares are for the same point")]
    Point,
}

type Share = Zeroizing<Vec<u8>>;

/// The secret of at least as many shares as its threshold; fewer give something else, and nothing tells.
pub fn combine(shares: &[Share]) -> Result<Share, ShareError> {
    let first = shares.first().ok_or(ShareError::TooFew)?;
    if !(MIN..=MAX).contains(&shares.len()) {
        return Err(ShareError::TooFew);
    }
    let length = first.len().checked_sub(1).filter(|length| *length > 0).ok_or(ShareError::Length)?;
    if shares.iter().any(|share| share.len() != first.len()) {
        return Err(ShareError::Length);
    }
    let points: Vec<u8> = shares.iter().filter_map(|share| share.last().copied()).collect();
    let twice = |(position, point): (usize, &u8)| points[position + 1..].contains(point);
    if points.contains(&0) || points.iter().enumerate().any(twice) {
        return Err(ShareError::Point);
    }
    let mut secret = Zeroizing::new(vec![0; length]);
    for (share, point) in shares.iter().zip(&points) {
        let weight = weight(*point, &points);
        for (byte, part) in secret.iter_mut().zip(share.iter()) {
            *byte ^= multiply(*part, weight);
        }
    }
    Ok(secret)
}

/// `count` shares, of which any `threshold` make the secret. Their points are 1, 2, 3 …
pub fn split(
    random: &mut dyn Random,
    secret: &[u8],
    count: usize,
    threshold: usize,
) -> Result<Option<Vec<Share>>, RandomError> {
    if !(MIN..=count).contains(&threshold) || count > MAX || secret.is_empty() {
        return Ok(None);
    }
    let mut coefficients = Zeroizing::new(vec![0; (threshold - 1) * secret.len()]);
    random.fill(&mut coefficients)?;
    let mut shares = Vec::with_capacity(count);
    for point in (1..=u8::MAX).take(count) {
        let mut share = Zeroizing::new(Vec::with_capacity(secret.len() + 1));
        for (position, byte) in secret.iter().enumerate() {
            // Horner, from the highest power down to the secret itself.
            let powers = coefficients.iter().skip(position).step_by(secret.len());
            share.push(powers.fold(0, |sum, coefficient| multiply(sum ^ coefficient, point)) ^ byte);
        }
        share.push(point);
        shares.push(share);
    }
    Ok(Some(shares))
}

/// The value at zero of the polynomial that is one at this point and zero at all others.
fn weight(point: u8, points: &[u8]) -> u8 {
    let others = points.iter().filter(|other| **other != point);
    others.fold(1, |product, other| multiply(product, multiply(*other, inverse(*other ^ point))))
}

/// Multiplication modulo x^8 + x^4 + x^3 + x + 1.
fn multiply(a: u8, b: u8) -> u8 {
    (0..8).rev().fold(0, |sum: u8, bit| {
        let reduced = (sum << 1) ^ ((sum >> 7).wrapping_neg() & 0x1b);
        reduced ^ (((b >> bit) & 1).wrapping_neg() & a)
    })
}

/// The 254th power, which is the inverse of all but zero.
fn inverse(a: u8) -> u8 {
    let mut power = a;
    for _ in 0..6 {
        power = multiply(multiply(power, power), a);
    }
    multiply(power, power)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::OsRandom;

    #[test]
    fn every_byte_has_its_inverse() {
        for a in 1..=u8::MAX {
            assert_eq!(multiply(a, inverse(a)), 1, "{a}");
        }
        // A product that is worked out in the standard of AES.
        assert_eq!(multiply(0x57, 0x83), 0xc1);
    }

    #[test]
    fn any_shares_enough_make_the_secret() {
        let secret: Vec<u8> = (0..32).collect();
        let shares = split(&mut OsRandom, &secret, 5, 3).unwrap().unwrap();
        for (a, b, c) in [(0, 1, 2), (4, 2, 0), (1, 3, 4)] {
            let some = [shares[a].clone(), shares[b].clone(), shares[c].clone()];
            assert_eq!(combine(&some).unwrap().as_slice(), secret);
        }
        assert_eq!(combine(&shares).unwrap().as_slice(), secret, "more than enough");
        assert_ne!(combine(&shares[..2]).unwrap().as_slice(), secret);
        assert_eq!(combine(&[shares[0].clone(), shares[0].clone()]), Err(ShareError::Point));
        assert_eq!(combine(&shares[..1]), Err(ShareError::TooFew));
        assert!(
            split(&mut OsRandom, &secret, 2, 3).unwrap().is_none()
                && split(&mut OsRandom, &secret, 3, 1).unwrap().is_none()
        );
    }
}
