//! What a job tells its agent at the start.

use serde::Deserialize;
use tidegate_protocol::document::{HandOver, LatePolicy, Settings};
use tidegate_protocol::documents;
use tidegate_protocol::identity::{Color, Member};
use tidegate_protocol::member;

/// The configuration of a member's agent, as the bridge passes it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgentConfig {
    /// `tidegate.store`, a URL.
    pub store: String,
    /// `tidegate.rollout`.
    pub rollout: String,
    /// `tidegate.color`.
    pub color: Color,
    /// `tidegate.generation`, from 1.
    pub generation: u32,
    /// The Flink job's id, or another name that outlives a restart of the same job and no other job has.
    pub job: String,
    /// All gates of the job.
    pub gates: Vec<String>,
    /// `tidegate.starts-at-beginning`.
    #[serde(default)]
    pub from_beginning: bool,
    /// `tidegate.late-policy`, for a new rollout.
    #[serde(default)]
    pub late_policy: Late,
    /// `tidegate.lateness` in milliseconds, for a new rollout.
    #[serde(default)]
    pub lateness_ms: u32,
    /// `tidegate.hand-over`, for a new rollout.
    #[serde(default)]
    pub hand_over: Order,
}

/// `tidegate.late-policy`.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Late {
    /// Emit, and count.
    #[default]
    Emit,
    /// Drop, and count.
    Drop,
    /// Send to a stream of their own, and count.
    SideOutput,
}

/// `tidegate.hand-over`.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// The new version begins when everything below the boundary is committed.
    #[default]
    Ordered,
    /// Both emit for a while.
    Overlapped,
}

/// A configuration that names no member.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Not of the form that is expected; the text names the field.
    #[error("ConfigUnreadable: the agent's configuration cannot be read: {0}")]
    Unreadable(String),
    /// See the text.
    #[error("ConfigInvalid: {field} = {value:?}: {way_out}")]
    Invalid {
        /// The option.
        field: &'static str,
        /// What was given.
        value: String,
        /// What to give.
        way_out: &'static str,
    },
}

impl AgentConfig {
    /// Reads the JSON form.
    pub fn parse(bytes: &[u8]) -> Result<AgentConfig, ConfigError> {
        let config: AgentConfig = documents::from_json(bytes).map_err(ConfigError::Unreadable)?;
        let invalid = |field, value: &str, way_out| {
            Err(ConfigError::Invalid { field, value: value.to_owned(), way_out })
        };
        if config.generation == 0 {
            return invalid("tidegate.generation", "0", "generations count from 1");
        }
        if config.gates.is_empty() {
            return invalid("gates", "[]", "a job needs at least one gate");
        }
        Ok(config)
    }

    /// The member.
    pub fn member(&self) -> Member {
        Member::new(self.color, self.generation)
    }

    /// What the member machine needs to know.
    pub fn for_machine(&self, instance: String) -> member::Config {
        member::Config {
            rollout: self.rollout.clone(),
            member: self.member(),
            job: self.job.clone(),
            instance,
            gates: self.gates.clone(),
            from_beginning: self.from_beginning,
            settings: self.settings(),
        }
    }

    fn settings(&self) -> Settings {
        Settings {
            hand_over: match self.hand_over {
                Order::Ordered => HandOver::Ordered,
                Order::Overlapped => HandOver::Overlapped,
            },
            late: match self.late_policy {
                Late::Emit => LatePolicy::Emit,
                Late::Drop => LatePolicy::Drop,
                Late::SideOutput => LatePolicy::SideOutput,
            },
            lateness_ms: i64::from(self.lateness_ms),
            ..Settings::default()
        }
    }
}
