//! The cutover document.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{Time, to_bytes};
use crate::document::{
    Answer, Cutover, Document, HandOver, LatePolicy, Outcome, Owner, Past, Settings, Terms,
};
use crate::documents::{Error, read_v1};
use crate::identity::{Attempt, Epoch, Member, Origin};
use crate::time::WallTime;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DocumentV1 {
    version: u32,
    rollout: String,
    epoch: Epoch,
    nonce: String,
    settled: Time,
    owners: Vec<OwnerV1>,
    cutover: Option<CutoverV1>,
    attempts: Attempt,
    gone: BTreeSet<Member>,
    answered: Option<AnswerV1>,
    settings: SettingsV1,
    history: Vec<PastV1>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct OwnerV1 {
    since: Time,
    member: Member,
    origin: Origin,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    reclaimed: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum HandOverV1 {
    Ordered,
    Overlapped,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum LatePolicyV1 {
    Emit,
    Drop,
    SideOutput,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TermsV1 {
    attempt: Attempt,
    to: Member,
    origin: Origin,
    at: Time,
    hand_over: HandOverV1,
    proposed_at_ms: WallTime,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields, tag = "state")]
enum CutoverV1 {
    Proposed { terms: TermsV1, deadline_ms: WallTime, tries_left: Option<u32> },
    Committed { terms: TermsV1, committed_at_ms: WallTime },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AnswerV1 {
    request: String,
    attempt: Option<Attempt>,
    refused: Option<ReasonV1>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ReasonV1 {
    code: String,
    message: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PastV1 {
    terms: TermsV1,
    from: Member,
    aborted: Option<ReasonV1>,
    ended_at_ms: WallTime,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SettingsV1 {
    hand_over: HandOverV1,
    late: LatePolicyV1,
    lateness_ms: i64,
    propose_deadline_ms: u64,
    finish_deadline_ms: u64,
    control_path_ms: u64,
    tries: u32,
}

/// Writes a document; the nonce tells this write from every other one, also when its author never learns that it was applied.
pub fn write_document(document: &Document, nonce: &str) -> Vec<u8> {
    to_bytes(&DocumentV1 {
        version: 1,
        rollout: document.rollout.clone(),
        epoch: document.epoch,
        nonce: nonce.to_owned(),
        settled: Time(document.settled),
        owners: document.owners.iter().map(OwnerV1::from).collect(),
        cutover: document.cutover.as_ref().map(CutoverV1::from),
        attempts: document.attempts,
        gone: document.gone.clone(),
        answered: document.answered.as_ref().map(AnswerV1::from),
        settings: SettingsV1::from(&document.settings),
        history: document.history.iter().map(PastV1::from).collect(),
    })
}

/// Reads a document and its nonce.
pub fn read_document(bytes: &[u8]) -> Result<(Document, String), Error> {
    let read: DocumentV1 = read_v1("cutover document", bytes)?;
    let document = Document {
        rollout: read.rollout,
        epoch: read.epoch,
        settled: read.settled.0,
        owners: read.owners.into_iter().map(Owner::from).collect(),
        cutover: read.cutover.map(Cutover::from),
        attempts: read.attempts,
        gone: read.gone,
        answered: read.answered.map(Answer::from),
        history: read.history.into_iter().map(Past::from).collect(),
        settings: Settings::from(read.settings),
    };
    check(&document)?;
    Ok((document, read.nonce))
}

/// What every change keeps true, and an edit by hand may break.
fn check(document: &Document) -> Result<(), Error> {
    let damaged = |reason: String| Err(Error::Damaged { what: "cutover document", reason });
    if document.owners.is_empty() {
        return damaged("owners is empty".to_owned());
    }
    if let Some(pair) = document.owners.windows(2).find(|pair| pair[0].since > pair[1].since) {
        return damaged(format!("owners do not ascend: {} comes before {}", pair[0].since, pair[1].since));
    }
    if let Some(terms) = document.terms() {
        let least = document.active().since.max(document.settled);
        if terms.at <= least || terms.at.finite().is_none() {
            return damaged(format!(
                "cutover.terms.at = {} is not a time above {least}, where owners and settled end",
                terms.at
            ));
        }
        if terms.to == document.active().member {
            return damaged(format!(
                "cutover.terms.to = {} is the active member of owners already",
                terms.to
            ));
        }
        if terms.attempt != document.attempts {
            let (attempt, attempts) = (terms.attempt.0, document.attempts.0);
            return damaged(format!(
                "cutover.terms.attempt = {attempt} is not the last of attempts = {attempts}"
            ));
        }
    }
    if document.settings.lateness_ms < 0 {
        return damaged(format!("settings.lateness_ms = {} is negative", document.settings.lateness_ms));
    }
    Ok(())
}

impl From<&Owner> for OwnerV1 {
    fn from(owner: &Owner) -> OwnerV1 {
        OwnerV1 {
            since: Time(owner.since),
            member: owner.member,
            origin: owner.origin,
            reclaimed: owner.reclaimed,
        }
    }
}

impl From<OwnerV1> for Owner {
    fn from(owner: OwnerV1) -> Owner {
        Owner { since: owner.since.0, member: owner.member, origin: owner.origin, reclaimed: owner.reclaimed }
    }
}

impl From<HandOver> for HandOverV1 {
    fn from(hand_over: HandOver) -> HandOverV1 {
        match hand_over {
            HandOver::Ordered => HandOverV1::Ordered,
            HandOver::Overlapped => HandOverV1::Overlapped,
        }
    }
}

impl From<HandOverV1> for HandOver {
    fn from(hand_over: HandOverV1) -> HandOver {
        match hand_over {
            HandOverV1::Ordered => HandOver::Ordered,
            HandOverV1::Overlapped => HandOver::Overlapped,
        }
    }
}

impl From<&Terms> for TermsV1 {
    fn from(terms: &Terms) -> TermsV1 {
        TermsV1 {
            attempt: terms.attempt,
            to: terms.to,
            origin: terms.origin,
            at: Time(terms.at),
            hand_over: terms.hand_over.into(),
            proposed_at_ms: terms.proposed,
        }
    }
}

impl From<TermsV1> for Terms {
    fn from(terms: TermsV1) -> Terms {
        Terms {
            attempt: terms.attempt,
            to: terms.to,
            origin: terms.origin,
            at: terms.at.0,
            hand_over: terms.hand_over.into(),
            proposed: terms.proposed_at_ms,
        }
    }
}

impl From<&Cutover> for CutoverV1 {
    fn from(cutover: &Cutover) -> CutoverV1 {
        match cutover {
            Cutover::Proposed { terms, deadline, tries_left } => {
                CutoverV1::Proposed { terms: terms.into(), deadline_ms: *deadline, tries_left: *tries_left }
            }
            Cutover::Committed { terms, committed } => {
                CutoverV1::Committed { terms: terms.into(), committed_at_ms: *committed }
            }
        }
    }
}

impl From<CutoverV1> for Cutover {
    fn from(cutover: CutoverV1) -> Cutover {
        match cutover {
            CutoverV1::Proposed { terms, deadline_ms, tries_left } => {
                Cutover::Proposed { terms: terms.into(), deadline: deadline_ms, tries_left }
            }
            CutoverV1::Committed { terms, committed_at_ms } => {
                Cutover::Committed { terms: terms.into(), committed: committed_at_ms }
            }
        }
    }
}

impl From<&Answer> for AnswerV1 {
    fn from(answer: &Answer) -> AnswerV1 {
        let refused = answer.refusal.clone().map(|(code, message)| ReasonV1 { code, message });
        AnswerV1 { request: answer.request.clone(), attempt: answer.attempt, refused }
    }
}

impl From<AnswerV1> for Answer {
    fn from(answer: AnswerV1) -> Answer {
        let refusal = answer.refused.map(|reason| (reason.code, reason.message));
        Answer { request: answer.request, attempt: answer.attempt, refusal }
    }
}

impl From<&Past> for PastV1 {
    fn from(past: &Past) -> PastV1 {
        let aborted = match &past.outcome {
            Outcome::Done => None,
            Outcome::Aborted { code, message } => {
                Some(ReasonV1 { code: code.clone(), message: message.clone() })
            }
        };
        PastV1 { terms: (&past.terms).into(), from: past.from, aborted, ended_at_ms: past.ended }
    }
}

impl From<PastV1> for Past {
    fn from(past: PastV1) -> Past {
        let outcome = match past.aborted {
            None => Outcome::Done,
            Some(ReasonV1 { code, message }) => Outcome::Aborted { code, message },
        };
        Past { terms: past.terms.into(), from: past.from, outcome, ended: past.ended_at_ms }
    }
}

impl From<&Settings> for SettingsV1 {
    fn from(settings: &Settings) -> SettingsV1 {
        SettingsV1 {
            hand_over: settings.hand_over.into(),
            late: match settings.late {
                LatePolicy::Emit => LatePolicyV1::Emit,
                LatePolicy::Drop => LatePolicyV1::Drop,
                LatePolicy::SideOutput => LatePolicyV1::SideOutput,
            },
            lateness_ms: settings.lateness_ms,
            propose_deadline_ms: settings.propose_deadline_ms,
            finish_deadline_ms: settings.finish_deadline_ms,
            control_path_ms: settings.control_path_ms,
            tries: settings.tries,
        }
    }
}

impl From<SettingsV1> for Settings {
    fn from(settings: SettingsV1) -> Settings {
        Settings {
            hand_over: settings.hand_over.into(),
            late: match settings.late {
                LatePolicyV1::Emit => LatePolicy::Emit,
                LatePolicyV1::Drop => LatePolicy::Drop,
                LatePolicyV1::SideOutput => LatePolicy::SideOutput,
            },
            lateness_ms: settings.lateness_ms,
            propose_deadline_ms: settings.propose_deadline_ms,
            finish_deadline_ms: settings.finish_deadline_ms,
            control_path_ms: settings.control_path_ms,
            tries: settings.tries,
        }
    }
}
