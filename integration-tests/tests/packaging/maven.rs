//! The module for Flink, as Maven's repositories get it: one for each line of Flink, each with a pom that stands alone.

use anyhow::{Context, Result, ensure};
use tidegate_integration_tests::workspace_root;

#[test]
fn each_line_of_flink_has_a_pom_of_its_own_version_with_flink_provided() -> Result<()> {
    for (flink, line) in [("1.20.3", "1.20"), ("2.3.0", "2.3")] {
        let folder = workspace_root().join(format!("gate/flink/target/flink-{flink}"));
        let version = format!("{}-{line}", env!("CARGO_PKG_VERSION"));
        let jar = folder.join(format!("tidegate-flink-{version}.jar"));
        ensure!(jar.is_file(), "{} is missing: build it with `make jars`", jar.display());
        let pom = folder.join(".flattened-pom.xml");
        let pom = std::fs::read_to_string(&pom).with_context(|| pom.display().to_string())?;
        let (head, dependencies) = pom.split_once("<dependencies>").context("no dependencies")?;
        ensure!(head.contains(&format!("<version>{version}</version>")), "it has another version: {head}");
        ensure!(!pom.contains("<parent>") && !pom.contains("${"), "it does not stand alone: {pom}");
        for dependency in dependencies.split("<dependency>").skip(1) {
            let is_flink = dependency.contains("<groupId>org.apache.flink</groupId>");
            let is_of_this_line = dependency.contains(&format!("<version>{flink}</version>"));
            let is_provided = dependency.contains("<scope>provided</scope>");
            ensure!(is_flink && is_of_this_line && is_provided, "Flink {flink}: {dependency}");
        }
    }
    Ok(())
}
