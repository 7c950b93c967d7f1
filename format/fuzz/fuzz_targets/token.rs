//! Any text: what parses as a token is written back identically, and paths and patterns never panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sealwax_format::native::Token;
use sealwax_format::{Path, Pattern};

fuzz_target!(|text: &str| {
    if let Ok(token) = Token::parse(text) {
        assert_eq!(token.to_string(), text);
    }
    if let Ok(path) = Path::parse(text) {
        if let Ok(pattern) = Pattern::parse(text) {
            let _ = pattern.matches(&path);
        }
        if !text.chars().any(|c| c.is_control() || !c.is_ascii()) {
            assert_eq!(Path::parse(&path.to_string()), Ok(path));
        }
    }
});
