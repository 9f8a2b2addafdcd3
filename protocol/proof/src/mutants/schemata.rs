//! Many mutants in one source: each changed fragment becomes a question for the active mutant's name, and the fragment as it
//! was is the answer when nobody else has one. Text in, text out.
//!
//! White space counts as one blank when a fragment is looked for, so that one that is broken over lines elsewhere is found.

use std::ops::Range;

use super::{Change, Error, Mutant};

/// A fragment's place, and who wants what there.
struct Place<'a> {
    range: Range<usize>,
    wants: Vec<(&'a str, &'a str)>,
}

/// The source with all changes in it, each active only by its mutant's name.
pub fn rewrite(file: &str, source: &str, changes: &[(&Mutant, &Change)]) -> Result<String, Error> {
    let mut places: Vec<Place<'_>> = Vec::new();
    for (mutant, change) in changes {
        let range = locate(source, change).map_err(|what| Error::NotOnce {
            id: mutant.id.clone(),
            file: file.to_owned(),
            what,
        })?;
        let want = (mutant.id.as_str(), change.new.trim());
        match places.iter_mut().find(|place| place.range.start < range.end && range.start < place.range.end) {
            Some(place) if place.range == range && place.wants.iter().all(|(id, _)| *id != want.0) => {
                place.wants.push(want);
            }
            Some(place) => {
                return Err(Error::Overlap {
                    one: place.wants[0].0.to_owned(),
                    other: mutant.id.clone(),
                    file: file.to_owned(),
                });
            }
            None => places.push(Place { range, wants: vec![want] }),
        }
    }
    places.sort_by_key(|place| place.range.start);
    let (mut text, mut done) = (String::with_capacity(source.len() * 2), 0);
    for Place { range, wants } in places {
        text.push_str(&source[done..range.start]);
        text.push_str(&question(&source[range.clone()], &wants));
        done = range.end;
    }
    text.push_str(&source[done..]);
    Ok(text)
}

/// The fragment, behind a question for each mutant that wants something else.
fn question(old: &str, wants: &[(&str, &str)]) -> String {
    let ask =
        |(id, new): &(&str, &str)| format!("if crate::mutant::is(crate::mutant::{id}) {{ {new} }} else ");
    let asked: String = wants.iter().map(ask).collect();
    if is_statement(old) { format!("{asked}{{ {old} }}") } else { format!("({asked}{{ {old} }})") }
}

/// Whether a fragment stands for itself, so that parentheses around it would be wrong.
fn is_statement(old: &str) -> bool {
    old.ends_with(';') || ["for ", "if ", "while "].iter().any(|word| old.starts_with(word))
}

/// Where a change's fragment is, or what is wrong with it.
fn locate(source: &str, change: &Change) -> Result<Range<usize>, String> {
    let around = match &change.within {
        Some(within) => once(source, within, "`within`")?,
        None => 0..source.len(),
    };
    let inside = once(&source[around.clone()], &change.old, "`old`")?;
    Ok(around.start + inside.start..around.start + inside.end)
}

fn once(source: &str, fragment: &str, name: &str) -> Result<Range<usize>, String> {
    let words: Vec<&str> = fragment.split_whitespace().collect();
    let Some(first) = words.first() else { return Err(format!("{name} is empty")) };
    let found: Vec<Range<usize>> = source
        .match_indices(first)
        .filter_map(|(start, _)| Some(start..start + ends(&source[start..], &words)?))
        .collect();
    match found.as_slice() {
        [range] => Ok(range.clone()),
        several => Err(format!("{name} is found {} times, not once: {}", several.len(), words.join(" "))),
    }
}

/// Where these words end, if the text begins with them.
fn ends(text: &str, words: &[&str]) -> Option<usize> {
    let mut rest = text;
    for (index, word) in words.iter().enumerate() {
        if index > 0 {
            let trimmed = rest.trim_start();
            if trimmed.len() == rest.len() {
                return None;
            }
            rest = trimmed;
        }
        rest = rest.strip_prefix(word)?;
    }
    Some(text.len() - rest.len())
}

/// The module that answers the questions: a number for each name, and which one is active in this process.
pub fn module(mutants: &[Mutant]) -> String {
    let number = |(index, mutant): (usize, &Mutant)| {
        let (id, mistake, number) = (&mutant.id, &mutant.mistake, index + 1);
        format!("/// {mistake}\npub const {id}: u32 = {number};\n")
    };
    let numbers: String = mutants.iter().enumerate().map(number).collect();
    let name = |mutant: &Mutant| format!("        \"{0}\" => {0},\n", mutant.id);
    let names: String = mutants.iter().map(name).collect();
    format!(
        "//! Which planted bug is active in this process. Generated.\n\
         #![allow(dead_code, non_upper_case_globals, unreachable_pub)]\n\n\
         {numbers}\n\
         static ACTIVE: std::sync::OnceLock<u32> = std::sync::OnceLock::new();\n\n\
         /// Whether this one is.\n\
         #[inline]\n\
         pub fn is(number: u32) -> bool {{\n    *ACTIVE.get_or_init(active) == number\n}}\n\n\
         #[cold]\n\
         fn active() -> u32 {{\n    match std::env::var({variable:?}).unwrap_or_default().as_str() {{\n        \"\" => 0,\n\
         {names}        other => panic!(\"there is no mutant {{other}}\"),\n    }}\n}}\n",
        variable = super::VARIABLE,
    )
}
