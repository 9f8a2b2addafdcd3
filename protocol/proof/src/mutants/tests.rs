use std::path::Path;

use super::schemata::{module, rewrite};
use super::{Change, Error, Mutant, Tier, load, parse, plant};

fn mutant(id: &str, within: Option<&str>, old: &str, new: &str) -> Mutant {
    let change = Change {
        file: "a.rs".to_owned(),
        within: within.map(str::to_owned),
        old: old.to_owned(),
        new: new.to_owned(),
    };
    Mutant {
        id: id.to_owned(),
        mistake: "It is wrong.".to_owned(),
        tiers: vec![Tier::Model],
        scenarios: Vec::new(),
        tests: Vec::new(),
        changes: vec![change],
    }
}

fn rewritten(source: &str, mutants: &[Mutant]) -> Result<String, Error> {
    let changes: Vec<_> =
        mutants.iter().flat_map(|mutant| mutant.changes.iter().map(move |change| (mutant, change))).collect();
    rewrite("a.rs", source, &changes)
}

#[test]
fn an_expression_is_put_in_parentheses_so_that_it_can_stand_anywhere() {
    let text = rewritten("if a < b && c { d() }", &[mutant("P1", None, "a < b", "a <= b")]).unwrap();
    assert_eq!(text, "if (if crate::mutant::is(crate::mutant::P1) { a <= b } else { a < b }) && c { d() }");
}

#[test]
fn statements_stand_for_themselves_and_may_be_left_out() {
    let text = rewritten("{ a(); b(); c() }", &[mutant("P1", None, "a(); b();", "")]).unwrap();
    assert_eq!(text, "{ if crate::mutant::is(crate::mutant::P1) {  } else { a(); b(); } c() }");
    let text =
        rewritten("{ for x in y { z(x) } }", &[mutant("P1", None, "for x in y { z(x) }", "")]).unwrap();
    assert_eq!(text, "{ if crate::mutant::is(crate::mutant::P1) {  } else { for x in y { z(x) } } }");
}

#[test]
fn a_match_arm_and_a_right_hand_side_are_expressions() {
    let source = "let x = y.z(); match x { A => b(), C => d() }";
    let text =
        rewritten(source, &[mutant("P1", None, "y.z()", "y"), mutant("P2", None, "d()", "e()")]).unwrap();
    assert_eq!(
        text,
        "let x = (if crate::mutant::is(crate::mutant::P1) { y } else { y.z() }); \
         match x { A => b(), C => (if crate::mutant::is(crate::mutant::P2) { e() } else { d() }) }"
    );
}

#[test]
fn mutants_of_one_fragment_stand_behind_each_other() {
    let mutants = [mutant("P1", None, "a < b", "true"), mutant("O6", None, "a < b", "a <= b")];
    assert_eq!(
        rewritten("a < b", &mutants).unwrap(),
        "(if crate::mutant::is(crate::mutant::P1) { true } else if crate::mutant::is(crate::mutant::O6) { a <= b } else { a < b })"
    );
}

#[test]
fn mutants_that_overlap_otherwise_are_named() {
    let mutants = [mutant("P1", None, "a < b", "true"), mutant("O6", None, "b && c", "c")];
    let error = rewritten("a < b && c", &mutants).unwrap_err();
    assert!(matches!(&error, Error::Overlap { one, other, .. } if one == "P1" && other == "O6"), "{error}");
    let twice = [mutant("P1", None, "a", "b"), mutant("P1", None, "a", "c")];
    assert!(matches!(rewritten("a", &twice), Err(Error::Overlap { .. })));
}

#[test]
fn line_breaks_do_not_hide_a_fragment() {
    let text = rewritten("x\n    .y(a,\n      b)", &[mutant("P1", None, "x .y(a, b)", "z")]).unwrap();
    assert_eq!(text, "(if crate::mutant::is(crate::mutant::P1) { z } else { x\n    .y(a,\n      b) })");
    assert!(rewritten("x.y(a, b)", &[mutant("P1", None, "x .y(a, b)", "z")]).is_err());
}

#[test]
fn a_fragment_must_be_found_once_and_the_error_names_the_way_out() {
    for source in ["a a", "b"] {
        let error = rewritten(source, &[mutant("P7", None, "a", "c")]).unwrap_err().to_string();
        for part in ["P7", "a.rs", "not once", "protocol/proof/mutants"] {
            assert!(error.contains(part), "{error}");
        }
    }
    let text = rewritten("f(a) g(a)", &[mutant("P7", Some("g(a)"), "a", "c")]).unwrap();
    assert_eq!(text, "f(a) g((if crate::mutant::is(crate::mutant::P7) { c } else { a }))");
    assert!(rewritten("f(a) g(a)", &[mutant("P7", Some("h"), "a", "c")]).is_err());
    assert!(rewritten("f(a)", &[mutant("P7", None, " ", "c")]).is_err());
}

#[test]
fn the_module_knows_every_name() {
    let text = module(&[mutant("P7", None, "a", "b"), mutant("P7b", None, "a", "c")]);
    for part in ["pub const P7: u32 = 1;", "pub const P7b: u32 = 2;", "\"P7b\" => P7b,"] {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn a_page_with_an_odd_mutant_is_refused() {
    let page = |id: &str, tiers: &str, change: &str| {
        let text = format!("[[mutant]]\nid = \"{id}\"\nmistake = \"m\"\ntiers = [{tiers}]\n{change}");
        parse("page.toml", &text)
    };
    let change = "[[mutant.change]]\nfile = \"f\"\nold = \"o\"\nnew = \"n\"\n";
    assert!(page("P7", "\"model\"", change).is_ok());
    for (id, tiers, change) in [
        ("X7", "\"model\"", change),
        ("P7bb", "\"model\"", change),
        ("P", "\"model\"", change),
        ("P7", "", change),
        ("P7", "\"luck\"", change),
        ("P7", "\"model\"", ""),
        ("P7", "\"model\"", "change = []"),
    ] {
        assert!(page(id, tiers, change).is_err(), "{id} {tiers} {change}");
    }
}

/// A refactoring cannot silently drop a planted bug.
#[test]
fn every_planted_bug_applies_to_the_code_as_it_is() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mutants = load(&root).unwrap();
    let files = plant(&root, &mutants).unwrap();
    for mutant in &mutants {
        let name = format!("crate::mutant::is(crate::mutant::{})", mutant.id);
        let planted: usize = files.values().map(|text| text.matches(&name).count()).sum();
        assert_eq!(planted, mutant.changes.len(), "{}", mutant.id);
    }
}

#[test]
fn every_known_mistake_of_the_protocol_is_planted_and_ten_of_our_own() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mutants = load(&root).unwrap();
    let missing: Vec<String> = (1..=36)
        .map(|number| format!("P{number}"))
        .filter(|id| mutants.iter().all(|mutant| mutant.id != *id))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert!(mutants.iter().filter(|mutant| mutant.id.starts_with('O')).count() >= 10);
}
