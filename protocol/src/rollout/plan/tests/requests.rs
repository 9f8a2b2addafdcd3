//! What a person asks for, in every phase.

use super::world::World;
use crate::rollout::*;

fn refusal(world: &mut World, verb: Verb) -> Option<String> {
    world.ask(verb);
    world.round(super::world::Death::No);
    world.record.answered.as_ref().unwrap().refusal.clone()
}

fn proving() -> World {
    let mut world = World::new(Strategy::BlueGreen);
    world.until_idle();
    world.want("good-1");
    world.until("proving", |world| matches!(world.record.phase, Phase::Proving { .. }));
    world
}

/// C8: nothing is changed by an abort when nothing is running.
#[test]
fn what_makes_no_sense_is_refused_and_changes_nothing() {
    let mut world = World::new(Strategy::BlueGreen);
    world.until_idle();
    let verbs = [
        Verb::Promote { waive: true },
        Verb::Abort,
        Verb::Rollback { frontier: None },
        Verb::Retry,
        Verb::Forget { member: "green-7".parse().unwrap() },
    ];
    for verb in verbs {
        let before = world.record.phase.clone();
        let refusal = refusal(&mut world, verb.clone()).unwrap_or_else(|| panic!("{verb:?} is taken up"));
        assert!(refusal.starts_with(verb.name()), "{refusal}");
        assert_eq!(world.record.phase, before);
    }
    assert_eq!(world.done, [ActionKind::Start]);
}

#[test]
fn a_request_is_answered_once() {
    let mut world = proving();
    world.ask(Verb::Abort);
    world.until_idle();
    assert_eq!(world.active(), "blue-1/good-0");
    world.want("good-2");
    world.until_idle();
    assert_eq!(world.active(), "green-2/good-2", "the abort of the last rollout is not one of this");
}

/// C8: from every phase a person can end it, by abort before the commit and by rollback after it.
#[test]
fn a_person_can_always_take_back() {
    for rounds in 0..60 {
        let mut world = World::new(Strategy::BlueGreen);
        world.until_idle();
        world.want("good-1");
        world.rounds(1 + rounds);
        if world.record.phase == Phase::Idle {
            continue;
        }
        if refusal(&mut world, Verb::Abort).is_some() {
            if world.record.phase == Phase::Idle {
                continue; // It was accepted in that very round.
            }
            assert_eq!(
                refusal(&mut world, Verb::Rollback { frontier: None }),
                None,
                "round {rounds}: {:?}",
                world.record.phase
            );
        }
        world.until_idle();
        assert_eq!(world.active(), "blue-1/good-0", "round {rounds}");
    }
}

#[test]
fn a_waived_proof_goes_on_to_the_agreement_of_the_members() {
    let mut world = proving();
    world.behind.insert("green-1".parse::<Launch>().unwrap().member, 11_000);
    let told = refusal(&mut world, Verb::Promote { waive: false }).unwrap();
    assert!(told.contains("waive"), "{told}");
    assert_eq!(refusal(&mut world, Verb::Promote { waive: true }), None);
    world.wanted.settings.promotion = Promotion::Manual;
    world.until("ready", |world| matches!(world.record.phase, Phase::Ready { .. }));
    assert_eq!(refusal(&mut world, Verb::Promote { waive: false }), None);
    world.until_idle();
    assert_eq!(world.active(), "green-1/good-1");
}

#[test]
fn a_failed_revision_is_tried_again_when_asked() {
    let mut world = proving();
    world.ask(Verb::Abort);
    world.until_idle();
    assert_eq!(refusal(&mut world, Verb::Retry), None);
    world.until_idle();
    assert_eq!(world.active(), "green-2/good-1");
}

#[test]
fn a_former_owner_that_is_dead_for_good_is_forgotten_when_asked() {
    let mut world = proving();
    world.document.as_mut().unwrap().settings.lateness_ms = 3_600_000;
    world.until("watching", |world| matches!(world.record.phase, Phase::Watching { .. }));
    let blue: Launch = "blue-1".parse().unwrap();
    world.kill(blue, Job::Ended(End::Failed("gone".to_owned())));
    let plan = world.rounds(40);
    assert!(plan.waiting.iter().any(|waiting| waiting.code == "FormerEnded"), "{plan:#?}");
    assert_eq!(refusal(&mut world, Verb::Forget { member: blue.member }), None);
    world.until_idle();
    assert!(world.done.contains(&ActionKind::Forget));
    assert_eq!(world.active(), "green-1/good-1");
}

#[test]
fn a_way_back_that_cannot_be_had_is_loud_and_can_be_given_up() {
    let mut world = proving();
    world.until("watching", |world| matches!(world.record.phase, Phase::Watching { .. }));
    world.ask(Verb::Rollback { frontier: None });
    world.until("reversing", |world| matches!(world.record.phase, Phase::Reversing { .. }));
    world.deployed.remove(&"blue-1".parse().unwrap());
    world.document.as_mut().unwrap().cutover = None;
    world.until("loud", |world| world.plan().waiting.iter().any(|waiting| waiting.code == "ReverseFailed"));
    assert_eq!(refusal(&mut world, Verb::Abort), None);
    world.until("kept", |world| world.record.phase == Phase::Idle);
    assert_eq!(world.active(), "green-1/good-1");
}

#[test]
fn an_earlier_version_that_nobody_can_ask_is_forgotten_when_asked_unless_it_owns_something() {
    let mut world = proving();
    let green: Launch = "green-1".parse().unwrap();
    world.lose(green);
    world.ask(Verb::Abort);
    world.want("good-2");
    let plan = world.rounds(20);
    assert!(plan.waiting.iter().any(|waiting| waiting.code == "EarlierVersionUnknown"), "{plan:#?}");
    assert_eq!(refusal(&mut world, Verb::Forget { member: green.member }), None);
    world.deployed.remove(&green);
    world.until_idle();
    assert_eq!(world.active(), "green-2/good-2");

    let mut world = proving();
    let blue: Launch = "blue-1".parse().unwrap();
    world.until("watching", |world| matches!(world.record.phase, Phase::Watching { .. }));
    world.ask(Verb::Promote { waive: true });
    world.lose(blue);
    world.rounds(1);
    let told = refusal(&mut world, Verb::Forget { member: blue.member }).unwrap();
    assert!(told.contains("has not ended"), "{told}");
}
