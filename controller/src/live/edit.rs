//! Which attempts have edited a resource: each edits it once. They stand in annotations, the newest last.

use kube::ResourceExt as _;

use crate::arguments::Attempt;
use crate::exit::{Exit, Failure};
use crate::resource::FlinkBlueGreenDeployment;

/// Of the version that is wanted.
pub(super) const VERSION: &str = "tidegate.io/edit";
/// Of the pause.
pub(super) const PAUSE: &str = "tidegate.io/pause";
/// So many are remembered.
const KEPT: usize = 10;

/// Whether an attempt has made its edit.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Made {
    /// Nothing is known of it.
    Not,
    /// And none after it.
    Last,
    /// And another one has made its own after it.
    Before,
}

/// Looks for the id that was typed. One that was made up is always new.
pub(super) fn look(resource: &FlinkBlueGreenDeployment, annotation: &str, attempt: &Attempt) -> Made {
    let Some(wanted) = &attempt.id else { return Made::Not };
    let ids = ids(Some(resource), annotation);
    match ids.iter().position(|id| id == wanted) {
        None => Made::Not,
        Some(at) if at + 1 == ids.len() => Made::Last,
        Some(_) => Made::Before,
    }
}

/// Whether the edit stands already; fenced when another one took its place, so that nothing newer is undone.
pub(super) fn stands(resource: &FlinkBlueGreenDeployment, attempt: &Attempt) -> Result<bool, Failure> {
    match look(resource, VERSION, attempt) {
        Made::Not => Ok(false),
        Made::Last => Ok(true),
        Made::Before => Err(fenced(attempt, "another attempt has changed the version after it")),
    }
}

/// Nothing is done a second time.
pub(super) fn fenced(attempt: &Attempt, what: &str) -> Failure {
    let id = attempt.id.as_deref().unwrap_or_default();
    let message = format!(
        "attempt {id} was carried out, and {what}; nothing is done again: look with `tidegate history`, and take a new --id to mean it"
    );
    Failure::new(Exit::Fenced, "Fenced", message)
}

/// What the annotation says after this attempt.
pub(super) fn with(
    resource: Option<&FlinkBlueGreenDeployment>,
    annotation: &str,
    attempt: &Attempt,
) -> String {
    let mut ids = ids(resource, annotation);
    ids.push(attempt.id());
    let surplus = ids.len().saturating_sub(KEPT);
    ids.drain(..surplus);
    ids.join(" ")
}

fn ids(resource: Option<&FlinkBlueGreenDeployment>, annotation: &str) -> Vec<String> {
    let text = resource.and_then(|resource| resource.annotations().get(annotation));
    text.map(|text| text.split_whitespace().map(str::to_owned).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::fate::tests::resource;
    use super::*;

    fn attempt(id: &str) -> Attempt {
        Attempt { id: Some(id.to_owned()) }
    }

    #[test]
    fn each_attempt_edits_once_and_undoes_nothing_newer() {
        let mut edited = resource(json!({}));
        for id in ["one", "two"] {
            assert_eq!(look(&edited, VERSION, &attempt(id)), Made::Not);
            let text = with(Some(&edited), VERSION, &attempt(id));
            edited.annotations_mut().insert(VERSION.to_owned(), text);
        }
        assert!(stands(&edited, &attempt("two")).unwrap());
        assert!(!stands(&edited, &attempt("three")).unwrap());
        assert!(!stands(&edited, &Attempt { id: None }).unwrap());
        assert_eq!(stands(&edited, &attempt("one")).unwrap_err().exit, Exit::Fenced);
        assert_eq!(look(&edited, PAUSE, &attempt("one")), Made::Not);
    }

    #[test]
    fn the_newest_are_remembered() {
        let mut edited = resource(json!({}));
        for number in 0..12 {
            let text = with(Some(&edited), PAUSE, &attempt(&format!("n{number}")));
            edited.annotations_mut().insert(PAUSE.to_owned(), text);
        }
        let is_known = |id: &str| look(&edited, PAUSE, &attempt(id)) != Made::Not;
        assert!(!is_known("n1") && is_known("n2") && is_known("n11"), "{:?}", edited.annotations());
    }
}
