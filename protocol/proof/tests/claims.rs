//! No claim is looked at by one tier only without a reason, and the page says which tier looks at which.

use std::path::Path;

use tidegate_proof::claims::{Look, read, table};

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

#[test]
fn every_tier_looks_at_every_claim_or_says_why_not() {
    let claims = read(root()).expect("the sources");
    assert!(claims.len() >= 24, "only {} claims are found", claims.len());
    for claim in &claims {
        assert!(!claim.words.is_empty(), "{} has no words", claim.name);
        for (tier, look) in &claim.looked_at {
            assert!(
                look.is_some(),
                "the {tier} does not call {}, and src/claims.rs does not say why",
                claim.name
            );
        }
        let called = claim.looked_at.iter().any(|(_, look)| *look == Some(Look::Called));
        assert!(called, "nobody calls {}", claim.name);
    }
}

#[test]
fn the_page_has_the_table_of_claims() {
    let expected = table(&read(root()).expect("the sources"));
    let page = std::fs::read_to_string(root().join("docs/proof.md")).expect("the page");
    assert!(page.contains(&expected), "docs/proof.md lacks this table; put it there:\n{expected}");
}
