//! How much a job's tasks are held up by those after them.

use tidegate::flink::Flow;

use super::Finding;
use crate::checks::Place;

pub(super) async fn look(place: &Place, percent: u32) -> Finding {
    match place.driver.flow(&place.job).await {
        Ok(flows) => read(&flows, percent),
        Err(error) => Finding::Unknown(error.to_string()),
    }
}

/// All tasks count, so all must be known.
fn read(flows: &[Flow], percent: u32) -> Finding {
    let shares: Option<Vec<(f64, &str)>> =
        flows.iter().map(|flow| Some((flow.backpressured?, flow.name.as_str()))).collect();
    let worst = shares.and_then(|shares| shares.into_iter().max_by(|one, other| one.0.total_cmp(&other.0)));
    match worst {
        None => Finding::Unknown("the job has not told of backpressure in all tasks yet".to_owned()),
        Some((share, _)) if share * 100.0 <= f64::from(percent) => Finding::Good,
        Some((share, task)) => Finding::Bad(format!(
            "task {} was backpressured {:.0} % of the time, and {percent} % are allowed",
            super::quoted(task),
            share * 100.0
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow(name: &str, backpressured: Option<f64>) -> Flow {
        Flow { vertex: "v".to_owned(), name: name.to_owned(), backpressured, busy: None, watermark: None }
    }

    #[test]
    fn the_worst_task_counts_once_all_are_known() {
        let flows = [flow("source", Some(0.5)), flow("sink", Some(0.0))];
        assert_eq!(read(&flows, 50), Finding::Good);
        let text = "task \"source\" was backpressured 50 % of the time, and 49 % are allowed";
        assert_eq!(read(&flows, 49), Finding::Bad(text.to_owned()));
        for unknown in [vec![], vec![flow("source", Some(0.0)), flow("sink", None)]] {
            assert!(matches!(read(&unknown, 100), Finding::Unknown(_)));
        }
    }
}
