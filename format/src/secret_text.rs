//! Text that holds values while it is put together: it leaves no copy behind as it grows, and is wiped when dropped.

use std::fmt;
use std::ops::Deref;

use zeroize::Zeroizing;

/// A text in the making. A `String` that grows gives its old buffer back with what is in it; this one wipes it first.
#[derive(Default)]
pub(crate) struct SecretText(Zeroizing<String>);

impl SecretText {
    /// With room for as many bytes.
    pub(crate) fn with_capacity(bytes: usize) -> Self {
        Self(Zeroizing::new(String::with_capacity(bytes)))
    }

    /// Adds a text.
    pub(crate) fn push_str(&mut self, text: &str) {
        let length = self.0.len() + text.len();
        if length > self.0.capacity() {
            let mut larger = Zeroizing::new(String::with_capacity(length.max(2 * self.0.capacity())));
            larger.push_str(&self.0);
            self.0 = larger;
        }
        self.0.push_str(text);
    }

    /// Adds a character.
    pub(crate) fn push(&mut self, c: char) {
        self.push_str(c.encode_utf8(&mut [0; 4]));
    }

    /// Adds the same character several times.
    pub(crate) fn repeat(&mut self, c: char, times: usize) {
        (0..times).for_each(|_| self.push(c));
    }

    /// The text, without a copy.
    pub(crate) fn into_text(self) -> Zeroizing<String> {
        self.0
    }

    /// The same, for a type that wipes it by itself.
    pub(crate) fn into_string(mut self) -> String {
        std::mem::take(&mut *self.0)
    }

    /// Its bytes, without a copy.
    pub(crate) fn into_bytes(self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(self.into_string().into_bytes())
    }
}

impl Deref for SecretText {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Write for SecretText {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push_str(text);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    #[test]
    fn grows_like_a_string() {
        let (mut secret, mut plain) = (SecretText::default(), String::new());
        for piece in ["", "a", "bcd", "é", &"x".repeat(1000)].iter().cycle().take(50) {
            secret.push_str(piece);
            plain.push_str(piece);
            secret.push('ß');
            plain.push('ß');
            assert_eq!(*secret, *plain);
        }
        secret.repeat('-', 3);
        write!(secret, "{}", 42).unwrap();
        assert_eq!(*secret.into_text(), plain + "---42");
    }

    #[test]
    fn the_buffer_is_replaced_by_a_larger_one_only_here() {
        let mut text = SecretText::with_capacity(8);
        for _ in 0..100 {
            let (buffer, room) = (text.as_ptr(), text.0.capacity() - text.len());
            text.push_str("abc");
            // Within its room the buffer stays, so that `String` itself never moves it.
            assert!(room < 3 || text.as_ptr() == buffer);
            assert!(text.0.capacity() >= text.len());
        }
    }
}
