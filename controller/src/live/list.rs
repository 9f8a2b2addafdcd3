//! All resources, one line for each.

use k8s_openapi::jiff::Timestamp;
use kube::api::ListParams;
use kube::{Api, ResourceExt as _};
use serde_json::{Value, json};

use super::{connect, fate, full_name};
use crate::arguments::Server;
use crate::exit::{Exit, Failure};
use crate::output::{Lines, Output, ago, show};
use crate::resource::FlinkBlueGreenDeployment;

pub(crate) async fn show_all(server: &Server, everywhere: bool, output: Output) -> Result<Exit, Failure> {
    let (clients, namespace) = connect(server).await?;
    let resources: Api<FlinkBlueGreenDeployment> = match everywhere {
        true => Api::all(clients.calls),
        false => Api::namespaced(clients.calls, &namespace),
    };
    let found = resources.list(&ListParams::default()).await?.items;
    let values: Vec<Value> = found.iter().map(value).collect();
    let names: Vec<String> = found.iter().map(|resource| full_name(&resource.name_any())).collect();
    if found.is_empty() && output == Output::Text {
        let place = if everywhere { "the cluster".to_owned() } else { format!("namespace {namespace}") };
        eprintln!("no FlinkBlueGreenDeployment in {place}");
        return Ok(Exit::Done);
    }
    show(output, &values, names.join("\n"), lines(&values, everywhere, Timestamp::now()))?;
    Ok(Exit::Done)
}

fn value(resource: &FlinkBlueGreenDeployment) -> Value {
    let status = resource.status.clone().unwrap_or_default();
    let member = |member: Option<crate::resource::status::Member>| member.map(|member| member.member);
    json!({
        "namespace": resource.namespace(), "name": resource.name_any(), "strategy": resource.spec.strategy,
        "active": member(status.active.clone()), "target": member(status.target.clone()), "phase": status.phase,
        "cutover": status.cutover.as_ref().map(|cutover| &cutover.state), "lag": status.lag,
        "ready": fate::of(resource) == fate::Fate::Ready, "paused": resource.spec.paused,
        "created": resource.metadata.creation_timestamp.as_ref().map(|time| time.0.to_string()),
    })
}

fn lines(values: &[Value], everywhere: bool, now: Timestamp) -> Lines {
    let mut headings = vec!["NAME", "ACTIVE", "TARGET", "PHASE", "CUTOVER", "LAG", "READY", "AGE"];
    if everywhere {
        headings.insert(0, "NAMESPACE");
    }
    let mut lines = Lines::new(&headings);
    for value in values {
        let text = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
        let created: Option<Timestamp> = value["created"].as_str().and_then(|text| text.parse().ok());
        let age = created.map(|created| ago(now.as_second() - created.as_second())).unwrap_or_default();
        let mut cells =
            vec![text("name"), text("active"), text("target"), text("phase"), text("cutover"), text("lag")];
        cells.extend([value["ready"].to_string(), age]);
        if everywhere {
            cells.insert(0, text("namespace"));
        }
        lines.push(cells);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::super::fate::tests::resource;
    use super::*;

    #[test]
    fn one_line_for_each() {
        let status = json!({"phase": "Proving", "lag": "1.2s", "active": {"member": "blue-1", "color": "blue",
            "generation": 1, "deployment": "orders-blue-1", "revision": "3f"}});
        let mut value = value(&resource(status));
        value["created"] = "2026-03-01T12:00:00Z".into();
        let now = "2026-03-01T15:00:00Z".parse().unwrap();
        assert_eq!(
            lines(&[value], true, now).to_string(),
            "NAMESPACE  NAME    ACTIVE  TARGET  PHASE    CUTOVER  LAG   READY  AGE\n\
             shop       orders  blue-1  -       Proving  -        1.2s  false  3h"
        );
    }
}
