//! Why a rollout does not go on, and the way out.

use kube::ResourceExt as _;
use serde::Serialize;
use serde_json::json;
use tidegate_protocol::rollout::Phase;

use super::Live;
use super::fate::{self, Fate};
use crate::exit::{Exit, Failure};
use crate::output::{Output, show};
use crate::resource::FlinkBlueGreenDeployment;
use crate::resource::ask::ANNOTATION;
use crate::resource::intent::Intent;
use crate::resource::status::{Status, Waiting};

/// One thing that stands in the way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Finding {
    /// Its stable name.
    code: String,
    /// What it is, down to the subtask.
    what: String,
    /// What a person can do.
    way_out: String,
    /// What can be typed for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<String>,
}

pub(crate) async fn examine(live: &Live, output: Output) -> Result<Exit, Failure> {
    let resource = live.get().await?;
    let mut findings = findings(&resource);
    if fate::of(&resource) != Fate::Ready {
        findings.extend(jobs(live).await);
    }
    let value = json!({"namespace": live.namespace, "name": live.name, "findings": findings});
    let names: Vec<&str> = findings.iter().map(|finding| finding.code.as_str()).collect();
    show(output, &value, names.join("\n"), text(&live.name, &findings))?;
    Ok(Exit::Done)
}

fn text(name: &str, findings: &[Finding]) -> String {
    if findings.is_empty() {
        return format!("nothing stands in the way of {name}");
    }
    let lines = findings.iter().map(|Finding { code, what, way_out, command }| {
        let command = command.as_ref().map(|command| format!("\n    $ {command}")).unwrap_or_default();
        format!("{code}: {what}\n  {way_out}{command}")
    });
    lines.collect::<Vec<String>>().join("\n")
}

/// What the resource itself tells.
fn findings(resource: &FlinkBlueGreenDeployment) -> Vec<Finding> {
    let ways = Ways { namespace: resource.namespace().unwrap_or_default(), name: resource.name_any() };
    let status = resource.status.clone().unwrap_or_default();
    let mut findings = spec(resource, &ways);
    if resource.status.is_none() || status.observed_generation != resource.metadata.generation {
        findings.push(ways.controller());
    }
    if resource.spec.paused {
        findings.push(ways.paused());
    }
    match fate::of(resource) {
        Fate::GivenUp { code, message, .. } => findings.push(ways.given_up(code, message)),
        Fate::UnderWay(_) | Fate::Ready | Fate::Suspended | Fate::Invalid(_) => {}
    }
    // A request that was refused is in nobody's way when all is as it is wanted.
    let is_ready = fate::of(resource) == Fate::Ready;
    let asked = request(resource, &status);
    findings.extend(asked.filter(|finding| !is_ready || finding.code != "RequestRefused"));
    let told: Vec<String> = findings.iter().map(|finding| finding.code.clone()).collect();
    let is_new = |waiting: &&Waiting| {
        let is_told = matches!(waiting.code.as_str(), "Paused" | "RevisionFailed" | "SpecInvalid");
        !is_told && !told.contains(&waiting.code)
    };
    let before_commit = fate::record(&status).is_some_and(|record| is_before_commit(&record.phase));
    let waiting = status.waiting.iter().filter(is_new);
    findings.extend(waiting.map(|waiting| ways.of(waiting, before_commit)));
    findings
}

/// Whether the new version can still be given up without a trace.
fn is_before_commit(phase: &Phase) -> bool {
    matches!(
        phase,
        Phase::Snapshotting { .. }
            | Phase::Starting { .. }
            | Phase::Proving { .. }
            | Phase::Ready { .. }
            | Phase::Pinning { .. }
            | Phase::CuttingOver { .. }
    )
}

/// Each field that cannot be followed.
fn spec(resource: &FlinkBlueGreenDeployment, ways: &Ways) -> Vec<Finding> {
    let Err(invalid) = Intent::read(&ways.namespace, &ways.name, &resource.spec) else { return Vec::new() };
    let finding = |problem: crate::resource::problem::Problem| Finding {
        code: "SpecInvalid".to_owned(),
        what: format!("{}: {}", problem.field, problem.what),
        way_out: problem.way_out,
        command: Some(format!("kubectl -n {} edit fbg {}", ways.namespace, ways.name)),
    };
    invalid.0.into_iter().map(finding).collect()
}

/// A request that is not answered, or was refused.
fn request(resource: &FlinkBlueGreenDeployment, status: &Status) -> Option<Finding> {
    let placed = resource.annotations().get(ANNOTATION)?;
    let asked = crate::resource::ask::read(placed, "");
    let answered = status.request.as_ref();
    let (code, what, way_out) = match (&asked, answered) {
        (Err(problem), _) => {
            ("RequestUnreadable", problem.to_string(), "write it again, or ask with a verb of this command")
        }
        (Ok(asked), Some(answered)) if answered.id == asked.id => {
            let refusal = answered.refusal.clone()?;
            ("RequestRefused", refusal, "ask for what the reason names")
        }
        (Ok(asked), _) => (
            "RequestUnanswered",
            format!("{} ({}) is not answered yet", asked.verb.name(), asked.id),
            "a controller answers within seconds: check that one runs for this namespace",
        ),
    };
    Some(Finding { code: code.to_owned(), what, way_out: way_out.to_owned(), command: None })
}

/// What its jobs tell, where their cluster can be reached from here.
async fn jobs(live: &Live) -> Vec<Finding> {
    let Ok(jobs) = live.jobs(None).await else { return Vec::new() };
    let mut findings = Vec::new();
    for found in jobs {
        let Ok(Some(status)) = found.driver.status(&found.job).await else { continue };
        if status.is_running() {
            continue;
        }
        let failures = found.driver.failures(&found.job).await.unwrap_or_default();
        let cause = failures.first().map(|failure| {
            let task = failure.task.as_ref().map(|task| format!("{task}: ")).unwrap_or_default();
            format!("; the newest failure: {task}{}", failure.cause)
        });
        findings.push(Finding {
            code: "JobNotRunning".to_owned(),
            what: format!("{}{}", status.summary(), cause.unwrap_or_default()),
            way_out: "mend what it fails of; where tasks are SCHEDULED, slots are missing: add TaskManagers"
                .to_owned(),
            command: Some(format!("tidegate query {} -n {}", live.name, live.namespace)),
        });
    }
    findings
}

/// The ways out.
struct Ways {
    namespace: String,
    name: String,
}

impl Ways {
    fn verb(&self, verb: &str, more: &str) -> Option<String> {
        Some(format!("tidegate {verb} {} -n {}{more}", self.name, self.namespace))
    }

    /// What no verb of this command asks for.
    fn annotation(&self, request: &str) -> Option<String> {
        let Ways { namespace, name } = self;
        // A request of an id that was answered is not taken up again.
        Some(format!(
            "kubectl -n {namespace} annotate fbg {name} --overwrite {ANNOTATION}=\"{request} id=$(date +%s)\""
        ))
    }

    fn controller(&self) -> Finding {
        Finding {
            code: "NotLookedAt".to_owned(),
            what: "no controller has looked at the newest edit".to_owned(),
            way_out: format!(
                "check that `tidegate controller` runs for namespace {0} and may read and write there; the Lease names who leads",
                self.namespace
            ),
            command: Some(
                "kubectl get lease --all-namespaces --field-selector metadata.name=tidegate-controller"
                    .to_owned(),
            ),
        }
    }

    fn paused(&self) -> Finding {
        Finding {
            code: "Paused".to_owned(),
            what: "spec.paused is true: nothing new is begun".to_owned(),
            way_out: "end the pause".to_owned(),
            command: self.verb("resume", ""),
        }
    }

    fn given_up(&self, code: String, message: String) -> Finding {
        Finding {
            code,
            what: format!("the wanted version was given up: {message}"),
            way_out: "mend it and change the spec, go back to a revision that worked, or have it tried again as it is".to_owned(),
            command: self.verb("retry", ""),
        }
    }

    fn of(&self, waiting: &Waiting, before_commit: bool) -> Finding {
        let (way_out, command) = match waiting.code.as_str() {
            "Promotion" => ("take over now", self.verb("promote", "")),
            "Lag" | "Window" | "Checkpoints" | "CheckPending" | "Settling" | "NotRunning" => (
                "it passes by itself, or the version is given up at its deadline; to take over whatever it says",
                self.verb("promote", " --waive"),
            ),
            "ActiveEnded" | "ActiveNotRunning" | "DeploymentLost" | "LastStateUnknown" | "StillRunning" => (
                "launch the wanted version from its last state, or from a savepoint with --from",
                self.verb("replace", ""),
            ),
            "ReverseFailed" | "StopFailed" | "StopOverdue" => {
                ("have it tried again without waiting", self.verb("retry", ""))
            }
            "FormerEnded" | "FormerLost" | "FormerNotRunning" => (
                "bring that job back; or, when what it had not committed may be lost, say that it is not waited for",
                self.annotation("forget member=…"),
            ),
            "FrontierUnknown" => (
                "say up to where the output of the dead version goes",
                self.annotation("rollback frontier=2026-03-01T12:00:00Z"),
            ),
            "StoreUnknown" | "DocumentMissing" => {
                ("make the store usable again; jobs go on as before meanwhile", None)
            }
            "RecordLost" | "ReclaimNotAllowed" => {
                ("restore the status, or the cutover document, from a copy", None)
            }
            _ if before_commit => (
                "it is waited for until its deadline; to give the new version up now",
                self.verb("abort", ""),
            ),
            _ => ("it is waited for", None),
        };
        Finding {
            code: waiting.code.clone(),
            what: waiting.message.clone(),
            way_out: way_out.to_owned(),
            command,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use tidegate_protocol::rollout::Record;

    use super::super::fate::tests::resource;
    use super::*;

    fn waiting(code: &str, message: &str, phase: Value) -> Vec<Finding> {
        let mut record = serde_json::to_value(Record::default()).unwrap();
        record["phase"] = phase;
        findings(&resource(json!({
            "observedGeneration": 2, "phase": "CuttingOver", "record": record,
            "waiting": [{"code": code, "message": message}],
        })))
    }

    fn snapshotting() -> Value {
        json!({"snapshotting": {"revision": "a", "tries": 1, "since": 1}})
    }

    #[test]
    fn it_names_the_subtask_and_what_can_be_typed() {
        let message = "green-1, gate orders, subtask 3: has not acknowledged attempt 1";
        let found = waiting("Acknowledgement", message, snapshotting());
        assert_eq!(
            text("orders", &found),
            "Acknowledgement: green-1, gate orders, subtask 3: has not acknowledged attempt 1\n  \
             it is waited for until its deadline; to give the new version up now\n    $ tidegate abort orders -n shop"
        );
        let found = waiting("Promotion", "ready since 5 s", snapshotting());
        assert_eq!(found[0].command.as_deref(), Some("tidegate promote orders -n shop"));
        // After the commit there is nothing to abort.
        assert_eq!(waiting("Finish", "blue-1", json!("idle"))[0].command, None);
    }

    #[test]
    fn every_field_that_is_wrong_is_named() {
        let mut resource = resource(json!({"observedGeneration": 2}));
        resource.spec.watch = crate::resource::duration::Duration::new("soon");
        resource.spec.tries = 99;
        let found = findings(&resource);
        let told: Vec<&str> = found.iter().map(|finding| finding.what.as_str()).collect();
        assert!(
            told[0].starts_with("spec.watch: \"soon\"") && told[1].starts_with("spec.tries: 99"),
            "{told:?}"
        );
        assert_eq!(found[0].command.as_deref(), Some("kubectl -n shop edit fbg orders"));
    }

    #[test]
    fn a_controller_that_does_not_look_and_a_pause_are_told() {
        let mut resource = resource(json!({"observedGeneration": 1}));
        resource.spec.paused = true;
        resource.annotations_mut().insert(ANNOTATION.to_owned(), "abort id=7".to_owned());
        let codes: Vec<String> = findings(&resource).into_iter().map(|finding| finding.code).collect();
        assert_eq!(codes, ["NotLookedAt", "Paused", "RequestUnanswered"]);
    }

    #[test]
    fn a_resource_at_rest_has_nothing_in_its_way() {
        let found = findings(&resource(json!({"observedGeneration": 2, "phase": "Idle"})));
        assert_eq!(text("orders", &found), "nothing stands in the way of orders");
    }
}
