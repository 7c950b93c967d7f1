//! Random files through SOPS and through us, both ways: what one wrote the other opens, with its checksum.

mod both_ways;
mod flux;
mod json;
mod lines;
mod model;
mod oracle;
mod ours;
mod outputs;
mod yaml;
