//! The plaintext of one value: type, value and presentation, padded so that its length says little.

use zeroize::Zeroizing;

use crate::secret::SecretBytes;

/// Largest value in bytes.
pub const MAX_VALUE: usize = 1 << 20;
/// Largest padded plaintext: a value and its raw presentation, which may be as long with escapes and indentation.
pub(crate) const MAX_PLAINTEXT: usize = 16 * MAX_VALUE;

/// The type of a value, as the number that stands in its plaintext.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum ValueType {
    /// Text.
    String = 1,
    /// A whole number; the value is its source text.
    Int = 2,
    /// A number with a fraction, infinity or NaN; the value is its source text.
    Float = 3,
    /// A truth value; the value is its source text.
    Bool = 4,
    /// Null; the value is its source text.
    Null = 5,
    /// A date or time; the value is its source text.
    Timestamp = 6,
    /// Bytes, written in YAML as `!!binary` and base64.
    Binary = 7,
}

impl ValueType {
    fn from_number(number: u8) -> Option<Self> {
        Some(match number {
            1 => Self::String,
            2 => Self::Int,
            3 => Self::Float,
            4 => Self::Bool,
            5 => Self::Null,
            6 => Self::Timestamp,
            7 => Self::Binary,
            _ => return None,
        })
    }

    /// The word for it in messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Int => "int",
            Self::Float => "float",
            Self::Bool => "bool",
            Self::Null => "null",
            Self::Timestamp => "timestamp",
            Self::Binary => "binary",
        }
    }
}

/// What one token protects.
#[derive(Debug, PartialEq, Eq)]
pub struct Plaintext {
    /// The type of the value.
    pub value_type: ValueType,
    /// The value: decoded text or bytes, or the source text of types 2 to 6.
    pub value: SecretBytes,
    /// How the source wrote it; empty for the canonical rendering. Opaque to programs that use values.
    pub presentation: SecretBytes,
}

impl Plaintext {
    /// A value without a presentation of its own.
    pub fn canonical(value_type: ValueType, value: SecretBytes) -> Self {
        Self { value_type, value, presentation: SecretBytes::default() }
    }

    /// `u8 type ‖ u32be length ‖ value ‖ u32be length ‖ presentation ‖ zeros`; `None` above the limits.
    pub fn encode(&self) -> Option<Zeroizing<Vec<u8>>> {
        let (value, presentation) = (self.value.expose(), self.presentation.expose());
        let length = 9 + value.len() + presentation.len();
        if value.len() > MAX_VALUE || length > MAX_PLAINTEXT {
            return None;
        }
        let mut bytes = Zeroizing::new(Vec::with_capacity(padded_length(length)));
        bytes.push(self.value_type as u8);
        for part in [value, presentation] {
            bytes.extend_from_slice(&u32::try_from(part.len()).ok()?.to_be_bytes());
            bytes.extend_from_slice(part);
        }
        bytes.resize(padded_length(length), 0);
        Some(bytes)
    }

    /// The reverse; `None` for anything that [`Self::encode`] would not have written.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (&number, rest) = bytes.split_first()?;
        let value_type = ValueType::from_number(number)?;
        let (value, rest) = split_part(rest)?;
        let (presentation, padding) = split_part(rest)?;
        let used = bytes.len() - padding.len();
        let canonical = value.len() <= MAX_VALUE
            && bytes.len() <= MAX_PLAINTEXT + MAX_PLAINTEXT / 16
            && bytes.len() == padded_length(used)
            && padding.iter().all(|&b| b == 0);
        canonical.then(|| Self {
            value_type,
            value: SecretBytes::from(value.to_vec()),
            presentation: SecretBytes::from(presentation.to_vec()),
        })
    }
}

fn split_part(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(u32::from_be_bytes(*length) as usize)
}

/// At least 64 bytes, then multiples of 32, and Padmé above 256 (which keeps the overhead under 12 %).
pub(crate) fn padded_length(length: usize) -> usize {
    match length {
        0..=64 => 64,
        65..=256 => length.next_multiple_of(32),
        _ => {
            // Padmé: keep only as many leading bits of the length as its own bit length has bits.
            let exponent = length.ilog2();
            let kept = exponent.ilog2() + 1;
            length.next_multiple_of(1 << (exponent - kept))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(value: &[u8], presentation: &[u8]) -> Plaintext {
        Plaintext {
            value_type: ValueType::String,
            value: SecretBytes::from(value.to_vec()),
            presentation: SecretBytes::from(presentation.to_vec()),
        }
    }

    #[test]
    fn lengths_follow_the_steps() {
        let steps =
            [(0, 64), (64, 64), (65, 96), (97, 128), (256, 256), (257, 272), (1000, 1024), (1_048_585, 1_081_344)];
        for (length, padded) in steps {
            assert_eq!(padded_length(length), padded, "{length}");
        }
    }

    #[test]
    fn padding_is_a_fixed_point_and_stays_small() {
        for length in 0..20_000 {
            let padded = padded_length(length);
            assert!(padded >= length && padded_length(padded) == padded);
            assert!(length < 257 || padded * 100 <= length * 112);
        }
    }

    #[test]
    fn decodes_what_it_encoded_and_nothing_else() {
        let plaintext = sample(b"hunter2", b"D");
        let bytes = plaintext.encode().unwrap();
        assert_eq!(Plaintext::decode(&bytes).unwrap(), plaintext);
        let mut dirty = bytes.to_vec();
        *dirty.last_mut().unwrap() = 1;
        assert!(Plaintext::decode(&dirty).is_none(), "padding must be zero");
        let mut longer = bytes.to_vec();
        longer.extend_from_slice(&[0; 32]);
        assert!(Plaintext::decode(&longer).is_none(), "padded length must be canonical");
        let mut unknown = bytes.to_vec();
        unknown[0] = 8;
        assert!(Plaintext::decode(&unknown).is_none(), "unknown type");
        assert!(Plaintext::decode(&bytes[..5]).is_none());
    }

    #[test]
    fn refuses_values_above_the_limit() {
        assert!(sample(&vec![b'x'; MAX_VALUE], b"").encode().is_some());
        assert!(sample(&vec![b'x'; MAX_VALUE + 1], b"").encode().is_none());
    }
}
