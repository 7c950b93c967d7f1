//! The key encapsulation of age's post-quantum recipients: ML-KEM-768 and X25519 joined as X-Wing (HPKE KEM 0x647a).
//!
//! Both halves must be broken to learn the shared secret: SHA3-256 over the two secrets, the X25519 share, the
//! X25519 public key and a label binds them together (draft-connolly-cfrg-xwing-kem).

use hpke::generic_array::GenericArray;
use hpke::generic_array::typenum::{Sum, U32, U96, U192, U1024};
use hpke::kem::SharedSecret;
use hpke::{Deserializable, HpkeError, Kem, Serializable};
use ml_kem::kem::{Decapsulate, DecapsulationKey, Encapsulate, EncapsulationKey};
use ml_kem::{EncodedSizeUser, KemCore, MlKem768, MlKem768Params};
use rand::{CryptoRng, RngCore};
use sha3::digest::{ExtendableOutput, Update, XofReader};
use sha3::{Digest, Sha3_256, Shake256};
use subtle::ConstantTimeEq;
use x25519_dalek::{PublicKey as X25519Public, StaticSecret};
use zeroize::{Zeroize, Zeroizing};

const MLKEM_PUBLIC_LEN: usize = 1184;
const MLKEM_CIPHERTEXT_LEN: usize = 1088;
const LABEL: &[u8; 6] = b"\\.//^\\";

/// The 32-byte seed from which both private halves follow; wiped when dropped.
#[derive(Clone)]
pub(super) struct PrivateKey(Zeroizing<[u8; 32]>);

impl PartialEq for PrivateKey {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&*other.0).into()
    }
}

impl Eq for PrivateKey {}

/// ML-KEM-768 encapsulation key, then X25519 public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PublicKey([u8; 1216]);

/// ML-KEM-768 ciphertext, then X25519 ephemeral share.
#[derive(Clone)]
pub(super) struct EncappedKey([u8; 1120]);

macro_rules! fixed_bytes {
    ($type:ty, $size:ty, $length:literal, $wrap:expr) => {
        impl Serializable for $type {
            type OutputSize = $size;

            fn write_exact(&self, buffer: &mut [u8]) {
                buffer.copy_from_slice(&self.0[..]);
            }
        }

        impl Deserializable for $type {
            fn from_bytes(bytes: &[u8]) -> Result<Self, HpkeError> {
                let fixed: [u8; $length] =
                    bytes.try_into().map_err(|_| HpkeError::IncorrectInputLength($length, bytes.len()))?;
                $wrap(fixed)
            }
        }
    };
}

fixed_bytes!(PrivateKey, U32, 32, |seed| Ok(Self(Zeroizing::new(seed))));
fixed_bytes!(EncappedKey, Sum<U1024, U96>, 1120, |bytes| Ok(Self(bytes)));
fixed_bytes!(PublicKey, Sum<U1024, U192>, 1216, |bytes: [u8; 1216]| {
    let key = Self(bytes);
    // FIPS 203 §7.2: a key whose coefficients are not reduced modulo q is refused.
    let canonical = key.mlkem()?.as_bytes().as_slice() == &key.0[..MLKEM_PUBLIC_LEN];
    if canonical { Ok(key) } else { Err(HpkeError::ValidationError) }
});

impl PublicKey {
    fn mlkem(&self) -> Result<EncapsulationKey<MlKem768Params>, HpkeError> {
        let encoded = self.0[..MLKEM_PUBLIC_LEN].try_into().map_err(|_| HpkeError::ValidationError)?;
        Ok(EncapsulationKey::from_bytes(encoded))
    }

    fn x25519(&self) -> [u8; 32] {
        last_32(&self.0)
    }
}

/// Both private halves, made from the seed for one operation.
struct Expanded {
    mlkem: DecapsulationKey<MlKem768Params>,
    mlkem_public: EncapsulationKey<MlKem768Params>,
    x25519: StaticSecret,
}

impl Expanded {
    fn new(seed: &[u8; 32]) -> Self {
        let mut stream = Shake256::default().chain(seed).finalize_xof();
        let mut halves = Zeroizing::new([[0; 32]; 3]);
        for half in halves.iter_mut() {
            stream.read(half);
        }
        let (mlkem, mlkem_public) = MlKem768::generate_deterministic(&halves[0].into(), &halves[1].into());
        Self { mlkem, mlkem_public, x25519: StaticSecret::from(halves[2]) }
    }
}

/// The KEM itself.
pub(super) struct XWing;

impl Kem for XWing {
    type PublicKey = PublicKey;
    type PrivateKey = PrivateKey;
    type EncappedKey = EncappedKey;
    type NSecret = U32;

    const KEM_ID: u16 = 0x647a;

    fn sk_to_pk(private: &PrivateKey) -> PublicKey {
        let expanded = Expanded::new(&private.0);
        let mut bytes = [0; 1216];
        bytes[..MLKEM_PUBLIC_LEN].copy_from_slice(&expanded.mlkem_public.as_bytes());
        bytes[MLKEM_PUBLIC_LEN..].copy_from_slice(X25519Public::from(&expanded.x25519).as_bytes());
        PublicKey(bytes)
    }

    /// age takes the seed itself from the random source and never derives key pairs, so the seed is used as it is.
    fn derive_keypair(seed: &[u8]) -> (PrivateKey, PublicKey) {
        let mut fixed = [0; 32];
        let length = seed.len().min(32);
        fixed[..length].copy_from_slice(&seed[..length]);
        let private = PrivateKey(Zeroizing::new(fixed));
        fixed.zeroize();
        let public = Self::sk_to_pk(&private);
        (private, public)
    }

    fn encap<R: CryptoRng + RngCore>(
        recipient: &PublicKey,
        sender: Option<(&PrivateKey, &PublicKey)>,
        random: &mut R,
    ) -> Result<(SharedSecret<Self>, EncappedKey), HpkeError> {
        if sender.is_some() {
            return Err(HpkeError::EncapError); // HPKE's authenticated mode does not exist for this KEM
        }
        let (ciphertext, mlkem_secret) = recipient.mlkem()?.encapsulate(random).map_err(|()| HpkeError::EncapError)?;
        let ephemeral = StaticSecret::random_from_rng(random);
        let share = X25519Public::from(&ephemeral);
        let x25519_secret = ephemeral.diffie_hellman(&recipient.x25519().into());
        if !x25519_secret.was_contributory() {
            return Err(HpkeError::EncapError);
        }
        let mut bytes = [0; 1120];
        bytes[..MLKEM_CIPHERTEXT_LEN].copy_from_slice(&ciphertext);
        bytes[MLKEM_CIPHERTEXT_LEN..].copy_from_slice(share.as_bytes());
        let secret = combine(&mlkem_secret, x25519_secret.as_bytes(), share.as_bytes(), &recipient.x25519());
        Ok((secret, EncappedKey(bytes)))
    }

    fn decap(
        private: &PrivateKey,
        sender: Option<&PublicKey>,
        encapped: &EncappedKey,
    ) -> Result<SharedSecret<Self>, HpkeError> {
        if sender.is_some() {
            return Err(HpkeError::DecapError);
        }
        let expanded = Expanded::new(&private.0);
        let ciphertext = encapped.0[..MLKEM_CIPHERTEXT_LEN].try_into().map_err(|_| HpkeError::DecapError)?;
        // An altered ciphertext gives a wrong secret here, not an error: ML-KEM rejects implicitly.
        let mlkem_secret = expanded.mlkem.decapsulate(&ciphertext).map_err(|()| HpkeError::DecapError)?;
        let share = last_32(&encapped.0);
        let x25519_secret = expanded.x25519.diffie_hellman(&share.into());
        if !x25519_secret.was_contributory() {
            return Err(HpkeError::DecapError);
        }
        let own = X25519Public::from(&expanded.x25519);
        Ok(combine(&mlkem_secret, x25519_secret.as_bytes(), &share, own.as_bytes()))
    }
}

fn combine(mlkem: &[u8], x25519: &[u8], share: &[u8; 32], public: &[u8; 32]) -> SharedSecret<XWing> {
    let mut hash = Sha3_256::new();
    for part in [mlkem, x25519, share, public, LABEL] {
        Digest::update(&mut hash, part);
    }
    let digest: [u8; 32] = hash.finalize().into();
    SharedSecret(GenericArray::from(digest))
}

fn last_32(bytes: &[u8]) -> [u8; 32] {
    let mut last = [0; 32];
    last.copy_from_slice(&bytes[bytes.len() - 32..]);
    last
}
