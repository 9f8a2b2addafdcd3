//! Planted bugs: mistakes that somebody has made or could make, each as a small change of the code that ships.
//!
//! They are data (`protocol/proof/mutants/*.toml`), so that the product's code knows nothing of them. All of them are
//! written into one copy of the code ([`workspace`]), each behind a question for its name ([`schemata`]): it is compiled once,
//! and an environment variable says which one is active in a run.

pub mod schemata;
#[cfg(test)]
mod tests;
pub mod workspace;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::Deserialize;

/// Names the active mutant for a process that was built from the copy; without it the copy behaves as the original.
pub const VARIABLE: &str = "TIDEGATE_MUTANT";

/// Where the planted bugs are, from the repository's root.
pub const FOLDER: &str = "protocol/proof/mutants";

/// Who may catch a mutant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Tier {
    /// Random worlds, by seed.
    Simulation,
    /// Exhausted small worlds.
    Model,
    /// The conformance suite of stores and the directory store's own tests.
    Store,
    /// The agent's tests, on real stores.
    Agent,
}

impl Tier {
    /// As in the files.
    pub fn name(self) -> &'static str {
        match self {
            Tier::Simulation => "simulation",
            Tier::Model => "model",
            Tier::Store => "store",
            Tier::Agent => "agent",
        }
    }
}

/// One mistake.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mutant {
    /// `P…` as in the list of known mistakes, `O…` for others.
    pub id: String,
    /// What is done wrong, in one sentence.
    pub mistake: String,
    /// Who may catch it; the first one is asked first.
    pub tiers: Vec<Tier>,
    /// Scenarios of the model that are enough to catch it; all of the tests' when none is named.
    #[serde(default)]
    pub scenarios: Vec<String>,
    /// Tests of stores and agents that are enough to catch it, by their names; all of the tier's when none is named.
    #[serde(default)]
    pub tests: Vec<String>,
    /// What is changed; several where one guard stands behind another.
    #[serde(rename = "change")]
    pub changes: Vec<Change>,
}

/// One fragment of the code that is replaced.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// The file, from the repository's root.
    pub file: String,
    /// A piece of the file, found once, in which `old` is found once; the whole file when left out.
    pub within: Option<String>,
    /// An expression or some statements, as they are.
    pub old: String,
    /// What is done instead.
    pub new: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Page {
    mutant: Vec<Mutant>,
}

/// Why planted bugs cannot be planted.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file.
    #[error("{path}: {cause}")]
    File {
        /// Which.
        path: String,
        /// Why.
        cause: std::io::Error,
    },
    /// A page of mutants, or a manifest.
    #[error("{path} cannot be read: {cause}")]
    Unreadable {
        /// Which.
        path: String,
        /// Why.
        cause: String,
    },
    /// Two mutants of one name, or one without a change.
    #[error("mutant {id} {what}")]
    Odd {
        /// Which.
        id: String,
        /// What is odd.
        what: &'static str,
    },
    /// The code has changed.
    #[error(
        "mutant {id}: {file}: {what}; the code has changed: write the mistake into {FOLDER} as it would be made now, or widen \
         `within`"
    )]
    NotOnce {
        /// Which mutant.
        id: String,
        /// In which file.
        file: String,
        /// What was found how often.
        what: String,
    },
    /// Only mutants of the very same fragment can stand in one place.
    #[error(
        "mutants {one} and {other} overlap in {file}: let both name the same fragment, or two that do not touch"
    )]
    Overlap {
        /// One of them.
        one: String,
        /// The other one.
        other: String,
        /// In which file.
        file: String,
    },
}

/// Reads a file; the error names it.
pub(crate) fn read(path: &Path) -> Result<String, Error> {
    fs::read_to_string(path).map_err(|cause| Error::File { path: path.display().to_string(), cause })
}

/// All mutants, those of the known mistakes first, in the order of their numbers.
pub fn load(root: &Path) -> Result<Vec<Mutant>, Error> {
    let folder = root.join(FOLDER);
    let failed = |cause| Error::File { path: folder.display().to_string(), cause };
    let mut mutants = Vec::new();
    for entry in fs::read_dir(&folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            mutants.extend(parse(&path.display().to_string(), &read(&path)?)?);
        }
    }
    mutants.sort_by_key(|mutant| order(&mutant.id));
    let twice = mutants.windows(2).find(|pair| pair[0].id == pair[1].id);
    match twice {
        Some(pair) => Err(Error::Odd { id: pair[0].id.clone(), what: "is there twice" }),
        None => Ok(mutants),
    }
}

/// One page of mutants.
pub fn parse(path: &str, text: &str) -> Result<Vec<Mutant>, Error> {
    let page: Page = toml::from_str(text)
        .map_err(|cause| Error::Unreadable { path: path.to_owned(), cause: cause.to_string() })?;
    let odd = |mutant: &Mutant| match mutant {
        Mutant { changes, .. } if changes.is_empty() => Some("changes nothing"),
        Mutant { tiers, .. } if tiers.is_empty() => Some("can be caught by nobody"),
        Mutant { id, .. } if number(id).is_none() => Some("is not named like P7, P7b or O3"),
        Mutant { .. } => None,
    };
    match page.mutant.iter().find_map(|mutant| odd(mutant).map(|what| (mutant, what))) {
        Some((mutant, what)) => Err(Error::Odd { id: mutant.id.clone(), what }),
        None => Ok(page.mutant),
    }
}

/// The number in `P7b`.
fn number(id: &str) -> Option<u32> {
    let rest = id.strip_prefix(['P', 'O'])?;
    let digits = rest.trim_end_matches(|letter: char| letter.is_ascii_lowercase());
    (rest.len() - digits.len() <= 1).then(|| digits.parse().ok())?
}

/// `P…` before `O…`, by number, then by letter.
fn order(id: &str) -> (bool, Option<u32>, String) {
    (id.starts_with('O'), number(id), id.to_owned())
}

/// Every file that is changed, with its mutants written in.
pub fn plant(root: &Path, mutants: &[Mutant]) -> Result<BTreeMap<String, String>, Error> {
    let mut files: BTreeMap<&str, Vec<(&Mutant, &Change)>> = BTreeMap::new();
    for mutant in mutants {
        for change in &mutant.changes {
            files.entry(&change.file).or_default().push((mutant, change));
        }
    }
    let write = |(file, changes): (&str, Vec<(&Mutant, &Change)>)| {
        let source = read(&root.join(file))?;
        Ok((file.to_owned(), schemata::rewrite(file, &source, &changes)?))
    };
    files.into_iter().map(write).collect()
}
