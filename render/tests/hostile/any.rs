//! Templates that nobody thought of: whatever they say, they end, and tell no value.

use proptest::prelude::*;

use super::one;

const FUNCTIONS: &str = "print println printf html js urlquery toString quote squote cat upper lower title trim trimAll replace \
    repeat substr trunc contains hasPrefix indent nindent split splitList join regexMatch regexFind regexReplaceAll regexSplit \
    list append prepend concat first last rest initial reverse uniq compact has without sortAlpha until dict get hasKey keys \
    values pick omit merge default empty coalesce ternary required b64enc b64dec b64urlenc b64urldec b32enc b32dec sha256sum \
    fromJson toJson toPrettyJson int float64 add sub mul div mod max min filterPEM filterCertChain certSANs eq ne lt slice len \
    index and or not call";

fn expression() -> impl Strategy<Value = String> {
    let literals = [
        ".",
        "$",
        "$x",
        "$y",
        ".password",
        ".binary",
        ".json",
        "(fromJson .json).more",
        "nil",
        "true",
        "\"%[1]9v%q\"",
        "``",
        "`(a|.)*?$`",
    ];
    let leaf = prop_oneof![
        proptest::sample::select(literals.to_vec()).prop_map(str::to_owned),
        (-3_i64..100_000).prop_map(|number| number.to_string()),
        "\"[a-z{}%.\\[]{0,9}\"",
    ];
    let names: Vec<&str> = FUNCTIONS.split_whitespace().collect();
    leaf.prop_recursive(4, 24, 4, move |inner| {
        (proptest::sample::select(names.clone()), proptest::collection::vec(inner, 0..4))
            .prop_map(|(name, arguments)| format!("({name} {})", arguments.join(" ")))
    })
}

fn template() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        4 => expression().prop_map(|value| format!("{{{{ {value} }}}}")),
        6 => (0..2_usize, expression()).prop_map(|(name, value)| format!("{{{{ ${} = {value} }}}}", ["x", "y"][name])),
        1 => "[a-z{}\"(|]{0,6}",
    ];
    let body = proptest::collection::vec(line, 1..4).prop_map(|lines| lines.concat());
    let blocks = body.prop_recursive(3, 16, 3, |inner| {
        let word = proptest::sample::select(vec!["range", "range $i, $x :=", "with", "if", "range until"]);
        (word, expression(), proptest::collection::vec(inner, 1..3)).prop_map(|(word, value, bodies)| {
            format!("{{{{ {word} {value} }}}}{}{{{{ end }}}}", bodies.join("{{ else }}"))
        })
    });
    proptest::collection::vec(blocks, 1..4)
        .prop_map(|blocks| format!("{{{{ $x := .password }}}}{{{{ $y := list 1 $x }}}}{}", blocks.concat()))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, max_shrink_time: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_a_template_says_it_ends(source in template()) {
        drop(one(source));
    }

    #[test]
    fn whatever_is_no_template_ends(source in "(\\{\\{-? ?|-?\\}\\}|if|end|else|range|[$.a-z()|:=\"` ]){0,40}") {
        drop(one(source));
    }
}
