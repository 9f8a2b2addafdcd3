//! The verbs that only the controller can carry out: they are asked for by the annotation, and answered in the status.

use kube::ResourceExt as _;
use serde_json::json;
use tidegate_protocol::rollout::Verb;

use super::Live;
use super::fate::Fate;
use super::follow::Look;
use crate::arguments::Waiting;
use crate::exit::{Exit, Failure};
use crate::output::{Output, show};
use crate::resource::FlinkBlueGreenDeployment;
use crate::resource::ask::{self, ANNOTATION};

/// What is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    pub(crate) verb: Verb,
    pub(crate) id: String,
    pub(crate) why: Option<String>,
    /// That the wanted version is given up is what was asked for.
    pub(crate) gives_up: bool,
}

impl Wish {
    pub(crate) fn promote(waive: bool) -> Wish {
        Wish { verb: Verb::Promote { waive }, id: String::new(), why: None, gives_up: false }
    }

    pub(crate) fn abort() -> Wish {
        Wish { verb: Verb::Abort, id: String::new(), why: None, gives_up: true }
    }

    pub(crate) fn retry() -> Wish {
        Wish { verb: Verb::Retry, id: String::new(), why: None, gives_up: false }
    }

    pub(crate) fn replace(from: Option<String>) -> Wish {
        Wish { verb: Verb::Replace { from }, id: String::new(), why: None, gives_up: false }
    }

    pub(crate) fn rollback() -> Wish {
        Wish { verb: Verb::Rollback { frontier: None }, id: String::new(), why: None, gives_up: true }
    }
}

/// Asks, unless that id was asked before; waits for the answer, and for the end.
pub(crate) async fn ask(live: &Live, wish: &Wish, waiting: Waiting, output: Output) -> Result<Exit, Failure> {
    let resource = live.get().await?;
    if !is_answered(&resource, &wish.id) && placed(&resource).as_deref() != Some(&wish.id) {
        let who = std::env::var("USER").ok();
        let text = ask::write(&wish.verb, &wish.id, who.as_deref(), wish.why.as_deref());
        live.merge(&json!({"metadata": {"annotations": {ANNOTATION: text}}})).await?;
    }
    let answered = live
        .follow(Some(waiting.timeout), |resource| {
            let Some(resource) = resource else { return Err(live.gone()) };
            look_for_answer(resource, &wish.id)
        })
        .await?;
    if waiting.no_wait {
        let value =
            json!({"outcome": "taken-up", "id": wish.id, "namespace": live.namespace, "name": live.name});
        show(output, &value, live.full_name(), format!("{} is taken up", wish.verb.name()))?;
        return Ok(Exit::Done);
    }
    let generation = answered.metadata.generation;
    let (resource, fate) = live.follow_end(Some(waiting.timeout), generation).await?;
    match fate {
        Fate::GivenUp { message, .. } if wish.gives_up => {
            let status = resource.status.unwrap_or_default();
            let active = status.active.unwrap_or_default();
            let value = json!({
                "outcome": "done", "id": wish.id, "namespace": live.namespace, "name": live.name, "active": active.member,
                "revision": active.revision, "attempt": status.attempt, "givenUp": message,
            });
            let text = format!("{} has the output; the wanted version is given up: {message}", active.member);
            show(output, &value, live.full_name(), text)?;
            Ok(Exit::Done)
        }
        fate @ (Fate::GivenUp { .. }
        | Fate::Ready
        | Fate::Suspended
        | Fate::Invalid(_)
        | Fate::UnderWay(_)) => live.conclude(&resource, fate, output),
    }
}

fn look_for_answer(
    resource: &FlinkBlueGreenDeployment,
    id: &str,
) -> Result<Look<FlinkBlueGreenDeployment>, Failure> {
    let request = resource.status.as_ref().and_then(|status| status.request.as_ref());
    match request.filter(|request| request.id == id).map(|request| &request.refusal) {
        Some(None) => return Ok(Look::Over(resource.clone())),
        Some(Some(refusal)) => return Err(Failure::new(Exit::Refused, "RequestRefused", refusal)),
        None => {}
    }
    match placed(resource) {
        Some(other) if other != id => {
            let message =
                "another request took the place of this one before it was answered; see `tidegate history`";
            Err(Failure::new(Exit::Fenced, "Fenced", message))
        }
        Some(_) | None => {
            Ok(Look::Wait("no controller has answered yet; does one run for this namespace?".to_owned()))
        }
    }
}

fn is_answered(resource: &FlinkBlueGreenDeployment, id: &str) -> bool {
    let request = resource.status.as_ref().and_then(|status| status.request.as_ref());
    request.is_some_and(|request| request.id == id)
}

/// The id of the request that stands there.
fn placed(resource: &FlinkBlueGreenDeployment) -> Option<String> {
    let text = resource.annotations().get(ANNOTATION)?;
    Some(ask::read(text, "").map_or_else(|_| text.clone(), |asked| asked.id))
}

#[cfg(test)]
mod tests {
    use super::super::fate::tests::resource;
    use super::*;

    fn asked(
        annotation: &str,
        request: serde_json::Value,
    ) -> Result<Look<FlinkBlueGreenDeployment>, Failure> {
        let mut resource = resource(json!({"request": request}));
        resource.annotations_mut().insert(ANNOTATION.to_owned(), annotation.to_owned());
        look_for_answer(&resource, "mine")
    }

    #[test]
    fn an_answer_is_that_of_this_request() {
        assert!(matches!(asked("abort id=mine", json!({"id": "mine"})), Ok(Look::Over(_))));
        assert!(matches!(asked("abort id=mine", json!({"id": "other"})), Ok(Look::Wait(_))));
        let refused =
            asked("abort id=mine", json!({"id": "mine", "refusal": "nothing is under way"})).err().unwrap();
        assert_eq!((refused.exit, refused.message.as_str()), (Exit::Refused, "nothing is under way"));
        let fenced = asked("promote id=other", json!({"id": "older"})).err().unwrap();
        assert_eq!(fenced.exit, Exit::Fenced);
        // It was answered before another one took its place.
        assert!(matches!(asked("promote id=other", json!({"id": "mine"})), Ok(Look::Over(_))));
    }
}
