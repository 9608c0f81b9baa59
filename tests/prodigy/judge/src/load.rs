//! Reading through the program's stores, at the places where they look.

use crate::Request;
use anyhow::{anyhow, bail, Result};
use prodigy::cook::execution::dlq::{DLQFilter, DeadLetterQueue};
use prodigy::cook::execution::events::RetentionManager;
use prodigy::cook::execution::mapreduce::checkpoint::types::{CheckpointConfig, CheckpointId};
use prodigy::cook::execution::mapreduce::checkpoint::{
    CheckpointManager, CheckpointStorage, CompressionAlgorithm, FileCheckpointStorage,
};
use prodigy::cook::execution::state::{DefaultJobStateManager, JobStateManager};
use prodigy::cook::execution::ResumeLockManager;
use prodigy::cook::workflow::{CheckpointManager as WorkflowManager, CheckpointStorage as WorkflowPlace};
use prodigy::storage::{GlobalStorage, SessionJobMapping};
use prodigy::unified_session::{SessionId, SessionStorage};
use serde::Serialize;
use serde_json::{json, Map, Value};
use std::path::{Path, PathBuf};

/// What the store finds, each value as the program writes it.
pub async fn load(request: &Request) -> Result<Value> {
    match request.kind.as_str() {
        "dlq-item" => dead_letters(request).await,
        "session" => session(request).await,
        "sessions" => sessions().await,
        "job-state" => job(request).await,
        "resumable" => resumable(request).await,
        "mr-checkpoint" => checkpoint(request).await,
        "mr-checkpoints" => checkpoints(request).await,
        "reduce-checkpoint" => reduce(request).await,
        "workflow-checkpoint" => workflow(request).await,
        "mapping" => mapping(request).await,
        "resume-lock" => lock(request).await,
        "retention-policy" => policy(request),
        other => bail!("no store reads: {other}"),
    }
}

pub fn pretty<T: Serialize>(value: &T) -> Result<Value> {
    Ok(json!(serde_json::to_string_pretty(value)?))
}

/// The directory of a repository below state.
pub async fn state(request: &Request, folder: &str) -> Result<PathBuf> {
    GlobalStorage::new()?.get_state_dir(request.text("repo")?, folder).await
}

/// The form in which checkpoints are stored.
pub fn compression(request: &Request) -> Result<CompressionAlgorithm> {
    match request.text("compression")? {
        "json" => Ok(CompressionAlgorithm::None),
        "gz" => Ok(CompressionAlgorithm::Gzip),
        "zst" => Ok(CompressionAlgorithm::Zstd),
        "lz4" => Ok(CompressionAlgorithm::Lz4),
        other => bail!("no such compression: {other}"),
    }
}

/// The program's manager of a job's checkpoints.
pub fn manager(storage: Box<dyn CheckpointStorage>, job: &str) -> CheckpointManager {
    CheckpointManager::new(
        storage,
        CheckpointConfig {
            retention_policy: None,
            ..Default::default()
        },
        job.into(),
    )
}

async fn dead_letters(request: &Request) -> Result<Value> {
    let job = request.text("job")?;
    let base = GlobalStorage::new()?.get_dlq_dir(request.text("repo")?, job).await?;
    let queue = DeadLetterQueue::load(job.into(), base).await?;
    let filter = DLQFilter {
        error_type: None,
        reprocess_eligible: None,
        after: None,
        before: None,
        error_signature: None,
    };
    let mut found = Map::new();
    for item in queue.list_items(filter).await? {
        found.insert(item.item_id.clone(), pretty(&item)?);
    }
    Ok(Value::Object(found))
}

async fn session(request: &Request) -> Result<Value> {
    let id = SessionId::from_string(request.text("id")?.into());
    pretty(&SessionStorage::new(GlobalStorage::new()?).load(&id).await?)
}

async fn sessions() -> Result<Value> {
    let mut found = Map::new();
    for session in SessionStorage::new(GlobalStorage::new()?).load_all().await? {
        found.insert(session.id.as_str().into(), pretty(&session)?);
    }
    Ok(Value::Object(found))
}

async fn job(request: &Request) -> Result<Value> {
    let manager = DefaultJobStateManager::new(state(request, "mapreduce").await?);
    pretty(&manager.get_job_state(request.text("job")?).await?)
}

async fn resumable(request: &Request) -> Result<Value> {
    let manager = DefaultJobStateManager::new(state(request, "mapreduce").await?);
    Ok(json!(manager
        .list_resumable_jobs()
        .await?
        .into_iter()
        .map(|job| job.job_id)
        .collect::<Vec<_>>()))
}

/// Loaded by the manager, which checks the integrity hash and the assignments.
async fn checkpoint(request: &Request) -> Result<Value> {
    let base = state(request, "checkpoints").await?;
    let storage = FileCheckpointStorage::with_compression(base, compression(request)?);
    let id = CheckpointId::from_string(request.text("id")?.into());
    let resumed = manager(Box::new(storage), request.text("job")?)
        .resume_from_checkpoint(Some(id))
        .await?;
    pretty(&resumed.checkpoint)
}

async fn checkpoints(request: &Request) -> Result<Value> {
    let base = state(request, "checkpoints").await?;
    let storage = FileCheckpointStorage::with_compression(base, compression(request)?);
    let listed = storage.list_checkpoints(request.text("job")?).await?;
    Ok(json!(listed
        .into_iter()
        .map(|checkpoint| checkpoint.id)
        .collect::<Vec<_>>()))
}

async fn reduce(request: &Request) -> Result<Value> {
    let storage = FileCheckpointStorage::new(PathBuf::new(), false);
    let found = manager(Box::new(storage), request.text("job")?)
        .load_reduce_checkpoint()
        .await?;
    pretty(&found.ok_or_else(|| anyhow!("no reduce checkpoint"))?)
}

async fn workflow(request: &Request) -> Result<Value> {
    let place = WorkflowPlace::Session {
        session_id: request.text("session")?.into(),
    };
    pretty(
        &WorkflowManager::with_storage(place)
            .load_checkpoint(request.text("id")?)
            .await?,
    )
}

/// Found under both names, or not at all.
async fn mapping(request: &Request) -> Result<Value> {
    let base = GlobalStorage::new()?
        .base_dir()
        .join("state")
        .join(request.text("repo")?);
    let by_session = SessionJobMapping::load_by_session(request.text("session")?, &base).await?;
    let by_job = SessionJobMapping::load_by_job(request.text("job")?, &base).await?;
    match (by_session, by_job) {
        (Some(first), Some(second)) => Ok(json!([pretty(&first)?, pretty(&second)?])),
        _ => bail!("no mapping under both names"),
    }
}

/// Acquired and released; an error names the holder.
async fn lock(request: &Request) -> Result<Value> {
    let locks = ResumeLockManager::new(GlobalStorage::new()?.base_dir().to_path_buf())?;
    locks.acquire_lock(request.text("id")?).await?;
    Ok(Value::Null)
}

fn policy(request: &Request) -> Result<Value> {
    let found = RetentionManager::from_config_file(Path::new(request.text("path")?), PathBuf::new())?;
    Ok(json!(found.policy()))
}
