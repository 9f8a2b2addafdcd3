//! The course of one check: when it is looked at, and what its results come to. Pure.
//!
//! Laws: a verdict that is final stays; it is never passed with fewer good results in a row than the check's count; it has
//! failed exactly when more results were bad than allowed; there are never two looks at once, nor two that begin within one
//! interval; and what is not final has a time at which it goes on by itself.

use std::time::Duration;

use tidegate_protocol::rollout::Verdict;

use crate::resource::intent::check::{Check, Probe};

/// How long a look may take whose check has no timeout of its own.
const LOOK_MAX: Duration = Duration::from_secs(30);

/// What one look has found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Finding {
    /// It is as it should be.
    Good,
    /// It is not, and why.
    Bad(String),
    /// It could not be told, and why: neither good nor bad.
    Unknown(String),
}

/// Where a check stands. Times are since its course began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Course {
    /// Not enough results yet.
    Counting {
        /// Good ones in a row.
        good: u32,
        /// Bad ones in all.
        bad: u32,
        /// What was last wrong.
        last: Option<String>,
        /// What comes next.
        next: Next,
    },
    /// For good.
    Passed,
    /// For good.
    Failed(String),
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// A look, at this time.
    Look(Duration),
    /// The answer to the look that began at this time.
    Answer(Duration),
}

/// What happens to a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// Time goes by.
    Time,
    /// The look that is under way has found this.
    Found(Finding),
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// Begin a look.
    Look,
    /// Drop the look that is under way.
    Drop,
    /// Tell that the verdict is final.
    Tell,
}

impl Course {
    /// A course that begins: its first look is due at once.
    pub(super) fn new() -> Course {
        Course::Counting { good: 0, bad: 0, last: None, next: Next::Look(Duration::ZERO) }
    }

    /// When time alone goes on with it; `None` when it is at its end.
    pub(super) fn wake(&self, check: &Check) -> Option<Duration> {
        match self {
            Course::Counting { next: Next::Look(at), .. } => Some(*at),
            Course::Counting { next: Next::Answer(begun), .. } => {
                Some(begun.saturating_add(patience(&check.probe)))
            }
            Course::Passed | Course::Failed(_) => None,
        }
    }

    /// What it comes to.
    pub(super) fn verdict(&self, check: &Check) -> Verdict {
        match self {
            Course::Passed => Verdict::Passed,
            Course::Failed(reason) => Verdict::Failed(reason.clone()),
            Course::Counting { good, bad, last, .. } => {
                let mut text = format!("{good} of {} good results in a row", check.count);
                if *bad > 0 {
                    text.push_str(&format!("; {bad} bad, {} allowed", check.failure_limit));
                }
                if let Some(last) = last {
                    text.push_str(&format!("; last: {last}"));
                }
                Verdict::Pending(text)
            }
        }
    }
}

/// One step.
pub(super) fn step(course: Course, event: Event, check: &Check, now: Duration) -> (Course, Vec<Effect>) {
    let Course::Counting { good, bad, last, next } = course else { return (course, Vec::new()) };
    match (next, event) {
        (Next::Look(at), Event::Time) if now >= at => {
            (Course::Counting { good, bad, last, next: Next::Answer(now) }, vec![Effect::Look])
        }
        (Next::Answer(begun), Event::Time) if now.saturating_sub(begun) >= patience(&check.probe) => {
            let (course, mut effects) = found(check, (good, bad), silence(check), begun, now);
            effects.insert(0, Effect::Drop);
            (course, effects)
        }
        (Next::Answer(begun), Event::Found(finding)) => found(check, (good, bad), finding, begun, now),
        // Too early; or an answer to a look that was dropped.
        (next, Event::Time | Event::Found(_)) => (Course::Counting { good, bad, last, next }, Vec::new()),
    }
}

fn found(
    check: &Check,
    (good, bad): (u32, u32),
    finding: Finding,
    begun: Duration,
    now: Duration,
) -> (Course, Vec<Effect>) {
    let (good, bad, last) = match finding {
        Finding::Good => (good.saturating_add(1), bad, None),
        Finding::Bad(reason) => (0, bad.saturating_add(1), Some(reason)),
        Finding::Unknown(reason) => (0, bad, Some(reason)),
    };
    if bad > check.failure_limit {
        let reason = last.unwrap_or_default();
        let reason = format!("{bad} bad, {} allowed; last: {reason}", check.failure_limit);
        return (Course::Failed(reason), vec![Effect::Tell]);
    }
    if good >= check.count.max(1) {
        return (Course::Passed, vec![Effect::Tell]);
    }
    let interval = Duration::from_millis(check.interval_ms);
    let next = Next::Look(begun.saturating_add(interval).max(now));
    (Course::Counting { good, bad, last, next }, Vec::new())
}

/// How long an answer is waited for.
pub(super) fn patience(probe: &Probe) -> Duration {
    match probe {
        Probe::Http { timeout_ms, .. } | Probe::Prometheus { timeout_ms, .. } => {
            Duration::from_millis(*timeout_ms)
        }
        Probe::Backpressure { .. } | Probe::Key { .. } => LOOK_MAX,
    }
}

/// What it means that no answer has come in time.
fn silence(check: &Check) -> Finding {
    let reason = |what: &str| format!("{what} has not answered within {:?}", patience(&check.probe));
    match &check.probe {
        Probe::Http { url, .. } => {
            let address = crate::web::shown(url);
            Finding::Bad(format!("{}; raise its timeout or look into it", reason(&address)))
        }
        Probe::Prometheus { url, .. } => {
            let address = crate::web::shown(url);
            Finding::Unknown(format!("{}; raise its timeout or ask for less", reason(&address)))
        }
        Probe::Backpressure { .. } => Finding::Unknown(reason("the job's cluster")),
        Probe::Key { .. } => Finding::Unknown(reason("the API server")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(interval_ms: u64, count: u32, failure_limit: u32, timeout_ms: u64) -> Check {
        let probe = Probe::Http { url: "http://checks/ok?token=secret".to_owned(), status: 200, timeout_ms };
        Check { name: "c".to_owned(), interval_ms, count, failure_limit, probe }
    }

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// Goes on by time until a look is under way, answers it, and says when.
    fn answer(course: Course, finding: Finding, check: &Check, now: &mut Duration) -> Course {
        *now = course.wake(check).unwrap().max(*now);
        let (course, effects) = step(course, Event::Time, check, *now);
        assert_eq!(effects, [Effect::Look]);
        step(course, Event::Found(finding), check, *now).0
    }

    #[test]
    fn good_results_count_in_a_row_and_bad_ones_in_all() {
        let (check, mut now) = (check(10, 2, 1, 5), Duration::ZERO);
        let course = answer(Course::new(), Finding::Good, &check, &mut now);
        assert_eq!(course.verdict(&check), Verdict::Pending("1 of 2 good results in a row".to_owned()));
        let course = answer(course, Finding::Bad("too much".to_owned()), &check, &mut now);
        assert_eq!(
            course.verdict(&check),
            Verdict::Pending("0 of 2 good results in a row; 1 bad, 1 allowed; last: too much".to_owned())
        );
        let course = answer(course, Finding::Good, &check, &mut now);
        let unknown = answer(course.clone(), Finding::Unknown("nobody there".to_owned()), &check, &mut now);
        assert_eq!(
            unknown.verdict(&check),
            Verdict::Pending("0 of 2 good results in a row; 1 bad, 1 allowed; last: nobody there".to_owned())
        );
        assert_eq!(answer(course.clone(), Finding::Good, &check, &mut now), Course::Passed);
        let failed = answer(course, Finding::Bad("again".to_owned()), &check, &mut now);
        assert_eq!(failed.verdict(&check), Verdict::Failed("2 bad, 1 allowed; last: again".to_owned()));
    }

    #[test]
    fn an_answer_that_does_not_come_is_a_bad_one_without_the_secret_of_its_address() {
        let check = check(1_000, 1, 0, 5);
        let (course, _) = step(Course::new(), Event::Time, &check, ms(0));
        let (course, early) = step(course, Event::Time, &check, ms(4));
        assert_eq!(early, []);
        let (course, effects) = step(course, Event::Time, &check, ms(5));
        assert_eq!(effects, [Effect::Drop, Effect::Tell]);
        let text = "1 bad, 0 allowed; last: http://checks/ok has not answered within 5ms; raise its timeout or \
                    look into it";
        assert_eq!(course.verdict(&check), Verdict::Failed(text.to_owned()));
    }

    fn findings() -> impl Strategy<Value = Finding> {
        prop_oneof![
            3 => Just(Finding::Good),
            2 => Just(Finding::Bad("bad".to_owned())),
            1 => Just(Finding::Unknown("unknown".to_owned())),
        ]
    }

    fn events() -> impl Strategy<Value = Vec<(u64, Event)>> {
        let event = prop_oneof![Just(Event::Time), findings().prop_map(Event::Found)];
        proptest::collection::vec((0_u64..15, event), 0..200)
    }

    /// What a course must be by the results that were counted.
    #[derive(Default)]
    struct Counted {
        row: u32,
        bad: u32,
    }

    impl Counted {
        fn add(&mut self, finding: &Finding) {
            self.row = if *finding == Finding::Good { self.row + 1 } else { 0 };
            self.bad += u32::from(matches!(finding, Finding::Bad(_)));
        }

        fn verdict(&self, check: &Check) -> &'static str {
            if self.bad > check.failure_limit {
                "failed"
            } else if self.row >= check.count {
                "passed"
            } else {
                "pending"
            }
        }
    }

    fn name(verdict: &Verdict) -> &'static str {
        match verdict {
            Verdict::Pending(_) => "pending",
            Verdict::Passed => "passed",
            Verdict::Failed(_) => "failed",
        }
    }

    proptest! {
        #[test]
        fn a_course_keeps_its_laws(
            interval in 1_u64..30, count in 1_u32..5, limit in 0_u32..4, timeout in 1_u64..20, events in events(),
        ) {
            let check = check(interval, count, limit, timeout);
            let (mut course, mut counted, mut now) = (Course::new(), Counted::default(), Duration::ZERO);
            let (mut begun, mut last) = (None::<Duration>, None::<Duration>);
            for (millis, event) in events {
                now += ms(millis);
                let before = course.clone();
                let final_before = before.wake(&check).is_none();
                let (after, effects) = step(course, event.clone(), &check, now);
                match (&event, begun) {
                    (Event::Found(finding), Some(_)) => counted.add(finding),
                    (Event::Time, Some(since)) if now - since >= ms(timeout) => {
                        counted.add(&Finding::Bad(String::new()));
                        prop_assert_eq!(effects.first(), Some(&Effect::Drop));
                    }
                    (Event::Time | Event::Found(_), _) => {}
                }
                if effects.contains(&Effect::Look) {
                    prop_assert!(begun.is_none(), "two looks at once");
                    prop_assert!(last.is_none_or(|last| now - last >= ms(interval)), "two looks within one interval");
                    (begun, last) = (Some(now), Some(now));
                } else if !matches!(after, Course::Counting { next: Next::Answer(_), .. }) {
                    begun = None;
                }
                if final_before {
                    prop_assert_eq!(&after, &before);
                    prop_assert_eq!(&effects, &[]);
                } else {
                    prop_assert_eq!(name(&after.verdict(&check)), counted.verdict(&check));
                }
                let ends = !final_before && after.wake(&check).is_none();
                prop_assert_eq!(effects.contains(&Effect::Tell), ends);
                prop_assert_eq!(after.wake(&check).is_none(), !matches!(after.verdict(&check), Verdict::Pending(_)));
                course = after;
            }
        }
    }
}
