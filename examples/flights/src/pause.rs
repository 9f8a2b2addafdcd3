//! The pause that a consumer downstream sees at the cutover.

use std::time::Instant;

/// From the arrival of the last row below the boundary to the arrival of the first one from it on, in milliseconds;
/// negative when the new version's first row came before the old one's last. None when one side has no row.
///
/// `rows` are event times (epoch milliseconds) with their arrival, in any order.
pub(crate) fn milliseconds(rows: &[(i64, Instant)], boundary: i64) -> Option<i64> {
    let (before, after): (Vec<_>, Vec<_>) = rows.iter().partition(|(time, _)| *time < boundary);
    let last = before.iter().map(|(_, arrived)| *arrived).max()?;
    let first = after.iter().map(|(_, arrived)| *arrived).min()?;
    let distance = |later: Instant, earlier: Instant| i64::try_from((later - earlier).as_millis()).ok();
    if first >= last { distance(first, last) } else { distance(last, first).map(|early| -early) }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn between_the_last_below_and_the_first_above() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let rows =
            [(90, at(0)), (99, at(100)), (95, at(400)), (100, at(650)), (120, at(640)), (130, at(900))];
        assert_eq!(milliseconds(&rows, 100), Some(240));
        assert_eq!(milliseconds(&rows, 1000), None);
        assert_eq!(milliseconds(&[(100, at(0)), (90, at(30))], 100), Some(-30));
    }
}
