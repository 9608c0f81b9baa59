//! Each kind of document by the type that the program reads it with.

use crate::Request;
use anyhow::{anyhow, bail, Result};
use prodigy::cook::execution::dlq::DeadLetteredItem;
use prodigy::cook::execution::events::{EventIndex, EventRecord, RetentionAnalysis, RetentionPolicy};
use prodigy::cook::execution::mapreduce::checkpoint::{MapReduceCheckpoint, ReducePhaseCheckpoint};
use prodigy::cook::execution::mapreduce::coordination::executor::OrphanedWorktree;
use prodigy::cook::execution::state::{CheckpointInfo, MapReduceJobState};
use prodigy::cook::execution::ResumeLockData;
use prodigy::cook::workflow::{WorkflowCheckpoint, WorkflowStep};
use prodigy::storage::{SessionJobMapping, StorageConfig};
use prodigy::unified_session::UnifiedSession;
use prodigy::worktree::WorktreeState;
use serde::de::DeserializeOwned;
use serde::Serialize;
use serde_json::{json, Value};

/// Read the document with its type, and write it back as the program does.
pub fn parse(request: &Request) -> Result<Value> {
    let bytes = request.document()?;
    match request.kind.as_str() {
        "event-record" => line::<EventRecord>(&bytes),
        "event-lines" => lines(&bytes),
        "event-index" => pretty::<EventIndex>(&bytes),
        "dlq-item" => pretty::<DeadLetteredItem>(&bytes),
        "dlq-export" => pretty::<Vec<DeadLetteredItem>>(&bytes),
        "session" => pretty::<UnifiedSession>(&bytes),
        "job-state" => pretty::<MapReduceJobState>(&bytes),
        "job-metadata" => pretty::<CheckpointInfo>(&bytes),
        "mr-checkpoint" => pretty::<MapReduceCheckpoint>(&bytes),
        "reduce-checkpoint" => pretty::<ReducePhaseCheckpoint>(&bytes),
        "workflow-checkpoint" => pretty::<WorkflowCheckpoint>(&bytes),
        "workflow-step" => pretty::<WorkflowStep>(&bytes),
        "mapping" => pretty::<SessionJobMapping>(&bytes),
        "resume-lock" => pretty::<ResumeLockData>(&bytes),
        "worktree-state" => pretty::<WorktreeState>(&bytes),
        "orphan-registry" => pretty::<Vec<OrphanedWorktree>>(&bytes),
        "retention-analysis" => pretty::<RetentionAnalysis>(&bytes),
        "storage-config" => yaml::<StorageConfig>(&bytes),
        "storage-config-json" => pretty::<StorageConfig>(&bytes),
        "retention-policy-json" => pretty::<RetentionPolicy>(&bytes),
        "retention-policy" => yaml::<RetentionPolicy>(&bytes),
        other => bail!("no such kind: {other}"),
    }
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    Ok(serde_json::from_str(std::str::from_utf8(bytes)?)?)
}

fn pretty<T: DeserializeOwned + Serialize>(bytes: &[u8]) -> Result<Value> {
    Ok(json!(serde_json::to_string_pretty(&read::<T>(bytes)?)?))
}

fn line<T: DeserializeOwned + Serialize>(bytes: &[u8]) -> Result<Value> {
    Ok(json!(serde_json::to_string(&read::<T>(bytes)?)?))
}

fn yaml<T: DeserializeOwned + Serialize>(bytes: &[u8]) -> Result<Value> {
    let value: T = serde_yaml::from_str(std::str::from_utf8(bytes)?)?;
    Ok(json!(serde_yaml::to_string(&value)?))
}

/// All lines of a file of events, none of which may be refused.
fn lines(bytes: &[u8]) -> Result<Value> {
    let written: Result<Vec<Value>> = std::str::from_utf8(bytes)?
        .lines()
        .enumerate()
        .map(|(number, text)| {
            line::<EventRecord>(text.as_bytes()).map_err(|error| anyhow!("line {}: {error}", number + 1))
        })
        .collect();
    Ok(json!(written?))
}
