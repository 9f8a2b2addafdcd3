//! Two cells of the matrix; `make soak` plays all of them.

use anyhow::Result;
use tidegate_integration_tests::Scratch;
use tidegate_integration_tests::flink::VERSIONS;
use tidegate_integration_tests::matrix::{Arena, selection};

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_or_doubled_whoever_is_killed() -> Result<()> {
    Scratch::new("matrix")?
        .run(async |folder| {
            let mut arena = Arena::start(folder, VERSIONS[0]).await?;
            for cell in selection() {
                let outcome = arena.play(cell).await?;
                outcome.demand()?;
                println!("{cell}: {} records, exact, {} late", outcome.records, outcome.late);
            }
            Ok(())
        })
        .await
}
