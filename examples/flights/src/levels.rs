//! The water levels of both jobs, as `tidegate status` tells them.

use anyhow::{Context, Result};
use serde_json::Value;

use crate::flight::readable;

/// The part of a rollout's status that the demo looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Status {
    pub(crate) members: Vec<Level>,
}

/// One member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Level {
    /// Color and generation, as in `blue-1`.
    pub(crate) member: String,
    /// `active`, `standby`, …
    pub(crate) role: String,
    /// Whether it may be stopped: it owns nothing, and no cutover names it.
    pub(crate) retirable: bool,
    /// The lowest watermark of its gates, epoch milliseconds.
    pub(crate) watermark: Option<i64>,
    /// Rows that its gates have emitted.
    pub(crate) emitted: u64,
}

impl Status {
    /// Reads the JSON of `tidegate status`: the one place that knows its form.
    ///
    /// # Errors
    /// When there is no list of members in it.
    pub(crate) fn read(status: &Value) -> Result<Self> {
        let members = status.get("members").and_then(Value::as_array);
        let members = members.with_context(|| format!("no members in the status: {status}"))?;
        Ok(Self { members: members.iter().map(Level::read).collect::<Result<_>>()? })
    }

    /// A member by its name.
    pub(crate) fn member(&self, name: &str) -> Option<&Level> {
        self.members.iter().find(|level| level.member == name)
    }

    /// One line for a person.
    pub(crate) fn line(&self) -> String {
        let members: Vec<String> = self.members.iter().map(Level::line).collect();
        members.join("  |  ")
    }
}

impl Level {
    fn read(member: &Value) -> Result<Self> {
        let text = |field: &str| member.get(field).and_then(Value::as_str).map(str::to_owned);
        let gates = member.get("gates").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let number = |gate: &Value, field: &str| gate.get(field).and_then(Value::as_i64);
        Ok(Self {
            member: text("member").with_context(|| format!("a member without a name: {member}"))?,
            role: text("role").unwrap_or_default(),
            retirable: member.get("retirable").and_then(Value::as_bool).unwrap_or(false),
            watermark: gates.iter().filter_map(|gate| number(gate, "watermark")).min(),
            emitted: gates.iter().filter_map(|gate| number(gate, "emitted")).sum::<i64>().unsigned_abs(),
        })
    }

    fn line(&self) -> String {
        let watermark = self.watermark.map_or_else(|| "nothing yet".into(), readable);
        format!("{} {}: {watermark}, {} rows", self.member, self.role, self.emitted)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_status_of_a_cutover_is_read() {
        let gates =
            json!([{"watermark": 1_357_017_300_000_i64, "emitted": 7}, {"watermark": null, "emitted": 1}]);
        let status = Status::read(&json!({ "rollout": "flights", "members": [
            {"member": "blue-1", "role": "former", "retirable": false, "gates": gates},
            {"member": "green-1", "role": "active", "retirable": false, "gates": []},
        ]}))
        .unwrap();
        assert!(!status.member("blue-1").unwrap().retirable);
        assert_eq!(
            status.line(),
            "blue-1 former: 2013-01-01 05:15, 8 rows  |  green-1 active: nothing yet, 0 rows"
        );
        assert!(status.member("green-2").is_none());
    }

    #[test]
    fn something_else_is_refused() {
        assert!(Status::read(&json!({"error": "no such rollout"})).is_err());
        assert!(Status::read(&json!({"members": [{}]})).is_err());
    }
}
