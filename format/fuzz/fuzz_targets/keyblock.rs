//! Any text as a key block: what parses is written back to the same block in both styles, and wraps never panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sealwax_format::document::{File, Syntax};
use sealwax_format::keys::single_stanza;
use sealwax_format::native::{KeyBlock, Layout};

fuzz_target!(|text: &str| {
    let Ok(file) = File::parse(text, Syntax::Yaml) else { return };
    for index in 0..file.documents.len() {
        let Ok(layout) = Layout::read(&file, index) else { continue };
        let Some(block) = &layout.block else { continue };
        same(block, layout.in_spec());
        for (_, wrap) in block.key.iter().flat_map(|key| &key.wraps) {
            let _ = single_stanza(wrap);
        }
    }
});

fn same(block: &KeyBlock, in_spec: bool) {
    let lines: Vec<_> = block.block_entries(in_spec, 0, "\n").into_iter().map(|(_, text)| text).collect();
    let flow: Vec<_> = block.flow_entries(in_spec).into_iter().map(|(_, text)| text).collect();
    for text in [lines.join("\n"), format!("{{{}}}", flow.join(", "))] {
        let file = File::parse(&text, Syntax::Yaml).unwrap();
        let root = &file.documents[0].root;
        let again =
            if in_spec { KeyBlock::parse_fields(root) } else { KeyBlock::parse_root(root.get("sealwax").unwrap()) };
        assert_eq!(again.as_ref(), Ok(block));
    }
}
