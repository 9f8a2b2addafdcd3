//! Anything may happen at any time; when it stops, every rollout comes to an end or says loudly why not.

use proptest::prelude::*;

use super::world::{Death, World};
use crate::rollout::{
    ConditionKind, End, Job, Phase, Progress, Scale, Schedule, Strategy as How, Verb, Verdict,
};

#[derive(Clone, Debug)]
enum Event {
    Rounds(usize),
    Die(bool),
    Want(&'static str),
    Kill(usize, Job),
    LoseDeployment(usize),
    FailOperations,
    Rescale(u32),
    Check(bool),
    Store(bool),
    Pause(bool),
    Suspend(bool),
    Schedule(Option<u32>),
    Ask(Verb),
    Delete,
}

fn verbs() -> impl Strategy<Value = Verb> {
    prop_oneof![
        any::<bool>().prop_map(|waive| Verb::Promote { waive }),
        Just(Verb::Abort),
        Just(Verb::Rollback { frontier: None }),
        Just(Verb::Retry),
        Just(Verb::Replace { from: None }),
    ]
}

fn events() -> impl Strategy<Value = Event> {
    let revision = prop_oneof![
        4 => Just("good-1"), 3 => Just("good-2"), 2 => Just("good-3"),
        1 => Just("never-1"), 1 => Just("crash-1"), 2 => Just("late-1"),
    ];
    let job = prop_oneof![
        Just(Job::Restarting),
        Just(Job::Unknown),
        Just(Job::Running),
        Just(Job::Ended(End::Failed("killed".to_owned()))),
    ];
    prop_oneof![
        8 => (1_usize..12).prop_map(Event::Rounds),
        6 => any::<bool>().prop_map(Event::Die),
        5 => revision.prop_map(Event::Want),
        3 => (0_usize..4, job).prop_map(|(index, job)| Event::Kill(index, job)),
        1 => (0_usize..4).prop_map(Event::LoseDeployment),
        2 => Just(Event::FailOperations),
        1 => (1_u32..9).prop_map(Event::Rescale),
        1 => any::<bool>().prop_map(Event::Check),
        1 => any::<bool>().prop_map(Event::Store),
        1 => any::<bool>().prop_map(Event::Pause),
        1 => any::<bool>().prop_map(Event::Suspend),
        2 => prop::option::of(1_u32..3).prop_map(Event::Schedule),
        3 => verbs().prop_map(Event::Ask),
        1 => Just(Event::Delete),
    ]
}

fn happen(world: &mut World, event: Event) {
    let pick = |world: &World, index: usize| world.deployed.keys().nth(index).copied();
    match event {
        Event::Rounds(rounds) => {
            world.rounds(rounds);
        }
        Event::Die(before) => {
            world.round(if before { Death::BeforePersisting } else { Death::BeforeAction });
        }
        Event::Want(revision) => world.want(revision),
        Event::Kill(index, job) => {
            if let Some(launch) = pick(world, index) {
                world.kill(launch, job);
            }
        }
        Event::LoseDeployment(index) => {
            if let Some(launch) = pick(world, index) {
                world.deployed.remove(&launch);
            }
        }
        Event::FailOperations => {
            for progress in world.operations.values_mut().filter(|progress| **progress == Progress::Running) {
                *progress = Progress::Failed("a fault".to_owned());
            }
        }
        // What a scaler does between the last look and the stop itself is not seen; the job comes back as it was looked at.
        Event::Rescale(_) if matches!(world.record.phase, Phase::Stopping { .. }) => {}
        Event::Rescale(parallelism) => {
            let scale = Some(Scale { parallelism: Some(parallelism), ..Scale::default() });
            for one in world.deployed.values_mut().filter(|one| one.seen.job == Job::Running) {
                one.seen.scale = scale;
            }
        }
        Event::Check(good) => {
            let verdict = if good { Verdict::Passed } else { Verdict::Failed("bad".to_owned()) };
            world.checks.insert("check".to_owned(), verdict);
        }
        Event::Store(away) => world.store_away = away,
        Event::Pause(paused) => world.wanted.paused = paused,
        Event::Suspend(suspended) => world.wanted.suspended = suspended,
        Event::Schedule(keep) => {
            world.wanted.settings.savepoints = keep.map(|keep| Schedule { every_ms: 20_000, keep });
        }
        Event::Ask(verb) => world.ask(verb),
        Event::Delete => world.deleting = true,
    }
}

/// No more faults.
fn calm(world: &mut World) {
    world.store_away = false;
    world.wanted.paused = false;
    world.checks.clear();
    world.wanted.settings.savepoints = None;
    for one in world.deployed.values_mut() {
        one.killed = false;
    }
}

/// It has come to an end: nothing is under way, or a person is called.
fn comes_to_an_end(world: &mut World) {
    calm(world);
    let mut plan = world.rounds(400);
    if world.deleting {
        assert!(world.released, "a deleted resource is never let go: {:#?}", world.record);
        return;
    }
    // The last looks must agree: nothing is done any more.
    for _ in 0..5 {
        plan = world.round(Death::No);
    }
    let is_loud = plan.conditions.iter().any(|one| one.kind == ConditionKind::Degraded && one.status);
    let at_rest = matches!(plan.record.phase, Phase::Idle | Phase::Suspended { .. });
    assert!(at_rest || is_loud, "neither at rest nor loud: {:#?} {:#?}", plan, world.document);
    if at_rest && !is_loud {
        assert!(plan.action.is_none(), "at rest, and yet: {:?}", plan.action);
        assert_eq!(plan.record, world.record);
        let live = plan.record.active.as_ref().map(|active| &active.revision) == Some(&world.wanted.revision);
        assert!(live || world.wanted.suspended, "at rest with another revision, and silent: {plan:#?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), max_shrink_iters: 4_000, ..ProptestConfig::default() })]

    #[test]
    fn blue_green_whatever_happens(events in prop::collection::vec(events(), 1..40)) {
        run(How::BlueGreen, events);
    }

    #[test]
    fn stop_start_whatever_happens(events in prop::collection::vec(events(), 1..40)) {
        run(How::StopStart, events);
    }
}

fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(256)
}

fn run(strategy: How, events: Vec<Event>) {
    let mut world = World::new(strategy);
    for event in events {
        happen(&mut world, event);
    }
    comes_to_an_end(&mut world);
}
