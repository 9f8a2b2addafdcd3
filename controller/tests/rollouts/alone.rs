//! Without a controller: the command itself hands the output over, with a folder as the store.

use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tidegate_integration_tests::flights::{Owners, Version};

use super::case::{Case, DEADLINE, array};

#[tokio::test(flavor = "multi_thread")]
async fn a_command_hands_over_by_itself() -> Result<()> {
    Case::run("alone", async |case| {
        let store = case.folder.join("store");
        std::fs::create_dir(&store)?;
        let store = format!("directory://{}", store.display());
        typed(case, &line(case, "deploy", Version::V1, 1, &store)).await?;
        let stream = case.stream(59)?;
        case.output.wait_flow().await?;
        let told = typed(case, &line(case, "update", Version::V2, 2, &store)).await?;
        ensure!(told["active"] == "green-1", "{told}");
        case.output.wait_flow().await?;
        let status = typed(case, &words(&format!("status --store {store} --rollout alone"))).await?;
        let green = array(&status["members"]).iter().find(|member| member["member"] == "green-1");
        let since = green.and_then(|green| green["owns"][0]["since"].as_i64());
        let owners: Owners =
            vec![(i64::MIN, Version::V1), (since.with_context(|| status.to_string())?, Version::V2)];
        let account = case.output.finish(stream).await?;
        let url = case.job(Version::V2, 2)["url"].clone();
        typed(case, &words(&format!("terminate alone --url {}", url.as_str().unwrap_or_default()))).await?;
        case.output.demand_exact(&account, &owners)?;
        println!("{} rows, exact", account.rows());
        Ok(())
    })
    .await
}

fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

/// What is typed to deploy, or to update to, a version.
fn line(case: &Case, verb: &str, version: Version, parallelism: u32, store: &str) -> Vec<String> {
    let job = case.job(version, parallelism);
    let own = |key: &str| job[key].as_str().unwrap_or_default().to_owned();
    let mut line = words(match verb {
        "deploy" => "deploy --name alone",
        _ => "update alone --settling 0s --window 500ms --watch 1s --lag 8000h",
    });
    line.extend(words(&format!(
        "--url {} --jar {} --entry-class {} --parallelism {parallelism} --store {store} --id {verb}",
        own("url"),
        own("jar"),
        own("entryClass")
    )));
    let arguments = array(&job["args"]).iter().filter_map(Value::as_str);
    line.extend(arguments.flat_map(|argument| ["--arg".to_owned(), argument.to_owned()]));
    line
}

/// It is done; what it has said.
async fn typed(case: &Case, line: &[String]) -> Result<Value> {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_tidegate"));
    command.args(line).args(["--output", "json"]).stdin(Stdio::null()).kill_on_drop(true);
    command.env("XDG_STATE_HOME", &case.folder).env_remove("KUBECONFIG");
    let output = tokio::time::timeout(DEADLINE, command.output()).await.context("it did not end")??;
    let (out, err) = (String::from_utf8(output.stdout)?, String::from_utf8(output.stderr)?);
    ensure!(output.status.success(), "{line:?}: {}: {out} {err}", output.status);
    println!("$ tidegate {} --output json\n{out}", line.join(" "));
    serde_json::from_str(&out).with_context(|| format!("{line:?}: {out} {err}"))
}
