//! What is claimed, and which tier looks at it: read off the sources, so that no claim is forgotten by a tier unnoticed.

use std::fmt::Write;
use std::fs;
use std::io;
use std::path::Path;

/// The tiers, and where they are in this crate's sources.
const TIERS: [(&str, &str); 2] = [("model", "src/model"), ("simulation", "src/sim")];

/// Claims that a tier cannot look at, and why.
const EXCUSED: [(&str, &str, &str); 1] = [(
    "nothing_waits_for_a_deadline",
    "simulation",
    "its time always goes by, so nobody can tell what waits for a deadline from what is slow; there \
     `a_calm_promotion_is_done` and `every_cutover_ends` say it with times",
)];

/// One function of `properties.rs`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Its name.
    pub name: String,
    /// What it says, in words.
    pub words: String,
    /// By tier: whether it is called there, else why not; `None` when nobody says why.
    pub looked_at: Vec<(&'static str, Option<Look>)>,
}

/// Whether a tier looks at a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// It does.
    Called,
    /// It cannot, for this reason.
    Excused(&'static str),
}

/// All claims, in the order of the source; `root` is the repository's.
pub fn read(root: &Path) -> io::Result<Vec<Claim>> {
    let home = root.join("protocol/proof");
    let properties = fs::read_to_string(home.join("src/properties.rs"))?;
    let mut sources = Vec::new();
    for (tier, folder) in TIERS {
        let mut text = String::new();
        gather(&home.join(folder), &mut text)?;
        sources.push((tier, text));
    }
    let (mut claims, mut words) = (Vec::new(), String::new());
    for line in properties.lines() {
        if let Some(comment) = line.strip_prefix("/// ") {
            words = format!("{words} {comment}").trim().to_owned();
        } else if let Some(rest) = line.strip_prefix("pub fn ") {
            let name = rest.split('(').next().unwrap_or_default().to_owned();
            let look = |(tier, text): &(&'static str, String)| (*tier, look(tier, text, &name));
            let looked_at = sources.iter().map(look).collect();
            claims.push(Claim { name, words: std::mem::take(&mut words), looked_at });
        } else {
            words.clear();
        }
    }
    Ok(claims)
}

fn look(tier: &str, text: &str, name: &str) -> Option<Look> {
    if text.contains(&format!("properties::{name}(")) {
        return Some(Look::Called);
    }
    let excuse = EXCUSED.iter().find(|(claim, of, _)| *claim == name && *of == tier);
    excuse.map(|(_, _, why)| Look::Excused(why))
}

fn gather(folder: &Path, text: &mut String) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() { gather(&path, text)? } else { text.push_str(&fs::read_to_string(path)?) }
    }
    Ok(())
}

/// The table of `docs/proof.md`.
pub fn table(claims: &[Claim]) -> String {
    let mut text = "| claim | in words | model | simulation |\n|---|---|---|---|\n".to_owned();
    for Claim { name, words, looked_at } in claims {
        let cells = looked_at.iter().map(|(_, look)| match look {
            Some(Look::Called) => "yes".to_owned(),
            Some(Look::Excused(why)) => format!("no: {why}"),
            None => "NO".to_owned(),
        });
        // Writing to a string cannot fail.
        let _ = writeln!(text, "| `{name}` | {words} | {} |", cells.collect::<Vec<_>>().join(" | "));
    }
    text
}
