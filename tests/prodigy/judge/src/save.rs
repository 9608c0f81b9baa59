//! Writing through the program's stores, at the places where they write.

use crate::load::{compression, manager, pretty, state};
use crate::Request;
use anyhow::{bail, Context, Result};
use prodigy::cook::execution::events::{EventLogger, MapReduceEvent, RetentionManager};
use prodigy::cook::execution::mapreduce::checkpoint::types::CheckpointReason;
use prodigy::cook::execution::mapreduce::checkpoint::{FileCheckpointStorage, MapReduceCheckpoint};
use prodigy::cook::execution::mapreduce::coordination::executor::OrphanedWorktree;
use prodigy::cook::execution::state::CheckpointManager as StateManager;
use prodigy::cook::execution::{ResumeLockData, ResumeLockManager};
use prodigy::cook::workflow::{CheckpointManager as WorkflowManager, CheckpointStorage as WorkflowPlace};
use prodigy::storage::{
    create_global_dlq, create_global_event_logger, GlobalStorage, SessionJobMapping, StorageConfig,
};
use prodigy::unified_session::SessionStorage;
use prodigy::worktree::WorktreeState;
use serde::de::DeserializeOwned;
use serde::Serialize;
use serde_json::{json, Value};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// Loggers by repository and job, as a run keeps one.
pub type Loggers = HashMap<(String, String), EventLogger>;

/// Let the store of the kind write the value; answers what the caller needs to find it.
pub async fn save(request: &Request, loggers: &mut Loggers) -> Result<Value> {
    match request.kind.as_str() {
        "event-record" => event(request, loggers).await?,
        "dlq-item" => dead_letter(request).await?,
        "session" => {
            SessionStorage::new(GlobalStorage::new()?)
                .save(&value(request)?)
                .await?
        }
        "job-state" => {
            StateManager::new(state(request, "mapreduce").await?)
                .save_checkpoint(&value(request)?)
                .await?
        }
        "mr-checkpoint" => return checkpoint(request).await,
        "reduce-checkpoint" => return reduce(request).await,
        "workflow-checkpoint" => workflow(request).await?,
        "mapping" => mapping(request).await?,
        "resume-lock" => lock(request).await?,
        "worktree-state" => worktree(request)?,
        "orphan-registry" => orphans(request)?,
        "retention-policy" => policy(request)?,
        "storage-config" => config(request)?,
        other => bail!("no store writes: {other}"),
    }
    Ok(Value::Null)
}

fn value<T: DeserializeOwned>(request: &Request) -> Result<T> {
    Ok(serde_json::from_slice(&request.document()?)?)
}

/// The program takes the last component of a project's path for the repository.
fn project(request: &Request) -> Result<PathBuf> {
    Ok(Path::new("/nowhere").join(request.text("repo")?))
}

async fn event(request: &Request, loggers: &mut Loggers) -> Result<()> {
    let (repo, job) = (request.text("repo")?, request.text("job")?);
    let key = (repo.to_string(), job.to_string());
    if !loggers.contains_key(&key) {
        loggers.insert(key.clone(), create_global_event_logger(&project(request)?, job).await?);
    }
    let logger = &loggers[&key];
    logger.log(value::<MapReduceEvent>(request)?).await?;
    logger.flush().await
}

async fn dead_letter(request: &Request) -> Result<()> {
    create_global_dlq(&project(request)?, request.text("job")?, None)
        .await?
        .add(value(request)?)
        .await
}

/// Through the manager, which gives an id, the time and its hash.
async fn checkpoint(request: &Request) -> Result<Value> {
    let state_of: MapReduceCheckpoint = value(request)?;
    let base = state(request, "checkpoints").await?;
    let storage = FileCheckpointStorage::with_compression(base, compression(request)?);
    let checkpoints = manager(Box::new(storage), &state_of.metadata.job_id);
    Ok(json!(checkpoints
        .create_checkpoint(&state_of, CheckpointReason::Manual)
        .await?
        .as_str()))
}

async fn reduce(request: &Request) -> Result<Value> {
    let storage = FileCheckpointStorage::new(PathBuf::new(), false);
    let written = manager(Box::new(storage), request.text("job")?)
        .save_reduce_checkpoint(&value(request)?)
        .await?;
    Ok(json!(written))
}

async fn workflow(request: &Request) -> Result<()> {
    let place = WorkflowPlace::Session {
        session_id: request.text("session")?.into(),
    };
    WorkflowManager::with_storage(place)
        .save_checkpoint(&value(request)?)
        .await
}

async fn mapping(request: &Request) -> Result<()> {
    let base = GlobalStorage::new()?
        .base_dir()
        .join("state")
        .join(request.text("repo")?);
    value::<SessionJobMapping>(request)?.store(&base).await
}

/// Held until this process ends; its content is there only some time after the program says so.
async fn lock(request: &Request) -> Result<()> {
    let root = GlobalStorage::new()?.base_dir().to_path_buf();
    let id = request.text("id")?;
    std::mem::forget(ResumeLockManager::new(root.clone())?.acquire_lock(id).await?);
    let path = root.join("resume_locks").join(format!("{id}.lock"));
    for _ in 0..500 {
        if serde_json::from_slice::<ResumeLockData>(&std::fs::read(&path)?).is_ok() {
            return Ok(());
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    bail!("the lock stayed empty")
}

fn place(request: &Request, folders: &[&str], name: &str) -> Result<PathBuf> {
    let mut path = GlobalStorage::new()?
        .base_dir()
        .join(folders[0])
        .join(request.text("repo")?);
    path.extend(&folders[1..]);
    std::fs::create_dir_all(&path)?;
    Ok(path.join(name))
}

/// The program's manager needs a git repository; here its type is written where the manager writes.
fn worktree(request: &Request) -> Result<()> {
    let state: WorktreeState = value(request)?;
    let path = place(
        request,
        &["worktrees", ".metadata"],
        &format!("{}.json", state.worktree_name),
    )?;
    write(&path, &state)
}

fn orphans(request: &Request) -> Result<()> {
    let entries: Vec<OrphanedWorktree> = value(request)?;
    write(
        &place(
            request,
            &["orphaned_worktrees"],
            &format!("{}.json", request.text("job")?),
        )?,
        &entries,
    )
}

fn write<T: Serialize>(path: &Path, value: &T) -> Result<()> {
    let text = pretty(value)?;
    std::fs::write(path, text.as_str().context("a text")?)?;
    Ok(())
}

fn policy(request: &Request) -> Result<()> {
    RetentionManager::new(value(request)?, PathBuf::new()).save_policy_to_file(Path::new(request.text("to")?))
}

fn config(request: &Request) -> Result<()> {
    let settings: StorageConfig = value(request)?;
    std::fs::write(request.text("to")?, serde_yaml::to_string(&settings)?)?;
    Ok(())
}
