//! Random files through SOPS and through us, both ways: what one wrote the other opens, with its checksum.
#![expect(clippy::unwrap_in_result, reason = "what is no answer of SOPS's is a failing test")]

mod both_ways;
mod expressions;
mod flux;
mod json;
mod lines;
mod matrix;
mod model;
mod oracle;
mod ours;
mod outputs;
mod streams;
mod yaml;
