//! Arbitrary values of everything that is written down.

use proptest::collection::{btree_map, btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use tidegate_protocol::document::{
    Answer, Cutover, Document, HandOver, LatePolicy, Outcome, Owner, Past, Settings, Terms,
};
use tidegate_protocol::identity::{
    Attempt, COUNT_MAX, CheckpointId, Color, Epoch, Incarnation, Member, Origin, Snapshot,
};
use tidegate_protocol::member::{Event, Evidence};
use tidegate_protocol::order::{Disposition, Inherited, Order, Question, Side, Span};
use tidegate_protocol::report::{FarRecord, GateReport, Replies, Report, SlowSubtask, Trouble};
use tidegate_protocol::request::Request;
use tidegate_protocol::subtask::{Header, Reply, Status};
use tidegate_protocol::time::{EventTime, WallTime, When};

/// Any text: control characters, quotes and characters of four bytes too.
pub(crate) fn text() -> impl Strategy<Value = String> {
    prop_oneof![2 => "[a-z0-9-]{0,12}", 1 => "(?s).{0,12}"]
}

fn count() -> impl Strategy<Value = u64> {
    prop_oneof![4 => 0_u64..9, 1 => 0..=COUNT_MAX, 1 => Just(COUNT_MAX)]
}

pub(crate) fn time() -> impl Strategy<Value = EventTime> {
    prop_oneof![
        8 => (-1_000_i64..1_000).prop_map(EventTime::from_millis),
        2 => any::<i64>().prop_map(EventTime::from_millis),
        1 => Just(EventTime::MIN),
        1 => Just(EventTime::MAX),
    ]
}

fn wall() -> impl Strategy<Value = WallTime> {
    prop_oneof![0_u64..99, any::<u64>()].prop_map(WallTime::from_millis)
}

pub(crate) fn member() -> impl Strategy<Value = Member> {
    (any::<bool>(), prop_oneof![3 => 1_u32..4, 1 => any::<u32>()])
        .prop_map(|(blue, generation)| Member::new(if blue { Color::Blue } else { Color::Green }, generation))
}

pub(crate) fn snapshot() -> impl Strategy<Value = Snapshot> {
    (member(), any::<u64>()).prop_map(|(member, id)| Snapshot { member, checkpoint: CheckpointId(id) })
}

fn origin() -> impl Strategy<Value = Origin> {
    prop_oneof![Just(Origin::Fresh), snapshot().prop_map(Origin::Snapshot)]
}

fn hand_over() -> impl Strategy<Value = HandOver> {
    prop_oneof![Just(HandOver::Ordered), Just(HandOver::Overlapped)]
}

fn terms() -> impl Strategy<Value = Terms> {
    (count(), member(), origin(), time(), hand_over(), wall()).prop_map(
        |(attempt, to, origin, at, hand_over, proposed)| Terms {
            attempt: Attempt(attempt),
            to,
            origin,
            at,
            hand_over,
            proposed,
        },
    )
}

fn cutover() -> impl Strategy<Value = Cutover> {
    (terms(), any::<bool>(), wall(), option::of(any::<u32>())).prop_map(
        |(terms, proposed, wall, tries_left)| {
            if proposed {
                Cutover::Proposed { terms, deadline: wall, tries_left }
            } else {
                Cutover::Committed { terms, committed: wall }
            }
        },
    )
}

fn past() -> impl Strategy<Value = Past> {
    (terms(), member(), option::of((text(), text())), wall()).prop_map(|(terms, from, aborted, ended)| {
        let outcome = aborted.map_or(Outcome::Done, |(code, message)| Outcome::Aborted { code, message });
        Past { terms, from, outcome, ended }
    })
}

fn answer() -> impl Strategy<Value = Answer> {
    (text(), option::of(count()), option::of((text(), text())))
        .prop_map(|(request, attempt, refusal)| Answer { request, attempt: attempt.map(Attempt), refusal })
}

fn settings() -> impl Strategy<Value = Settings> {
    let late = prop::sample::select(vec![LatePolicy::Emit, LatePolicy::Drop, LatePolicy::SideOutput]);
    (hand_over(), late, 0..=i64::MAX, any::<[u64; 3]>(), any::<u32>()).prop_map(
        |(hand_over, late, lateness_ms, [propose, finish, path], tries)| Settings {
            hand_over,
            late,
            lateness_ms,
            propose_deadline_ms: propose,
            finish_deadline_ms: finish,
            control_path_ms: path,
            tries,
        },
    )
}

/// Any document that keeps what every change keeps true.
pub(crate) fn document() -> impl Strategy<Value = Document> {
    let owner = (time(), member(), origin(), any::<bool>())
        .prop_map(|(since, member, origin, reclaimed)| Owner { since, member, origin, reclaimed });
    (
        (text(), count(), time(), count()),
        vec(owner, 1..6),
        option::of(cutover()),
        btree_set(member(), 0..3),
        option::of(answer()),
        vec(past(), 0..4),
        settings(),
    )
        .prop_map(
            |(
                (rollout, epoch, settled, attempts),
                mut owners,
                cutover,
                gone,
                answered,
                history,
                settings,
            )| {
                owners.sort_by_key(|owner| owner.since);
                let mut document = Document {
                    rollout,
                    epoch: Epoch(epoch),
                    settled,
                    owners,
                    cutover,
                    attempts: Attempt(attempts),
                    gone,
                    answered,
                    history,
                    settings,
                };
                make_consistent(&mut document);
                document
            },
        )
}

fn make_consistent(document: &mut Document) {
    let active = document.active();
    let (least, member, attempts) = (active.since.max(document.settled), active.member, document.attempts);
    let Some(Cutover::Proposed { terms, .. } | Cutover::Committed { terms, .. }) = &mut document.cutover
    else {
        return;
    };
    terms.attempt = attempts;
    if terms.to == member {
        terms.to.generation ^= 1;
    }
    if terms.at <= least {
        terms.at = EventTime::from_millis(least.as_millis().saturating_add(1));
    }
    if terms.at <= least || terms.at.finite().is_none() {
        document.cutover = None;
    }
}

fn replies() -> impl Strategy<Value = Replies> {
    (count(), any::<u32>(), option::of(time()), vec(any::<u32>(), 0..4)).prop_map(
        |(attempt, acknowledged, refused_high, missing)| Replies {
            attempt: Attempt(attempt),
            acknowledged,
            refused_high,
            missing,
        },
    )
}

fn slow() -> impl Strategy<Value = SlowSubtask> {
    (any::<u32>(), time(), time(), any::<u64>())
        .prop_map(|(subtask, watermark, frontier, held)| SlowSubtask { subtask, watermark, frontier, held })
}

fn gate_report() -> impl Strategy<Value = GateReport> {
    let small = || prop_oneof![3 => 0_u32..4, 1 => any::<u32>()];
    (
        [small(), small(), small(), small(), small()],
        option::of(replies()),
        [time(), time(), time(), time(), time()],
        option::of(any::<u64>()),
        any::<[u64; 6]>(),
        option::of((any::<u32>(), time()).prop_map(|(subtask, time)| FarRecord { subtask, time })),
        vec(slow(), 0..4),
    )
        .prop_map(|(numbers, replies, times, committed, counts, furthest, slowest)| {
            let [parallelism, ready, ended, idle, full] = numbers;
            let [emitted_high, discarded_high, watermark_low, watermark_high, frontier] = times;
            let [held, emitted, discarded, late, untimed, future] = counts;
            GateReport {
                parallelism,
                ready,
                ended,
                idle,
                replies,
                emitted_high,
                discarded_high,
                watermark_low,
                watermark_high,
                frontier,
                committed: committed.map(CheckpointId),
                held,
                full,
                emitted,
                discarded,
                odd: [late, untimed, future],
                furthest,
                slowest,
            }
        })
}

pub(crate) fn report() -> impl Strategy<Value = Report> {
    let trouble = (text(), text()).prop_map(|(code, message)| Trouble { code, message });
    (
        (member(), count(), text(), text(), wall()),
        (option::of(count()), option::of(origin()), any::<bool>(), any::<i64>()),
        vec(trouble, 0..2),
        btree_map(prop_oneof![2 => Just("orders".to_owned()), 1 => text()], gate_report(), 0..3),
    )
        .prop_map(
            |(
                (member, incarnation, instance, job, written),
                (epoch, origin, from_beginning, event_rate),
                trouble,
                gates,
            )| Report {
                member,
                incarnation: Incarnation(incarnation),
                instance,
                job,
                written,
                epoch: epoch.map(Epoch),
                origin,
                from_beginning,
                event_rate,
                trouble,
                gates,
            },
        )
}

/// Every point in event time that a person can name.
pub(crate) fn when() -> impl Strategy<Value = When> {
    prop_oneof![
        Just(When::Now),
        (1..=i64::MAX).prop_map(When::In),
        (1_i64..100_000).prop_map(When::In),
        (0..i64::MAX).prop_map(|millis| When::At(EventTime::from_millis(millis))),
        (-1_000_000_000_000_i64..4_000_000_000_000)
            .prop_map(|millis| When::At(EventTime::from_millis(millis))),
    ]
}

pub(crate) fn request() -> impl Strategy<Value = Request> {
    prop_oneof![
        3 => (when(), option::of(member()), option::of(hand_over()))
            .prop_map(|(at, to, hand_over)| Request::Promote { at, to, hand_over }),
        1 => option::of(count())
            .prop_map(|attempt| Request::Abort { attempt: attempt.map(Attempt) }),
    ]
}

pub(crate) fn header() -> impl Strategy<Value = Header> {
    (member(), any::<u64>(), origin(), count(), [time(), time(), time(), time(), time()]).prop_map(
        |(member, checkpoint, origin, epoch, times)| {
            let [emitted_high, discarded_high, seen_high, watermark, frontier] = times;
            Header {
                member,
                checkpoint: CheckpointId(checkpoint),
                origin,
                epoch: Epoch(epoch),
                emitted_high,
                discarded_high,
                seen_high,
                watermark,
                frontier,
            }
        },
    )
}

/// Spans in any order, from the lowest event time on.
pub(crate) fn order() -> impl Strategy<Value = Order> {
    let disposition = prop::sample::select(vec![
        Disposition::Hold,
        Disposition::Emit,
        Disposition::Discard,
        Disposition::LateEmit,
        Disposition::LateDrop,
        Disposition::LateSideOutput,
        Disposition::LateDiscard,
    ]);
    let span = (time(), disposition).prop_map(|(since, disposition)| Span { since, disposition });
    let question = (count(), time(), any::<bool>()).prop_map(|(attempt, at, from)| Question {
        attempt: Attempt(attempt),
        at,
        side: if from { Side::From } else { Side::To },
    });
    let inherited = prop::sample::select(vec![Inherited::Wait, Inherited::Forget, Inherited::Adopt]);
    (count(), vec(span, 1..6), option::of(question), inherited).prop_map(
        |(epoch, mut spans, question, inherited)| {
            spans[0].since = EventTime::MIN;
            Order { epoch: Epoch(epoch), spans, question, inherited }
        },
    )
}

fn status() -> impl Strategy<Value = Status> {
    let reply = (count(), any::<bool>(), time()).prop_map(|(attempt, acknowledged, high)| Reply {
        attempt: Attempt(attempt),
        acknowledged,
        high,
    });
    (
        (option::of(count()), count(), origin(), option::of(reply)),
        [time(), time(), time()],
        any::<[bool; 3]>(),
        (any::<[u64; 6]>(), option::of(time())),
        vec((any::<u64>().prop_map(CheckpointId), time()), 0..3),
    )
        .prop_map(|((epoch, known, origin, reply), times, [idle, ended, full], counts, snapshots)| {
            let [emitted_high, discarded_high, watermark] = times;
            let ([held, emitted, discarded, late, untimed, future], future_time) = counts;
            Status {
                epoch: epoch.map(Epoch),
                known: Epoch(known),
                origin,
                reply,
                emitted_high,
                discarded_high,
                watermark,
                idle,
                ended,
                held,
                full,
                snapshots,
                emitted,
                discarded,
                odd: [late, untimed, future],
                future_time,
            }
        })
}

pub(crate) fn event() -> impl Strategy<Value = Event> {
    let gate = || prop_oneof![4 => Just("orders".to_owned()), 1 => text()];
    let small = || prop_oneof![6 => 0_u32..4, 1 => any::<u32>()];
    let evidence = prop::sample::select(vec![Evidence::Committer, Evidence::Checkpoint]);
    prop_oneof![
        (gate(), small(), evidence).prop_map(|(gate, parallelism, evidence)| Event::GateOpened {
            gate,
            parallelism,
            evidence
        }),
        (gate(), small()).prop_map(|(gate, parallelism)| Event::CommittersOpened { gate, parallelism }),
        (gate(), small(), small(), small()).prop_map(|(gate, subtask, attempt, parallelism)| {
            Event::SubtaskReady { gate, subtask, attempt, parallelism }
        }),
        (gate(), small()).prop_map(|(gate, subtask)| Event::SubtaskGone { gate, subtask }),
        (gate(), small(), small(), status()).prop_map(|(gate, subtask, attempt, status)| {
            Event::SubtaskStatus { gate, subtask, attempt, status }
        }),
        (gate(), small(), any::<u64>()).prop_map(|(gate, subtask, id)| Event::Committed {
            gate,
            subtask,
            checkpoint: CheckpointId(id)
        }),
        (gate(), any::<u64>())
            .prop_map(|(gate, id)| Event::CheckpointCompleted { gate, checkpoint: CheckpointId(id) }),
        gate().prop_map(|gate| Event::Reset { gate }),
    ]
}
