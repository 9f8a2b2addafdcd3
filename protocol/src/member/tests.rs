use super::*;
use crate::document::{HandOver, Terms};
use crate::identity::{Attempt, CheckpointId, Color, Snapshot};
use crate::order::Disposition;
use crate::subtask::{self, Header, Limits, Subtask};

const BLUE: Member = Member::new(Color::Blue, 1);
const GREEN: Member = Member::new(Color::Green, 1);
const NOW: WallTime = WallTime::from_millis(0);
const SNAPSHOT: Snapshot = Snapshot { member: BLUE, checkpoint: CheckpointId(7) };

fn t(millis: i64) -> EventTime {
    EventTime::from_millis(millis)
}

fn first() -> Document {
    Document::first("orders", BLUE, Origin::Fresh, Settings::default())
}

fn proposed() -> Document {
    let origin = Origin::Snapshot(SNAPSHOT);
    let hand_over = HandOver::Ordered;
    let terms = Terms { attempt: Attempt(0), to: GREEN, origin, at: t(100), hand_over, proposed: NOW };
    first().propose(terms, NOW, Some(3)).unwrap()
}

fn committed() -> Document {
    proposed().commit(NOW).unwrap()
}

fn config(member: Member) -> Config {
    Config {
        rollout: "orders".to_owned(),
        member,
        job: "j".to_owned(),
        instance: "i".to_owned(),
        gates: vec!["g".to_owned()],
        from_beginning: false,
        settings: Settings::default(),
    }
}

/// A member with one gate of so many subtasks, whose machines are the very ones.
struct Job {
    state: MemberState,
    subtasks: Vec<Subtask<u32>>,
    now: WallTime,
}

fn gate() -> String {
    "g".to_owned()
}

impl Job {
    fn new(member: Member, headers: &[Header], parallelism: u32) -> Job {
        let limits = Limits::default();
        let subtask = |_| Subtask::new(member, limits, headers, Vec::new()).unwrap();
        let mut job = Job {
            state: MemberState::new(config(member)),
            subtasks: (0..parallelism).map(subtask).collect(),
            now: NOW,
        };
        job.step(Event::GateOpened { gate: gate(), parallelism, evidence: Evidence::Committer });
        job.step(Event::CommittersOpened { gate: gate(), parallelism });
        for subtask in 0..parallelism {
            job.step(Event::SubtaskReady { gate: gate(), subtask, attempt: 0, parallelism });
        }
        job
    }

    fn following(member: Member, parallelism: u32, document: Document) -> Job {
        let mut job = Job::new(member, &[], parallelism);
        job.hear(News::Claimed(Incarnation(1)));
        job.hear(News::Document(Some(document)));
        job.tell_all();
        job
    }

    fn step(&mut self, event: Event) -> Vec<Effect> {
        let mut effects = Vec::new();
        self.state.step(event, self.now, &mut effects);
        effects
    }

    fn hear(&mut self, news: News) -> Vec<Effect> {
        let mut effects = Vec::new();
        self.state.hear(news, self.now, &mut effects);
        self.follow(&effects);
        effects
    }

    fn follow(&mut self, effects: &[Effect]) {
        for effect in effects {
            if let Effect::Order { subtask, order, .. } = effect {
                self.subtasks[*subtask as usize].step(subtask::Event::Order(order.clone()), &mut Vec::new());
            }
        }
    }

    fn tell(&mut self, subtask: u32) -> Vec<Effect> {
        let status = self.subtasks[subtask as usize].status();
        let effects = self.step(Event::SubtaskStatus { gate: gate(), subtask, attempt: 0, status });
        self.follow(&effects);
        effects
    }

    /// Twice: an order may be the answer to the first, and the second tells that it is followed.
    fn tell_all(&mut self) {
        for subtask in (0..self.subtasks.len() as u32).cycle().take(2 * self.subtasks.len()) {
            self.tell(subtask);
        }
    }

    fn arrive(&mut self, subtask: usize, time: i64) {
        let record = subtask::Event::Record { time: Some(t(time)), bytes: 1, record: 0 };
        self.subtasks[subtask].step(record, &mut Vec::new());
    }

    fn snapshot(&mut self, subtask: u32, watermark: i64, checkpoint: u64) {
        let machine = &mut self.subtasks[subtask as usize];
        machine.step(subtask::Event::Watermark(t(watermark)), &mut Vec::new());
        machine.step(subtask::Event::Snapshot(CheckpointId(checkpoint), NOW), &mut Vec::new());
        self.tell(subtask);
    }

    fn commit(&mut self, subtask: u32, checkpoint: u64) {
        self.step(Event::Committed { gate: gate(), subtask, checkpoint: CheckpointId(checkpoint) });
    }

    fn report(&self) -> Report {
        self.state.report(self.now).unwrap()
    }

    fn frontier(&self) -> EventTime {
        self.report().frontier()
    }

    fn codes(&self) -> Vec<String> {
        self.state.trouble().into_iter().map(|trouble| trouble.code).collect()
    }
}

fn orders(effects: &[Effect]) -> usize {
    effects.iter().filter(|effect| matches!(effect, Effect::Order { .. })).count()
}

/// P29, P35.
#[test]
fn no_order_before_the_claim_and_a_read_that_comes_after_it() {
    let mut job = Job::new(BLUE, &[], 1);
    assert_eq!(job.hear(News::Document(Some(first()))), []);
    assert_eq!(orders(&job.tell(0)), 0);
    assert_eq!(orders(&job.hear(News::Claimed(Incarnation(2)))), 0);
    assert!(job.state.is_claimed() && job.state.document().is_none());
    assert_eq!(orders(&job.hear(News::Document(Some(first())))), 1);
}

/// P26: found by the simulation. Both agents start again while an older document is in the newest one's place.
#[test]
fn what_a_former_life_has_followed_stays_known() {
    let mut job = Job::new(BLUE, &[], 1);
    job.hear(News::Claimed(Incarnation(2)));
    job.hear(News::Followed(Epoch(7)));
    assert_eq!(job.state.report(NOW).unwrap().epoch, Some(Epoch(7)));
    job.tell(0);
    assert_eq!(orders(&job.hear(News::Document(Some(first())))), 0);
    assert_eq!(job.state.trouble()[0].code, "DocumentOlder");
    assert_eq!(job.state.report(NOW).unwrap().epoch, Some(Epoch(7)));
}

#[test]
fn a_claim_that_is_told_again_changes_nothing() {
    let mut job = Job::following(BLUE, 1, first());
    assert_eq!(job.hear(News::Claimed(Incarnation(1))), []);
    assert!(job.state.document().is_some());
}

/// P9.
#[test]
fn an_order_goes_to_an_execution_attempt_that_has_told_its_status() {
    let mut job = Job::new(BLUE, &[], 2);
    job.hear(News::Claimed(Incarnation(1)));
    assert_eq!(orders(&job.hear(News::Document(Some(first())))), 0);
    assert_eq!(orders(&job.tell(0)), 1);
    assert_eq!(orders(&job.tell(0)), 0);
    assert_eq!(orders(&job.tell(1)), 1);
}

/// P12.
#[test]
fn statuses_and_acknowledgements_of_other_execution_attempts_do_not_count() {
    let mut job = Job::following(BLUE, 2, proposed());
    assert_eq!(job.report().gates["g"].replies.as_ref().unwrap().acknowledged, 2);
    job.step(Event::SubtaskReady { gate: gate(), subtask: 1, attempt: 1, parallelism: 2 });
    assert_eq!(orders(&job.tell(1)), 0);
    let replies = job.report().gates["g"].replies.clone().unwrap();
    assert_eq!((replies.acknowledged, replies.missing), (1, vec![1]));
    job.step(Event::SubtaskReady { gate: gate(), subtask: 1, attempt: 0, parallelism: 2 });
    job.tell(1);
    assert_eq!(job.report().gates["g"].ready, 1);
}

#[test]
fn a_restarted_subtask_takes_its_order_from_its_agents_memory() {
    let mut job = Job::following(BLUE, 1, proposed());
    job.hear(News::StoreTrouble(Some(trouble("StoreAway", String::new()))));
    job.step(Event::SubtaskGone { gate: gate(), subtask: 0 });
    job.step(Event::SubtaskReady { gate: gate(), subtask: 0, attempt: 1, parallelism: 1 });
    let status = Subtask::<u32>::new(BLUE, Limits::default(), &[], Vec::new()).unwrap().status();
    let effects = job.step(Event::SubtaskStatus { gate: gate(), subtask: 0, attempt: 1, status });
    assert_eq!(orders(&effects), 1);
    assert_eq!(job.codes(), ["StoreAway"]);
}

/// P28.
#[test]
fn a_finished_subtask_counts_as_acknowledged_if_its_high_is_below_the_boundary() {
    for (high, acknowledged, refused) in [(99, 2, None), (100, 1, Some(t(100)))] {
        let mut job = Job::following(BLUE, 2, first());
        job.arrive(1, high);
        job.subtasks[1].step(subtask::Event::EndOfInput, &mut Vec::new());
        job.tell(1);
        let mut effects = Vec::new();
        job.state.hear(News::Document(Some(proposed())), NOW, &mut effects);
        job.follow(&effects[..1]);
        job.tell(0);
        let replies = job.report().gates["g"].replies.clone().unwrap();
        assert_eq!((replies.acknowledged, replies.refused_high), (acknowledged, refused));
    }
}

/// P28.
#[test]
fn an_ended_subtask_that_still_holds_has_to_answer_itself() {
    let mut job = Job::new(BLUE, &[], 1);
    job.arrive(0, 5);
    job.subtasks[0].step(subtask::Event::EndOfInput, &mut Vec::new());
    job.hear(News::Claimed(Incarnation(1)));
    let status = job.subtasks[0].status();
    job.step(Event::SubtaskStatus { gate: gate(), subtask: 0, attempt: 0, status });
    let mut effects = Vec::new();
    job.state.hear(News::Document(Some(proposed())), NOW, &mut effects);
    assert_eq!(job.report().gates["g"].replies.as_ref().unwrap().acknowledged, 0);
}

/// P17.
#[test]
fn a_superseded_incarnation_closes_its_gates_and_says_nothing_more() {
    let mut job = Job::following(BLUE, 1, first());
    let effects = job.hear(News::Superseded);
    let Effect::Order { order, .. } = &effects[0] else { panic!("{effects:?}") };
    assert_eq!(order.disposition(t(5)), Disposition::Hold);
    assert_eq!((job.state.report(NOW), job.codes()), (None, vec!["Superseded".to_owned()]));
    let effects = job.hear(News::Document(Some(proposed())));
    let Effect::Order { order, .. } = &effects[0] else { panic!("{effects:?}") };
    assert_eq!(order.disposition(t(5)), Disposition::Hold);
}

#[test]
fn a_member_without_gate_state_creates_the_first_document() {
    let mut job = Job::new(BLUE, &[], 1);
    job.hear(News::Claimed(Incarnation(1)));
    job.tell(0);
    assert_eq!(job.hear(News::Document(None)), [Effect::Create(first())]);
}

fn header(member: Member, epoch: u64) -> Header {
    Header {
        member,
        checkpoint: CheckpointId(7),
        origin: Origin::Fresh,
        epoch: Epoch(epoch),
        emitted_high: t(10),
        discarded_high: t(10),
        seen_high: t(10),
        watermark: t(10),
        frontier: t(10),
    }
}

/// P26.
#[test]
fn a_member_with_foreign_gate_state_does_not_create_a_document() {
    for epoch in [0, 3] {
        let mut job = Job::new(GREEN, &[header(BLUE, epoch)], 1);
        job.hear(News::Claimed(Incarnation(1)));
        job.tell(0);
        assert_eq!(job.hear(News::Document(None)), []);
        assert_eq!(job.codes(), ["UnknownRollout"]);
    }
}

/// P26.
#[test]
fn a_missing_older_or_foreign_document_keeps_the_orders() {
    let foreign = Document { rollout: "refunds".to_owned(), epoch: Epoch(9), ..first() };
    for (document, code) in
        [(None, "DocumentMissing"), (Some(first()), "DocumentOlder"), (Some(foreign), "DocumentForeign")]
    {
        let mut job = Job::following(BLUE, 1, proposed());
        assert_eq!(job.hear(News::Document(document)), []);
        assert_eq!(job.codes(), [code]);
        assert_eq!(job.state.document(), Some(&proposed()));
        job.hear(News::Document(Some(committed())));
        assert_eq!(job.codes(), [""; 0]);
    }
}

/// P26: the store was put back while the job was down, and the read comes before the statuses.
#[test]
fn a_document_that_subtasks_know_to_be_old_is_not_followed() {
    let mut job = Job::new(BLUE, &[header(BLUE, 4)], 1);
    job.hear(News::Claimed(Incarnation(1)));
    job.hear(News::Document(Some(first())));
    assert_eq!(orders(&job.tell(0)), 0);
    assert_eq!((job.codes(), job.report().epoch), (vec!["DocumentOlder".to_owned()], None));
}

#[test]
fn an_owner_that_was_started_from_something_else_stays_closed() {
    let document = committed().finish(NOW).unwrap();
    let mut wrong = Job::new(GREEN, &[], 1);
    wrong.hear(News::Claimed(Incarnation(1)));
    wrong.hear(News::Document(Some(document.clone())));
    assert_eq!(orders(&wrong.tell(0)), 0);
    assert_eq!(wrong.codes(), ["WrongState"]);

    let mut right = Job::new(GREEN, &[header(BLUE, 1)], 1);
    right.hear(News::Claimed(Incarnation(1)));
    right.hear(News::Document(Some(document)));
    assert_eq!(orders(&right.tell(0)), 1);
}

#[test]
fn one_restarted_subtask_does_not_make_a_members_state_wrong() {
    let mut job = Job::new(GREEN, &[header(BLUE, 1)], 2);
    job.hear(News::Claimed(Incarnation(1)));
    job.hear(News::Document(Some(committed())));
    job.tell_all();
    job.subtasks[0].step(subtask::Event::Snapshot(CheckpointId(1), NOW), &mut Vec::new());
    let own = job.subtasks[0].header(CheckpointId(1));
    job.subtasks[0] = Subtask::new(GREEN, Limits::default(), &[own], Vec::new()).unwrap();
    assert_eq!(orders(&job.tell(0)), 0);
    assert_eq!((job.codes(), job.report().origin), (Vec::new(), Some(Origin::Snapshot(SNAPSHOT))));
}

/// P5, P6.
#[test]
fn the_frontier_is_that_of_the_last_checkpoint_that_all_committers_have_committed() {
    let mut job = Job::following(BLUE, 2, first());
    for (subtask, watermark) in [(0, 50), (1, 40)] {
        job.snapshot(subtask, watermark, 1);
    }
    job.step(Event::CheckpointCompleted { gate: gate(), checkpoint: CheckpointId(1) });
    assert_eq!(job.frontier(), EventTime::MIN);
    job.commit(0, 1);
    assert_eq!(job.frontier(), EventTime::MIN);
    job.commit(1, 1);
    assert_eq!(job.frontier(), t(40));
    for (subtask, watermark) in [(0, 80), (1, 70)] {
        job.snapshot(subtask, watermark, 2);
    }
    job.commit(0, 2);
    assert_eq!(job.frontier(), t(40));
    job.commit(1, 2);
    assert_eq!(job.frontier(), t(70));
}

/// P32.
#[test]
fn a_live_watermark_is_no_frontier() {
    let mut job = Job::following(BLUE, 1, first());
    job.subtasks[0].step(subtask::Event::Watermark(t(500)), &mut Vec::new());
    job.tell(0);
    assert_eq!((job.report().gates["g"].watermark_low, job.frontier()), (t(500), EventTime::MIN));
}

/// P32.
#[test]
fn a_restart_falls_back_to_the_frontier_of_the_checkpoint_that_it_restores() {
    let mut job = Job::following(BLUE, 1, first());
    job.snapshot(0, 50, 1);
    let own = job.subtasks[0].header(CheckpointId(1));
    job.commit(0, 1);
    assert_eq!(job.frontier(), t(50));
    job.subtasks[0] = Subtask::new(BLUE, Limits::default(), &[own], Vec::new()).unwrap();
    job.step(Event::SubtaskReady { gate: gate(), subtask: 0, attempt: 0, parallelism: 1 });
    assert_eq!(job.frontier(), EventTime::MIN);
    job.tell(0);
    assert_eq!(job.frontier(), t(50));
}

#[test]
fn evidence_by_checkpoint_is_enough_where_it_is_configured() {
    let mut job = Job::following(BLUE, 1, first());
    job.step(Event::GateOpened { gate: gate(), parallelism: 1, evidence: Evidence::Checkpoint });
    job.step(Event::SubtaskReady { gate: gate(), subtask: 0, attempt: 0, parallelism: 1 });
    job.snapshot(0, 50, 1);
    job.step(Event::CheckpointCompleted { gate: gate(), checkpoint: CheckpointId(1) });
    assert_eq!(job.frontier(), t(50));
}

#[test]
fn a_checkpoint_is_demanded_with_back_off_and_only_when_nothing_else_is_missing() {
    let mut job = Job::following(BLUE, 1, committed());
    let demanded = |job: &mut Job, at: u64| {
        job.now = WallTime::from_millis(at);
        job.hear(News::Tick).contains(&Effect::Checkpoint)
    };
    assert!(!demanded(&mut job, 0));
    job.subtasks[0].step(subtask::Event::Watermark(t(100)), &mut Vec::new());
    assert!(job.tell(0).contains(&Effect::Checkpoint));
    let times: Vec<u64> = (0..50).map(|tick| tick * 100).filter(|at| demanded(&mut job, *at)).collect();
    assert_eq!(times, [500, 1_500, 3_500]);
    job.snapshot(0, 100, 1);
    job.commit(0, 1);
    assert!(!demanded(&mut job, 60_000));
}

#[test]
fn only_from_demands_checkpoints() {
    let mut job = Job::new(GREEN, &[header(BLUE, 1)], 1);
    job.hear(News::Claimed(Incarnation(1)));
    job.hear(News::Document(Some(committed())));
    job.subtasks[0].step(subtask::Event::Watermark(t(500)), &mut Vec::new());
    assert!(!job.tell(0).contains(&Effect::Checkpoint));
}

#[test]
fn the_report_tells_the_rate_of_event_time_and_full_subtasks() {
    let mut job = Job::following(BLUE, 1, first());
    for second in 0..5 {
        job.subtasks[0].step(subtask::Event::Watermark(t(second * 2_000)), &mut Vec::new());
        job.tell(0);
        job.now = WallTime::from_millis(second as u64 * 1_000);
        job.hear(News::Tick);
    }
    assert_eq!(job.report().event_rate, 2_000);
    let mut status = job.subtasks[0].status();
    status.full = true;
    job.step(Event::SubtaskStatus { gate: gate(), subtask: 0, attempt: 0, status });
    assert_eq!(job.codes(), ["HoldFull"]);
}
