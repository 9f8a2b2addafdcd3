//! Orders: what a member must do with a record, as a pure function of (document, member) and of the record's event time.

use serde::{Deserialize, Serialize};

use crate::document::{Cutover, Document, HandOver, LatePolicy};
use crate::identity::{Attempt, Epoch, Member};
use crate::time::EventTime;

/// What is done with one record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Disposition {
    /// It waits in the gate.
    Hold,
    /// It goes to the sink.
    Emit,
    /// The other member owns it.
    Discard,
    /// It is below `settled` and goes to the sink, counted.
    LateEmit,
    /// It is below `settled` and is dropped, counted.
    LateDrop,
    /// It is below `settled` and goes to the stream of the late ones, counted.
    LateSideOutput,
    /// It is below `settled`, and another member sees to it, counted.
    LateDiscard,
}

impl Disposition {
    /// Below `settled`, whoever sees to it.
    pub fn is_late(self) -> bool {
        match self {
            Disposition::LateEmit
            | Disposition::LateDrop
            | Disposition::LateSideOutput
            | Disposition::LateDiscard => true,
            Disposition::Hold | Disposition::Emit | Disposition::Discard => false,
        }
    }
}

/// A disposition that holds from `since` up to the next span.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Span {
    /// The first event time.
    pub since: EventTime,
    /// What is done with records from there on.
    pub disposition: Disposition,
}

/// Which side of a proposed cutover a member is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// It owns what is below the boundary, and answers with what it has emitted.
    From,
    /// It is to own the rest, and answers with what it has discarded.
    To,
}

/// The question that a proposed cutover puts to every subtask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Question {
    /// Binds the answer.
    pub attempt: Attempt,
    /// The boundary that is proposed.
    pub at: EventTime,
    /// Which highest timestamp counts.
    pub side: Side,
}

/// What a subtask must do with records, by their event time.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Order {
    /// The document's epoch.
    pub epoch: Epoch,
    /// Ascending, the first one from [`EventTime::MIN`] on.
    pub spans: Vec<Span>,
    /// To be answered, from the moment on that the order is followed.
    pub question: Option<Question>,
    /// What becomes of records that were held in another member's snapshot.
    pub inherited: Inherited,
}

/// What becomes of records that another member held in the snapshot that this one was started from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Inherited {
    /// They wait on: nobody has said yet whose they are.
    Wait,
    /// They are the other member's to emit.
    Forget,
    /// They are this member's: it continues for the other one (a reclaim).
    Adopt,
}

impl Order {
    /// The order that a document has for a member.
    pub fn new(document: &Document, member: Member) -> Order {
        let mut starts = vec![EventTime::MIN, document.settled];
        starts.extend(
            document.owners.iter().map(|owner| owner.since).filter(|since| *since > document.settled),
        );
        starts.extend(document.terms().map(|terms| terms.at));
        starts.sort_unstable();
        starts.dedup();
        let mut spans: Vec<Span> = Vec::with_capacity(starts.len());
        for since in starts {
            let disposition = disposition(document, member, since);
            if spans.last().is_none_or(|last| last.disposition != disposition) {
                spans.push(Span { since, disposition });
            }
        }
        let inherited = if adopts(document, member) { Inherited::Adopt } else { Inherited::Forget };
        Order { epoch: document.epoch, spans, question: question(document, member), inherited }
    }

    /// The order of a gate that may do nothing: everything is held.
    pub fn closed(epoch: Epoch) -> Order {
        let spans = vec![Span { since: EventTime::MIN, disposition: Disposition::Hold }];
        Order { epoch, spans, question: None, inherited: Inherited::Wait }
    }

    /// What is done with a record of this event time.
    pub fn disposition(&self, time: EventTime) -> Disposition {
        self.spans[self.index(time)].disposition
    }

    /// The span that `time` lies in: where it begins, where it ends (exclusive), and its disposition.
    pub fn span(&self, time: EventTime) -> (EventTime, EventTime, Disposition) {
        let index = self.index(time);
        let end = self.spans.get(index + 1).map_or(EventTime::MAX, |next| next.since);
        (self.spans[index].since, end, self.spans[index].disposition)
    }

    /// The lowest event time at which anything is held.
    pub fn holds_from(&self) -> Option<EventTime> {
        self.spans.iter().find(|span| span.disposition == Disposition::Hold).map(|span| span.since)
    }

    fn index(&self, time: EventTime) -> usize {
        self.spans.partition_point(|span| span.since <= time).saturating_sub(1)
    }
}

/// The table of orders, for one point in event time.
fn disposition(document: &Document, member: Member, time: EventTime) -> Disposition {
    if time < document.settled {
        return match (document.owners[0].member == member, document.settings.late) {
            (true, LatePolicy::Emit) => Disposition::LateEmit,
            (true, LatePolicy::Drop) => Disposition::LateDrop,
            (true, LatePolicy::SideOutput) => Disposition::LateSideOutput,
            (false, LatePolicy::Emit | LatePolicy::Drop | LatePolicy::SideOutput) => Disposition::LateDiscard,
        };
    }
    let from = document.active().member;
    match &document.cutover {
        Some(Cutover::Proposed { terms, .. })
            if time >= terms.at && (member == from || member == terms.to) =>
        {
            return Disposition::Hold;
        }
        Some(Cutover::Committed { terms, .. }) if time >= terms.at && member == from => {
            return Disposition::Discard;
        }
        Some(Cutover::Committed { terms, .. }) if time >= terms.at && member == terms.to => {
            return match terms.hand_over {
                HandOver::Ordered => Disposition::Hold,
                HandOver::Overlapped => Disposition::Emit,
            };
        }
        Some(Cutover::Proposed { .. } | Cutover::Committed { .. }) | None => {}
    }
    if document.owner_of(time) == member { Disposition::Emit } else { Disposition::Discard }
}

/// The question that a document puts to a member.
pub(crate) fn question(document: &Document, member: Member) -> Option<Question> {
    let Some(Cutover::Proposed { terms, .. }) = &document.cutover else { return None };
    let side = if member == document.active().member {
        Side::From
    } else if member == terms.to {
        Side::To
    } else {
        return None;
    };
    Some(Question { attempt: terms.attempt, at: terms.at, side })
}

/// A generation that took over by a reclaim continues from a snapshot of its own color; one that was handed over to does not.
/// The owner's entry says so for as long as it stands: the newcomer may be restored from before its first order at any time.
fn adopts(document: &Document, member: Member) -> bool {
    document.owners.iter().any(|owner| owner.member == member && owner.reclaimed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{Reclaim, Settings, Terms};
    use crate::identity::{CheckpointId, Color, Origin, Snapshot};
    use crate::time::WallTime;
    use Disposition::{Discard, Emit, Hold, LateDiscard, LateDrop, LateEmit, LateSideOutput};

    const BLUE: Member = Member::new(Color::Blue, 1);
    const GREEN: Member = Member::new(Color::Green, 1);

    fn t(millis: i64) -> EventTime {
        EventTime::from_millis(millis)
    }

    fn first() -> Document {
        Document::first("orders", BLUE, Origin::Fresh, Settings::default())
    }

    fn terms(to: Member, at: i64, hand_over: HandOver) -> Terms {
        let origin = Origin::Snapshot(Snapshot { member: BLUE, checkpoint: CheckpointId(7) });
        Terms { attempt: Attempt(0), to, origin, at: t(at), hand_over, proposed: WallTime::default() }
    }

    fn proposed(document: &Document, to: Member, at: i64, hand_over: HandOver) -> Document {
        document.propose(terms(to, at, hand_over), WallTime::from_millis(9), Some(3)).unwrap()
    }

    fn cut(document: &Document, to: Member, at: i64) -> Document {
        let now = WallTime::default();
        proposed(document, to, at, HandOver::Ordered).commit(now).unwrap().finish(now).unwrap()
    }

    fn dispositions(document: &Document, member: Member, times: &[i64]) -> Vec<Disposition> {
        let order = Order::new(document, member);
        times.iter().map(|time| order.disposition(t(*time))).collect()
    }

    #[test]
    fn one_owner_emits_everything_and_a_standby_nothing() {
        assert_eq!(dispositions(&first(), BLUE, &[i64::MIN, 0, i64::MAX]), [Emit; 3]);
        assert_eq!(dispositions(&first(), GREEN, &[i64::MIN, 0, i64::MAX]), [Discard; 3]);
    }

    #[test]
    fn a_proposal_makes_both_sides_hold_from_the_boundary_on() {
        let document = proposed(&first(), GREEN, 100, HandOver::Ordered);
        assert_eq!(dispositions(&document, BLUE, &[99, 100]), [Emit, Hold]);
        assert_eq!(dispositions(&document, GREEN, &[99, 100]), [Discard, Hold]);
        let question = Order::new(&document, GREEN).question.unwrap();
        assert_eq!((question.attempt, question.side), (Attempt(1), Side::To));
        let third = Member::new(Color::Green, 2);
        assert_eq!(dispositions(&document, third, &[99, 100]), [Discard, Discard]);
        assert_eq!(Order::new(&document, third).question, None);
    }

    #[test]
    fn a_commit_opens_the_new_side_at_once_only_when_overlapped() {
        let now = WallTime::default();
        let ordered = proposed(&first(), GREEN, 100, HandOver::Ordered).commit(now).unwrap();
        let overlapped = proposed(&first(), GREEN, 100, HandOver::Overlapped).commit(now).unwrap();
        assert_eq!(dispositions(&ordered, BLUE, &[99, 100]), [Emit, Discard]);
        assert_eq!(dispositions(&ordered, GREEN, &[99, 100]), [Discard, Hold]);
        assert_eq!(dispositions(&overlapped, GREEN, &[99, 100]), [Discard, Emit]);
    }

    #[test]
    fn after_a_cutover_and_back_blue_owns_two_intervals() {
        let document = cut(&cut(&first(), GREEN, 100), BLUE, 200);
        assert_eq!(dispositions(&document, BLUE, &[99, 100, 199, 200]), [Emit, Discard, Discard, Emit]);
        assert_eq!(dispositions(&document, GREEN, &[99, 100, 199, 200]), [Discard, Emit, Emit, Discard]);
    }

    #[test]
    fn below_settled_only_the_first_owner_has_a_late_policy() {
        let mut document = cut(&cut(&first(), GREEN, 100), BLUE, 200).settle().unwrap();
        assert_eq!(dispositions(&document, GREEN, &[99, 100, 200]), [LateEmit, Emit, Discard]);
        assert_eq!(dispositions(&document, BLUE, &[99, 100, 200]), [LateDiscard, Discard, Emit]);
        document.settings.late = LatePolicy::Drop;
        assert_eq!(dispositions(&document, GREEN, &[99]), [LateDrop]);
        document.settings.late = LatePolicy::SideOutput;
        assert_eq!(dispositions(&document, GREEN, &[99, 100]), [LateSideOutput, Emit]);
        assert_eq!(dispositions(&document, BLUE, &[99]), [LateDiscard]);
    }

    #[test]
    fn a_new_generation_inherits_no_role() {
        let document = cut(&first(), GREEN, 100);
        assert_eq!(dispositions(&document, Member::new(Color::Green, 2), &[99, 100]), [Discard, Discard]);
    }

    #[test]
    fn a_reclaim_owns_from_the_frontier_and_adopts_what_was_held() {
        let blue2 = Member::new(Color::Blue, 2);
        let snapshot = Snapshot { member: BLUE, checkpoint: CheckpointId(9) };
        let reclaim = Reclaim { dead: GREEN, frontier: t(150), by: blue2, snapshot };
        let (document, since) = cut(&first(), GREEN, 100).reclaim(&reclaim).unwrap();
        assert_eq!(since, t(150));
        assert_eq!(dispositions(&document, blue2, &[99, 149, 150]), [Discard, Discard, Emit]);
        assert_eq!(dispositions(&document, BLUE, &[99, 149, 150]), [Emit, Discard, Discard]);
        assert_eq!(Order::new(&document, blue2).inherited, Inherited::Adopt);
        assert_eq!(Order::new(&document, GREEN).inherited, Inherited::Forget);
        let alone = document.settle().unwrap().settle().unwrap();
        assert_eq!(Order::new(&alone, blue2).inherited, Inherited::Adopt);
    }

    #[test]
    fn a_span_is_the_interval_around_a_time() {
        let document = cut(&cut(&first(), GREEN, 100), BLUE, 200);
        let order = Order::new(&document, BLUE);
        assert_eq!(order.span(t(150)), (t(100), t(200), Discard));
        assert_eq!(order.span(t(200)), (t(200), EventTime::MAX, Emit));
        assert_eq!(order.span(EventTime::MIN), (EventTime::MIN, t(100), Emit));
    }
}
