//! The checker's side: what it visits, what must hold, and what it tells in the end.

use std::collections::HashMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use ahash::RandomState;
use stateright::{Checker, HasDiscoveries, Model, Property};

use super::action::Action;
use super::run::{Marks, Run};
use super::scenario::{Expect, Mark, Scenario};
use super::shared::Shared;
use super::state::{Broken, State};
use super::trace;

/// What was broken, and how it comes to that.
#[derive(Clone, Debug)]
pub struct Found {
    /// The property.
    pub property: &'static str,
    /// States visited until it was found.
    pub states: u64,
    /// One line per step, the last one says what is wrong.
    pub trace: Vec<String>,
}

/// What a run of the checker has shown.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The scenario's name.
    pub scenario: &'static str,
    /// States that differ.
    pub unique_states: u64,
    /// Steps on the longest way that was taken.
    pub depth: u64,
    /// How long it took.
    pub seconds: f64,
    /// The first violation.
    pub violation: Option<Found>,
    /// What had to be reached, and whether it was.
    pub sometimes: Vec<(&'static str, bool)>,
    /// Every state was visited.
    pub exhausted: bool,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Outcome { scenario, unique_states, depth, seconds, .. } = self;
        let found = self.violation.as_ref().map_or("", |found| found.property);
        write!(f, "{scenario:<20} {unique_states:>9} states, depth {depth:>3}, {seconds:>6.1} s {found}")
    }
}

impl Outcome {
    /// Whether it has shown what the scenario must show; the reason why not.
    pub fn verdict(&self, expect: Expect) -> Result<(), String> {
        let name = self.scenario;
        match (&self.violation, expect) {
            (Some(found), Expect::Holds) => {
                Err(format!("{name}: {} is broken:\n{}", found.property, found.trace.join("\n")))
            }
            (None, Expect::Breaks) => Err(format!("{name}: nothing broke, so the assumption is not one")),
            (Some(_), Expect::Breaks) => Ok(()),
            (None, Expect::Holds) if !self.exhausted => Err(format!("{name}: not every state was visited")),
            (None, Expect::Holds) => match self.sometimes.iter().find(|(_, reached)| !reached) {
                Some((what, _)) => Err(format!("{name}: no run reaches {what}")),
                None => Ok(()),
            },
        }
    }
}

/// A scenario as the checker sees it.
#[derive(Clone, Debug)]
struct Visited {
    scenario: Scenario,
    marks: Arc<Marks>,
}

impl Visited {
    fn new(scenario: &Scenario) -> Visited {
        Visited { scenario: scenario.clone(), marks: Arc::new(Marks::default()) }
    }

    fn run(&self, state: &State) -> Run<'_> {
        Run { scenario: &self.scenario, marks: &self.marks, state: state.clone() }
    }
}

/// What must hold in every state.
const ALWAYS: [&str; 20] = [
    "committed at most once",
    "a duplicate needs a failure",
    "in the end every record is visible",
    "an old value never follows a newer one",
    "ordered opens at the finish",
    "no watermark overtakes a held record",
    "no record is made late",
    "nothing before the first order",
    "below the frontier everything is committed",
    "a stopped member owns nothing",
    "each epoch is used once",
    "every cutover ends",
    "no machine panics",
    "only late records meet the late policy",
    "only rest promises everything",
    "a closed gate disposes of nothing",
    "orders never go back",
    "an older value of a key never follows a newer one",
    "only late records are lost at a reclaim",
    "no cutover is refused without a reason",
];

impl Model for Visited {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![self.scenario.first_state(&self.marks)]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        self.run(state).actions(actions);
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let step = || {
            let mut run = self.run(state);
            run.act(action).then_some(run.state)
        };
        match catch_unwind(AssertUnwindSafe(step)) {
            Ok(next) => next,
            Err(_) => {
                let broken = Broken { property: "no machine panics", text: "a machine panics".to_owned() };
                Some(State { broken: Some(Shared::new(broken)), ..state.clone() })
            }
        }
    }

    fn properties(&self) -> Vec<Property<Visited>> {
        macro_rules! always {
            ($($index:literal)*) => {
                vec![$(Property::always(ALWAYS[$index], |_, state: &State| {
                    state.broken.as_ref().is_none_or(|broken| broken.property != ALWAYS[$index])
                })),*]
            };
        }
        always!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19)
    }
}

/// Visits every state of a scenario, or stops at the first violation.
pub fn check(scenario: &Scenario, threads: usize) -> Outcome {
    let began = Instant::now();
    let visited = Visited::new(scenario);
    let marks = Arc::clone(&visited.marks);
    let checker =
        visited.checker().threads(threads).finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    let states = checker.unique_state_count() as u64;
    let broken = ALWAYS.iter().find_map(|property| Some((*property, checker.discovery(property)?)));
    let violation = broken.map(|(property, path)| {
        let told = trace::tell(scenario, &path.into_vec());
        Found { property, states, trace: told }
    });
    let reached = |mark: &Mark| (name(*mark), marks.has(*mark));
    Outcome {
        scenario: scenario.name,
        unique_states: states,
        depth: checker.max_depth() as u64,
        seconds: began.elapsed().as_secs_f64(),
        exhausted: violation.is_none() && checker.is_done(),
        violation,
        sometimes: scenario.reaches.iter().map(reached).collect(),
    }
}

/// Steps that only faults and people take are left out: what is left must not run in a circle, or a run could go on for ever
/// without coming to rest. Returns how many states were visited, or the circle.
pub fn circle(scenario: &Scenario) -> Result<u64, Vec<String>> {
    let visited = Visited::new(scenario);
    // Whether a state is on the way that is being followed.
    let mut known: Known = HashMap::default();
    let mut roots = visited.init_states();
    let mut path: Vec<(Shared<State>, Vec<Action>)> = Vec::new();
    while let Some(root) = roots.pop() {
        if known.contains_key(&Shared::new(root.clone())) {
            continue;
        }
        enter(&visited, root, &mut known, &mut path);
        while let Some((state, actions)) = path.last_mut() {
            let Some(action) = actions.pop() else {
                known.insert(state.clone(), false);
                path.pop();
                continue;
            };
            let Some(next) = visited.next_state(state, action) else { continue };
            if matches!(action, Action::Fault(_)) {
                roots.push(next);
                continue;
            }
            match known.get(&Shared::new(next.clone())) {
                None => enter(&visited, next, &mut known, &mut path),
                Some(true) => {
                    let told: Vec<_> = path.iter().map(|(state, _)| (State::clone(state), None)).collect();
                    return Err(trace::tell(scenario, &told));
                }
                Some(false) => {}
            }
        }
    }
    Ok(known.len() as u64)
}

type Known = HashMap<Shared<State>, bool, RandomState>;

fn enter(visited: &Visited, state: State, known: &mut Known, path: &mut Vec<(Shared<State>, Vec<Action>)>) {
    let mut actions = Vec::new();
    visited.actions(&state, &mut actions);
    let state = Shared::new(state);
    known.insert(state.clone(), true);
    path.push((state, actions));
}

/// A mark in words.
fn name(mark: Mark) -> &'static str {
    match mark {
        Mark::HandedOver => "handed over",
        Mark::Aborted => "aborted",
        Mark::WentBack => "went back",
        Mark::Widened => "a refusal raised the boundary",
        Mark::Refused => "a request was refused",
        Mark::HeldRestored => "held records were restored",
        Mark::HeldMoved => "held records were moved by a rescale",
        Mark::Settled => "settled",
        Mark::Superseded => "an older incarnation found out",
        Mark::Full => "a gate was full",
        Mark::Rested => "an idle subtask rested",
        Mark::Finished => "a subtask was finished",
        Mark::GhostApplied => "a ghost write was applied",
        Mark::WriteLost => "a write was lost against another",
        Mark::StrayArrived => "a status of an earlier attempt arrived",
        Mark::OldOrder => "an old order arrived after a newer one",
        Mark::CommittedLate => "a commit came after the next checkpoint",
        Mark::DeadlinePassed => "a deadline passed",
        Mark::Late => "a record was late",
        Mark::Deviated => "a late record deviated",
        Mark::Untimed => "a record without a time came by",
        Mark::Replaced => "green was replaced",
        Mark::Retired => "a member was retired",
        Mark::Reclaimed => "blue reclaimed",
        Mark::StaleRead => "a decision rested on an old report",
        Mark::OldFirstRead => "a first read was an old one",
        Mark::Forgotten => "an inherited record was left to its owner",
        Mark::TwiceOver => "handed over twice",
        Mark::Explained => "a failure explained a duplicate",
    }
}
